"""The command policy as a hook of the Claude Agent SDK, without importing it.

Owns the PreToolUse callback's shapes. Fails closed: malformed input and faults deny, and so does a decision that cannot
be put on record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.guard.decisions import AuditSink, Decision
from lifecycle.guard.policy import Allowlist, CommandVerdict, validate_command
from lifecycle.guard.profiles import DEFAULT_PROFILE, Profile

__all__ = ["BashHook", "ToolVerdict", "create_bash_security_hook", "judge_bash"]

BashHook = Callable[[Any, "str | None", Any], Awaitable[Any]]
"""What the SDK takes in a `HookMatcher`; its answer is a dictionary of the hook protocol."""


@dataclass(frozen=True, slots=True)
class ToolVerdict:
    """The answer for one call of a tool."""

    allowed: bool
    reason: str
    rule: str


def create_bash_security_hook(
    profile: str | Profile | Allowlist = DEFAULT_PROFILE,
    project: str | os.PathLike[str] | None = None,
    on_verdict: Callable[[str, CommandVerdict], None] | None = None,
    audit: AuditSink | None = None,
    now: Callable[[], float] = time.time,  # noqa: TID251  # unless the host has another clock
) -> BashHook:
    """A PreToolUse callback that denies Bash commands which the policy refuses.

    Register it with `HookMatcher(matcher="Bash", hooks=[hook], on_failure="block")`. Calls of other tools pass: they are
    not this hook's.

    Args:
        profile: a profile's name, a profile, or an allowlist (changes to it take effect at once).
        project: the directory to be held to; the current one by default.
        on_verdict: told every command and its verdict; if it raises, the command is denied.
        audit: keeps every decision, such as `AuditLog(path).append`; if it raises, the command is denied.
        now: the clock of the decisions.
    """
    root = os.path.abspath(os.fspath(project) if project is not None else os.getcwd())

    async def hook(input_data: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        try:
            if _field(input_data, "tool_name") != "Bash":
                return {} if isinstance(_field(input_data, "tool_name"), str) else _denied("the hook's input names no tool")
            tool_input, cwd = _field(input_data, "tool_input"), _field(input_data, "cwd") or root
            command = _field(tool_input, "command")
            verdict = validate_command(command, profile, root, cwd)
            if on_verdict is not None:
                on_verdict(command, verdict)
        except Exception as error:  # noqa: BLE001  # fail closed: a fault in the gate is never a permission
            return _denied(f"the command could not be judged ({type(error).__name__})")
        try:
            if audit is not None:
                given = tool_input if isinstance(tool_input, Mapping) else {}
                session = _field(input_data, "session_id")
                audit(
                    Decision(
                        now(), "Bash", given, verdict.allowed, _audited(verdict.rule), verdict.reason,
                        session_id=session if isinstance(session, str) else None, cwd=str(cwd),
                    )
                )  # fmt: skip
        except Exception as error:  # noqa: BLE001  # fail closed: what is not on record does not run
            return _denied(f"the decision could not be written to the audit log ({error or type(error).__name__})")
        return {} if verdict.allowed else _denied(verdict.reason)

    return hook


def judge_bash(
    tool_input: Mapping[str, Any], cwd: str | None, project: str, profile: str | Profile | Allowlist = DEFAULT_PROFILE
) -> ToolVerdict:
    """The verdict for a Bash call, for a gate that has judged the tool's name already."""
    command = tool_input.get("command") if isinstance(tool_input, Mapping) else None
    if not isinstance(command, str):
        return ToolVerdict(False, "the call of Bash has no command", "input")
    verdict = validate_command(command, profile, project, cwd)
    return ToolVerdict(verdict.allowed, verdict.reason, verdict.rule)


def _audited(rule: str) -> str:
    return rule if rule == "allowed" else f"command.{rule}"


def _field(mapping: Any, name: str) -> Any:
    return mapping.get(name) if isinstance(mapping, Mapping) else None


def _denied(reason: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }
