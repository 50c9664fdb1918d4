"""Moving something out of the way without ever overwriting anything."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lifecycle.workspace.files import sync_directory

__all__ = ["link_aside", "name_aside", "set_aside"]


def set_aside(path: Path) -> Path | None:
    """Move whatever stands at `path` to the first free `NAME.invalid-<n>.SUFFIX` beside it.

    Works for anything: a file, a directory, a dangling link. The link itself moves, its target stays. The new name
    is reserved before the move, by something empty; what is empty there already, as a crash between leaves it, is free.

    Returns:
        The new path, or None when nothing stood there.

    Raises:
        OSError: the move failed; what stood there stands there still.
    """
    aside = name_aside(path)
    if aside is None:
        return None
    is_reserved = os.path.lexists(aside)
    if not is_reserved:
        os.mkdir(aside) if _is_directory(path) else _create(aside)
    try:
        os.rename(path, aside)
    except OSError:
        if not is_reserved:
            aside.rmdir() if aside.is_dir() else aside.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_directory(directory)
    finally:
        os.close(directory)
    return aside


def name_aside(path: Path) -> Path | None:
    """Where `set_aside` would move what stands at `path`; None when nothing does."""
    if not os.path.lexists(path):
        return None
    return next(aside for aside in _names(path) if not os.path.lexists(aside) or _is_free(aside, path))


def link_aside(path: Path) -> Path | None:
    """Give what stands at `path` a second such name, unless it has one; None where it can have none."""
    try:
        for aside in _names(path):
            try:
                os.link(path, aside, follow_symlinks=False)
            except FileExistsError:
                if not os.path.samestat(os.lstat(path), os.lstat(aside)):
                    continue
            return aside
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EACCES):
            return None
        raise
    raise AssertionError("counting ends nowhere")


def _names(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.stem}.invalid-{number}{path.suffix}") for number in itertools.count(1))


def _is_free(aside: Path, path: Path) -> bool:
    """Whether this is empty and can be moved over: a reservation, or as good as one."""
    if _is_directory(path):
        return _is_directory(aside) and not os.listdir(aside)
    status = os.lstat(aside)
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _create(path: Path) -> None:
    path.open("xb").close()
