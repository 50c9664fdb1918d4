"""The cases that every `lifecycle.ports.Agent` must pass, and every `SessionLog`. Subclass, give it an agent, and pytest runs them.

    class TestMyAgent(AgentConformance):
        @pytest.fixture
        def agent(self, tmp_path):
            return MyAgent(tmp_path)

The agent must have something to do that ends its turn by itself: give it a model, or a script, that does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lifecycle.events import Event
from lifecycle.ports import Agent, AgentTask, MessageUsage, SessionLog, Spent
from lifecycle.processes import ProcessIdentity, is_alive
from lifecycle.stopping import LocalStopFlag
from lifecycle.testing.small_ports_conformance import sample_events
from states.vocabulary import Cause, SessionId, SessionType

__all__ = ["AgentConformance", "RecordingLog", "SessionLogConformance"]

SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000001")


class RecordingLog:
    """A session's log that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.processes: list[ProcessIdentity] = []
        self.events: list[Event] = []
        self.stop: LocalStopFlag | None = None
        self._messages: dict[str, MessageUsage] = {}
        self._reported_usd = 0.0
        self._cost_usd = 0.0

    async def agent_started(self, process: ProcessIdentity | None) -> None:
        self.told.append("agent_started")
        if process is not None:
            self.processes.append(process)

    async def prompted(self) -> None:
        self.told.append("prompted")
        if self.stop is not None:
            self.stop.set("a test")

    async def used(self, usage: Sequence[MessageUsage]) -> Spent:
        self.told.append("used")
        self._messages.update({message.message_id: message for message in usage})
        return self._spent()

    async def reported_cost(self, cost_usd: float) -> Spent:
        self.told.append("reported_cost")
        self._reported_usd = max(self._reported_usd, cost_usd)
        return self._spent()

    def _spent(self) -> Spent:
        messages = self._messages.values()
        self._cost_usd = max(self._cost_usd, self._reported_usd, sum(message.cost_usd for message in messages))
        return Spent(sum(message.is_turn for message in messages), self._cost_usd)

    async def tool_finished(self) -> str | None:
        return None

    def happened(self, event: Event) -> None:
        self.told.append(type(event).__name__)
        self.events.append(event)


@pytest.mark.asyncio
class AgentConformance:
    """Subclass it with a fixture `agent`."""

    @pytest.fixture
    def agent(self) -> Any:
        """An agent whose turn ends by itself."""
        raise NotImplementedError("give an agent to test")

    @pytest.fixture
    def task(self) -> AgentTask:
        """What it is asked."""
        return AgentTask(SESSION, SessionType.INIT, "Begin.", may_resume=False, max_turns=20)

    async def test_it_tells_that_it_runs_before_it_is_prompted_and_is_prompted_before_it_spends(
        self, agent: Agent, task: AgentTask
    ) -> None:
        log = RecordingLog()
        await agent.run(task, log, LocalStopFlag())
        told = [word for word in log.told if word in ("agent_started", "prompted", "used")]
        assert told[:2] == ["agent_started", "prompted"]
        assert told.count("prompted") == 1

    async def test_when_it_returns_no_process_of_the_session_is_left(self, agent: Agent, task: AgentTask) -> None:
        log = RecordingLog()
        await agent.run(task, log, LocalStopFlag())
        assert [process for process in log.processes if is_alive(process)] == []

    async def test_a_stop_request_ends_it_and_the_outcome_says_so(self, agent: Agent, task: AgentTask) -> None:
        log, stop = RecordingLog(), LocalStopFlag()
        log.stop = stop
        outcome = await agent.run(task, log, stop)
        assert outcome.cause is Cause.STOP
        assert [process for process in log.processes if is_alive(process)] == []

    async def test_a_cancel_goes_through_and_leaves_no_process(self, agent: Agent, task: AgentTask) -> None:
        log = RecordingLog()
        started = asyncio.Event()
        prompted = log.prompted

        async def and_wait() -> None:
            await prompted()
            started.set()
            await asyncio.sleep(60)

        log.prompted = and_wait  # type: ignore[method-assign]  # this log's only
        running = asyncio.ensure_future(agent.run(task, log, LocalStopFlag()))
        await asyncio.wait_for(started.wait(), 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert [process for process in log.processes if is_alive(process)] == []

    async def test_with_nothing_left_behind_nothing_is_reaped(self, agent: Agent, task: AgentTask) -> None:
        assert await agent.reap([], [task.session_id]) == 0


@pytest.mark.asyncio
class SessionLogConformance:
    """For whoever runs an agent outside of the lifecycle. Subclass it with a fixture `log`."""

    @pytest.fixture
    def log(self) -> Any:
        """The log of a session that has used nothing yet."""
        raise NotImplementedError("give a log to test")

    async def test_a_message_that_is_told_again_is_counted_once(self, log: SessionLog) -> None:
        await log.agent_started(None)
        await log.prompted()
        assert await log.used([_message("one", 0.25)]) == Spent(1, 0.25)
        assert await log.used([_message("one", 0.5), _message("two", 0.25, is_turn=False)]) == Spent(1, 0.75)

    async def test_the_agents_own_total_raises_the_cost_and_nothing_lowers_it(self, log: SessionLog) -> None:
        await log.agent_started(None)
        await log.prompted()
        await log.used([_message("one", 0.25)])
        assert (await log.reported_cost(1.0)).cost_usd == 1.0
        assert (await log.reported_cost(0.5)).cost_usd == 1.0

    async def test_after_a_tool_it_says_nothing_or_words(self, log: SessionLog) -> None:
        told = await log.tool_finished()
        assert told is None or isinstance(told, str)

    async def test_it_takes_every_event_there_is(self, log: SessionLog) -> None:
        for event in sample_events():
            log.happened(event)


def _message(message_id: str, cost_usd: float, *, is_turn: bool = True) -> MessageUsage:
    return MessageUsage(message_id, "a-model", 10, 20, 0, 0, cost_usd, is_turn=is_turn)
