"""Reading quotes, escapes, and text in which only a dollar, a backtick and a backslash act.

Owns what is literal. Expansions inside quotes are `expansions`'s.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.ansi_c import decoded
from lifecycle.guard.syntax.reader import Reader
from lifecycle.guard.syntax.tree import Part, Text

__all__ = ["QuoteReader"]

_IN_DOUBLE_QUOTES = re.compile(r"[^\"\\$`]+")
_IN_BODY = re.compile(r"[^\\$`]+")


class QuoteReader(Reader):
    """Quotes, and the bodies of here-documents."""

    def read_single_quoted(self, parts: list[Part]) -> None:
        close = self.text.find("'", self.at + 1)
        if close < 0:
            self.fail("quote", "a single quote is not closed")
        parts.append(Text(self.text[self.at + 1 : close], True))
        self.at = close + 1

    def read_escaped(self, parts: list[Part]) -> None:
        if self.at + 1 >= self.end:
            self.fail("escape", "a backslash ends the command")
        character = self.text[self.at + 1]
        if character != "\n":
            parts.append(Text(character, True))
        self.at += 2

    def read_double_quoted(self, parts: list[Part]) -> None:
        first = len(parts)
        self.read_quoted(parts, _IN_DOUBLE_QUOTES, '"')
        if self.at >= self.end:
            self.fail("quote", "a double quote is not closed")
        self.at += 1
        if len(parts) == first:
            parts.append(Text("", True))

    def read_quoted(self, parts: list[Part], plain: re.Pattern[str] = _IN_BODY, closing: str = "") -> None:
        """Text in which only `$`, a backtick and a backslash act: double quotes, or a here-document's body."""
        text = self.text
        while self.at < self.end:
            run = plain.match(text, self.at)
            if run:
                parts.append(Text(run.group(), True))
                self.at = run.end()
                continue
            character = text[self.at]
            if character == closing:
                return
            if character == "$":
                self.read_dollar(parts, quoted=True)
            elif character == "`":
                parts.append(self.read_backticks(quoted=bool(closing)))
            else:
                following = text[self.at + 1 : self.at + 2]
                if following == "":
                    if closing:
                        self.fail("quote", "a double quote is not closed")
                    parts.append(Text("\\", True))
                    self.at += 1
                elif following in '$`\\"' and (following != '"' or closing):
                    parts.append(Text(following, True))
                    self.at += 2
                elif following == "\n":
                    self.at += 2
                else:
                    parts.append(Text("\\" + following, True))
                    self.at += 2

    def read_ansi_c(self, parts: list[Part]) -> None:
        at = self.at + 2
        while True:
            if at >= self.end:
                self.fail("quote", "a $'...' quote is not closed")
            if self.text[at] == "'":
                break
            at += 2 if self.text[at] == "\\" else 1
        parts.append(Text(decoded(self.text[self.at + 2 : at]), True))
        self.at = at + 1
