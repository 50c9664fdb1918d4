"""Here-documents: where each body begins and ends, by bash's exact rule.

Owns the ones that were opened on the line being read. A body's expansions are read by the word reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lifecycle.guard.syntax.tree import Part, Redirection, Text, Word

if TYPE_CHECKING:
    from lifecycle.guard.syntax.tokens import TokenReader

__all__ = ["HereDocuments"]

_DELIMITER = re.compile(r"[A-Za-z0-9_.,:@%+=!/-]+\Z")


class HereDocuments:
    """The here-documents of one list of commands that wait for their bodies."""

    def __init__(self, reader: TokenReader, in_substitution: bool = False) -> None:
        self._reader = reader
        self.in_substitution = in_substitution
        self.waiting: list[tuple[Redirection, str, bool]] = []

    def opened(self, operator: str, descriptor: str) -> Redirection:
        """The redirection whose delimiter stands here; its body is filled in by `collect`."""
        reader = self._reader
        start = reader.at
        word = reader.read_word()
        if "\n" in reader.text[start : reader.at]:
            reader.fail("here-document", "a line break in a here-document's delimiter is not accepted")
        if not all(isinstance(part, Text) for part in word.parts) or "$'" in word.raw:
            reader.fail("here-document", "a here-document's delimiter must be plain text")
        delimiter = "".join(part.text for part in word.parts if isinstance(part, Text))
        if not _DELIMITER.match(delimiter):
            reader.fail("here-document", "a here-document's delimiter must be a word such as EOF")
        literal = any(character in word.raw for character in "'\"\\")
        redirection = Redirection(operator, descriptor, Word((Text(delimiter, True),), word.raw, None))
        self.waiting.append((redirection, delimiter, literal))
        return redirection

    def expect_none(self, what: str) -> None:
        """Refuse if a body is still to come: bash versions read it from different places."""
        if self.waiting:
            self._reader.fail("here-document", f"a {what} has no body of its own here; start it on the next line")

    def collect(self) -> None:
        """Read the waiting bodies; the position is at the start of a line."""
        waiting, self.waiting = self.waiting, []
        for redirection, delimiter, literal in waiting:
            body = self._body(delimiter, literal, redirection.operator == "<<-")
            if literal:
                redirection.body = (Text(body, True),)
                continue
            reader = self._reader.subscript_reader(body)
            parts: list[Part] = []
            reader.read_quoted(parts)
            redirection.body = tuple(parts)

    def _body(self, delimiter: str, literal: bool, strip_tabs: bool) -> str:
        reader = self._reader
        lines: list[str] = []
        while True:
            if reader.at >= reader.end:
                reader.fail("here-document", f"the here-document has no line {delimiter!r} that ends it")
            line = self._line(literal)
            if strip_tabs:
                line = line.lstrip("\t")
            if line == delimiter:
                return "".join(lines)
            if self.in_substitution and line.startswith(delimiter) and ")" in line:
                reader.fail("here-document", f"inside $(...) a here-document's end {delimiter!r} must stand alone")
            lines.append(line + "\n")

    def _line(self, literal: bool) -> str:
        """One line without its end; unless the delimiter was quoted, backslash-newlines join lines first."""
        reader = self._reader
        joined = ""
        while True:
            end = reader.text.find("\n", reader.at)
            line = reader.text[reader.at : reader.end if end < 0 else end]
            reader.at = reader.end if end < 0 else end + 1
            joined += line
            if literal or end < 0 or (len(line) - len(line.rstrip("\\"))) % 2 == 0:
                return joined
            joined = joined[:-1]
