"""Whole lifecycles in simulated worlds, and mistakes planted in the real code that they must find.

The nightly form: `python -m lifecycle.testing.simulation --transitions 1000000 --first-seed 1000000`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import MappingProxyType

import pytest

from lifecycle.driver import Driver
from lifecycle.journal import accounting, session_records
from lifecycle.journal.memory import MemoryJournal
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Move, SessionRecord, TransitionRecord
from lifecycle.testing.simulation import __main__ as command
from lifecycle.testing.simulation.disk import DiskWorld
from lifecycle.testing.simulation.report import Report, simulated
from lifecycle.testing.simulation.scenario import OPERATIONS, Scenario, scenario_of
from lifecycle.testing.simulation.simulate import Simulator
from lifecycle.testing.simulation.witness import Witness
from lifecycle.testing.simulation.world import World
from states.definition import BUILT_IN
from states.table import TABLE
from states.vocabulary import Cause, State

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


def test_a_manager_that_gives_up_a_session_after_a_crash_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It notes the recovery, and ends the cycle as a fault of ours: by the table that is a good end."""
    right = Driver._recover

    async def recover(self: Driver) -> None:
        await right(self) if self.state != State.RUN or self._is_paused else await give_up(self)

    async def give_up(self: Driver) -> None:
        context = self._context()
        await context.note(NoteKind.RECOVERED, {"state": str(self.state)})
        self._pending = self._failed(context, Cause.INTERNAL, "it crashed")

    monkeypatch.setattr(Driver, "_recover", recover)
    assert "a crash alone changes no outcome" in str(found(Simulator()).small.violation)


def test_a_prompt_that_a_crash_in_the_wait_loses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked_since(self: Driver) -> None:
        return None

    monkeypatch.setattr(Driver, "_asked_since", asked_since)
    assert "explicit prompt" in str(found(Simulator()).small.violation)


def test_a_prompt_that_is_given_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a session up again believes that what was asked before it began waits still."""
    async def asked_since(self: Driver) -> str | None:
        notes = await self._ports.journal.notes(kind=NoteKind.PROMPT, run_id=self._facts.run_id)
        return notes[-1].data["prompt"] if notes else None

    monkeypatch.setattr(Driver, "_asked_since", asked_since)
    assert "explicit prompt" in str(found(Simulator()).small.violation)


def test_limits_of_an_earlier_start_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifecycle.driver._under", lambda limits, facts, state: facts)
    assert "the newest start's limits decide" in str(found(Simulator()).small.violation)


def test_a_report_that_is_charged_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_records, "counted", lambda connection, session_id, message_id: None)
    said = str(found(Simulator(world=DiskWorld)).small.violation)
    assert "counted, and once" in said or "that are left" in said or "that is left" in said


def test_a_turn_that_is_counted_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = accounting.charge

    def charge(account, before, usage):
        charged, counted = right(account, before, usage)
        return replace(charged, turns=account.turns + 1), counted

    monkeypatch.setattr("lifecycle.journal.memory.charge", charge)
    assert "every turn is counted, and once" in str(found(Simulator()).small.violation)


def test_a_copy_that_is_never_replaced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = SqliteJournal.keep

    async def keep(self: SqliteJournal, name: str, content: bytes) -> None:
        if await self.newest(name) is None:
            await right(self, name, content)

    monkeypatch.setattr(SqliteJournal, "keep", keep)
    assert "what was kept last is what is read" in str(found(Simulator(world=DiskWorld)).small.violation)


def test_a_session_whose_list_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing breaks at once: only a list that is lost much later would come back as it was long ago."""
    async def keep(self: MemoryJournal, name: str, content: bytes) -> None:
        self._copies.setdefault(name, content)

    monkeypatch.setattr(MemoryJournal, "keep", keep)
    monkeypatch.setattr(Witness, "_read_copy", lambda self, given, result: None)
    found(Simulator())


def test_a_recovery_that_nobody_notes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def recover(self: Driver) -> None:
        self._is_paused = False
        await self._work(self.state)

    monkeypatch.setattr(Driver, "_recover", recover)
    assert "on record as a recovery" in str(found(Simulator()).small.violation)


def test_a_driver_that_keeps_its_memory_after_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(self: Driver, *, pause_in=()) -> None:
        await self.ensure_loaded()
        self._pause_in = pause_in
        if self._pending is None and self.is_under_way:
            await self._recover()
        while not self._machine.is_final and self._pending is not None:
            await self._machine.fire(self._pending.observation.trigger, self._pending.observation.facts)

    monkeypatch.setattr(Driver, "drive", drive)
    found(Simulator())


def test_a_session_in_a_second_transaction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = session_records.put_session

    def put_session(connection, record) -> None:
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        right(connection, record)

    monkeypatch.setattr(session_records, "put_session", put_session)
    found(Simulator(world=DiskWorld))


@pytest.mark.parametrize("wait_s", [0.0, 1.0])
def test_a_driver_that_waits_for_ever_is_found_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, wait_s: float) -> None:
    right = Driver._recover

    async def recover(self: Driver) -> None:
        while self.state == State.CONTINUE and not self._is_paused:
            await asyncio.sleep(wait_s)
        await right(self)

    monkeypatch.setattr(Driver, "_recover", recover)
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


