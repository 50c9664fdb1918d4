"""Reading compound commands: conditions, loops, functions, coprocesses.

Owns the forms that begin with a reserved word. Lists and simple commands are `commands`'s.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.conditionals import read_conditional
from lifecycle.guard.syntax.tokens import TokenReader
from lifecycle.guard.syntax.tree import (
    ArithmeticFor,
    Case,
    Clause,
    Command,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Loop,
    Script,
    Simple,
    Word,
)

__all__ = ["COMPOUND", "CompoundReader"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]*\Z")
COMPOUND = frozenset({"if", "while", "until", "for", "select", "case", "{", "[[", "function", "coproc", "time", "!"})


class CompoundReader(TokenReader):
    """Compound commands."""

    def read_compound(self, word: str) -> Command:
        if word == "if":
            return self._if()
        if word in ("while", "until"):
            condition = self.read_body("do")
            return Loop(condition, self._do_group(), word == "until")
        if word in ("for", "select"):
            return self._for(word == "select")
        if word == "case":
            return self._case()
        if word == "{":
            body = self.read_body("}")
            self.expect("}")
            return Group(body, False)
        if word == "[[":
            return read_conditional(self)
        if word == "function":
            return self._function_keyword()
        return self._coprocess()

    def _if(self) -> Command:
        branches: list[tuple[Script, Script]] = []
        word = "if"
        while word != "else":
            condition = self.read_body("then")
            self.expect("then")
            body = self.read_body("elif", "else", "fi")
            branches.append((condition, body))
            word = self.expect("elif", "else", "fi")
            if word == "fi":
                return If(tuple(branches), None)
        otherwise = self.read_body("fi")
        self.expect("fi")
        return If(tuple(branches), otherwise)

    def _do_group(self) -> Script:
        self.skip_lines()
        if self.peek_bare() == "{":
            self.read_word()
            body = self.read_body("}")
            self.expect("}")
            return body
        self.expect("do")
        body = self.read_body("done")
        self.expect("done")
        return body

    def _for(self, select: bool) -> Command:
        self.skip_blank()
        if not select and self.text.startswith("((", self.at):
            self.at += 2
            header = self.read_arithmetic("((")
            self.skip_blank()
            self.take(";")
            return ArithmeticFor(header, self._do_group())
        name = self.read_word().bare or ""
        if not _NAME.match(name):
            self.fail("for", "the variable of a loop must be a plain name")
        self.skip_lines()
        words: list[Word] | None = None
        if self.peek_bare() == "in":
            self.read_word()
            words = []
            self.skip_blank()
            while self.at < self.end and self.text[self.at] not in ";\n":
                words.append(self.read_argument())
                self.skip_blank()
            if self.at >= self.end:
                self.fail("for", "a loop needs 'do' after its words")
        self.skip_blank()
        self.take(";")
        return For(name, None if words is None else tuple(words), self._do_group(), select)

    def _case(self) -> Command:
        self.skip_blank()
        subject = self.read_argument()
        self.skip_lines()
        self.expect("in")
        clauses: list[Clause] = []
        while True:
            self.skip_lines()
            if self.peek_bare() == "esac":
                self.read_word()
                return Case(subject, tuple(clauses))
            clauses.append(self._clause())

    def _clause(self) -> Clause:
        self.take("(")
        patterns: list[Word] = []
        while True:
            self.skip_blank()
            patterns.append(self.read_argument())
            self.skip_blank()
            if self.take(")"):
                break
            if not self.take("|"):
                self.fail("case", "a pattern of 'case' must end with ')'")
        body = self.read_list(frozenset({"esac", ";;"}))
        for operator in (";;&", ";;", ";&"):
            if self.text.startswith(operator, self.at):
                self.take(operator)
                break
        return Clause(tuple(patterns), body)

    def _function_keyword(self) -> Command:
        self.skip_blank()
        name = self.read_word().bare or ""
        self.skip_blank()
        if self.take("("):
            self.skip_blank()
            if not self.take(")"):
                self.fail("function", "a function's name is followed by ()")
        return self.read_function(name)

    def read_function(self, name: str) -> Command:
        if not _FUNCTION_NAME.match(name):
            self.fail("function", "a function's name must be letters, digits, '_', '-', '.' or ':'")
        self.skip_lines()
        self.deeper()
        body = self.read_command()
        self.depth -= 1
        if isinstance(body, Simple | Function | Coprocess):
            self.fail("function", "a function's body must be { ... } or another compound command")
        return Function(name, body)

    def _coprocess(self) -> Command:
        self.skip_blank()
        bare = self.peek_bare()
        name = "COPROC"
        if bare is not None and bare not in COMPOUND and _NAME.match(bare):
            after = self.at
            word = self.read_word()
            self.skip_blank()
            following = self.peek_bare()
            if self.text.startswith("(", self.at) or following in ("{", "[[", "if", "while", "until", "for", "case"):
                name = word.bare or name
            else:
                self.at = after
        if bare in ("time", "!", "function", "coproc"):
            self.fail("coproc", f"'coproc {bare}' is not accepted")
        body = self.read_command()
        if isinstance(body, Simple) and self.heredocs.in_substitution:
            self.fail("coproc", "inside $(...) bash runs 'coproc PROGRAM' as a program COPROC; write coproc { PROGRAM; }")
        return Coprocess(name, body)
