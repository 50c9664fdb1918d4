"""What the agent is asked: three Markdown files that belong to the package, each of which a person can replace.

Owns the templates and their placeholders, written `{{name}}`. What goes into `context` is the workspace's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from lifecycle.errors import ConfigurationError
from lifecycle.ports import Reading
from states.vocabulary import SessionType

__all__ = ["PLACEHOLDERS", "PromptLibrary"]

_READING: Final = frozenset({"context", "features_total", "features_passing", "features_left"})

PLACEHOLDERS: Final[Mapping[str, frozenset[str]]] = {
    "initializer.md": _READING,
    "coding.md": _READING,
    "resumed.md": frozenset(),
}
"""The files that make up the library, and the placeholders that each may use."""


class PromptLibrary:
    """Implements `lifecycle.ports.Prompts`, and has the prompt of a resumption too."""

    def __init__(self, override_dir: Path | None = None) -> None:
        """Read and check what a person has put in place of the built-in prompts.

        Args:
            override_dir: may hold any of the files of `PLACEHOLDERS`; each takes the place of the built-in one.

        Raises:
            ConfigurationError: the directory is none, or one of the files cannot be read, is empty, or has a
                placeholder that does not exist.
        """
        self._templates: dict[str, str] = {}
        if override_dir is None:
            return
        if not override_dir.is_dir():
            raise ConfigurationError(
                str(override_dir), "is not a directory of prompts; create it, or leave it out"
            )
        for name, known in PLACEHOLDERS.items():
            path = override_dir / name
            if path.is_symlink() or path.exists():
                self._templates[name] = _checked(path, known)

    def session_prompt(self, session_type: SessionType, reading: Reading, explicit: str | None) -> str:
        """The prompt of a new session: the explicit one, word for word, where there is one, else the type's own."""
        if explicit is not None:
            return explicit
        count = reading.features
        return self._fill(
            _FILES[session_type],
            {
                "context": reading.context.strip() or "Nothing is known of the work so far.",
                "features_total": str(count.total),
                "features_passing": str(count.passing),
                "features_left": str(count.total - count.passing),
            },
        )

    def resumed(self, session_type: SessionType) -> str:
        """What is said when a conversation that was cut off is taken up again. The same for both types today."""
        return self._fill("resumed.md", {})

    def _fill(self, name: str, values: Mapping[str, str]) -> str:
        # One pass: braces within a value stay as they are.
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self._templates.get(name) or _built_in(name))


_FILES: Final = {SessionType.INIT: "initializer.md", SessionType.CONTINUE: "coding.md"}
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
BYTES_MAX: Final = 200_000


@cache
def _built_in(name: str) -> str:
    return (files("lifecycle.agent") / "prompts" / name).read_text(encoding="utf-8")


def _checked(path: Path, known: frozenset[str]) -> str:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ConfigurationError(str(path), f"is longer than {BYTES_MAX} bytes; that is no prompt")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(path), f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), f"is not UTF-8 (byte {error.start})") from error
    if not text.strip():
        raise ConfigurationError(str(path), "is empty; remove it to use the built-in prompt")
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in known:
            line = text.count("\n", 0, found.start()) + 1
            usable = ", ".join(f"{{{{{name}}}}}" for name in sorted(known)) or "none"
            raise ConfigurationError(
                f"{path}:{line}", f"unknown placeholder {found[0]}; usable here: {usable}"
            )
    return text
