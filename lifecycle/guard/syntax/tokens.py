"""Reading tokens: blanks, line ends, operators, reserved words.

Owns what stands between words, and the here-documents that begin after a line end.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.heredocs import HereDocuments
from lifecycle.guard.syntax.tree import Command, Script, Word
from lifecycle.guard.syntax.words import WordReader

__all__ = ["TokenReader"]

_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_DESCRIPTOR = re.compile(r"[0-9]+\Z|\{.*\}\Z", re.DOTALL)
_OPERATORS = "&|;<>()-"
_WORD = re.compile(r"[^ \t\n|&;()<>'\"\\$`]*")


class TokenReader(WordReader):
    """Tokens of the grammar."""

    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        self.heredocs = HereDocuments(self)

    def read_word(self) -> Word:
        start = self.at
        word = super().read_word()
        if self.heredocs.waiting and "\n" in self.text[start : self.at]:
            self.heredocs.expect_none("line break inside a word after <<")
        return word

    def read_argument(self) -> Word:
        if self.at >= self.end:
            self.fail("end", "the command ends where bash expects a word")
        word = self.read_word()
        if not word.parts:
            self.fail("separator", f"{self.text[self.at : self.at + 1]!r} stands where bash expects a word")
        if self.at < self.end and self.text[self.at] in "<>" and _DESCRIPTOR.match(word.raw):
            # {name} and {name[subscript]} assign; a number comes here only if a backslash-newline parts it from its operator
            self.fail("descriptor", "a redirection with {variable} is not accepted; write the descriptor's number before its operator")
        return word

    def skip_blank(self) -> None:
        """Past blanks, backslash-newlines and a comment."""
        text = self.text
        if self.at < self.end and text[self.at] in " \t\\":
            blank = _BLANK.match(text, self.at)
            if blank:
                self.at = blank.end()
        if self.at < self.end and text[self.at] == "#":
            end = text.find("\n", self.at)
            self.at = self.end if end < 0 else end

    def skip_lines(self) -> None:
        """Past blanks, comments and line ends; here-documents begin after a line end."""
        while True:
            self.skip_blank()
            if self.at >= self.end or self.text[self.at] != "\n":
                return
            self.at += 1
            self.heredocs.collect()

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self.check_unbroken()
        return True

    def check_unbroken(self) -> None:
        """Bash joins an operator across a backslash-newline; nobody writes that."""
        if not self.text.startswith("\\\n", self.at):
            return
        after = self.at
        while self.text.startswith("\\\n", after):
            after += 2
        if after < self.end and self.text[after] in _OPERATORS:
            self.fail("continuation", "a line break inside an operator is not accepted")

    def peek_bare(self) -> str | None:
        """The unquoted word that starts here, not read; None if it holds anything but plain text."""
        start = self.at
        if start >= self.end:
            return None
        at, text = start, self.text
        pieces: list[str] = []
        while True:
            run = _WORD.match(text, at)
            assert run is not None  # the pattern matches the empty text
            pieces.append(run.group())
            at = run.end()
            if text.startswith("\\\n", at):
                at += 2
                continue
            break
        if at < self.end and text[at] in "'\"\\$`":
            return None
        return "".join(pieces) or None

    def expect(self, *words: str) -> str:
        self.skip_blank()
        bare = self.peek_bare()
        if bare not in words:
            self.fail("reserved-word", f"{' or '.join(words)} is missing")
        self.read_word()
        assert bare is not None
        return bare

    def subscript_reader(self, text: str) -> TokenReader:
        raise NotImplementedError

    def read_command(self) -> Command:
        """One command; the grammar's."""
        raise NotImplementedError

    def read_body(self, *closers: str) -> Script:
        """A list that may not be empty, up to and not past one of the closers; the grammar's."""
        raise NotImplementedError

    def read_list(self, closers: frozenset[str]) -> Script:
        """A list up to and not past one of the closers; the grammar's."""
        raise NotImplementedError
