"""What a check found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Verdict", "examined"]


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Works, and could be better."""
    MEND = "mend"
    """A run cannot work before this is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is; stable.
        found: what is there, in words.
        advice: what to do; empty where nothing is asked of anybody.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `lifecycle doctor --json` prints it."""
        return {"name": self.name, "verdict": self.verdict, "found": self.found, "advice": self.advice}


def examined(name: str, check: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What the check finds. A fault of the check itself is told like anything else that must be mended."""
    try:
        return tuple(check())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return (Finding(name, Verdict.MEND, f"cannot be looked at: {where}{error.strerror or error}"),)
