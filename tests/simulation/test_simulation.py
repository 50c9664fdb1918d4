"""Whole lifecycles in simulated worlds, and mistakes planted in the real code that they must find.

The nightly form: `python -m lifecycle.testing.simulation --transitions 1000000 --first-seed 1000000`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType

import pytest

from lifecycle.driver import Driver
from lifecycle.journal.memory import MemoryJournal
from lifecycle.ports import Move, SessionRecord, TransitionRecord
from lifecycle.testing.simulation import __main__ as command
from lifecycle.testing.simulation.disk import DiskWorld
from lifecycle.testing.simulation.report import Report, simulated
from lifecycle.testing.simulation.scenario import OPERATIONS, Scenario, scenario_of
from lifecycle.testing.simulation.simulate import Simulator
from lifecycle.testing.simulation.world import World
from states.definition import BUILT_IN
from states.table import TABLE

SEED = 7
FOUND_WITHIN_S = 60.0
STEPS_MAX = 15


def test_twenty_thousand_transitions_break_no_promise() -> None:
    with Simulator() as simulator:
        report = simulated(simulator, transitions=20_000, first_seed=SEED)
    print(report)
    assert report.failed is None, str(report)
    made = {tuple(row.split()) for row in report.rows}
    assert made == {(str(row.source), str(row.trigger), str(row.dest)) for row in TABLE}, "every row was taken"


def test_the_real_journal_survives_torn_writes() -> None:
    with Simulator(world=DiskWorld) as simulator:
        report = simulated(simulator, transitions=500, first_seed=SEED)
    assert report.failed is None, str(report)


def test_the_same_seed_plays_the_same_again() -> None:
    with Simulator() as simulator:
        for seed in range(30):
            first, again = simulator.play(scenario_of(seed)), simulator.play(scenario_of(seed))
            assert (first.transitions, first.faults, first.lives) == (again.transitions, again.faults, again.lives)


def test_a_scenario_comes_back_from_json() -> None:
    for seed in range(100):
        scenario = scenario_of(seed)
        assert Scenario.from_json(scenario.to_json()) == scenario


def test_faults_come_at_every_call_of_every_port() -> None:
    """The list is read from the protocols; over enough seeds each of them is asked for."""
    asked = {fault.operation for seed in range(5_000) for fault in scenario_of(seed).faults}
    assert asked == set(OPERATIONS)
    assert {"journal.append", "workspace.changes", "agent.run", "clock.sleep_until"} <= asked


# --- planted mistakes ----------------------------------------------------------------------------------------


def found(simulator: Simulator) -> Report:
    """Simulate until it is found; the report's own commands must show it again."""
    since = time.monotonic()
    with simulator:
        report = simulated(simulator, transitions=1_000_000)
        assert report.failed is not None
        assert report.small is not None
        assert simulator.play(scenario_of(report.failed.scenario.seed)).violation is not None
        again = simulator.play(Scenario.from_json(report.small.scenario.to_json()))
        assert again.transitions == report.small.transitions
    took_s = time.monotonic() - since
    print(f"after {report.transitions} transitions, {took_s:.1f} s\n{report}")
    assert took_s < FOUND_WITHIN_S
    assert len(report.small.transitions) < STEPS_MAX
    return report


def test_a_mistake_in_a_guard_is_found() -> None:
    """DETECT forgets the limits: a run that is taken up again pays for one more session than it may."""
    def has_work(facts) -> bool:
        return facts.prompt is not None or not facts.is_complete

    guards = {**BUILT_IN.guards, "has_work": has_work, "has_nothing_to_do": lambda facts: not has_work(facts)}
    report = found(Simulator(replace(BUILT_IN, guards=MappingProxyType(guards))))
    assert "within the limits" in str(report.small.violation)


def test_a_mistake_in_the_drivers_recovery_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fault memory is rebuilt from the record, but what was pending is not forgotten, and is fired again."""
    right = Driver.load

    async def load(self: Driver) -> None:
        pending = self._pending
        await right(self)
        self._pending = pending

    monkeypatch.setattr(Driver, "load", load)
    found(Simulator())


def test_a_driver_that_begins_the_work_before_the_record_has_the_transition_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right, moves = Driver.before_move, []

    async def before_move(self: Driver, source, trigger, dest, facts) -> None:
        self._facts = facts
        moves.append((source, trigger, dest, facts))

    entered = Driver.entered

    async def work_first(self: Driver, state: str) -> None:
        done, move = self._pending, moves.pop()
        await entered(self, state)
        following, self._pending = self._pending, done
        await right(self, *move)
        self._pending = following

    monkeypatch.setattr(Driver, "before_move", before_move)
    monkeypatch.setattr(Driver, "entered", work_first)
    found(Simulator())


class LateSessions(MemoryJournal):
    """Appends the transition first and its session in a second step, which a crash can prevent."""

    late: SessionRecord | None = None

    async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
        record = await super().append(move)
        self.late = session
        return record

    async def session(self, session_id):
        if self.late is not None:
            self._keep_session(self.late)
            self.late = None
        return await super().session(session_id)


class LateWorld(World):
    def __init__(self, scenario: Scenario) -> None:
        self.late = LateSessions()
        super().__init__(scenario, journal=self.late)

    async def begin_life(self) -> None:
        self.late.late = None


def test_a_mistake_in_the_journals_append_order_is_found() -> None:
    """RUN is entered in the record and its session is not there yet."""
    found(Simulator(world=LateWorld))


def test_a_failing_seed_is_told_with_the_commands_that_show_it_again(monkeypatch, capsys) -> None:
    monkeypatch.setattr(Driver, "load", _without_record)
    assert command.main(["--transitions", "100"]) == 1
    said = capsys.readouterr().out
    assert "again: python -m lifecycle.testing.simulation --seed " in said
    assert "--scenario '{" in said


async def _without_record(self: Driver) -> None:
    """A driver that never looks into the record."""
    self._is_stale = False


