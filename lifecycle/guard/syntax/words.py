"""Reading one word: quoting and expansions, by bash's rules.

Owns the scanner's position, nesting depth and everything that can stand inside a word or a here-document's body.
Refuses what bash versions read differently. How commands are put together is `commands`'s.
"""

from __future__ import annotations

import re
from typing import NoReturn

from lifecycle.guard.refusal import Refused
from lifecycle.guard.syntax.ansi_c import decoded
from lifecycle.guard.syntax.tree import (
    Arithmetic,
    Parameter,
    Part,
    ProcessSubstitution,
    Script,
    Substitution,
    Text,
    Word,
)

__all__ = ["DEPTH_MAX", "WordReader"]

DEPTH_MAX = 24  # nested constructs; each costs a handful of Python frames, far below the interpreter's limit

_PLAIN = re.compile(r"[^ \t\n|&;()<>'\"\\$`]+")
_IN_DOUBLE_QUOTES = re.compile(r"[^\"\\$`]+")
_IN_BODY = re.compile(r"[^\\$`]+")
_IN_PARAMETER = re.compile(r"[^}'\"\\$`]+")
_IN_ARITHMETIC = re.compile(r"[A-Za-z0-9_ \t\n+*/%<>=!&|^~?:,#@.-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@[QUuLEKkAa]\}")
_ESCAPED_TICK = re.compile(r"\\([$`\\])")
_ESCAPED_TICK_QUOTED = re.compile(r"\\([$`\\\"])")


class WordReader:
    """A position in a text, and the reading of words from there."""

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

    def subscript_reader(self, text: str) -> WordReader:
        """A reader of the same kind for a text taken out of this one."""
        raise NotImplementedError

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
        while self.at < self.end and self._read_part(parts):
            pass
        raw = text[start : self.at].replace("\\\n", "")
        bare = None
        if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].quoted:
            bare = parts[0].text
        return Word(tuple(parts), raw, bare)

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
            self._single_quoted(parts)
        elif character == '"':
            self.at += 1
            self._double_quoted(parts)
        elif character == "\\":
            self._escaped(parts)
        elif character == "$":
            self._dollar(parts, quoted=False)
        elif character == "`":
            parts.append(self._backticks(quoted=False))
        elif character in "<>" and text.startswith("(", at + 1):
            self._process_substitution(parts)
        else:
            return False
        return True

    def _single_quoted(self, parts: list[Part]) -> None:
        close = self.text.find("'", self.at + 1)
        if close < 0:
            self.fail("quote", "a single quote is not closed")
        parts.append(Text(self.text[self.at + 1 : close], True))
        self.at = close + 1

    def _escaped(self, parts: list[Part]) -> None:
        if self.at + 1 >= self.end:
            self.fail("escape", "a backslash ends the command")
        character = self.text[self.at + 1]
        if character != "\n":
            parts.append(Text(character, True))
        self.at += 2

    def _double_quoted(self, parts: list[Part]) -> None:
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
                self._dollar(parts, quoted=True)
            elif character == "`":
                parts.append(self._backticks(quoted=bool(closing)))
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

    def _dollar(self, parts: list[Part], quoted: bool) -> None:
        text, after = self.text, self.at + 1
        following = text[after : after + 1]
        if following == "\\" and text.startswith("\n", after + 1):
            self.fail("continuation", "a line break after '$' is not accepted; write the expansion on one line")
        if following == "(":
            if text.startswith("(", after + 1):
                self.at += 3
                parts.append(Arithmetic(self._arithmetic("$(("), quoted))
            elif text.startswith("\\\n", after + 1):
                self.fail("continuation", "a line break after '$(' with a backslash is not accepted")
            else:
                self.at += 2
                parts.append(self._substitution(quoted))
        elif following == "{":
            self.at += 2
            parts.append(self._braced(quoted))
        elif following == "[":
            self.at += 2
            self.deeper()
            parts.append(Arithmetic(self.read_expression("]"), quoted))
            self.at += 1
            self.depth -= 1
        elif following == "'" and not quoted:
            self._ansi_c(parts)
        elif following == '"' and not quoted:
            self.at += 2
            self._double_quoted(parts)
        else:
            name = _PARAMETER.match(text, after)
            if name:
                parts.append(Parameter(name.group(), "", (), None, quoted))
                self.at = name.end()
            else:
                parts.append(Text("$", True))
                self.at += 1

    def _ansi_c(self, parts: list[Part]) -> None:
        at = self.at + 2
        while True:
            if at >= self.end:
                self.fail("quote", "a $'...' quote is not closed")
            if self.text[at] == "'":
                break
            at += 2 if self.text[at] == "\\" else 1
        parts.append(Text(decoded(self.text[self.at + 2 : at]), True))
        self.at = at + 1

    def _substitution(self, quoted: bool) -> Substitution:
        self.deeper()
        script = self.read_script(")")
        self.depth -= 1
        return Substitution(script, quoted)

    def _process_substitution(self, parts: list[Part]) -> None:
        if parts:
            self.fail("process-substitution", "<(...) and >(...) are accepted only as a word of their own")
        self.at += 2
        self.deeper()
        parts.append(ProcessSubstitution(self.read_script(")")))
        self.depth -= 1

    def _backticks(self, quoted: bool) -> Substitution:
        at = self.at + 1
        text = self.text
        while True:
            if at >= self.end:
                self.fail("quote", "a backtick is not closed; write $(...)")
            if text[at] == "`":
                break
            at += 2 if text[at] == "\\" else 1
        escape = _ESCAPED_TICK_QUOTED if quoted else _ESCAPED_TICK
        inner = escape.sub(r"\1", text[self.at + 1 : at])
        self.deeper()
        script = self.subscript_reader(inner).read_script("")
        self.depth -= 1
        self.at = at + 1
        return Substitution(script, quoted)

    def _arithmetic(self, opening: str) -> tuple[Part, ...]:
        """The parts up to and past the closing `))`; the opening is already read."""
        self.deeper()
        parts = self.read_expression(")")
        if not self.text.startswith("))", self.at):
            self.fail("arithmetic", f"{opening} is not closed by ')) '; for commands write a blank between the brackets")
        self.at += 2
        self.depth -= 1
        return parts

    def read_expression(self, closing: str) -> tuple[Part, ...]:
        """An arithmetic expression up to its unnested `closing`. Quotes and escapes are refused: bash reads them twice."""
        parts: list[Part] = []
        open_brackets: list[str] = []
        text = self.text
        while self.at < self.end:
            run = _IN_ARITHMETIC.match(text, self.at)
            if run:
                parts.append(Text(run.group(), False))
                self.at = run.end()
                continue
            character = text[self.at]
            if character == "$":
                self._dollar(parts, quoted=True)
            elif character == "`":
                parts.append(self._backticks(quoted=False))
            elif character in "([":
                self._refuse_process_substitution()
                open_brackets.append(")" if character == "(" else "]")
                if len(open_brackets) > DEPTH_MAX:
                    self.fail("depth", "the arithmetic nests too deeply")
                parts.append(Text(character, False))
                self.at += 1
            elif open_brackets and character == open_brackets[-1]:
                open_brackets.pop()
                parts.append(Text(character, False))
                self.at += 1
            elif not open_brackets and character == closing:
                return tuple(parts)
            elif character == ";" and closing == ")" and not open_brackets:
                parts.append(Text(character, False))
                self.at += 1
            else:
                self.fail("arithmetic", f"{character!r} is not accepted in arithmetic; numbers, names and operators are")
        self.fail("arithmetic", "an arithmetic expression is not closed")

    def _refuse_process_substitution(self) -> None:
        if self.text[self.at] == "(" and self.text[self.at - 1] in "<>":
            self.fail("process-substitution", "<( and >( are not accepted in arithmetic; write a blank between them")

    def _braced(self, quoted: bool) -> Parameter:
        """`${...}`; the opening is already read."""
        self.deeper()
        parameter = self._braced_parameter(quoted)
        if not self.text.startswith("}", self.at):
            self.fail("parameter", "this ${...} form is not accepted; ${name}, ${name:-default} and their like are")
        self.at += 1
        self.depth -= 1
        return parameter

    def _braced_parameter(self, quoted: bool) -> Parameter:
        text = self.text
        if text.startswith("!", self.at):
            return self._indirect(quoted)
        if text.startswith("#", self.at) and not text.startswith("#}", self.at):
            self.at += 1
            name, subscript = self._name()
            return Parameter(name, "length", (), subscript, quoted)
        name, subscript = self._name()
        if text.startswith("}", self.at):
            return Parameter(name, "", (), subscript, quoted)
        operator = _OPERATOR.match(text, self.at)
        if not operator:
            self.fail("parameter", "this ${...} form is not accepted: bash may evaluate its value as code")
        if operator.group()[0] == "@":
            self.at = operator.end() - 1
            return Parameter(name, "@", (), subscript, quoted)
        self.at = operator.end()
        if operator.group() == ":":
            return Parameter(name, ":", self._offsets(), subscript, quoted)
        return Parameter(name, operator.group(), self._argument(quoted), subscript, quoted)

    def _indirect(self, quoted: bool) -> Parameter:
        found = re.compile(r"!([A-Za-z_][A-Za-z0-9_]*)(\[[@*]\]|[@*])(?=\})|!(?=\})").match(self.text, self.at)
        if not found:
            self.fail("indirection", "the indirect ${!name} is not accepted: bash evaluates the value; use the name itself")
        self.at = found.end()
        if found.group(1) is None:
            return Parameter("!", "", (), None, quoted)
        return Parameter(found.group(1), "keys", (), None, quoted)

    def _name(self) -> tuple[str, tuple[Part, ...] | None]:
        found = _BRACED_NAME.match(self.text, self.at)
        if not found:
            self.fail("parameter", "a ${...} without a name is not accepted")
        self.at = found.end()
        if not self.text.startswith("[", self.at):
            return found.group(), None
        self.at += 1
        if self.text[self.at : self.at + 2] in ("@]", "*]"):
            subscript: tuple[Part, ...] = (Text(self.text[self.at], True),)
            self.at += 2
            return found.group(), subscript
        subscript = self.read_expression("]")
        self.at += 1
        return found.group(), subscript

    def _offsets(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        while self.at < self.end and self.text[self.at] != "}":
            run = _IN_ARITHMETIC.match(self.text, self.at)
            if run:
                parts.append(Text(run.group(), False))
                self.at = run.end()
            elif self.text[self.at] in "()":
                self._refuse_process_substitution()
                parts.append(Text(self.text[self.at], False))
                self.at += 1
            elif self.text[self.at] == "$":
                self._dollar(parts, quoted=True)
            else:
                self.fail("arithmetic", "only numbers, names and operators are accepted in ${name:offset:length}")
        return tuple(parts)

    def _argument(self, quoted: bool) -> tuple[Part, ...]:
        """The word after an operator, up to the first unquoted `}`."""
        parts: list[Part] = []
        text = self.text
        while self.at < self.end:
            run = _IN_PARAMETER.match(text, self.at)
            if run:
                if not quoted and ("<(" in run.group() or ">(" in run.group()):
                    self.fail("process-substitution", "<(...) and >(...) are not accepted inside ${...}")
                parts.append(Text(run.group(), quoted))
                self.at = run.end()
                continue
            character = text[self.at]
            if character == "}":
                return tuple(parts)
            if character == "$":
                self._dollar(parts, quoted=quoted)
            elif character == "`":
                parts.append(self._backticks(quoted=quoted))
            elif quoted and character in "'\"":
                self.fail("quote", "a quote inside a quoted ${...} is read differently by different shells; assign it first")
            elif character == "'":
                self._single_quoted(parts)
            elif character == '"':
                self.at += 1
                self._double_quoted(parts)
            else:
                self._escaped(parts)
        self.fail("parameter", "a ${ is not closed")
