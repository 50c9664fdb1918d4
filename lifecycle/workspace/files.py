"""Reading and replacing single files of an untrusted project directory.

Owns: what may stand in a file's place (a regular file, or a symbolic link to one inside the project), bounded
reads that never hang, and replacement that leaves the old content or the new one whatever dies in between.
Refuses to know: what is in the files.

Every function is synchronous and short: a caller that is cancelled loses the answer, never half of a write.

Symbolic links are followed on purpose, so that a person may keep a project file elsewhere in the project; the
link stays and its target is replaced. A link is refused when it leads out of the project, into anything whose
name begins with a dot (`.git`, `.claude`), or to a file of another suffix. Without the last two rules an agent could
aim the manager's own writes at files that the agent may not write itself.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from lifecycle.errors import ProjectInvalid

__all__ = ["FileUnusable", "read_regular", "read_tail", "write_atomic"]

_CHUNK_BYTES = 1 << 20
_TEMPORARY_MARK = ".lifecycle-"


class FileUnusable(ProjectInvalid):
    """Something stands in a file's place that can be neither read nor replaced. The person must act.

    You get this for what is wrong with the *project* (a directory, a dangling link, missing permission, too
    large). What is wrong with the *machine* (a full disk, too many open files) stays an OSError: trying again
    may help there.

    Attributes:
        path: the file.
        problem: what stands there, and what is accepted.
    """


def read_regular(path: Path, *, within: Path, limit_bytes: int) -> bytes | None:
    """The content of a regular file, or None when nothing at all stands at `path`.

    Args:
        path: the file, in or below `within`.
        within: the project directory that symbolic links may not leave.
        limit_bytes: a larger file is refused, not cut.

    Raises:
        FileUnusable: not a regular file, a link that is dangling or refused, unreadable, too large.
        OSError: the machine's fault.
    """
    content = _read(path, within, limit_bytes + 1, from_end=False)
    if content is not None and len(content[0]) > limit_bytes:
        raise FileUnusable(path, f"is larger than {_size(limit_bytes)}, the most that is accepted")
    return None if content is None else content[0]


def read_tail(path: Path, *, within: Path, limit_bytes: int) -> tuple[bytes, bool] | None:
    """The last `limit_bytes` of a regular file and whether anything was left out; None when nothing is there.

    Raises:
        FileUnusable, OSError: as `read_regular`, but never for the file's size.
    """
    return _read(path, within, limit_bytes, from_end=True)


def write_atomic(path: Path, content: bytes, *, within: Path, follow_link: bool = True) -> None:
    """Replace `path` durably: after any crash it holds the old content or the new, never a mixture.

    A temporary file in the same directory is written, synced and renamed over the target, then the directory is
    synced. Mode and ownership of an existing file are kept (ownership as far as the process may give files
    away); a new file gets the process's default. Hard links are broken: the other names keep the old content.
    Temporary files that a killed process left behind are removed on the way.

    Args:
        path: the file, in or below `within`. A symbolic link is written through; see the module's rules.
        content: all of it.
        within: the project directory.
        follow_link: False replaces whatever stands at `path`, a link or a named pipe itself; only a directory
            is still refused.

    Raises:
        FileUnusable: the place is taken by something that is not a regular file, or a link is refused.
        OSError: the write failed; the old content stands and no temporary file is left.
    """
    if follow_link:
        target = _resolve(path, within)
        old = _regular_or_absent(path, target)
    else:
        target = Path(os.path.realpath(path.parent)) / path.name
        old = _replaceable(path, target)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_leftovers(directory, target.name)
        temporary = f".{target.name}{_TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}.tmp"
        try:
            _write_synced(directory, temporary, content, old)
            os.rename(temporary, target.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            _unlink_if_there(directory, temporary)
            raise
        sync_directory(directory)
    finally:
        os.close(directory)


def sync_directory(directory: int) -> None:
    """Make a directory's names durable, where its file system knows how to."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _read(path: Path, within: Path, count: int, *, from_end: bool) -> tuple[bytes, bool] | None:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    target = _resolve(path, within)
    if _regular_or_absent(path, target) is None:
        raise FileUnusable(path, f"is a dangling symbolic link (to {target})")
    try:
        # O_NONBLOCK: should a FIFO take the file's place after the look above, opening it must not wait.
        handle = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise FileUnusable(path, f"is {_kind(status.st_mode)}, not a regular file")
        start = max(0, status.st_size - count) if from_end else 0
        return _read_from(handle, start, count), start > 0
    finally:
        os.close(handle)


def _read_from(handle: int, start: int, count: int) -> bytes:
    pieces: list[bytes] = []
    while count > 0:
        piece = os.pread(handle, min(count, _CHUNK_BYTES), start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
        count -= len(piece)
    return b"".join(pieces)


def _resolve(path: Path, within: Path) -> Path:
    """Where `path` really is, links followed by the module's rules."""
    root = Path(os.path.realpath(within))
    target = Path(os.path.realpath(path))
    if target == root / path.name:
        return target
    if not target.is_relative_to(root):
        raise FileUnusable(path, f"leads out of the project (to {target}); put the file itself there")
    if target.suffix != path.suffix or any(part.startswith(".") for part in target.relative_to(root).parts):
        raise FileUnusable(path, f"is a symbolic link to {target}, which is not a {path.suffix} file of the project")
    return target


def _regular_or_absent(path: Path, target: Path) -> os.stat_result | None:
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    if stat.S_ISLNK(status.st_mode):
        raise FileUnusable(path, "is a symbolic link that leads back to itself")
    if not stat.S_ISREG(status.st_mode):
        raise FileUnusable(path, f"is {_kind(status.st_mode)}, not a regular file")
    return status


def _replaceable(path: Path, target: Path) -> os.stat_result | None:
    """The old file's attributes where they are to be kept; None for nothing, no file, or one made inaccessible."""
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise FileUnusable(path, "is a directory, not a regular file")
    is_ordinary = stat.S_ISREG(status.st_mode) and status.st_mode & 0o600 == 0o600
    return status if is_ordinary else None


def _write_synced(directory: int, name: str, content: bytes, old: os.stat_result | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    # 0600 until the old file's own mode is set: a private file must not be readable for a moment.
    handle = os.open(name, flags, 0o666 if old is None else 0o600, dir_fd=directory)
    try:
        if old is not None:
            _keep_owner(handle, old)
            os.fchmod(handle, stat.S_IMODE(old.st_mode))
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _keep_owner(handle: int, old: os.stat_result) -> None:
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) == (old.st_uid, old.st_gid):
        return
    for uid, gid in ((old.st_uid, old.st_gid), (-1, old.st_gid)):
        try:
            os.fchown(handle, uid, gid)
        except PermissionError:
            continue  # giving files away needs privilege: then the group alone, or what the system gave
        return


def _remove_leftovers(directory: int, name: str) -> None:
    """Remove what a killed writer left. The project's lock keeps other living writers away; threads share our pid."""
    ours = f".{name}{_TEMPORARY_MARK}{os.getpid()}-"
    for entry in os.listdir(directory):
        if entry.startswith(f".{name}{_TEMPORARY_MARK}") and not entry.startswith(ours):
            _unlink_if_there(directory, entry)


def _unlink_if_there(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        pass  # a leftover is untidy, never wrong


def _unusable(path: Path, error: OSError) -> Exception:
    """The project's fault as FileUnusable; the machine's as it came."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileUnusable(path, "cannot be read: permission denied")
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO, errno.ENOENT):
        return FileUnusable(path, f"cannot be read: {os.strerror(error.errno).lower()}")
    return error


def _kind(mode: int) -> str:
    names = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for test, name in names if test(mode)), "something else")


def _size(count: int) -> str:
    return f"{count // (1 << 20)} MiB" if count >= 1 << 20 else f"{count // 1024} KiB"
