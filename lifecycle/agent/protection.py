"""What of the project the file tools may read and never write: what runs, or says how we run.

Which names these are is `lifecycle.guard.protected`'s; here links and `..` are followed, to them and from them. A program that opens
files by itself can still reach them; that takes the operating system's sandbox to stop.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict
from lifecycle.guard.protected import PROTECTION, Protection

__all__ = ["nothing_protected"]

_WRITERS: Final = ("Write", "Edit")


def nothing_protected(project_dir: Path, protection: Protection = PROTECTION) -> Rule:
    """The rule that refuses Write and Edit on what is protected, symbolic links and `..` resolved, whatever the case."""

    def rule(call: ToolCall) -> Verdict:
        path = call.input.get("file_path")
        if call.tool not in _WRITERS or not isinstance(path, str) or "\0" in path:
            return ALLOWED  # what is no path is refused by `files_inside`
        for relative in _relatives(path, call.cwd, project_dir):
            part = protection.protected_in(relative)
            if part is not None:
                return Verdict(False, protection.reason(part), "files.protected")
        part = _name_that_leads_to(path, call.cwd, project_dir, protection)
        if part is not None:
            return Verdict(False, protection.reason(part), "files.protected")
        return ALLOWED

    return rule


def _name_that_leads_to(path: str, cwd: Path, project_dir: Path, protection: Protection) -> str | None:
    """A protected name that is a link to the file, or to a directory that holds it."""
    real = Path(os.path.realpath(os.path.join(cwd, os.path.expanduser(path))))
    for directory, prefix in ((project_dir, ""), (project_dir / ".git", ".git/")):
        try:
            links = [entry.name for entry in os.scandir(directory) if entry.is_symlink()]
        except OSError:
            continue
        for name in links:
            is_protected = protection.protected_in(prefix + name) is not None
            if is_protected and real.is_relative_to(os.path.realpath(directory / name)):
                return prefix + name
    return None


def _relatives(path: str, cwd: Path, project_dir: Path) -> tuple[str, ...]:
    """The path below the project, as it is written and as it resolves; none where it is outside."""
    named = os.path.normpath(os.path.join(cwd, os.path.expanduser(path)))
    candidates = ((named, os.path.abspath(project_dir)), (os.path.realpath(named), os.path.realpath(project_dir)))
    return tuple(
        os.path.relpath(file, root) for file, root in candidates if file.startswith(root.rstrip(os.sep) + os.sep)
    )
