"""The plain outputs of the sink: a file descriptor, and a file object that has none.

Owns writing that bypasses Python's buffers: a thread that hangs in a buffered write holds its lock, and then the
interpreter aborts when it ends.
"""

from __future__ import annotations

import io
import os
import select
import time
from collections.abc import Callable
from typing import Final, TextIO

__all__ = ["PlainOutput", "descriptor_of", "write_to"]


class PlainOutput:
    """Lines to a stream, one after the other, with a line of progress now and then while nothing else comes.

    Args:
        stream: where to. One with a file descriptor is written to directly.
        progress: makes the line of progress, or None while there is none.
        every_s: how long between two of them, at least.
    """

    def __init__(
        self, stream: TextIO, progress: Callable[[], str | None] | None = None, *, every_s: float = 60.0
    ) -> None:
        self._stream = stream
        self._descriptor = descriptor_of(stream)
        self._progress = progress
        self._every_s = every_s
        self._last = time.monotonic()

    def write(self, line: str) -> None:
        self._last = time.monotonic()
        if self._descriptor is None:
            self._stream.write(line + "\n")
            self._stream.flush()
        else:
            write_to(self._descriptor, line + "\n", self._stream.encoding)

    def tick(self) -> None:
        if self._progress is None or time.monotonic() - self._last < self._every_s:
            return
        self._last = time.monotonic()
        if line := self._progress():
            self.write(line)

    def close(self) -> None:
        """Nothing is held back, and the stream is not ours to close."""


def descriptor_of(stream: TextIO) -> int | None:
    """The stream's file descriptor, or None for one in memory."""
    try:
        return stream.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None


def write_to(descriptor: int, text: str, encoding: str | None = None) -> None:
    """Write all of the text, also to a descriptor that somebody has made non-blocking.

    Raises:
        OSError: it could not be written whole.
    """
    content = text.encode(encoding or "utf-8", errors="backslashreplace")
    while content:
        try:
            content = content[os.write(descriptor, content) :]
        except BlockingIOError:
            _wait_until_writable(descriptor)


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(_POLL_MS)


_POLL_MS: Final = 500
