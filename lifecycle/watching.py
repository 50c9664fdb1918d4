"""Handing events to hosts: any number of watchers, each at its own pace, none of which can hold up the machine."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from itertools import chain
from operator import itemgetter

from lifecycle.events import Event, EventsMissed

KEPT_EVENTS = 10_000
"""How many events are kept for late and slow watchers, and besides as many of level debug, which go first: a tool call
of last evening is worth less in the morning than why the session after it did not come."""


class EventHub:
    """An observer that any number of `watch` iterators read from. A late watcher gets what is kept first."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Event]] = []
        self._count = 0
        self._is_closed = False
        self._woken = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self._count += 1
        self._kept.append((self._count, event))
        if len(self._kept) >= 3 * KEPT_EVENTS:
            self._kept = _newest(self._kept)
        self._wake()

    def close(self) -> None:
        """No more events come: watchers end after what is left."""
        self._is_closed = True
        self._wake()

    async def watch(self) -> AsyncIterator[Event]:
        """Every event from the oldest kept one on, until the hub is closed. A gap is told where it is."""
        seen = 0
        while True:
            place = bisect_right(self._kept, seen, key=itemgetter(0))
            if place < len(self._kept):
                number, event = self._kept[place]
                missed, seen = number - seen - 1, number
                if missed:
                    yield EventsMissed(at=event.at, run_id=event.run_id, count=missed)
                yield event
            elif self._is_closed:
                return
            else:
                await self._woken.wait()

    def _wake(self) -> None:
        self._woken.set()
        self._woken = asyncio.Event()


def _newest(kept: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
    details = [each for each in kept if each[1].level == "debug"]
    others = [each for each in kept if each[1].level != "debug"]
    return sorted(chain(details[-KEPT_EVENTS:], others[-KEPT_EVENTS:]), key=itemgetter(0))
