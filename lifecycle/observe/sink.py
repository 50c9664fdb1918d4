"""Lines for a file that may be slow, closed or full: whoever writes them never waits for it and never fails.

Owns the bounded queue and the one thread that may block. Knows nothing of what a line says.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

__all__ = ["Output", "Sink"]


class Output(Protocol):
    """Where lines go. Everything is called by one thread, the sink's, and may block."""

    def write(self, line: str) -> None:
        """Write a line, given without its end.

        Raises:
            OSError: this line could not be written, or, with an errno that says so, none ever will be.
        """

    def tick(self) -> None:
        """Called several times a second while there is nothing to write. Raises as `write`."""

    def close(self) -> None:
        """Nothing more comes. Raises as `write`."""


class Sink:
    """A bounded queue before an output. When it is full the oldest lines go, and how many is said later.

    Args:
        dropped: makes the line that says how many are missing.
        lines_max: how many may wait.
    """

    def __init__(self, output: Output, dropped: Callable[[int], str], *, lines_max: int = 10_000) -> None:
        self._output = output
        self._say_dropped = dropped
        self._lines_max = lines_max
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._is_closing = False
        self._is_dead = False
        self._changed = threading.Condition()
        # A daemon: a write that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="lifecycle-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have the line written when the output takes it. Never blocks, never raises."""
        with self._changed:
            if self._is_dead:
                return
            if len(self._waiting) >= self._lines_max:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(line)
            self._changed.notify()

    def close(self, wait_s: float = 1.0) -> bool:
        """Write what waits, for at most this long; return whether the output is done with. Idempotent."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    # --- the thread ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._is_dead:
            line, dropped, is_over = self._next()
            if dropped:
                self._attempt(partial(self._output.write, self._say_dropped(dropped)), lost=dropped)
            if line is not None:
                self._attempt(partial(self._output.write, line), lost=1)
            elif is_over:
                self._attempt(self._output.close, lost=0)
                return
            else:
                self._attempt(self._output.tick, lost=0)

    def _next(self) -> tuple[str | None, int, bool]:
        """The next line or None, how many were dropped before it, and whether that is the end."""
        with self._changed:
            if not self._waiting and not self._is_closing:
                self._changed.wait(_TICK_S)
            line = self._waiting.popleft() if self._waiting else None
            dropped = 0 if line is None and not self._is_closing else self._dropped
            self._dropped -= dropped
            return line, dropped, self._is_closing

    def _attempt(self, write: Callable[[], None], *, lost: int) -> None:
        """A line that does not fit is counted; an output that is gone for good is given up."""
        try:
            write()
        except OSError as error:
            with self._changed:
                self._dropped += lost
                self._is_dead = error.errno in _GONE
        except ValueError:  # what a closed file object says
            with self._changed:
                self._is_dead = True


_TICK_S: Final = 0.25
_GONE: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ENXIO, errno.ECONNRESET, errno.ENOTCONN})
"""What a closed pipe, descriptor, terminal or socket says. A full disk is none of these: it may have room again."""
