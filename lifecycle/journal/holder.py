"""Who holds a kernel lock on a file, as far as the kernel tells. Asks; takes nothing.

Owns the reading of /proc/locks. Elsewhere than on Linux nobody tells, and the answers are None.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["FileLock", "lock_on", "started_at"]


@dataclass(frozen=True, slots=True)
class FileLock:
    """A lock that somebody holds.

    Attributes:
        pid: who took it; None where the kernel does not say (open-file-description locks, another pid namespace).
    """

    pid: int | None


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
        if len(fields) >= 6 and fields[1] != "->" and fields[3] == "WRITE" and fields[5] == device:
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
