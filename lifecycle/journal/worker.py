"""One thread that does one thing after the other, for an event loop that must not wait.

Owns the promise about cancelling: a call that was begun is carried through. Knows nothing of databases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Worker"]

T = TypeVar("T")


class Worker:
    """A thread of one's own. It lives until `stop`, or until the interpreter ends."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def call(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread and return its result.

        Cancelled, also more than once, this waits for the work to end and only then lets the cancel go on: the
        work is never left running behind the back of whoever cancelled. Its own fault, if any, is then the
        cancel's cause.
        """
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait((future,))
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled from future.exception()
        return future.result()

    def stop(self) -> None:
        """Let the thread end after what it is at. Idempotent; a call after it is a RuntimeError."""
        self._thread.shutdown(wait=False)
