"""Reading one word, made of text, quotes and expansions.

Owns where a word ends. What a word means is the analysis's; how words make commands is `commands`'s.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.expansions import ExpansionReader
from lifecycle.guard.syntax.tree import Part, ProcessSubstitution, Text, Word

__all__ = ["WordReader"]

_PLAIN = re.compile(r"[^ \t\n|&;()<>'\"\\$`]+")


class WordReader(ExpansionReader):
    """Words."""

    def read_word(self) -> Word:
        """The word that starts here; an empty one if a separator stands here."""
        text, start = self.text, self.at
        plain = _PLAIN.match(text, start)
        if plain:
            self.at = plain.end()
            if self.at == self.end or text[self.at] in " \t\n|;)":
                return Word((Text(plain.group(), False),), plain.group(), plain.group())
            self.at = start
        parts: list[Part] = []
        escaped = False
        while self.at < self.end:
            backslash = text.startswith("\\", self.at) and not text.startswith("\\\n", self.at)
            if not self._read_part(parts):
                break
            escaped |= backslash
        raw = text[start : self.at].replace("\\\n", "")
        bare = None
        if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].quoted:
            bare = parts[0].text
        return Word(tuple(parts), raw, bare, escaped)

    def _read_part(self, parts: list[Part]) -> bool:
        text, at = self.text, self.at
        plain = _PLAIN.match(text, at)
        if plain:
            self.at = plain.end()
            previous = parts[-1] if parts else None
            if isinstance(previous, Text) and not previous.quoted:  # joined by a backslash-newline
                previous.text += plain.group()
            else:
                parts.append(Text(plain.group(), False))
            return True
        character = text[at]
        if character == "'":
            self.read_single_quoted(parts)
        elif character == '"':
            self.at += 1
            self.read_double_quoted(parts)
        elif character == "\\":
            self.read_escaped(parts)
        elif character == "$":
            self.read_dollar(parts, quoted=False)
        elif character == "`":
            parts.append(self.read_backticks(quoted=False))
        elif character in "<>" and text.startswith("(", at + 1):
            self._process_substitution(parts)
        else:
            return False
        return True

    def _process_substitution(self, parts: list[Part]) -> None:
        if parts:
            self.fail("process-substitution", "<(...) and >(...) are accepted only as a word of their own")
        self.at += 2
        self.deeper()
        parts.append(ProcessSubstitution(self.read_script(")")))
        self.depth -= 1
