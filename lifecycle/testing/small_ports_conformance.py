"""The cases that every clock, chance, stop flag, prompts and observer must pass. Subclass, give it yours, and pytest runs them.

    class TestMyClock(ClockConformance):
        @pytest.fixture
        def clock(self):
            return MyClock()
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

import pytest

from lifecycle import events
from lifecycle.events import Event
from lifecycle.ports import Chance, Clock, Observer, Prompts, Reading, StopFlag
from states.facts import FeatureCount
from states.vocabulary import SessionType

__all__ = [
    "ChanceConformance",
    "ClockConformance",
    "ObserverConformance",
    "PromptsConformance",
    "StopFlagConformance",
    "sample_events",
]

SOON_S = 0.05


@pytest.mark.asyncio
class ClockConformance:
    """Subclass it with a fixture `clock`. It sleeps for fractions of a second, if it is a real one."""

    @pytest.fixture
    def clock(self) -> Any:
        """A clock that nobody sets meanwhile."""
        raise NotImplementedError("give a clock to test")

    async def test_it_tells_seconds_and_does_not_run_backwards(self, clock: Clock) -> None:
        first, second = clock.now(), clock.now()
        assert isinstance(first, float)
        assert second >= first

    async def test_it_sleeps_until_the_moment_and_not_less(self, clock: Clock) -> None:
        moment = clock.now() + SOON_S
        await asyncio.wait_for(clock.sleep_until(moment), 10)
        assert clock.now() >= moment

    async def test_a_moment_that_has_passed_is_not_waited_for(self, clock: Clock) -> None:
        before = clock.now()
        await asyncio.wait_for(clock.sleep_until(before - 1_000), 10)
        assert clock.now() < before + 500

    async def test_a_cancel_wakes_it_at_once(self, clock: Clock) -> None:
        sleeping = asyncio.ensure_future(clock.sleep_until(clock.now() + 3_600))
        await asyncio.sleep(0)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(sleeping, 10)


class ChanceConformance:
    """Subclass it with a fixture `chance`."""

    @pytest.fixture
    def chance(self) -> Any:
        """A source of ids and jitter."""
        raise NotImplementedError("give a chance to test")

    def test_no_id_comes_twice(self, chance: Chance) -> None:
        assert len({chance.run_id() for _ in range(200)}) == 200
        assert len({chance.session_id() for _ in range(200)}) == 200

    def test_a_sessions_id_is_a_uuid_in_canonical_form(self, chance: Chance) -> None:
        for _ in range(50):
            session_id = chance.session_id()
            assert str(uuid.UUID(session_id)) == session_id

    def test_jitter_is_at_least_nothing_and_less_than_all(self, chance: Chance) -> None:
        assert all(0.0 <= chance.jitter() < 1.0 for _ in range(200))


@pytest.mark.asyncio
class StopFlagConformance:
    """Subclass it with the fixtures `flag`, and `ask`, which sets it."""

    @pytest.fixture
    def flag(self) -> Any:
        """A flag that is not set."""
        raise NotImplementedError("give a flag to test")

    @pytest.fixture
    def ask(self) -> Any:
        """Sets the flag."""
        raise NotImplementedError("give a way to set it")

    async def test_it_is_set_when_somebody_asked_and_stays_so(self, flag: StopFlag, ask: Callable[[], Any]) -> None:
        assert not flag.is_set()
        ask()
        assert flag.is_set()
        ask()
        assert flag.is_set()

    async def test_everybody_who_waits_is_woken(self, flag: StopFlag, ask: Callable[[], Any]) -> None:
        waiting = [asyncio.ensure_future(flag.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        ask()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)

    async def test_waiting_for_what_is_set_is_no_wait(self, flag: StopFlag, ask: Callable[[], Any]) -> None:
        ask()
        await asyncio.wait_for(flag.wait(), 10)

    async def test_who_stops_waiting_sets_nothing(self, flag: StopFlag) -> None:
        waiting = asyncio.ensure_future(flag.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not flag.is_set()


class PromptsConformance:
    """Subclass it with a fixture `prompts`."""

    READING = Reading(FeatureCount(7, 3), "## Progress\n\nThe cellar is dug.")

    @pytest.fixture
    def prompts(self) -> Any:
        """The prompts."""
        raise NotImplementedError("give prompts to test")

    @pytest.mark.parametrize("session_type", SessionType)
    def test_an_explicit_prompt_is_taken_as_it_is(self, prompts: Prompts, session_type: SessionType) -> None:
        assert prompts.session_prompt(session_type, self.READING, "Paint it {{blue}}.") == "Paint it {{blue}}."

    def test_each_type_has_its_own(self, prompts: Prompts) -> None:
        first, later = (prompts.session_prompt(each, self.READING, None) for each in SessionType)
        assert first.strip()
        assert later.strip()
        assert first != later

    def test_a_session_that_continues_is_told_what_was_read(self, prompts: Prompts) -> None:
        assert "The cellar is dug." in prompts.session_prompt(SessionType.CONTINUE, self.READING, None)

    def test_the_same_is_asked_again_in_the_same_words(self, prompts: Prompts) -> None:
        """A state's work may be done again after a crash."""
        asked = {prompts.session_prompt(SessionType.CONTINUE, self.READING, None) for _ in range(3)}
        assert len(asked) == 1


class ObserverConformance:
    """Subclass it with a fixture `observer`. One that raises harms no lifecycle, but is told of as a fault."""

    @pytest.fixture
    def observer(self) -> Any:
        """Whoever watches."""
        raise NotImplementedError("give an observer to test")

    def test_it_takes_every_event_there_is(self, observer: Observer) -> None:
        for event in sample_events():
            assert observer(event) is None  # type: ignore[func-returns-value]  # that is what is asked


def sample_events() -> Iterator[Event]:
    """One event of each kind, with something in every field that must have something."""
    for kind in _below(Event):
        hints = get_type_hints(kind)
        yield kind(**{each.name: _something(hints[each.name]) for each in fields(kind) if each.default is MISSING})


def _below(kind: type[Event]) -> Iterator[type[Event]]:
    for each in kind.__subclasses__():
        # A slotted dataclass exists twice; the one that counts is the one that its module has.
        if getattr(events, each.__name__, None) is each:
            yield each
        yield from _below(each)


def _something(kind: Any) -> Any:
    kind = next((arm for arm in get_args(kind) if arm is not type(None)), kind)
    return {bool: True, int: 3, float: 1.5}.get(kind, "something")
