"""Signals: the first asks for a graceful stop, the second stops at once, and all of them end in an exit *status*.

Owns the handlers. Before and after a run is driven a signal ends the command; while one is driven it only asks.
SIGHUP stays ignored where it was when the command began (`nohup`). SIGINT does not: scripts start background jobs
with it ignored, and whoever sends one to this process by its id means it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self

from lifecycle.cli.exits import Exit

__all__ = ["Interrupted", "StopSignals", "ending_on_signals"]

_NUMBERS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal ended the command while there was nothing to save.

    Attributes:
        status: the exit status.
    """

    def __init__(self, number: int) -> None:
        self.status = Exit[signal.Signals(number).name]
        super().__init__(self.status.name)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """While inside, a signal raises `Interrupted` instead of killing the process."""
    before = {number: signal.getsignal(number) for number in _heeded()}
    for number in before:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopSignals:
    """While inside, signals ask for a stop through the running event loop. The first one's name is the reason.

    Args:
        stop: called with the first signal's name.
        cancel: called at the second, which comes when saving takes longer than somebody wants to wait. Should even
            that not end the process soon, it ends without further ado; a third signal does not wait for that.
    """

    def __init__(self, stop: Callable[[str], None], cancel: Callable[[], object]) -> None:
        self._stop = stop
        self._cancel = cancel
        self._count = 0
        self._before: dict[int, object] = {}
        self.first: str | None = None

    @property
    def is_forced(self) -> bool:
        """Whether a second signal came."""
        return self._count > 1

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _heeded():
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._heed, number)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number, handler in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave

    def _heed(self, number: int) -> None:
        self._count += 1
        if self.first is None:
            self.first = signal.Signals(number).name
            self._stop(self.first)
        elif self._count == 2:
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._leave)
            self._cancel()
        else:
            self._leave()

    def _leave(self) -> None:
        # The agent's leash ends it with this process, and the journal has every transition that was made.
        os._exit(Exit[self.first or "SIGTERM"])


_PATIENCE_S: Final = 5.0


def _heeded() -> tuple[signal.Signals, ...]:
    return tuple(
        number
        for number in _NUMBERS
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )


def _end(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
