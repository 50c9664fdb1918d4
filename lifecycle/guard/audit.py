"""The audit log: every decision of a gate, appended to a file before the decision takes effect.

Owns the file `audit.jsonl`: one line of JSON a decision, private to its owner, of bounded size. A decision that cannot
be written is an error for the caller, who then refuses the call. What a killed writer left half written is closed by
the next append and passed over by the reader, `audit_reading`.

A line is in the hands of the operating system when `append` returns: it outlives the process, however that dies. It is
not synced to the disk, since that would cost every tool call milliseconds: a power cut can take the last seconds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lifecycle.guard.decisions import Decision, line_of_decision
from lifecycle.redaction import Redactor

__all__ = ["AUDIT_NAME", "AuditLog", "rotated"]

AUDIT_NAME: Final = "audit.jsonl"
"""The log's file in a project's state directory."""

SIZE_MAX_BYTES: Final = 8 << 20
FILES_MAX: Final = 4
"""With the newest: some 100,000 decisions, then the oldest file goes."""


class AuditLog:
    """Appends decisions to one file. Threads may share it, and so may processes.

    >>> import tempfile
    >>> directory = Path(tempfile.mkdtemp())
    >>> log = AuditLog(directory / "audit.jsonl")
    >>> log.append(Decision(0.0, "Bash", {"command": "ls"}, True, "allowed"))
    >>> (directory / "audit.jsonl").read_bytes().count(b"\\n")
    1
    """

    def __init__(
        self,
        path: Path | str,
        *,
        redact: Callable[[str], str] | None = None,
        size_max_bytes: int = SIZE_MAX_BYTES,
        files_max: int = FILES_MAX,
    ) -> None:
        """Touches nothing yet.

        Args:
            path: the file; its directory must exist.
            redact: takes secrets out of texts; by default everything that looks like one.
            size_max_bytes: a file that has reached it is put aside: `audit.jsonl` becomes `audit.jsonl.1`, and so on.
            files_max: how many files there may be, with the newest.
        """
        self.path = Path(path)
        self._redact = redact or Redactor()
        self._size_max_bytes = size_max_bytes
        self._files_max = files_max
        self._lock = threading.Lock()

    def append(self, decision: Decision) -> None:
        """Write the decision down.

        Raises:
            OSError: it could not be written, whole: whatever was decided must not be acted on.
        """
        line = line_of_decision(decision, self._redact)
        with self._lock:
            handle = self._opened()
            try:
                status = os.fstat(handle)
                if status.st_size >= self._size_max_bytes and self._put_aside(handle):
                    os.close(handle)
                    handle = self._opened()
                    status = os.fstat(handle)
                _write(handle, line, status.st_size)
            finally:
                os.close(handle)

    def _opened(self) -> int:
        # Opened for each line: a log whose directory was taken away must be noticed. Never through a link, and never
        # waiting at a pipe that somebody put there.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o600)
        mode = os.fstat(handle).st_mode
        try:
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, "not a regular file", str(self.path))
            if stat.S_IMODE(mode) & 0o077:
                os.fchmod(handle, 0o600)
        except OSError:
            os.close(handle)
            raise
        return handle

    def _put_aside(self, handle: int) -> bool:
        """Move the full file, and those before it, one number on; False when another process is doing so."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not os.path.samestat(os.fstat(handle), os.stat(self.path)):
            return True  # another process has just done it
        for number in range(self._files_max - 1, 0, -1):
            older = rotated(self.path, number)
            newer = self.path if number == 1 else rotated(self.path, number - 1)
            if newer.exists():
                os.replace(newer, older)
        return True


def rotated(path: Path, number: int) -> Path:
    """Where the log's older part is kept: 1 is the newest of them."""
    return path.with_name(f"{path.name}.{number}")


def _write(handle: int, line: bytes, size: int) -> None:
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line  # what a killed writer left stays a line of its own, which no reader can mistake
    written = os.write(handle, line)
    if written != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
