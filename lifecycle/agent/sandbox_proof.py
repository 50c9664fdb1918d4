"""The proof that commands really run within the walls: the real CLI, offline, runs one that tries to leave them.

That walls can be made is known before (`sandbox`). That this CLI uses the shell which we name, only it can show: one
that does not would run everything without any walls, in silence. Owns what is tried and what its outcome says.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from lifecycle.agent.confinement import Confinement
from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.gate import Gate
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.rehearsal import stage
from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict
from lifecycle.agent.shell import agent_shell
from lifecycle.guard.decisions import SANDBOX_CANARY
from lifecycle.ports import StopFlag
from states.vocabulary import Cause

__all__ = ["prove_sandbox"]


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
    async with stage("sandbox", settings, _command) as here:
        confinement = Confinement(here.project_dir, here.home / "scratch")
        environment = {**here.environment, "ANTHROPIC_API_KEY": _KEY}
        inherited = {**os.environ, **environment}
        async with agent_shell(confinement, here.home, here.session_id, inherited) as shell:
            gate = Gate([_only(_command(here.home))], record=_as_canary(record))
            evidence = await here.play(
                "This is a test of the sandbox.", cli_path, gate, stop, {"ANTHROPIC_API_KEY": _KEY, **shell}
            )
        told = here.told()
        is_outside, is_inside = _outside(here.home).exists(), (here.project_dir / "sign").exists()
    if is_outside:
        return replace(evidence, cut=Cut(Cause.GATE, "a command of the agent's ran outside the sandbox"))
    if _KEY in told:
        return replace(evidence, cut=Cut(Cause.GATE, "a command in the sandbox could see the agent's key"))
    if evidence.cut is not None:
        return evidence
    if not is_inside:
        problem = f"the sandbox's canary did not sing: {evidence.problem or told or 'no reason was given'}"
        return replace(evidence, result=None, problem=problem)
    return None


_KEY: Final = "sk-ant-the-canary-of-the-sandbox"


def _outside(home: Path) -> Path:
    return home / "outside"


def _command(home: Path) -> str:
    return f"echo in > sign; env; touch {shlex.quote(str(_outside(home)))}"


def _as_canary(record: Callable[[ToolCall, Verdict], None]) -> Callable[[ToolCall, Verdict], None]:
    """The record, told whose command it is: an accepted call carries no rule of its own."""
    return lambda call, verdict: record(call, replace(verdict, rule=SANDBOX_CANARY))


def _only(command: str) -> Rule:
    def rule(call: ToolCall) -> Verdict:
        return ALLOWED if call.input.get("command") == command else Verdict(False, "this is a test of the sandbox")

    return rule
