"""A position in a command line, and what every part of the parser needs of it.

Owns the position, the nesting depth and the way to refuse. The reading itself is told in the subclasses, from quotes to
whole scripts; what one of them needs of a later one is declared here.
"""

from __future__ import annotations

from typing import NoReturn

from lifecycle.guard.refusal import Refused
from lifecycle.guard.syntax.tree import Part, Script, Substitution

__all__ = ["DEPTH_MAX", "Reader"]

DEPTH_MAX = 24  # nested constructs; each costs a handful of Python frames, far below the interpreter's limit


class Reader:
    """A position in a text."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.end = len(text)
        self.depth = depth

    def fail(self, rule: str, reason: str) -> NoReturn:
        """Refuse, naming the place by the text around it."""
        near = self.text[max(0, self.at - 12) : self.at + 12]
        raise Refused(f"syntax.{rule}", f"{reason} (near {near!r})")

    def deeper(self) -> None:
        """Count one more nested construct."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Refused(
                "syntax.depth", f"the command nests more than {DEPTH_MAX} constructs; split it into several commands"
            )

    def read_script(self, closing: str) -> Script:
        """The commands up to and past `closing`; the grammar's, provided by the subclass."""
        raise NotImplementedError

    def subscript_reader(self, text: str) -> Reader:
        """A reader of the same kind for a text taken out of this one."""
        raise NotImplementedError

    def read_dollar(self, parts: list[Part], quoted: bool) -> None:
        """An expansion that begins with `$`; the expansions'."""
        raise NotImplementedError

    def read_backticks(self, quoted: bool) -> Substitution:
        """A pair of backticks; the expansions'."""
        raise NotImplementedError
