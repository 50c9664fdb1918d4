"""Reading expansions: parameters, command substitutions, arithmetic.

Owns everything that begins with a dollar or a backtick. Refuses the forms whose value bash evaluates as code, and those
that bash versions read differently.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.quotes import QuoteReader
from lifecycle.guard.syntax.reader import DEPTH_MAX
from lifecycle.guard.syntax.tree import Arithmetic, Parameter, Part, Substitution, Text

__all__ = ["ExpansionReader"]

_IN_PARAMETER = re.compile(r"[^}'\"\\$`]+")
_IN_ARITHMETIC = re.compile(r"[A-Za-z0-9_ \t\n+*/%<>=!&|^~?:,#@.-]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@[QUuLEKkAa]\}")
_PROCESS = re.compile(r"[<>](?:\(|\\\Z|\\\n)")
_BROKEN_ARITHMETIC = re.compile(r"(?:\\\n)+\(")
_ESCAPED_TICK = re.compile(r"\\([$`\\])")
_ESCAPED_TICK_QUOTED = re.compile(r"\\([$`\\\"])")
_INDIRECT = re.compile(r"!([A-Za-z_][A-Za-z0-9_]*)(\[[@*]\]|[@*])(?=\})|!(?=\})")


class ExpansionReader(QuoteReader):
    """Expansions, quoted or not."""

    def read_dollar(self, parts: list[Part], quoted: bool) -> None:
        text, after = self.text, self.at + 1
        following = text[after : after + 1]
        if following == "\\" and text.startswith("\n", after + 1):
            self.fail("continuation", "a line break after '$' is not accepted; write the expansion on one line")
        if following == "(":
            if text.startswith("(", after + 1):
                self.at += 3
                parts.append(Arithmetic(self.read_arithmetic("$(("), quoted))
            else:
                self.at += 2
                if _BROKEN_ARITHMETIC.match(text, self.at):
                    self.fail("continuation", "a line break between '$(' and '(' is not accepted")
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
            self.read_ansi_c(parts)
        elif following == '"' and not quoted:
            self.at += 2
            self.read_double_quoted(parts)
        else:
            name = _PARAMETER.match(text, after)
            if name:
                parts.append(Parameter(name.group(), "", (), None, quoted))
                self.at = name.end()
            else:
                parts.append(Text("$", True))
                self.at += 1

    def _substitution(self, quoted: bool) -> Substitution:
        self.deeper()
        script = self.read_script(")")
        self.depth -= 1
        return Substitution(script, quoted)

    def read_backticks(self, quoted: bool) -> Substitution:
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

    def read_arithmetic(self, opening: str) -> tuple[Part, ...]:
        """The parts up to and past the closing `))`; the opening is already read."""
        self.deeper()
        parts = self.read_expression(")")
        if not self.text.startswith("))", self.at):
            self.fail("arithmetic", f"{opening} is not closed by ')) '; for commands write a blank between the brackets")
        self.at += 2
        self.depth -= 1
        return parts

    def read_expression(self, closing: str) -> tuple[Part, ...]:  # noqa: RET503  # refusing never returns
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
                self.read_dollar(parts, quoted=True)
            elif character == "`":
                parts.append(self.read_backticks(quoted=False))
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
        found = _INDIRECT.match(self.text, self.at)
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
                self.read_dollar(parts, quoted=True)
            else:
                self.fail("arithmetic", "only numbers, names and operators are accepted in ${name:offset:length}")
        return tuple(parts)

    def _argument(self, quoted: bool) -> tuple[Part, ...]:  # noqa: RET503  # refusing never returns
        """The word after an operator, up to the first unquoted `}`."""
        parts: list[Part] = []
        text = self.text
        while self.at < self.end:
            run = _IN_PARAMETER.match(text, self.at)
            if run:
                if _PROCESS.search(run.group() + text[run.end() : run.end() + 2]):  # bash runs them in a quoted pattern, too
                    self.fail("process-substitution", "<(...) and >(...) are not accepted inside ${...}")
                parts.append(Text(run.group(), quoted))
                self.at = run.end()
                continue
            character = text[self.at]
            if character == "}":
                return tuple(parts)
            if character == "$":
                self.read_dollar(parts, quoted=quoted)
            elif character == "`":
                parts.append(self.read_backticks(quoted=quoted))
            elif quoted and character in "'\"":
                self.fail("quote", "a quote inside a quoted ${...} is read differently by different shells; assign it first")
            elif character == "'":
                self.read_single_quoted(parts)
            elif character == '"':
                self.at += 1
                self.read_double_quoted(parts)
            else:
                self.read_escaped(parts)
        self.fail("parameter", "a ${ is not closed")
