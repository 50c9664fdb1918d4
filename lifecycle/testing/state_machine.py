"""A hypothesis state machine over a definition: the compiled machine beside the reference interpreter, with crashes.

Inherit from it to add rules and invariants of your own:

    class MyLifecycle(LifecycleStateMachine):
        definition = DEFINITION

        @invariant()
        def reviewed(self): ...

    TestMyLifecycle = MyLifecycle.TestCase
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "lifecycle.testing.state_machine needs hypothesis: pip install 'autonomous-session-manager[test]'", name=error.name
    ) from error

from lifecycle.journal.memory import MemoryJournal
from lifecycle.machine import LifecycleMachine
from lifecycle.ports import Journal, Move
from lifecycle.testing.simulation.simulate import since, steps_of
from states.definition import BUILT_IN, Definition
from states.facts import Facts, Limits
from states.new import begin
from states.observation import Observation
from states.promises import always
from states.step import step
from states.vocabulary import RunId, Trigger
from states.world import LIMITS, observations

__all__ = ["LifecycleStateMachine"]

T = TypeVar("T")


class _Died(BaseException):
    """The process ends here."""


class LifecycleStateMachine(RuleBasedStateMachine):
    """`state` and `facts` are what the table says; `machine` and `journal` are the real thing, and must agree.

    Attributes:
        definition: the table; yours in a subclass.
        limits: of each run.
        journal_of: makes the journal.
    """

    definition: ClassVar[Definition] = BUILT_IN
    limits: ClassVar[Limits] = LIMITS
    journal_of: ClassVar[Callable[[], Journal]] = MemoryJournal

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.journal = type(self).journal_of()
        self.runs = 0
        self.dies_at: str | None = None
        self.state: str = self.definition.initial
        self.facts = self._fresh()
        self._start_machine()

    def teardown(self) -> None:
        """Let go of the journal and the loop."""
        self.do(self.journal.close())
        self.loop.close()

    def do(self, awaitable: Awaitable[T]) -> T:
        """Await something from a rule."""
        return self.loop.run_until_complete(_awaited(awaitable))

    @precondition(lambda self: self.state not in self.definition.final)
    @rule(data=st.data())
    def moves(self, data: Any) -> None:
        """Whatever a state's work can observe moves both to the same place."""
        observation = self._observed(data)
        self._follow(observation)
        self.do(self.machine.fire(observation.trigger, observation.facts))

    @precondition(lambda self: self.state not in self.definition.final)
    @rule(data=st.data(), dies_at=st.sampled_from(("before the record", "after the record")))
    def crashes(self, data: Any, dies_at: str) -> None:
        """After a crash the last record is the state: the move was made if and only if its record was."""
        observation = self._observed(data)
        self.dies_at = dies_at
        try:
            self.do(self.machine.fire(observation.trigger, observation.facts))
        except _Died:
            pass
        self.dies_at = None
        if dies_at == "after the record":
            self._follow(observation)
        self._start_machine()

    @precondition(lambda self: self.state in self.definition.final)
    @rule(data=st.data())
    def starts_again(self, data: Any) -> None:
        """A suspended run goes on, any other is followed by a new one."""
        suspended = list(observations(self.state, self.facts, self.definition))
        self.facts = suspended[0].facts if suspended else self._fresh()
        self.state = self._step(self.definition.initial, Trigger.START, self.facts)
        self.machine = self._machine(self.definition.initial)
        self.do(self.machine.fire(Trigger.START, self.facts))

    @invariant()
    def machine_and_record_agree_with_the_table(self) -> None:
        """Both stand where the reference interpreter does."""
        last = self.do(self.journal.last())
        assert self.machine.state == self.state
        assert (self.definition.initial if last is None else last.dest) == self.state

    @invariant()
    def promises_hold(self) -> None:
        """The newest step keeps every promise."""
        records = self.do(self.journal.transitions())
        newest = list(steps_of(records[since(records, len(records) - 1) :], self.definition))[-1:]
        for each in newest if len(records) > 1 else ():
            broken = [promise.name for promise in always(self.definition) if not promise.holds(each)]
            assert not broken, f"{each}: {broken}"

    async def before_move(self, source: str, trigger: str, dest: str, facts: Facts) -> None:
        """The machine's host: the record first."""
        if self.dies_at == "before the record":
            raise _Died
        await self.journal.append(Move(source, trigger, dest, facts))
        if self.dies_at == "after the record":
            raise _Died

    async def entered(self, state: str) -> None:
        """The machine's host: no work is done here."""

    def _observed(self, data: Any) -> Observation:
        found = list(observations(self.state, self.facts, self.definition))
        observation: Observation = data.draw(st.sampled_from(found))
        return observation

    def _follow(self, observation: Observation) -> None:
        self.state = self._step(self.state, observation.trigger, observation.facts)
        self.facts = observation.facts

    def _step(self, state: str, trigger: str, facts: Facts) -> str:
        return step(state, trigger, facts, self.definition.table, self.definition.guards)

    def _fresh(self) -> Facts:
        self.runs += 1
        return begin(RunId(f"run-{self.runs}"), at=0.0, limits=self.limits).facts

    def _start_machine(self) -> None:
        last = self.do(self.journal.last())
        self.machine = self._machine(self.definition.initial if last is None else last.dest)

    def _machine(self, state: str) -> LifecycleMachine:
        named = self.definition
        return LifecycleMachine(
            self, state=state, table=named.table, guards=named.guards, states=named.states, triggers=named.triggers,
            initial=named.initial, final=named.final,
        )  # fmt: skip


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
