"""Judging many commands: arguments, or a stream of JSON lines.

Owns the JSON-lines format: in `{"command"}`, out `{"command", "allowed", "reason"}`, one line each, in order. Knows
nothing of command lines and exit statuses; the `cli` package calls it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from lifecycle.guard.policy import Allowlist, CommandVerdict, validate_command
from lifecycle.guard.profiles import DEFAULT_PROFILE, Profile

__all__ = ["judged_commands", "judged_lines"]


def judged_commands(
    commands: Iterable[str],
    profile: str | Profile | Allowlist = DEFAULT_PROFILE,
    project: str | os.PathLike[str] | None = None,
) -> Iterator[tuple[str, CommandVerdict]]:
    """Each command with its verdict, in order."""
    for command in commands:
        yield command, validate_command(command, profile, project)


def judged_lines(
    lines: Iterable[str],
    profile: str | Profile | Allowlist = DEFAULT_PROFILE,
    project: str | os.PathLike[str] | None = None,
) -> Iterator[str]:
    """For each line of JSON, one line of JSON without a line end, in order; blank lines are skipped.

    A line may hold `cwd` beside `command`. A line that is no such object is answered with `command` null and a refusal:
    the stream goes on, and no input stops it.
    """
    for line in lines:
        if line.strip():
            yield _judged_line(line, profile, project)


def _judged_line(line: str, profile: str | Profile | Allowlist, project: str | os.PathLike[str] | None) -> str:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _answer(None, False, f"the line is not JSON ({error})")
    command = entry.get("command") if isinstance(entry, dict) else None
    if not isinstance(command, str):
        return _answer(None, False, 'the line has no string "command"')
    cwd = entry.get("cwd")
    if cwd is not None and not isinstance(cwd, str):
        return _answer(command, False, '"cwd" must be a string')
    verdict = validate_command(command, profile, project, cwd)
    return _answer(command, verdict.allowed, verdict.reason)


def _answer(command: str | None, allowed: bool, reason: str) -> str:
    return json.dumps({"command": command, "allowed": allowed, "reason": reason})
