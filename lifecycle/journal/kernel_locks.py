"""Locks that the kernel keeps: they belong to an open file, and end with the last process that has it open.

Owns the two kinds (open-file-description locks on files, flock on directories), what stands in for them where a
system has not got them, and the reading of /proc/locks. It writes nothing and knows nothing of projects.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["FileLock", "is_locked", "lock_on", "started_at", "try_lock_directory", "try_lock_file"]


@dataclass(frozen=True, slots=True)
class FileLock:
    """A lock that somebody holds.

    Attributes:
        pid: who took it; None where the kernel does not say (open-file-description locks, another pid namespace).
    """

    pid: int | None


def try_lock_file(file: int) -> bool:
    """Lock the whole of a file that is open for writing; False when somebody has it, in this process or another."""
    if _OFD_SETLK is not None:
        try:
            fcntl.fcntl(file, _OFD_SETLK, _WHOLE_FILE)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            if error.errno != errno.EINVAL:
                raise
        else:
            return True
    return _try_flock(file, fcntl.LOCK_EX)


def try_lock_directory(directory: int) -> bool:
    """Lock an open directory; False when somebody has it. True, and no lock, where the file system has none."""
    try:
        return _try_flock(directory, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NOT_LOCKABLE:
            raise
    return True


def is_locked(file: int) -> bool:
    """Whether somebody has an open file locked, asked without touching the lock."""
    if _OFD_GETLK is not None:
        try:
            answer = fcntl.fcntl(file, _OFD_GETLK, _WHOLE_FILE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)
    # Nothing but trying tells: for an instant the file is ours, and a manager that starts just then is refused.
    if not _try_flock(file, fcntl.LOCK_SH):
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def lock_on(status: os.stat_result, *, locks: Path = Path("/proc/locks")) -> FileLock | None:
    """The write lock on the file that `status` is of, or None when there is none or nobody tells."""
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 6579 fe:00:2179420 0 EOF"; a waiter's line has "->" after the number.
        fields = line.split()
        if len(fields) >= _FIELDS and fields[1] != "->" and fields[3] == "WRITE" and fields[5] == device:
            pid = int(fields[4])
            return FileLock(pid if pid > 0 else None)
    return None


def started_at(start_ticks: int) -> str | None:
    """A process's start in ISO 8601, UTC, from its ticks since boot; None where the boot's moment is unknown."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("btime "):
            seconds = int(line.split()[1]) + start_ticks / os.sysconf("SC_CLK_TCK")
            return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    return None


_OFD_SETLK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
_OFD_GETLK: Final[int | None] = getattr(fcntl, "F_OFD_GETLK", None)
_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, pid (0 for this kind), then its padding
_WHOLE_FILE: Final = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES})
_NOT_LOCKABLE: Final = frozenset({errno.EBADF, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL})
"""What file systems say that cannot lock a directory, NFS among them."""
_FIELDS: Final = 6


def _try_flock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
