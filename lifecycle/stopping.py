"""Asking for a graceful stop: the flag, and how work races it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from lifecycle.ports import StopFlag


class LocalStopFlag:
    """A stop flag within one event loop. Setting it moves nothing.

    Attributes:
        by: who asked first, also after `clear`; None before anybody did.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.by: str | None = None

    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self, by: str) -> None:
        """Ask for a stop; who asks first is remembered."""
        if not self.is_set():
            self.by = by
        self._event.set()

    def clear(self) -> None:
        """It was honoured: a new start begins without it."""
        self._event.clear()

    async def wait(self) -> None:
        await self._event.wait()


async def was_stopped(work: Coroutine[Any, Any, object], stop: StopFlag) -> bool:
    """Run `work` until it is done or a stop is asked for; return whether it was the stop. Both leave no task."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done() and not stopping.done():
            doing.result()
            return False
        return True
    finally:
        for task in (doing, stopping):
            task.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
