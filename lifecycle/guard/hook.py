"""The command policy as a hook of the Claude Agent SDK, without importing it.

Owns the PreToolUse callback's shapes. Fails closed: malformed input and faults deny.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.guard.policy import Allowlist, CommandVerdict, validate_command
from lifecycle.guard.profiles import DEFAULT_PROFILE, Profile

__all__ = ["BashHook", "ToolVerdict", "create_bash_security_hook", "judge_bash"]

BashHook = Callable[[Any, "str | None", Any], Awaitable[dict[str, Any]]]


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
) -> BashHook:
    """A PreToolUse callback that denies Bash commands which the policy refuses.

    Register it with `HookMatcher(matcher="Bash", hooks=[hook], on_failure="block")`. Calls of other tools pass: they are
    not this hook's.

    Args:
        profile: a profile's name, a profile, or an allowlist (changes to it take effect at once).
        project: the directory to be held to; the current one by default.
        on_verdict: told every command and its verdict, for an audit log; if it raises, the command is denied.
    """
    root = os.path.abspath(os.fspath(project) if project is not None else os.getcwd())

    async def hook(input_data: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        try:
            if _field(input_data, "tool_name") != "Bash":
                return {} if isinstance(_field(input_data, "tool_name"), str) else _denied("the hook's input names no tool")
            command = _field(_field(input_data, "tool_input"), "command")
            verdict = validate_command(command, profile, root, _field(input_data, "cwd") or root)
            if on_verdict is not None:
                on_verdict(command, verdict)
        except Exception as error:  # noqa: BLE001  # fail closed: a fault in the gate is never a permission
            return _denied(f"the command could not be judged ({type(error).__name__})")
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
