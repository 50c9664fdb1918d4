"""A simulated world: clock, chance, agent, project, disk and process table, with faults at every call of a port.

Owns what outlives a manager, and the rule that a manager that has crashed touches nothing any more. It also notices
by itself what no journal could tell: two agents at once, a session that runs before it is durable, a conversation
that is begun twice.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from lifecycle.errors import JournalUnavailable
from lifecycle.journal.memory import MemoryJournal
from lifecycle.ports import AgentTask, Journal, MessageUsage, SessionLog, StopFlag, Verdict
from lifecycle.processes import ProcessIdentity
from lifecycle.testing.fakes import FakeChance, FakeClock, FakePrompts, FakeVerifier, FakeWorkspace
from lifecycle.testing.simulation.scenario import FaultKind, Leg, Scenario, Work
from lifecycle.testing.simulation.witness import ALWAYS, Witness
from states.facts import Outcome
from states.vocabulary import Cause, SessionId, State

__all__ = ["Crash", "Incarnation", "OurFault", "Violation", "World"]


CALLS_MAX = 2_000
"""Of one operation; a scenario that ends needs some hundreds."""


class Crash(BaseException):
    """The manager's process dies here."""


class OurFault(RuntimeError):
    """What a mistake in a port would raise: anything at all."""


class Violation(Exception):  # it is found, not made
    """Something happened that never may.

    Attributes:
        promise: what was broken.
        detail: how.
        seq: the transition that broke it, where one did.
    """

    def __init__(self, promise: str, detail: str = "", *, seq: int | None = None) -> None:
        self.promise = promise
        self.seq = seq
        self.detail = detail
        super().__init__(f"{promise}{f' ({detail})' if detail else ''}")


class World:
    """What outlives a manager.

    Attributes:
        found: what was seen that may not be; the first counts.
        living: the agents' processes, and the session that each works on.
        real_usd: what each conversation really cost, told or not.
        lives: the managers that were started.
        asked: how often the host called one to run.
    """

    def __init__(self, scenario: Scenario, journal: Journal | None = None) -> None:
        self.scenario = scenario
        self.clock = FakeClock()
        self.chance = FakeChance()
        self.workspace = FakeWorkspace()
        self.prompts = FakePrompts()
        verdicts = [Verdict(kind, f"the check says {kind}") for kind in scenario.verdicts]
        self.verifier = FakeVerifier(*verdicts) if verdicts else None
        self.journal: Journal = journal or MemoryJournal()
        self.living: dict[ProcessIdentity, SessionId] = {}
        self.conversations: set[SessionId] = set()
        self.real_usd: defaultdict[SessionId, float] = defaultdict(float)
        self.lives = 0
        self.asked = 0
        self.found: list[Violation] = []
        self.legs = 0
        self.calls: Counter[str] = Counter()
        self.faults = {(fault.operation, fault.nth): fault.kind for fault in scenario.faults}
        self.fired: list[str] = []
        self.witness = Witness(self.see, self.workspace)

    def see(self, promise: str, detail: str = "") -> None:
        """Something happened that never may. Kept, since whoever is called when it is seen may catch what we raise."""
        self.found.append(Violation(promise, detail))

    def next_leg(self) -> Leg:
        """What the agent does now."""
        self.legs += 1
        legs = self.scenario.legs
        return legs[self.legs - 1] if self.legs <= len(legs) else Leg(cost_usd=0.0)

    def mend(self) -> None:
        """What a person does who is told that the project cannot be worked on."""
        self.workspace.invalid = None
        self.workspace.features = None

    # What a world with a disk adds; a journal in memory knows no halves.

    def break_list(self) -> None:
        """Make the feature list unreadable."""
        self.workspace.invalid = "truncated"
        self.witness.explains(Cause.PROJECT, times=ALWAYS)

    async def begin_life(self) -> None:
        """A new manager is about to open what the last one left."""

    async def close(self) -> None:
        """Nobody plays here any more."""

    def remember(self) -> None:
        """A write is about to be made that will be torn."""

    def tear(self) -> None:
        """Leave that write half done."""


class Incarnation:
    """One manager's life: its view of the world, until it dies.

    Attributes:
        stop: asks its manager to stop; set once there is one.
        was_cancelled: whether the last `CancelledError` is the host's.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_dead = False
        self.is_full = False
        self.is_stopping = False
        self.was_cancelled = False
        self.stop: Callable[[], None] = lambda: None
        self.task: asyncio.Task[Any] | None = None
        self.ports: dict[str, Any] = {
            "journal": _Faulty("journal", world.journal, self),
            "workspace": _Faulty("workspace", world.workspace, self),
            "agent": _Faulty("agent", _Agent(self), self),
            "clock": _Faulty("clock", world.clock, self),
            "chance": _Faulty("chance", world.chance, self),
            "prompts": _Faulty("prompts", world.prompts, self),
        }
        if world.verifier is not None:
            self.ports["verifier"] = _Faulty("verifier", world.verifier, self)

    def observe(self, event: object) -> None:
        """Watch; also a place where things go wrong."""
        self.call("observer.call", lambda: None)

    def call(self, operation: str, act: Callable[[], Any]) -> Any:
        """A call that does not wait."""
        kind = self._fault_at(operation)
        if kind in (FaultKind.CRASH_BEFORE, FaultKind.TORN):
            self.die()
        result = act()
        if kind is FaultKind.CRASH_AFTER:
            self.die()
        return result

    async def call_async(
        self, operation: str, act: Callable[[], Awaitable[Any]], given: tuple[Any, ...] = ()
    ) -> Any:
        """A call that may wait, and so be cancelled and fail."""
        kind = self._fault_at(operation)
        if kind is FaultKind.CRASH_BEFORE:
            self.die()
        if kind is FaultKind.OURS and not operation.startswith("journal."):
            self.world.witness.explains(Cause.INTERNAL)
            raise OurFault(operation)
        if kind in (FaultKind.ERROR_BEFORE, FaultKind.OURS) or self._is_out_of_space(operation):
            raise _error(operation, self.world)
        is_torn = kind is FaultKind.TORN and operation.startswith("journal.")  # elsewhere it is a crash after
        if is_torn:
            self.world.remember()
        result = await act()
        self.world.witness.hear(operation, given, result, is_torn=is_torn)
        if kind is FaultKind.CANCEL and self.task is not None:
            self.was_cancelled = True
            self.task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if is_torn:
            self.world.tear()
        if kind in (FaultKind.CRASH_AFTER, FaultKind.TORN):
            self.die()
        if kind is FaultKind.ERROR_AFTER:
            raise _error(operation, self.world)
        return result

    def die(self) -> None:
        """Crash now. The dead do nothing more, whatever Python still runs on the way out."""
        self.is_dead = True
        raise Crash

    def _fault_at(self, operation: str) -> FaultKind | None:
        if self.is_dead:
            raise Crash
        world = self.world
        world.calls[operation] += 1
        if world.calls[operation] > CALLS_MAX:
            world.see("every run that has limits comes to SHUTDOWN", f"{CALLS_MAX} calls of {operation} did not")
            self.die()
        if world.found:
            self.die()  # what comes after it is its consequence
        kind = world.faults.pop((operation, world.calls[operation]), None)
        if kind is None:
            return None
        world.fired.append(f"{kind} at call {world.calls[operation]} of {operation}")
        if kind is FaultKind.FULL:
            self.is_full = True
        elif kind is FaultKind.STOP:
            self.is_stopping = True
            world.witness.explains(Cause.STOP, times=ALWAYS)
            self.stop()
        elif kind is FaultKind.FORWARD:
            world.clock.advance(3600)
        elif kind is FaultKind.BACK:
            world.clock.advance(-3600)
        elif kind is FaultKind.BREAK:
            world.break_list()
        return kind

    def _is_out_of_space(self, operation: str) -> bool:
        return self.is_full and operation in _WRITES


_WRITES = frozenset(
    f"journal.{name}" for name in ("append", "note", "mark_prompted", "record_usage", "raise_cost", "keep", "request_stop")
) | {"workspace.restore_feature_list", "workspace.set_aside_feature_list"}


def _error(operation: str, world: World) -> Exception:
    if operation.startswith("journal."):
        return JournalUnavailable(Path("journal"), f"a simulated fault in {operation}")
    world.witness.explains(Cause.OPERATING_SYSTEM)
    return OSError(5, f"a simulated fault in {operation}")


class _Faulty:
    """A port, every call of which may go wrong."""

    def __init__(self, name: str, inner: Any, incarnation: Incarnation) -> None:
        self._name = name
        self._inner = inner
        self._incarnation = incarnation

    def __getattr__(self, call: str) -> Any:
        value = getattr(self._inner, call)
        if not callable(value):
            return value
        operation, incarnation = f"{self._name}.{call}", self._incarnation
        if inspect.iscoroutinefunction(value):

            async def faulty(*arguments: Any, **named: Any) -> Any:
                given = (*arguments, *named.values())
                return await incarnation.call_async(operation, lambda: value(*arguments, **named), given)

            self.__dict__[call] = faulty
            return faulty

        def faulty_at_once(*arguments: Any, **named: Any) -> Any:
            return incarnation.call(operation, lambda: value(*arguments, **named))

        self.__dict__[call] = faulty_at_once
        return faulty_at_once


class _Agent:
    """An agent with a process, which outlives a manager that crashes until somebody reaps it."""

    def __init__(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation
        self._world = incarnation.world

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        world, leg = self._world, self._world.next_leg()
        if leg.work is Work.OS_ERROR:
            world.witness.explains(Cause.OPERATING_SYSTEM)
            raise OSError(12, "the agent cannot be started")
        await self._check(task)
        process = ProcessIdentity(pid=1000 + world.legs, start=world.legs, boot_id="simulated", host="simulated")
        world.living[process] = task.session_id
        try:
            outcome = await self._work(task, leg, process, log, stop)
        except BaseException:
            if not self._incarnation.is_dead:
                del world.living[process]
            raise
        del world.living[process]
        return outcome

    async def _check(self, task: AgentTask) -> None:
        world = self._world
        if world.living:
            world.see("no two sessions at once", f"{sorted(world.living.values())} still runs")
        last = await world.journal.last()
        session = last.facts.session if last else None
        if last is None or last.dest != State.RUN or session is None or session.id != task.session_id:
            world.see("no session runs without a durable id", f"the record stands in {last.dest if last else 'NEW'}")
        if task.session_id in world.conversations and not task.may_resume:
            world.see("a conversation that exists is resumed and never begun again", task.session_id)
        if task.budget_usd is not None and task.budget_usd <= 0:
            world.see("no session begins without a budget")
        world.witness.asked_to_run(task.session_id, task.prompt, task.max_turns, task.budget_usd)

    async def _work(
        self, task: AgentTask, leg: Leg, process: ProcessIdentity, log: SessionLog, stop: StopFlag
    ) -> Outcome:
        world = self._world
        await log.agent_started(process)
        await log.prompted()
        world.conversations.add(task.session_id)
        world.clock.advance(leg.lasts_s)
        for number in range(min(leg.messages, task.max_turns)):
            await self._incarnation.call_async("agent.message", _nothing)
            if stop.is_set():
                return Outcome(Cause.STOP, "asked to stop")
            if task.deadline is not None and world.clock.now() >= task.deadline:
                return Outcome(Cause.DEADLINE, "the run's time is up")
            await self._message(task, leg, number, log)
        if leg.work is Work.RAISE:
            world.witness.explains(Cause.INTERNAL)
            raise RuntimeError("a fault of ours in the agent")
        if leg.work is Work.BREAK:
            world.break_list()
        _do(leg.work, world.workspace, world.scenario.features)
        if leg.tells_total:
            await self._tell_total(task.session_id, leg, log)
        if stop.is_set():
            return Outcome(Cause.STOP, "asked to stop")
        world.witness.explains(leg.cause)
        return Outcome(leg.cause, "simulated", progressed=leg.progressed)

    async def _message(self, task: AgentTask, leg: Leg, number: int, log: SessionLog) -> None:
        world = self._world
        message_id = f"message-{world.legs}-{number}"
        world.real_usd[task.session_id] += leg.cost_usd
        for report in range(1, leg.reports + 1):
            cost_usd = leg.cost_usd / 2 if report < min(leg.reports, 2) else leg.cost_usd
            world.witness.tells(task.session_id, message_id, cost_usd)
            await log.used([MessageUsage(message_id, "simulated", 1, 1, 0, 0, cost_usd=cost_usd)])
            world.witness.was_answered()

    async def _tell_total(self, session_id: SessionId, leg: Leg, log: SessionLog) -> None:
        world = self._world
        world.real_usd[session_id] += leg.cost_usd  # a side request, which no message told
        total_usd = world.real_usd[session_id]
        world.witness.tells_total(session_id, total_usd)
        await log.reported_cost(total_usd)
        world.witness.was_answered()

    async def reap(self, processes: Sequence[ProcessIdentity], sessions: Sequence[SessionId]) -> int:
        living = self._world.living
        left = [process for process, session in living.items() if process in processes or session in sessions]
        for process in left:
            del living[process]
        return len(left)


async def _nothing() -> None:
    return


def _do(work: Work, workspace: FakeWorkspace, features: int) -> None:
    if work is Work.STEP and workspace.features is None:
        workspace.features, workspace.invalid = [False] * features, None
    elif work is Work.STEP and workspace.features is not None and False in workspace.features:
        workspace.features[workspace.features.index(False)] = True
    elif work is Work.COMMIT:
        workspace.commits += 1
    elif work is Work.LOSE:
        workspace.features = None
    elif work is Work.REGRESS and workspace.features and True in workspace.features:
        workspace.features[workspace.features.index(True)] = False

