"""One command, tried by the real CLI before anything is paid: offline, in a directory of its own.

Owns the stage: a scripted model on loopback, a project that is thrown away, none of the person's credentials, nothing
on any record but the gate's. What is tried and what it proves is `canary`'s and `sandbox_proof`'s.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lifecycle.agent.evidence import Evidence
from lifecycle.agent.gate import Gate
from lifecycle.agent.leash_control import write_wrapper
from lifecycle.agent.options import AgentSettings, Errand
from lifecycle.agent.session import AgentProcess
from lifecycle.ports import MessageUsage, Spent, StopFlag
from states.vocabulary import SessionId

if TYPE_CHECKING:
    from lifecycle.events import Event
    from lifecycle.offline import ModelServer
    from lifecycle.processes import ProcessIdentity

__all__ = ["Stage", "stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one command is tried.

    Attributes:
        home: a new directory, taken away afterwards.
        environment: the CLI's, over the inherited one.
    """

    home: Path
    session_id: SessionId
    environment: Mapping[str, str]
    settings: AgentSettings
    server: ModelServer

    @property
    def project_dir(self) -> Path:
        return self.home / "project"

    async def play(
        self, prompt: str, cli_path: Path, gate: Gate, stop: StopFlag, variables: Mapping[str, str] | None = None
    ) -> Evidence:
        """Let the CLI try the command.

        Args:
            prompt: says what this is, in case that a person sees it.
            variables: set over the stage's environment.
        """
        errand = Errand(
            session_id=self.session_id,
            is_resumption=False,
            prompt=prompt,
            project_dir=self.project_dir,
            cli_path=write_wrapper(self.home, cli_path),
            max_turns=5,
        )
        environment = {**self.environment, **(variables or {})}
        alone = replace(self.settings, env=environment, max_retries=0, idle_timeout_s=15.0, session_timeout_s=20.0)
        return await AgentProcess(alone, errand, gate, _NoLog(), now=_no_time, redact=str).run(stop)

    def failures(self) -> list[bool]:
        """Of each result that the model was told, whether it was an error."""
        return [result.is_error for request in self.server.requests for result in request.tool_results.values()]

    def told(self) -> str:
        """What the model was told of the command."""
        return "\n".join(result.text for request in self.server.requests for result in request.tool_results.values())


@asynccontextmanager
async def stage(name: str, settings: AgentSettings, command: Callable[[Path], str]) -> AsyncIterator[Stage]:
    """Set the stage for a command, which is made for its directory.

    Args:
        name: of the directory, for whoever finds it.
        settings: the agent's; who it is and what it talks to is replaced.
    """
    from lifecycle.offline import ModelServer, ToolUse
    from lifecycle.offline.scenarios import steps

    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"lifecycle-{name}-"))
    try:
        (home / "project").mkdir()
        async with ModelServer(steps(ToolUse("Bash", {"command": command(home)}))) as server:
            environment = {**settings.env, **dict.fromkeys(ELSEWHERE, ""), **server.environment()}
            environment["CLAUDE_CONFIG_DIR"] = str(home / "config")
            # The directory's name is new, and so is an id made of it.
            session_id = SessionId(str(uuid.uuid5(uuid.NAMESPACE_URL, str(home))))
            yield Stage(home, session_id, environment, settings, server)
    finally:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


def _no_time() -> float:
    return 0.0


class _NoLog:
    """Nothing of a rehearsal is kept: it costs nothing, and its leash dies with us."""

    async def agent_started(self, process: ProcessIdentity | None) -> None: ...

    async def prompted(self) -> None: ...

    async def used(self, usage: Sequence[MessageUsage]) -> Spent:
        return Spent(0, 0.0)

    async def reported_cost(self, cost_usd: float) -> Spent:
        return Spent(0, 0.0)

    async def tool_finished(self) -> str | None:
        return None

    def happened(self, event: Event) -> None: ...


ELSEWHERE: Final = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
)
"""Inherited variables that would send the requests, or the person's credentials, anywhere but to loopback."""
