"""Reading commands: lists, pipelines, simple commands, redirections.

Owns the grammar. Reserved words count where bash counts them and are a syntax error where bash says so. What a word
holds is `words`'s, where a here-document ends is `heredocs`'s.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.compounds import COMPOUND, CompoundReader
from lifecycle.guard.syntax.heredocs import HereDocuments
from lifecycle.guard.syntax.tokens import TokenReader
from lifecycle.guard.syntax.tree import (
    AndOr,
    ArithmeticCommand,
    Assignment,
    Command,
    Coprocess,
    Function,
    Group,
    Item,
    Part,
    Pipeline,
    Redirected,
    Redirection,
    Script,
    Simple,
    Word,
)

__all__ = ["parse"]


def parse(text: str) -> Script:
    """The tree of a whole command line.

    Raises:
        Refused: a rule "syntax.*": bash could not parse the text, or could read it in a way that this parser does not.
    """
    return _ScriptReader(text).read_script("")


COMMANDS_MAX = 1_000

_REDIRECTION = re.compile(r"([0-9]+)?(<<<|<<-|<<|<&|<>|<|>>|>&|>\||>)|(&>>|&>)")
_PROCESS = re.compile(r"[<>]\(")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(\+?=)|(\[))")
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", "]]"})


class _ScriptReader(CompoundReader):
    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        self._commands = 0

    def subscript_reader(self, text: str) -> TokenReader:
        return _ScriptReader(text, self.depth)

    def read_script(self, closing: str) -> Script:
        outer, self.heredocs = self.heredocs, HereDocuments(self, closing == ")")
        start = self.at
        script = self.read_list(frozenset({closing}))
        if closing and not self.text.startswith(closing, self.at):
            self.fail("bracket", f"a {closing!r} is missing")
        if not closing and self.at < self.end:
            self.fail("separator", f"{self.text[self.at]!r} stands where bash accepts no such thing")
        self.at += len(closing)
        self.heredocs.expect_none("here-document")
        self.heredocs = outer
        if "\n" in self.text[start : self.at]:
            outer.expect_none("line break inside $(...) after <<")
        return script

    def read_list(self, closers: frozenset[str]) -> Script:
        """Commands up to (not past) a closing word or bracket, or the end of the text."""
        items: list[Item] = []
        while True:
            self.skip_lines()
            if self.at >= self.end or self.at_closer(closers):
                return Script(tuple(items))
            command = self._and_or()
            self.skip_blank()
            background = False
            if self.take("&"):
                background = True
            elif self.text.startswith(";", self.at) and self.text[self.at + 1 : self.at + 2] not in (";", "&"):
                self.take(";")
            elif not (self.at >= self.end or self.text[self.at] == "\n" or self.at_closer(closers)):
                self.fail("separator", f"{self.text[self.at]!r} stands where bash accepts no such thing")
            self.skip_blank()
            items.append(Item(command, background, self.at >= self.end or self.text[self.at] == "\n"))

    def read_body(self, *closers: str) -> Script:
        """A list that may not be empty, up to and not past one of the closers."""
        script = self.read_list(frozenset(closers))
        if not script.items:
            self.fail("body", f"an empty body before {' or '.join(closers)} is a syntax error")
        return script

    def at_closer(self, closers: frozenset[str]) -> bool:
        character = self.text[self.at]
        if character == ")":
            return ")" in closers
        if character == ";":
            return ";;" in closers and self.text[self.at : self.at + 2] in (";;", ";&")
        if character not in "tefd}\\":
            return False
        return self.peek_bare() in closers

    def _and_or(self) -> Command:
        first = self._pipeline()
        rest: list[tuple[str, Command]] = []
        while True:
            self.skip_blank()
            operator = self.text[self.at : self.at + 2]
            if operator not in ("&&", "||"):
                return AndOr(first, tuple(rest)) if rest else first
            self.take(operator)
            self.skip_lines()
            rest.append((operator, self._pipeline()))

    def _pipeline(self) -> Command:
        negated = prefixed = False
        while True:
            self.skip_blank()
            if self.text.startswith("!", self.at) and self.peek_bare() == "!":
                self.read_word()
                negated, prefixed = not negated, True
            elif self.text.startswith(("t", "\\"), self.at) and self.peek_bare() == "time":
                self.read_word()
                self._time_options()
                prefixed = True
            else:
                break
        commands = [self.read_command()]
        while True:
            self.skip_blank()
            if not self.text.startswith("|", self.at) or self.text.startswith("||", self.at):
                break
            self.take("|&" if self.text.startswith("|&", self.at) else "|")
            self.skip_lines()
            commands.append(self.read_command())
        if len(commands) == 1 and not prefixed:
            return commands[0]
        return Pipeline(tuple(commands), negated)

    def _time_options(self) -> None:
        for option in ("-p", "--"):
            self.skip_blank()
            if self.at < self.end and self.text[self.at] == "-" and self.peek_bare() == option:
                self.read_word()

    def read_command(self) -> Command:
        self._commands += 1
        if self._commands > COMMANDS_MAX:
            self.fail("size", f"more than {COMMANDS_MAX} commands are not judged at once; split them")
        self.skip_blank()
        if self.at >= self.end:
            self.fail("end", "the command ends where bash expects another one")
        if self.text[self.at] == "(":
            self.deeper()
            command: Command = self._arithmetic_command() if self.text.startswith("((", self.at) else self._subshell()
            self.depth -= 1
            return self._redirected(command)
        bare = self.peek_bare() if self.text[self.at] in "iwufsc{[t!edDo}]\\" else None
        if bare is None or (bare not in COMPOUND and bare not in _CLOSERS):
            return self._simple()
        if bare in _CLOSERS:
            self.fail("reserved-word", f"the reserved word {bare!r} stands where bash accepts none")
        if bare in ("time", "!"):
            self.fail("reserved-word", f"{bare!r} after '|' is not accepted; put it before the whole pipeline")
        self.read_word()
        self.deeper()
        command = self.read_compound(bare)
        self.depth -= 1
        return command if isinstance(command, Function | Coprocess) else self._redirected(command)

    def _subshell(self) -> Command:
        self.take("(")
        body = self.read_body(")")
        if not self.text.startswith(")", self.at):
            self.fail("bracket", "a ')' is missing")
        self.take(")")
        return Group(body, True)

    def _arithmetic_command(self) -> Command:
        self.at += 2
        return ArithmeticCommand(self.read_arithmetic("(("))

    def _redirected(self, command: Command) -> Command:
        redirections: list[Redirection] = []
        while True:
            self.skip_blank()
            if not self._redirection(redirections):
                break
        if self.at < self.end and self.text[self.at] not in "\n;&|)" and self.peek_bare() not in _CLOSERS:
            self.fail("separator", "a separator is missing after a compound command")
        return Redirected(command, tuple(redirections)) if redirections else command

    def _redirection(self, into: list[Redirection]) -> bool:
        if self.at >= self.end or self.text[self.at] not in "<>&0123456789":
            return False
        found = _REDIRECTION.match(self.text, self.at)
        if not found or _PROCESS.match(self.text, self.at):
            return False
        operator = found.group(2) or found.group(3)
        self.at = found.end()
        if operator in ("<", ">") and self.text.startswith("(", self.at):
            self.fail("process-substitution", "a digit straight before <( or >( is not accepted")
        self.check_unbroken()
        self.skip_blank()
        if operator in ("<<", "<<-"):
            into.append(self.heredocs.opened(operator, found.group(1) or ""))
        else:
            into.append(Redirection(operator, found.group(1) or "", self.read_argument()))
        return True

    def _simple(self) -> Command:
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            self.skip_blank()
            if self.at >= self.end:
                break
            if self._redirection(redirections):
                continue
            character = self.text[self.at]
            if character in "\n;&|)":
                break
            if character == "(":
                if len(words) == 1 and not assignments and not redirections:
                    return self._function_parentheses(words[0])
                self.fail("bracket", "'(' stands where bash accepts none; quote it")
            if not words:
                assignment = self._assignment()
                if assignment:
                    assignments.append(assignment)
                    continue
            words.append(self.read_argument())
        if not (words or assignments or redirections):
            self.fail("separator", "a command is missing")
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _function_parentheses(self, word: Word) -> Command:
        self.take("(")
        self.skip_blank()
        if not self.take(")"):
            self.fail("function", "'(' after a word starts a function's definition: name() { ...; }; quote it otherwise")
        return self.read_function(word.bare or "")

    def _assignment(self) -> Assignment | None:
        found = _ASSIGNMENT.match(self.text, self.at)
        if not found:
            return None
        subscript: tuple[Part, ...] | None = None
        start = self.at
        self.at = found.end()
        append = found.group(2) == "+="
        if found.group(3):
            subscript = self.read_expression("]")
            self.at += 1
            if self.text.startswith("+=", self.at):
                append = True
                self.at += 2
            elif self.text.startswith("=", self.at):
                self.at += 1
            else:
                self.at = start
                self.fail("name", "a glob in a program's name is not accepted; spell the name")
        if self.text.startswith("(", self.at):
            if subscript is not None:
                self.fail("array", "an array cannot be assigned to one element")
            return Assignment(found.group(1), None, append, self._array())
        return Assignment(found.group(1), subscript, append, self.read_word())

    def _array(self) -> tuple[Word, ...]:
        self.take("(")
        words: list[Word] = []
        while True:
            start = self.at
            waiting = bool(self.heredocs.waiting)
            self.skip_lines()
            if waiting and "\n" in self.text[start : self.at]:
                self.fail("here-document", "a line break in an array after << is not accepted; start it on the next line")
            if self.take(")"):
                if self.at < self.end and self.text[self.at] not in " \t\n;&|)<>":
                    self.fail("array", "a blank or a separator must follow an array")
                if self.heredocs.in_substitution and any(word.escaped for word in words):
                    # bash 5.2 parses it twice, the second time without these backslashes, and runs what follows an error
                    self.fail("array", "a backslash outside quotes is not accepted in an array inside $(...); quote otherwise")
                return tuple(words)
            if self.text.startswith("[", self.at):
                self.fail("array", "an array's elements are accepted without [index]=")
            words.append(self.read_argument())
