"""Pieces of plays that get something done whatever comes in between: a kill, a refusal, half-done work.

Each is a generator for `yield from`; each may be repeated, and finds out what is there before it changes it.
Owns the patience of a scripted agent. Knows no particular project.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

from lifecycle.offline.editing import edits, without_line_numbers
from lifecycle.offline.replies import Text, ToolUse, Turn
from lifecycle.offline.request import ToolResult

__all__ = ["Change", "Work", "commit", "create", "insist", "read_text", "revise"]

Work: TypeAlias = Generator["ToolUse | Turn", ToolResult, "ToolResult"]
"""Part of a play; returns the result that decided its success: see `ToolResult.is_error`."""

Change: TypeAlias = Callable[[str | None], str | None]
"""From a file's text to the text it should have. None stands for no file; answered, it means "leave it"."""

ATTEMPTS = 4
MISSING = "does not exist"
REPOSITORY = (
    "git init -q && git config user.name 'Scripted demo' && git config user.email demo@localhost "
    "&& git config commit.gpgsign false"
)
STALE_LOCKS = "rm -f .git/*.lock .git/refs/heads/*.lock"


def insist(say: str, use: ToolUse) -> Work:
    """One call that is harmless to repeat, until it succeeds: its result may have been lost to a kill."""
    result = yield _saying(say, use)
    for _ in range(ATTEMPTS - 1):
        if not result.is_error:
            break
        result = yield use
    return result


def read_text(path: str) -> Generator[ToolUse | Turn, ToolResult, str | None]:
    """The file's text, or None when there is no such file or it cannot be read."""
    for _ in range(ATTEMPTS):
        result = yield ToolUse("Read", {"file_path": path})
        if not result.is_error:
            return without_line_numbers(result.text)
        if MISSING in result.text:
            return None
    return None


def create(say: str, path: str, text: str) -> Work:
    """A file that should not be there yet; when it is, half made or whole, it is brought to `text`."""
    result = yield _saying(say, ToolUse("Write", {"file_path": path, "content": text}))
    if result.is_error:
        result = yield from revise("", path, lambda _: text)
    return result


def revise(say: str, path: str, change: Change) -> Work:
    """Bring a file to what `change` makes of its text, by edits where it can be; "leave it" is an error."""
    result = ToolResult("", "", "", True)
    for _ in range(ATTEMPTS):
        before = yield from read_text(path)
        after = change(before)
        if after is None:
            return ToolResult("", "", f"{path} is not there", True)
        if after == before:
            return ToolResult("", "", f"{path} is as it should be", False)
        for use in _changes(path, before, after):
            result = yield _saying(say, use)
            say = ""
            if result.is_error:
                break
        if not result.is_error:
            break
    return result


def commit(message: str) -> Work:
    """Everything committed, if there is anything; makes repository and identity where they are missing."""
    save = f"git add -A && {{ git diff --cached --quiet || git commit -q -m '{message}'; }}"
    result = yield ToolUse("Bash", {"command": save})
    for _ in range(ATTEMPTS - 1):
        if not result.is_error:
            break
        yield ToolUse("Bash", {"command": f"{STALE_LOCKS}; {REPOSITORY}"})
        result = yield ToolUse("Bash", {"command": save})
    return result


def _changes(path: str, before: str | None, after: str) -> list[ToolUse]:
    replacements = [] if before is None else edits(before, after)
    return [
        ToolUse("Edit", {"file_path": path, "old_string": old, "new_string": new})
        for old, new in replacements
    ] or [ToolUse("Write", {"file_path": path, "content": after})]


def _saying(say: str, use: ToolUse) -> ToolUse | Turn:
    return Turn(Text(say), use) if say else use
