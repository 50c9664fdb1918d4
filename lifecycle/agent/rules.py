"""What a tool call may do, judged before it runs. Pure rules; who asks them, and what follows, is the gate's.

This is the seam for stricter policies: a `Rule` is any callable from a `ToolCall` to a `Verdict`, and all rules
must allow a call. What stands here holds the agent to the tools that it was given, and the file tools to the
project. It says nothing about what Bash runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

__all__ = ["ALLOWED", "TOOLS", "Rule", "ToolCall", "Verdict", "files_inside", "only_our_tools", "only_tools"]

TOOLS: Final = ("Read", "Write", "Edit", "Glob", "Grep", "Bash")
"""The tools that the agent gets, and no others."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that is about to run.

    Attributes:
        tool: its name.
        input: its arguments, as the model gave them: anything can be in there.
        cwd: the directory that relative paths are relative to; the agent's shell can have moved it.
    """

    tool: str
    input: Mapping[str, Any]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may run. The reason of a refusal is read by the agent, so it says what to do instead.

    Attributes:
        rule: a stable dotted name of what decided, for the audit log; a host's rule that leaves it out is called after
            its function.
    """

    allowed: bool
    reason: str = field(default="")
    rule: str = field(default="")


ALLOWED: Final = Verdict(True, rule="allowed")


class Rule(Protocol):
    """Judges a call. It may take its time within the gate's bound, and an exception is a refusal."""

    def __call__(self, call: ToolCall, /) -> Verdict: ...


def only_our_tools(call: ToolCall) -> Verdict:
    """Refuses every tool that is not in `TOOLS`, whoever added it."""
    return only_tools(TOOLS)(call)


def only_tools(names: Sequence[str]) -> Rule:
    """The rule that refuses every tool but these."""

    def rule(call: ToolCall) -> Verdict:
        if call.tool in names:
            return ALLOWED
        reason = f"the tool {call.tool!r} is not available here; use one of {', '.join(names)}"
        return Verdict(False, reason, "tools.unknown")

    return rule


def files_inside(project_dir: Path) -> Rule:
    """The rule that holds the file tools to the project, symbolic links and `..` resolved."""

    def rule(call: ToolCall) -> Verdict:
        place = _PLACES.get(call.tool)
        if place is None:
            return ALLOWED
        name, is_required = place
        path = call.input.get(name)
        if path is None and not is_required:
            path = "."
        if not isinstance(path, str) or not path or "\0" in path:
            return Verdict(False, f"{call.tool} needs {name!r} to be a path", "files.input")
        inside = _inside(path, call.cwd, project_dir)
        if inside.allowed and call.tool == "Glob":
            return _pattern_inside(call, path, project_dir)
        return inside

    return rule


# Where each file tool's path stands, and whether the tool needs one. Grep's `glob` only filters what it finds.
_PLACES: Final = {
    "Read": ("file_path", True),
    "Write": ("file_path", True),
    "Edit": ("file_path", True),
    "Glob": ("path", False),
    "Grep": ("path", False),
}

_UPWARDS: Final = re.compile(r"(?:^|[/\\{,(|])\.\.(?:$|[/\\},)|])")
_ROOTED: Final = re.compile(r"[{,(|][/~]")
_MAGIC: Final = re.compile(r"[*?\[\]{}()!|\\]")


def _inside(path: str, cwd: Path, project_dir: Path) -> Verdict:
    # The CLI expands a leading tilde itself.
    if path.startswith("~"):
        path = os.path.expanduser(path)
    # realpath also resolves the existing part of a path that is not there yet: a new file below a symbolic link.
    real = os.path.realpath(os.path.join(cwd, path))
    root = os.path.realpath(project_dir)
    if real == root or real.startswith(root.rstrip(os.sep) + os.sep):
        return ALLOWED
    reason = f"{path} is outside the project; the file tools work inside {root} only"
    return Verdict(False, reason, "files.outside")


def _pattern_inside(call: ToolCall, path: str, project_dir: Path) -> Verdict:
    pattern = call.input.get("pattern")
    if not isinstance(pattern, str) or "\0" in pattern:
        return Verdict(False, "Glob needs 'pattern' to be a text", "files.input")
    if _UPWARDS.search(pattern) or _ROOTED.search(pattern):
        reason = f"the pattern {pattern} leads out of the project; write it relative to the project"
        return Verdict(False, reason, "files.pattern")
    fixed = _MAGIC.split(pattern, maxsplit=1)[0]
    return _inside(fixed or ".", call.cwd / path, project_dir)
