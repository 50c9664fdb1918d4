"""Events for hosts: history first, nobody is held up, and what a watcher misses it is told."""

from __future__ import annotations

import asyncio

import pytest

from lifecycle import watching
from lifecycle.events import Event, EventsMissed, Said, StopRequested
from lifecycle.watching import EventHub


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KEPT_EVENTS", 10)


def important(number: int) -> Event:
    return StopRequested(at=float(number), by=str(number))


def detail(number: int) -> Event:
    return Said(at=float(number), session_id="s", text=str(number))


async def seen(hub: EventHub) -> list[Event]:
    return [event async for event in hub.watch()]


async def test_a_late_watcher_gets_everything_that_is_kept_in_its_order() -> None:
    hub = EventHub()
    told = [important(0), detail(1), important(2)]
    for event in told:
        hub(event)
    hub.close()
    assert await seen(hub) == told
    assert await seen(hub) == told, "and the next one too"


async def test_each_watcher_goes_at_its_own_pace() -> None:
    hub = EventHub()
    fast, slow = hub.watch(), hub.watch()
    for number in range(3):
        hub(important(number))
        assert (await anext(fast)).at == number
    waiting = asyncio.ensure_future(anext(fast))
    assert (await anext(slow)).at == 0
    hub(important(3))
    assert (await waiting).at == 3
    assert [(await anext(slow)).at for _ in range(3)] == [1, 2, 3]


async def test_what_is_missed_is_told_where_it_is_missing() -> None:
    hub = EventHub()
    watcher = hub.watch()
    hub(important(0))
    assert (await anext(watcher)).at == 0
    for number in range(1, 100):
        hub(important(number))
    hub.close()
    missed, *rest = [event async for event in watcher]
    assert isinstance(missed, EventsMissed)
    assert missed.count + len(rest) == 99
    assert [event.at for event in rest] == list(range(100 - len(rest), 100))
    assert len(rest) >= 10


async def test_details_go_first_and_what_matters_stays() -> None:
    """A night of tool calls takes nothing of why it ended."""
    hub = EventHub()
    hub(important(0))
    for number in range(1, 1000):
        hub(detail(number))
    hub(important(1000))
    hub.close()
    events = await seen(hub)
    assert events[0].at == 0
    assert isinstance(events[1], EventsMissed)
    assert [type(event) for event in (events[0], events[-1])] == [StopRequested, StopRequested]
    assert sum(getattr(event, "count", 1) for event in events) == 1001
    assert len(events) < 40


async def test_telling_takes_no_time_however_many_nobody_reads() -> None:
    """What is kept is bounded."""
    hub = EventHub()
    slow = hub.watch()
    for number in range(5000):
        hub(detail(number))
        assert len(hub._kept) <= 30
    hub.close()
    assert isinstance(await anext(slow), EventsMissed)
