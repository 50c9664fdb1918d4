"""The proof that commands really run within the walls: the real CLI, offline, runs one that tries to leave them.

That walls can be made is known before (`sandbox`). That this CLI uses the shell which we name, only it can show: one
that does not would run everything without any walls, in silence. Proven once per CLI and bubblewrap, like the gate.
Owns the scripted session and its evidence.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from lifecycle.agent.canary import ELSEWHERE, Proof, _NoLog
from lifecycle.agent.confinement import Confinement
from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.gate import Gate
from lifecycle.agent.leash_control import write_wrapper
from lifecycle.agent.options import AgentSettings, Errand
from lifecycle.agent.rules import ALLOWED, ToolCall, Verdict
from lifecycle.agent.session import AgentProcess
from lifecycle.agent.shell import agent_shell
from lifecycle.ports import StopFlag
from states.vocabulary import Cause, SessionId

__all__ = ["SandboxProof", "prove_sandbox"]

FILE_NAME: Final = "sandbox-proof.json"
REVISION: Final = 2
"""Raised whenever the walls change in a way that an old proof says nothing about."""


@dataclass(frozen=True, slots=True)
class SandboxProof:
    """What was proven: this CLI with these programs keeps a command inside."""

    cli: Proof
    bwrap: tuple[str, int, int]
    revision: int = REVISION

    @classmethod
    def wanted(cls, cli_path: Path) -> SandboxProof:
        """The proof that a session needs."""
        return cls(Proof.wanted(cli_path), _identity("bwrap"))

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

    def _data(self) -> Any:
        return json.loads(json.dumps(asdict(self)))


def _identity(program: str) -> tuple[str, int, int]:
    path = os.path.realpath(shutil.which(program) or "")
    stat = os.stat(path)
    return path, stat.st_size, stat.st_mtime_ns


async def prove_sandbox(
    settings: AgentSettings,
    cli_path: Path,
    stop: StopFlag,
    record: Callable[[ToolCall, Verdict], None] = lambda call, verdict: None,
) -> Evidence | None:
    """Let the real CLI run a command that writes inside and outside, and looks for a key.

    Talks to a scripted model on loopback only, in a directory of its own, without the user's credentials.

    Args:
        record: as the gate's own; its command is on record like any other, under the rule "sandbox.canary".

    Returns:
        None when the walls held; otherwise what happened: a cut with cause GATE when they did not.
    """
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="lifecycle-sandbox-"))
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

    project, outside = home / "project", home / "outside"
    project.mkdir()
    # The id is made of the directory's name, which is new.
    session_id = SessionId(str(uuid.uuid5(uuid.NAMESPACE_URL, str(home))))
    command = f"echo in > sign; env; touch {shlex.quote(str(outside))}"
    confinement = Confinement(project, home / "scratch")
    async with ModelServer(steps(ToolUse("Bash", {"command": command}))) as server:
        environment = {**settings.env, **dict.fromkeys(ELSEWHERE, ""), **server.environment()}
        environment |= {"CLAUDE_CONFIG_DIR": str(home / "config"), "ANTHROPIC_API_KEY": _KEY}
        async with agent_shell(confinement, home, session_id, {**os.environ, **environment}) as shell:
            errand = Errand(
                session_id=session_id,
                is_resumption=False,
                prompt="This is a test of the sandbox.",
                project_dir=project,
                cli_path=write_wrapper(home, cli_path),
                max_turns=5,
            )
            alone = replace(
                settings, env={**environment, **shell}, max_retries=0, idle_timeout_s=15.0, session_timeout_s=20.0
            )
            gate = Gate([_only(command)], record=_as_canary(record))
            process = AgentProcess(alone, errand, gate, _NoLog(), now=lambda: 0.0, redact=str)
            evidence = await process.run(stop)
        said = "\n".join(result.text for request in server.requests for result in request.tool_results.values())
    if outside.exists():
        return replace(evidence, cut=Cut(Cause.GATE, "a command of the agent's ran outside the sandbox"))
    if _KEY in said:
        return replace(evidence, cut=Cut(Cause.GATE, "a command in the sandbox could see the agent's key"))
    if evidence.cut is not None:
        return evidence
    if not (project / "sign").exists():
        problem = f"the sandbox's canary did not sing: {evidence.problem or said or 'no reason was given'}"
        return replace(evidence, result=None, problem=problem)
    return None


CANARY_RULE: Final = "sandbox.canary"
_KEY: Final = "sk-ant-the-canary-of-the-sandbox"


def _as_canary(record: Callable[[ToolCall, Verdict], None]) -> Callable[[ToolCall, Verdict], None]:
    """The record, told whose command it is: an accepted call carries no rule of its own."""
    return lambda call, verdict: record(call, replace(verdict, rule=CANARY_RULE))


def _only(command: str) -> Any:
    def rule(call: ToolCall) -> Verdict:
        return ALLOWED if call.input.get("command") == command else Verdict(False, "this is a test of the sandbox")

    return rule
