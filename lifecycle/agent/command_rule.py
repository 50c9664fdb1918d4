"""The rule for Bash: the command policy, asked with the directory in which the agent's shell stands.

Owns the way from a tool call to the policy. What is accepted is `lifecycle.guard`'s to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict

if TYPE_CHECKING:
    from lifecycle.guard import Profile

__all__ = ["commands_by"]


def commands_by(profile: str | Profile, project_dir: Path) -> Rule:
    """The rule that refuses the Bash commands which the profile does not accept.

    Args:
        profile: a profile, or the name of one.
        project_dir: the directory that commands are held to.
    """
    root = str(project_dir.absolute())

    def rule(call: ToolCall) -> Verdict:
        if call.tool != "Bash":
            return ALLOWED
        # The parser's library is loaded with the first command.
        from lifecycle.guard.hook import judge_bash

        verdict = judge_bash(call.input, str(call.cwd), root, profile)
        return ALLOWED if verdict.allowed else Verdict(False, verdict.reason, f"command.{verdict.rule}")

    return rule
