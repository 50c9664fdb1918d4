"""Moving something out of the way without ever overwriting anything."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

from lifecycle.workspace.files import sync_directory

__all__ = ["link_aside", "set_aside"]


def set_aside(path: Path) -> Path | None:
    """Move whatever stands at `path` to the first free `NAME.invalid-<n>.SUFFIX` beside it.

    Works for anything: a file, a directory, a dangling link. The link itself moves, its target stays. The new name
    is reserved before the move (a crash between leaves an empty reservation).

    Returns:
        The new path, or None when nothing stood there.

    Raises:
        OSError: the move failed; what stood there stands there still.
    """
    if not os.path.lexists(path):
        return None
    aside = _first_free(path, os.mkdir if path.is_dir() and not path.is_symlink() else _create)
    try:
        os.rename(path, aside)
    except OSError:
        aside.rmdir() if aside.is_dir() else aside.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_directory(directory)
    finally:
        os.close(directory)
    return aside


def link_aside(path: Path) -> Path | None:
    """Give what stands at `path` a second such name; None when nothing stands there or it can have no second name."""
    try:
        return _first_free(path, lambda aside: os.link(path, aside, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EACCES):
            return None
        raise


def _first_free(path: Path, make: Callable[[Path], None]) -> Path:
    """Make the first of the names that is not there yet."""
    for number in itertools.count(1):
        aside = path.with_name(f"{path.stem}.invalid-{number}{path.suffix}")
        try:
            make(aside)
        except FileExistsError:
            continue
        return aside
    raise AssertionError("counting ends nowhere")


def _create(path: Path) -> None:
    path.open("xb").close()
