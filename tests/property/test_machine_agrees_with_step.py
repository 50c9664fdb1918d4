"""The compiled machine and the reference interpreter, side by side over random lifecycles with crashes and restarts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lifecycle.journal.memory import MemoryJournal
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.machine import LifecycleMachine
from lifecycle.ports import Journal, Move
from states.errors import IllegalTransition
from states.facts import Facts
from states.new import begin
from states.step import step
from states.vocabulary import RunId, State, Trigger
from states.world import LIMITS, observations


class Crash(BaseException):
    """The process dies here."""


class Host:
    """Appends to the journal before each move, and dies where it is told to."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.dies: str | None = None

    async def before_move(self, source: str, trigger: str, dest: str, facts: Facts) -> None:
        if self.dies == "before the append":
            raise Crash
        await self.journal.append(Move(source, trigger, dest, facts))
        if self.dies == "between append and move":
            raise Crash

    async def entered(self, state: str) -> None:
        if self.dies == "after the move":
            raise Crash


class Agreement(RuleBasedStateMachine):
    """`self.state` and `self.facts` are the model, moved by `step`; the machine and its journal are the real thing."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp())
        self.journal = self.do(self.open())
        self.runs = 0
        self.state = State.NEW
        self.facts = self.fresh()
        self.start_machine()

    async def open(self) -> Journal:
        return MemoryJournal()

    def teardown(self) -> None:
        self.do(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.directory)

    def do(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def fresh(self) -> Facts:
        self.runs += 1
        return begin(RunId(f"run-{self.runs}"), at=0.0, limits=LIMITS).facts

    def start_machine(self) -> None:
        last = self.do(self.journal.last())
        self.host = Host(self.journal)
        self.machine = LifecycleMachine(self.host, state=State.NEW if last is None else last.dest)

    def observe(self, data: st.DataObject):
        return data.draw(st.sampled_from(list(observations(self.state, self.facts))))

    @precondition(lambda self: self.state is not State.SHUTDOWN)
    @rule(data=st.data())
    def moves(self, data: st.DataObject) -> None:
        """Whatever a state's work can observe moves both to the same place."""
        observation = self.observe(data)
        self.state, self.facts = State(step(self.state, observation.trigger, observation.facts)), observation.facts
        self.do(self.machine.fire(observation.trigger, observation.facts))

    @precondition(lambda self: self.state is not State.SHUTDOWN)
    @rule(
        data=st.data(),
        dies=st.sampled_from(["before the append", "between append and move", "after the move"]),
    )
    def crashes(self, data: st.DataObject, dies: str) -> None:
        """After a crash the last record is the state: the move is there if and only if its append was."""
        observation = self.observe(data)
        self.host.dies = dies
        with pytest.raises(Crash):
            self.do(self.machine.fire(observation.trigger, observation.facts))
        if dies != "before the append":
            self.state = State(step(self.state, observation.trigger, observation.facts))
            self.facts = observation.facts
        self.start_machine()

    @rule(trigger=st.sampled_from([*Trigger, "to_SHUTDOWN", "unheard_of"]))
    def is_refused(self, trigger: str) -> None:
        """What the table has no edge for is refused by both, and nothing moves."""
        try:
            step(self.state, trigger, self.facts)
        except IllegalTransition as expected:
            with pytest.raises(IllegalTransition) as caught:
                self.do(self.machine.fire(trigger, self.facts))
            assert (caught.value.state, caught.value.candidates) == (expected.state, expected.candidates)

    @precondition(lambda self: self.state is State.SHUTDOWN)
    @rule(data=st.data())
    def starts_again(self, data: st.DataObject) -> None:
        """After SHUTDOWN a suspended run goes on, and any other is followed by a new one, in a new machine."""
        suspended = list(observations(self.state, self.facts))
        self.facts = suspended[0].facts if suspended else self.fresh()
        self.state = State(step(State.NEW, Trigger.START, self.facts))
        self.machine = LifecycleMachine(self.host)
        self.do(self.machine.fire(Trigger.START, self.facts))

    @invariant()
    def agree(self) -> None:
        last = self.do(self.journal.last())
        assert self.machine.state == self.state
        assert self.machine.is_final == (self.state is State.SHUTDOWN)
        assert (State.NEW if last is None else last.dest) == self.state
        assert last is None or last.facts == self.facts


class AgreementOnDisk(Agreement):
    """The same on the real journal; a restart opens the file anew."""

    async def open(self) -> Journal:
        return await SqliteJournal.open(self.directory / "journal.sqlite3")

    def start_machine(self) -> None:
        self.do(self.journal.close())
        self.journal = self.do(self.open())
        super().start_machine()


def test_machine_and_step_agree() -> None:
    run_state_machine_as_test(
        Agreement,
        settings=settings(max_examples=100, stateful_step_count=40, deadline=None),
    )


def test_machine_and_step_agree_on_the_real_journal() -> None:
    run_state_machine_as_test(
        AgreementOnDisk,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
