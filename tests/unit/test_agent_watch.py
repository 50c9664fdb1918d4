"""When a session is cut off, by clocks that the test turns."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.agent.gate import Gate
from lifecycle.agent.watch import Watch
from states.vocabulary import Cause


class Clocks:
    """The wall clock and the monotonic one, turned by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_000_000.0, 50.0

    def turn(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def gate() -> Gate:
    return Gate([])


def watch(gate: Gate, clocks: Clocks, **changes: Any) -> Watch:
    limits: dict[str, Any] = {
        "idle_timeout_s": 10.0,
        "tool_timeout_s": 100.0,
        "time_left_s": None,
        "deadline": None,
    }
    return Watch(gate, **(limits | changes), now=lambda: clocks.wall, monotonic=lambda: clocks.mono)


def cause(watched: Watch) -> Cause | None:
    due = watched.due()
    return None if due is None else due.cause


def test_silence(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks)
    clocks.turn(9.9)
    assert cause(watched) is None
    watched.sign_of_life()
    clocks.turn(9.9)
    assert cause(watched) is None
    clocks.turn(0.2)
    assert cause(watched) is Cause.IDLE


def test_a_running_tool_is_no_silence_but_no_tool_runs_for_ever(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks)
    gate.running["1"] = clocks.mono
    clocks.turn(60)
    assert cause(watched) is None
    clocks.turn(49)
    assert cause(watched) is None
    clocks.turn(2)
    assert cause(watched) is Cause.IDLE


def test_after_a_tool_the_silence_begins_with_its_result(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks)
    gate.running["1"] = clocks.mono
    clocks.turn(60)
    gate.finished("1")
    watched.sign_of_life()
    clocks.turn(9)
    assert cause(watched) is None


def test_an_announced_pause(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks)
    watched.sign_of_life(quiet_s=30)
    clocks.turn(39)
    assert cause(watched) is None
    clocks.turn(2)
    assert cause(watched) is Cause.IDLE


def test_the_sessions_time(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks, time_left_s=25.0)
    for _ in range(4):
        clocks.turn(6)
        watched.sign_of_life()
    assert cause(watched) is None
    clocks.turn(2)
    assert cause(watched) is Cause.SESSION_TIMEOUT


def test_the_deadline_is_on_the_wall(gate: Gate, clocks: Clocks) -> None:
    """Also after the machine slept, or the clock was set."""
    watched = watch(gate, clocks, deadline=clocks.wall + 5)
    assert cause(watched) is None
    clocks.wall += 3600
    assert cause(watched) is Cause.DEADLINE


def test_the_next_look_is_never_far_and_never_at_once(gate: Gate, clocks: Clocks) -> None:
    watched = watch(gate, clocks, deadline=clocks.wall + 0.5)
    assert watched.next_check_s() == pytest.approx(0.5)
    clocks.turn(0.5)
    assert 0 < watched.next_check_s() < 0.1
    assert watch(gate, clocks).next_check_s() == 1.0
