"""The cases that every `lifecycle.ports.Agent` must pass. Subclass, give it an agent, and pytest runs them.

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
from lifecycle.ports import Agent, AgentTask, MessageUsage, Spent
from lifecycle.processes import ProcessIdentity, is_alive
from lifecycle.stopping import LocalStopFlag
from states.vocabulary import Cause, SessionId, SessionType

__all__ = ["AgentConformance", "RecordingLog"]

SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000001")


class RecordingLog:
    """A session's log that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.processes: list[ProcessIdentity] = []
        self.spent = Spent(0, 0.0)
        self.stop: LocalStopFlag | None = None

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
        more = sum(message.cost_usd for message in usage)
        self.spent = Spent(self.spent.turns + sum(message.is_turn for message in usage), self.spent.cost_usd + more)
        return self.spent

    async def reported_cost(self, cost_usd: float) -> Spent:
        self.spent = Spent(self.spent.turns, max(self.spent.cost_usd, cost_usd))
        return self.spent

    async def tool_finished(self) -> str | None:
        return None

    def happened(self, event: Event) -> None:
        self.told.append(type(event).__name__)


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
