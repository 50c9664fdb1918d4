"""Reading commands: lists, pipelines, compound commands, functions, redirections.

Owns the grammar. Reserved words count where bash counts them and are a syntax error where bash says so. What a word
holds is `words`'s, where a here-document ends is `heredocs`'s.
"""

from __future__ import annotations

import re

from lifecycle.guard.syntax.conditionals import read_conditional
from lifecycle.guard.syntax.heredocs import HereDocuments
from lifecycle.guard.syntax.tree import (
    AndOr,
    ArithmeticCommand,
    ArithmeticFor,
    Assignment,
    Case,
    Clause,
    Command,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Item,
    Loop,
    Part,
    Pipeline,
    Redirected,
    Redirection,
    Script,
    Simple,
    Word,
)
from lifecycle.guard.syntax.words import WordReader

__all__ = ["parse"]


def parse(text: str) -> Script:
    """The tree of a whole command line.

    Raises:
        Refused: a rule "syntax.*": bash could not parse the text, or could read it in a way that this parser does not.
    """
    return _ScriptReader(text).read_script("")


COMMANDS_MAX = 1_000

_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_REDIRECTION = re.compile(r"([0-9]+)?(<<<|<<-|<<|<&|<>|<|>>|>&|>\||>)|(&>>|&>)")
_PROCESS = re.compile(r"[<>]\(")
_VARIABLE_DESCRIPTOR = re.compile(r"\{[A-Za-z_]\w*\}\Z")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(\+?=)|(\[))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]*\Z")
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", "]]"})
_COMPOUND = frozenset({"if", "while", "until", "for", "select", "case", "{", "[[", "function", "coproc", "time", "!"})
_OPERATORS = "&|;<>()-"


class _ScriptReader(WordReader):
    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        self.heredocs = HereDocuments(self)
        self._commands = 0

    def subscript_reader(self, text: str) -> WordReader:
        return _ScriptReader(text, self.depth)

    def read_word(self) -> Word:
        start = self.at
        word = super().read_word()
        if self.heredocs.waiting and "\n" in self.text[start : self.at]:
            self.heredocs.expect_none("line break inside a word after <<")
        return word

    # -- lists

    def read_script(self, closing: str) -> Script:
        outer, self.heredocs = self.heredocs, HereDocuments(self, closing == ")")
        start = self.at
        script = self._list(frozenset({closing}))
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

    def _list(self, closers: frozenset[str]) -> Script:
        """Commands up to (not past) a closing word or bracket, or the end of the text."""
        items: list[Item] = []
        while True:
            self.skip_lines()
            if self.at >= self.end or self._at_closer(closers):
                return Script(tuple(items))
            command = self._and_or()
            self.skip_blank()
            background = False
            if self._take("&"):
                background = True
            elif self.text.startswith(";", self.at) and self.text[self.at + 1 : self.at + 2] not in (";", "&"):
                self._take(";")
            elif not (self.at >= self.end or self.text[self.at] == "\n" or self._at_closer(closers)):
                self.fail("separator", f"{self.text[self.at]!r} stands where bash accepts no such thing")
            items.append(Item(command, background))

    def _body(self, *closers: str) -> Script:
        """A list that may not be empty, up to and not past one of the closers."""
        script = self._list(frozenset(closers))
        if not script.items:
            self.fail("body", f"an empty body before {' or '.join(closers)} is a syntax error")
        return script

    def _at_closer(self, closers: frozenset[str]) -> bool:
        character = self.text[self.at]
        if character == ")":
            return ")" in closers
        if character == ";":
            return ";;" in closers and self.text[self.at : self.at + 2] in (";;", ";&")
        if character not in "tefd}\\":
            return False
        return self._peek_bare() in closers

    def _and_or(self) -> Command:
        first = self._pipeline()
        rest: list[tuple[str, Command]] = []
        while True:
            self.skip_blank()
            operator = self.text[self.at : self.at + 2]
            if operator not in ("&&", "||"):
                return AndOr(first, tuple(rest)) if rest else first
            self._take(operator)
            self.skip_lines()
            rest.append((operator, self._pipeline()))

    def _pipeline(self) -> Command:
        negated = prefixed = False
        while True:
            self.skip_blank()
            if self.text.startswith("!", self.at) and self._peek_bare() == "!":
                self.read_word()
                negated, prefixed = not negated, True
            elif self.text.startswith(("t", "\\"), self.at) and self._peek_bare() == "time":
                self.read_word()
                self._time_options()
                prefixed = True
            else:
                break
        commands = [self._command()]
        while True:
            self.skip_blank()
            if not self.text.startswith("|", self.at) or self.text.startswith("||", self.at):
                break
            self._take("|&" if self.text.startswith("|&", self.at) else "|")
            self.skip_lines()
            commands.append(self._command())
        if len(commands) == 1 and not prefixed:
            return commands[0]
        return Pipeline(tuple(commands), negated)

    def _time_options(self) -> None:
        for option in ("-p", "--"):
            self.skip_blank()
            if self.at < self.end and self.text[self.at] == "-" and self._peek_bare() == option:
                self.read_word()

    # -- commands

    def _command(self) -> Command:
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
        bare = self._peek_bare() if self.text[self.at] in "iwufsc{[t!edDo}]\\" else None
        if bare is None or (bare not in _COMPOUND and bare not in _CLOSERS):
            return self._simple()
        if bare in _CLOSERS:
            self.fail("reserved-word", f"the reserved word {bare!r} stands where bash accepts none")
        if bare in ("time", "!"):
            self.fail("reserved-word", f"{bare!r} after '|' is not accepted; put it before the whole pipeline")
        self.read_word()
        self.deeper()
        command = self._compound(bare)
        self.depth -= 1
        return command if isinstance(command, Function | Coprocess) else self._redirected(command)

    def _compound(self, word: str) -> Command:
        if word == "if":
            return self._if()
        if word in ("while", "until"):
            condition = self._body("do")
            return Loop(condition, self._do_group(), word == "until")
        if word in ("for", "select"):
            return self._for(word == "select")
        if word == "case":
            return self._case()
        if word == "{":
            body = self._body("}")
            self._expect("}")
            return Group(body, False)
        if word == "[[":
            return read_conditional(self)
        if word == "function":
            return self._function_keyword()
        return self._coprocess()

    def _subshell(self) -> Command:
        self._take("(")
        body = self._body(")")
        if not self.text.startswith(")", self.at):
            self.fail("bracket", "a ')' is missing")
        self._take(")")
        return Group(body, True)

    def _arithmetic_command(self) -> Command:
        self.at += 2
        return ArithmeticCommand(self._arithmetic("(("))

    def _if(self) -> Command:
        branches: list[tuple[Script, Script]] = []
        word = "if"
        while word != "else":
            condition = self._body("then")
            self._expect("then")
            body = self._body("elif", "else", "fi")
            branches.append((condition, body))
            word = self._expect("elif", "else", "fi")
            if word == "fi":
                return If(tuple(branches), None)
        otherwise = self._body("fi")
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _do_group(self) -> Script:
        self.skip_lines()
        if self._peek_bare() == "{":
            self.read_word()
            body = self._body("}")
            self._expect("}")
            return body
        self._expect("do")
        body = self._body("done")
        self._expect("done")
        return body

    def _for(self, select: bool) -> Command:
        self.skip_blank()
        if not select and self.text.startswith("((", self.at):
            self.at += 2
            header = self._arithmetic("((")
            self.skip_blank()
            self._take(";")
            return ArithmeticFor(header, self._do_group())
        name = self.read_word().bare or ""
        if not _NAME.match(name):
            self.fail("for", "the variable of a loop must be a plain name")
        self.skip_lines()
        words: list[Word] | None = None
        if self._peek_bare() == "in":
            self.read_word()
            words = []
            self.skip_blank()
            while self.at < self.end and self.text[self.at] not in ";\n":
                words.append(self._argument_word())
                self.skip_blank()
            if self.at >= self.end:
                self.fail("for", "a loop needs 'do' after its words")
        self.skip_blank()
        self._take(";")
        return For(name, None if words is None else tuple(words), self._do_group(), select)

    def _case(self) -> Command:
        self.skip_blank()
        subject = self._argument_word()
        self.skip_lines()
        self._expect("in")
        clauses: list[Clause] = []
        while True:
            self.skip_lines()
            if self._peek_bare() == "esac":
                self.read_word()
                return Case(subject, tuple(clauses))
            clauses.append(self._clause())

    def _clause(self) -> Clause:
        self._take("(")
        patterns: list[Word] = []
        while True:
            self.skip_blank()
            patterns.append(self._argument_word())
            self.skip_blank()
            if self._take(")"):
                break
            if not self._take("|"):
                self.fail("case", "a pattern of 'case' must end with ')'")
        body = self._list(frozenset({"esac", ";;"}))
        for operator in (";;&", ";;", ";&"):
            if self.text.startswith(operator, self.at):
                self._take(operator)
                break
        return Clause(tuple(patterns), body)

    # -- functions and coprocesses

    def _function_keyword(self) -> Command:
        self.skip_blank()
        name = self.read_word().bare or ""
        self.skip_blank()
        if self._take("("):
            self.skip_blank()
            if not self._take(")"):
                self.fail("function", "a function's name is followed by ()")
        return self._function(name)

    def _function(self, name: str) -> Command:
        if not _FUNCTION_NAME.match(name):
            self.fail("function", "a function's name must be letters, digits, '_', '-', '.' or ':'")
        self.skip_lines()
        self.deeper()
        body = self._command()
        self.depth -= 1
        if isinstance(body, Simple | Function | Coprocess):
            self.fail("function", "a function's body must be { ... } or another compound command")
        return Function(name, body)

    def _coprocess(self) -> Command:
        self.skip_blank()
        bare = self._peek_bare()
        name = "COPROC"
        if bare is not None and bare not in _COMPOUND and _NAME.match(bare):
            after = self.at
            word = self.read_word()
            self.skip_blank()
            following = self._peek_bare()
            if self.text.startswith("(", self.at) or following in ("{", "[[", "if", "while", "until", "for", "case"):
                name = word.bare or name
            else:
                self.at = after
        if bare in ("time", "!", "function", "coproc"):
            self.fail("coproc", f"'coproc {bare}' is not accepted")
        return Coprocess(name, self._command())

    # -- simple commands

    def _redirected(self, command: Command) -> Command:
        redirections: list[Redirection] = []
        while True:
            self.skip_blank()
            if not self._redirection(redirections):
                break
        if self.at < self.end and self.text[self.at] not in "\n;&|)":
            if self._peek_bare() not in _CLOSERS:
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
        self._no_broken_operator()
        self.skip_blank()
        if operator in ("<<", "<<-"):
            into.append(self.heredocs.opened(operator, found.group(1) or ""))
        else:
            into.append(Redirection(operator, found.group(1) or "", self._argument_word()))
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
            words.append(self._argument_word())
        if not (words or assignments or redirections):
            self.fail("separator", "a command is missing")
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _function_parentheses(self, word: Word) -> Command:
        self._take("(")
        self.skip_blank()
        if not self._take(")"):
            self.fail("function", "'(' after a word starts a function's definition: name() { ...; }; quote it otherwise")
        return self._function(word.bare or "")

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
        self._take("(")
        words: list[Word] = []
        while True:
            self.skip_lines()
            if self._take(")"):
                if self.at < self.end and self.text[self.at] not in " \t\n;&|)<>\\":
                    self.fail("array", "a blank or a separator must follow an array")
                return tuple(words)
            if self.text.startswith("[", self.at):
                self.fail("array", "an array's elements are accepted without [index]=")
            words.append(self._argument_word())

    def _argument_word(self) -> Word:
        if self.at >= self.end:
            self.fail("end", "the command ends where bash expects a word")
        word = self.read_word()
        if not word.parts:
            self.fail("separator", f"{self.text[self.at : self.at + 1]!r} stands where bash expects a word")
        if self.at < self.end and self.text[self.at] in "<>" and _VARIABLE_DESCRIPTOR.match(word.raw):
            self.fail("descriptor", "a redirection with {variable} is not accepted; write the descriptor's number")
        return word

    # -- tokens

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

    def _take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self._no_broken_operator()
        return True

    def _no_broken_operator(self) -> None:
        """bash joins an operator across a backslash-newline; nobody writes that."""
        if not self.text.startswith("\\\n", self.at):
            return
        after = self.at
        while self.text.startswith("\\\n", after):
            after += 2
        if after < self.end and self.text[after] in _OPERATORS:
            self.fail("continuation", "a line break inside an operator is not accepted")

    def _peek_bare(self) -> str | None:
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

    def _expect(self, *words: str) -> str:
        self.skip_blank()
        bare = self._peek_bare()
        if bare not in words:
            self.fail("reserved-word", f"{' or '.join(words)} is missing")
        self.read_word()
        assert bare is not None
        return bare


_WORD = re.compile(r"[^ \t\n|&;()<>'\"\\$`]*")


