"""Handing events to hosts: any number of watchers, each at its own pace, none of which can hold up the machine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from lifecycle.events import Event

KEPT_EVENTS = 10_000
"""How many events are kept for late watchers, and how far a slow one may fall behind before it misses the oldest."""


class EventHub:
    """An observer that any number of `watch` iterators read from. A late watcher gets what is kept first."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._count = 0
        self._is_closed = False
        self._woken = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self._kept.append(event)
        self._count += 1
        self._wake()

    def close(self) -> None:
        """No more events come: watchers end after what is left."""
        self._is_closed = True
        self._wake()

    async def watch(self) -> AsyncIterator[Event]:
        """Every event from the oldest kept one on, until the hub is closed."""
        position = self._count - len(self._kept)
        while True:
            oldest = self._count - len(self._kept)
            position = max(position, oldest)
            if position < self._count:
                position += 1
                yield self._kept[position - 1 - oldest]
            elif self._is_closed:
                return
            else:
                await self._woken.wait()

    def _wake(self) -> None:
        self._woken.set()
        self._woken = asyncio.Event()
