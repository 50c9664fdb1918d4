"""The proof that the gate holds: a call that must be refused, made by the real CLI, offline, before anything is paid.

Owns what is tried and what its outcome says; what a failed proof means for the run is `sdk_agent`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.gate import Gate
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.rehearsal import stage
from lifecycle.agent.rules import ToolCall, Verdict
from lifecycle.guard.decisions import GATE_CANARY
from lifecycle.ports import StopFlag
from states.vocabulary import Cause

__all__ = ["prove_gate"]


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
    async with stage("canary", settings, lambda home: f"touch {home / _SIGN}") as here:
        evidence = await here.play(
            "This is a test of the tool gate.", cli_path, Gate([_refuse], record=record), stop
        )
        failures = here.failures()
        has_run = (here.home / _SIGN).exists()
    if has_run or not all(failures):
        return replace(evidence, cut=Cut(Cause.GATE, "a command ran that the tool gate had refused"))
    if evidence.cut is not None:
        return evidence
    if not failures:
        return replace(evidence, result=None, problem=f"the gate's canary did not sing: {_why(evidence)}")
    return None


_SIGN = "the-gate-is-open"


def _refuse(_call: ToolCall) -> Verdict:
    return Verdict(False, "this is a test: the gate refuses everything", GATE_CANARY)


def _why(evidence: Evidence) -> str:
    return (evidence.result.text if evidence.result else "") or evidence.problem or "no reason was given"
