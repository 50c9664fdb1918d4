"""What of the project the file tools may read and never write: what runs, or says how we run.

A hook or a setting below `.git` runs on the next git command, `.claude` configures the agent itself, and
`lifecycle.toml` the limits that it is held to. Bash can still reach them where the command policy allows a program
that writes any file; that takes the operating system's sandbox to stop.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict

__all__ = ["PROTECTED", "nothing_protected"]

PROTECTED: Final = (".git", ".claude", "lifecycle.toml")
"""Names at the top of the project, with all that is below them."""

_WRITERS: Final = ("Write", "Edit")


def nothing_protected(project_dir: Path) -> Rule:
    """The rule that refuses Write and Edit on `PROTECTED`, symbolic links and `..` resolved, whatever the case."""

    def rule(call: ToolCall) -> Verdict:
        path = call.input.get("file_path")
        if call.tool not in _WRITERS or not isinstance(path, str) or "\0" in path:
            return ALLOWED  # what is no path is refused by `files_inside`
        for name in _tops(path, call.cwd, project_dir):
            if name.casefold() in PROTECTED:
                return Verdict(
                    False, f"{name} is protected: read it if you like, but leave it as it is", "files.protected"
                )
        return ALLOWED

    return rule


def _tops(path: str, cwd: Path, project_dir: Path) -> tuple[str, ...]:
    """The first part of the path below the project, as it is written and as it resolves; none where it is outside."""
    named = os.path.normpath(os.path.join(cwd, os.path.expanduser(path)))
    candidates = ((named, os.path.abspath(project_dir)), (os.path.realpath(named), os.path.realpath(project_dir)))
    return tuple(
        os.path.relpath(file, root).split(os.sep, 1)[0]
        for file, root in candidates
        if file.startswith(root.rstrip(os.sep) + os.sep)
    )
