"""The rule for Bash: the command policy, asked with the directory in which the agent's shell stands.

Owns the way from a tool call to the policy. What is accepted is `lifecycle.guard`'s to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict
from lifecycle.errors import ConfigurationError
from lifecycle.guard.profiles import PROFILES, Profile
from lifecycle.guard.protected import protection

__all__ = ["UNFENCED", "command_fence", "commands_by"]

UNFENCED: Final = "none"
"""What must be said for commands to be judged by nobody."""


def command_fence(profile: str | Profile, project_dir: Path, *, protect_claude_md: bool) -> tuple[Rule, ...]:
    """The rules that a profile makes: one, or none for "none".

    Args:
        profile: a profile as it is; or the name of a built-in one, which then protects what the file tools may not
            write either.
        protect_claude_md: whether that is so for CLAUDE.md.

    Raises:
        ConfigurationError: no profile has that name.
    """
    if profile == UNFENCED:
        return ()
    if isinstance(profile, str):
        if profile not in PROFILES:
            names = f"{', '.join(PROFILES)} and {UNFENCED} are accepted"
            raise ConfigurationError("profile", f"{profile!r} is unknown; {names}")
        profile = PROFILES[profile].with_protection(protection(claude_md=protect_claude_md))
    return (commands_by(profile, project_dir),)


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
