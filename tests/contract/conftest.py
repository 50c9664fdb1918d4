"""A laboratory for the agent's adapter: the real CLI, a scripted model on loopback, and a log that remembers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.rules import Rule
from lifecycle.agent.sdk_agent import SdkAgent
from lifecycle.events import Event
from lifecycle.offline import ModelServer, Scenario
from lifecycle.ports import AgentTask, MessageUsage, Spent
from lifecycle.processes import ProcessIdentity
from lifecycle.stopping import LocalStopFlag
from states.facts import Outcome
from states.vocabulary import SessionId, SessionType

E = TypeVar("E", bound=Event)

STARTED, PROMPTED, USED, COST = "agent_started", "prompted", "used", "reported_cost"


@dataclass
class RecordingLog:
    """A `SessionLog` that keeps what it is told, in order; `broken` makes its next durable call fail."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    usage: dict[str, MessageUsage] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    broken: Exception | None = None
    remark: str | None = None

    def _keep(self, name: str, value: Any = None) -> None:
        if self.broken is not None:
            raise self.broken
        self.calls.append((name, value))

    def _spent(self) -> Spent:
        messages = self.usage.values()
        return Spent(
            sum(message.is_turn for message in messages), sum(message.cost_usd for message in messages)
        )

    async def agent_started(self, process: ProcessIdentity | None) -> None:
        self._keep(STARTED, process)

    async def prompted(self) -> None:
        self._keep(PROMPTED)

    async def used(self, usage: Sequence[MessageUsage]) -> Spent:
        self._keep(USED, usage)
        self.usage.update({message.message_id: message for message in usage})
        return self._spent()

    async def reported_cost(self, cost_usd: float) -> Spent:
        self._keep(COST, cost_usd)
        return self._spent()

    async def tool_finished(self) -> str | None:
        return self.remark

    def happened(self, event: Event) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def of(self, name: str) -> list[Any]:
        return [value for called, value in self.calls if called == name]

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Leg:
    """One `Agent.run` under way."""

    run: asyncio.Task[Outcome]
    log: RecordingLog
    stop: LocalStopFlag
    server: ModelServer
    session_id: SessionId
    started_at: float

    async def outcome(self) -> Outcome:
        return await asyncio.wait_for(asyncio.shield(self.run), 40)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.started_at


class AgentLab:
    """Runs the adapter in directories of its own."""

    def __init__(self, root: Path, state_dir: Path) -> None:
        self.root = root
        self.state_dir = state_dir
        self.project = root / "project"
        self.project.mkdir()

    def settings(self, server: ModelServer, **changes: Any) -> AgentSettings:
        env = {**server.environment(), "HOME": str(self.root), "CLAUDE_CONFIG_DIR": str(self.root / "config")}
        base = AgentSettings(max_retries=0, state_dir=self.state_dir, env=env | changes.pop("env", {}))
        return replace(base, **changes)

    @asynccontextmanager
    async def leg(
        self,
        scenario: Scenario,
        *,
        session_id: SessionId | None = None,
        task: dict[str, Any] | None = None,
        stop: LocalStopFlag | None = None,
        log: RecordingLog | None = None,
        rules: Sequence[Rule] = (),
        profile: str | None = "none",
        **settings: Any,
    ) -> AsyncIterator[Leg]:
        """Start a leg; on leaving, it must be over and nothing of it may be left.

        The commands of a scenario do what an agent's should not, so the policy is off; None says nothing about it.
        """
        session_id = session_id or SessionId(str(uuid.uuid4()))
        fields: dict[str, Any] = {
            "session_id": session_id,
            "type": SessionType.CONTINUE,
            "prompt": "Build it.",
            "may_resume": False,
            "max_turns": 50,
            **(task or {}),
        }
        async with ModelServer(scenario) as server:
            policy = {} if profile is None else {"profile": profile}
            agent = SdkAgent(self.settings(server, **settings), self.project, rules=rules, **policy)
            log, stop = log or RecordingLog(), stop or LocalStopFlag()
            started_at = time.monotonic()
            run = asyncio.ensure_future(agent.run(AgentTask(**fields), log, stop))
            try:
                yield Leg(run, log, stop, server, session_id, started_at)
            finally:
                run.cancel()
                await asyncio.gather(run, return_exceptions=True)
                assert processes_of(session_id) == []

    async def run(self, scenario: Scenario, **arguments: Any) -> tuple[Outcome, Leg]:
        """A whole leg."""
        async with self.leg(scenario, **arguments) as leg:
            return await leg.outcome(), leg


def processes_of(session_id: SessionId) -> list[str]:
    """What runs of a session, by its marker in the environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(SESSION_MARKER) == session_id
            ):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except psutil.Error:
            continue
    return found


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def proven_state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which the first session that runs leaves the gate's proof for all others."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def agent_lab(tmp_path: Path, proven_state_dir: Path) -> AgentLab:
    return AgentLab(tmp_path, proven_state_dir)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    return until


@pytest.fixture
def left_of() -> Callable[[SessionId], list[str]]:
    return processes_of
