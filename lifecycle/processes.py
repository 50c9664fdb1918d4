"""Which process, exactly: a pid together with the moment it started, on which boot, on which host.

Owns process identity: taking it, writing it down, asking whether it still lives, signalling it. A pid alone
is never trusted, because the kernel hands it out again. Refuses to know what any process is for.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from states.errors import RecordInvalid

__all__ = ["ProcessIdentity", "identity_of", "is_alive", "send_signal", "this_process"]


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process that ran or runs; no two processes ever have equal identities.

    Attributes:
        pid: the process id, in the pid namespace of `host`.
        start: when it started, as the kernel counts: clock ticks since boot on Linux, microseconds since the
            epoch elsewhere. Only ever compared for equality.
        boot_id: the kernel's name for this boot.
        host: the host's name; it tells containers apart that share a kernel and so a boot.
    """

    pid: int
    start: int
    boot_id: str
    host: str

    def to_record(self) -> dict[str, str | int]:
        """The identity as plain data for the journal."""
        return {"pid": self.pid, "start": self.start, "boot_id": self.boot_id, "host": self.host}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> ProcessIdentity:
        """The inverse of `to_record`.

        Raises:
            RecordInvalid: a field is missing or mistyped.
        """
        return cls(
            pid=_count(record, "pid", at_least=1),
            start=_count(record, "start", at_least=0),
            boot_id=_text(record, "boot_id"),
            host=_text(record, "host"),
        )


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of the living process that has this pid now; None when there is none.

    A zombie is not living: it runs nothing any more and only waits to be counted.
    """
    start = _start_of(pid) if pid > 0 else None
    return None if start is None else ProcessIdentity(pid, start, _boot_id(), _host())


def this_process() -> ProcessIdentity:
    """The identity of the calling process."""
    identity = identity_of(os.getpid())
    if identity is None:  # only where /proc is hidden even from its owner
        raise ProcessLookupError(f"the operating system does not tell when process {os.getpid()} started")
    return identity


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process still lives, here. Zombies, reused pids, other boots and other hosts do not."""
    return identity_of(identity.pid) == identity


def send_signal(identity: ProcessIdentity, *signals: signal.Signals) -> bool:
    """Sends the signals to that very process and to no other, in order, without waiting for anything.

    On Linux a pidfd pins the process before its start time is compared, so a pid that is reused in between
    is never hit. Elsewhere the comparison comes directly before the signal, which leaves microseconds.

    Returns:
        False when the process was gone already.

    Raises:
        PermissionError: it lives and belongs to somebody else.
    """
    try:
        pidfd = _open_pidfd(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        for number in signals:
            if pidfd is None:
                os.kill(identity.pid, number)
            else:
                signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return True


_LINUX: Final = sys.platform == "linux"
_DEAD_STATES: Final = frozenset("ZXx")
_STAT_STATE: Final = 0  # fields are counted from behind the command's name: proc(5) field 3
_STAT_START: Final = 19  # proc(5) field 22


def _open_pidfd(pid: int) -> int | None:
    """A pidfd, or None where the system has none (macOS, Linux before 5.3, a sandbox that forbids it)."""
    if sys.platform != "linux" or not hasattr(signal, "pidfd_send_signal"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        return None


def _start_of(pid: int) -> int | None:
    if not _LINUX:
        return _start_by_psutil(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses: count from the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[_STAT_STATE].decode() in _DEAD_STATES:
        return None
    return int(fields[_STAT_START])


def _start_by_psutil(pid: int) -> int | None:
    import psutil  # 20 ms that Linux need not pay

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1_000_000)
    except psutil.Error:
        return None


@functools.cache
def _boot_id() -> str:
    try:
        if _LINUX:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"  # pid and start still have to agree, to the tick


def _host() -> str:
    return os.uname().nodename


def _count(record: Mapping[str, object], field: str, at_least: int) -> int:
    value = record.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise RecordInvalid(
            f"process identity: {field!r} must be a whole number >= {at_least}, not {value!r}"
        )
    return value


def _text(record: Mapping[str, object], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str):
        raise RecordInvalid(f"process identity: {field!r} must be a string, not {value!r}")
    return value
