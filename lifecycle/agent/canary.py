"""The proof that the gate holds: a call that must be refused, made by the real CLI, offline, before anything is paid.

Once per CLI: the proof is kept beside the journal and is void as soon as the program, the SDK or what we prove
changes. Losing it costs a second, nothing else. Owns the scripted session and its evidence; what a failed proof means
for the run is `sdk_agent`'s.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.gate import Gate
from lifecycle.agent.leash_control import write_wrapper
from lifecycle.agent.options import AgentSettings, Errand
from lifecycle.agent.rules import ToolCall, Verdict
from lifecycle.agent.session import AgentProcess
from lifecycle.ports import MessageUsage, Spent, StopFlag
from states.vocabulary import Cause, SessionId

if TYPE_CHECKING:
    from lifecycle.events import Event
    from lifecycle.processes import ProcessIdentity

__all__ = ["Proof", "prove_gate"]

FILE_NAME: Final = "gate-proof.json"
REVISION: Final = 1
"""Raised whenever the options or the hooks change in a way that an old proof says nothing about."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven: this very program, with this SDK, asks our gate and obeys it."""

    cli: str
    size: int
    mtime_ns: int
    sdk: str
    revision: int = REVISION

    @classmethod
    def wanted(cls, cli_path: Path) -> Proof:
        """The proof that a session with this program needs."""
        stat = os.stat(cli_path)
        return cls(os.path.realpath(cli_path), stat.st_size, stat.st_mtime_ns, version("claude-agent-sdk"))

    def is_kept(self, directory: Path) -> bool:
        """Whether this proof was made before. What cannot be read is no proof."""
        try:
            kept = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(kept == self._data())

    def keep(self, directory: Path) -> None:
        """Keep it for the next manager. A proof that cannot be kept is made again: nobody is troubled with it."""
        part = directory / f".{FILE_NAME}.{os.getpid()}"
        try:
            part.write_text(json.dumps(self._data()) + "\n", encoding="utf-8")
            os.replace(part, directory / FILE_NAME)
        except OSError:
            part.unlink(missing_ok=True)

    def _data(self) -> dict[str, Any]:
        names = ("cli", "size", "mtime_ns", "sdk", "revision")
        return {name: getattr(self, name) for name in names}


async def prove_gate(
    settings: AgentSettings,
    cli_path: Path,
    stop: StopFlag,
    record: Callable[[ToolCall, Verdict], None] = lambda call, verdict: None,
) -> Evidence | None:
    """Let the real CLI try a command that the gate refuses.

    Talks to a scripted model on loopback only, in a directory of its own, without the user's credentials.

    Args:
        record: as the gate's own; its refusal is on record like any other, under the rule "gate.canary", and of no run.

    Returns:
        None when the command was refused; otherwise what happened: a cut with cause GATE when it ran.
    """
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="lifecycle-canary-"))
    try:
        return await _try(settings, cli_path, stop, home, record)
    finally:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


async def _try(
    settings: AgentSettings,
    cli_path: Path,
    stop: StopFlag,
    home: Path,
    record: Callable[[ToolCall, Verdict], None],
) -> Evidence | None:
    from lifecycle.offline import ModelServer, ToolUse
    from lifecycle.offline.scenarios import steps

    project, sign = home / "project", home / "the-gate-is-open"
    project.mkdir()
    command = ToolUse("Bash", {"command": f"touch {sign}"})
    async with ModelServer(steps(command)) as server:
        errand = Errand(
            # The directory's name is new, and so is an id made of it.
            session_id=SessionId(str(uuid.uuid5(uuid.NAMESPACE_URL, str(home)))),
            is_resumption=False,
            prompt="This is a test of the tool gate.",
            project_dir=project,
            cli_path=write_wrapper(home, cli_path),
            max_turns=5,
        )
        gate = Gate([_refuse], record=record)
        environment = {**settings.env, **dict.fromkeys(ELSEWHERE, ""), **server.environment()}
        environment["CLAUDE_CONFIG_DIR"] = str(home / "config")
        alone = replace(settings, env=environment, max_retries=0, idle_timeout_s=15.0, session_timeout_s=20.0)
        process = AgentProcess(alone, errand, gate, _NoLog(), now=_no_time, redact=str)
        evidence = await process.run(stop)
        results = [result for request in server.requests for result in request.tool_results.values()]
    if sign.exists() or any(not result.is_error for result in results):
        return replace(evidence, cut=Cut(Cause.GATE, "a command ran that the tool gate had refused"))
    if evidence.cut is not None:
        return evidence
    if not results:
        return replace(evidence, result=None, problem=f"the gate's canary did not sing: {_why(evidence)}")
    return None


def _refuse(_call: ToolCall) -> Verdict:
    return Verdict(False, "this is a test: the gate refuses everything", "gate.canary")


def _why(evidence: Evidence) -> str:
    return (evidence.result.text if evidence.result else "") or evidence.problem or "no reason was given"


def _no_time() -> float:
    return 0.0


class _NoLog:
    """Nothing of the canary is kept: it costs nothing, and its leash dies with us."""

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
"""Inherited variables that would send the canary's requests, or the user's credentials, anywhere but to loopback."""
