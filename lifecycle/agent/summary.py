"""One short line that says what a tool call does, for the log and the terminal. Never a file's content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lifecycle.agent.rules import ToolCall
from lifecycle.redaction import one_line

__all__ = ["summary"]


def summary(call: ToolCall, project_dir: Path) -> str:
    """The command's first line, the pattern, or the file's path as seen from the project."""
    fields = [call.input.get(name) for name in _TELLING.get(call.tool, ())]
    parts = [_from(text, project_dir) for text in fields if isinstance(text, str) and text]
    return one_line(" in ".join(parts), CHARS_MAX)


def _from(text: str, project_dir: Path) -> str:
    below = str(project_dir) + os.sep
    return text.removeprefix(below)


_TELLING: Final = {
    "Bash": ("command",),
    "Read": ("file_path",),
    "Write": ("file_path",),
    "Edit": ("file_path",),
    "Glob": ("pattern", "path"),
    "Grep": ("pattern", "path"),
}
CHARS_MAX: Final = 160
