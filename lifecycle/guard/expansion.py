"""Expanding words without running anything: every substitution is analysed, every value is known or marked.

Owns the expansion of parameters, substitutions and arithmetic. Which programs may run is asked through `run`, the
analyser's way into a nested script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from lifecycle.guard.arithmetic import TEXT_OF_BASH, assigned_names, base_of, check_expression, initialised
from lifecycle.guard.names import names
from lifecycle.guard.state import State, joined_values
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
from lifecycle.guard.values import (
    ANY,
    ENV,
    JOB,
    MAYBE,
    NAME,
    NUM,
    SPLIT,
    assigned,
    fields_of,
    is_known,
    sheltered,
)

__all__ = ["Expander"]

_VALUE_MAX_CHARS = 2_000
_NUMBERS = names(
    """? # $ RANDOM SRANDOM SECONDS LINENO EPOCHSECONDS UID EUID PPID BASHPID SHLVL OPTIND BASH_SUBSHELL"""
)
_HARMLESS = re.compile(f"[0-9{NUM}]*\\Z")  # what a script may put in place of a missing variable without choosing its text


class Nested(Protocol):
    """The analyser, as seen from a word."""

    def output(self, script: Script, state: State) -> str:
        """Judge the script in a subshell of `state`; what it prints, as far as that is known."""
        ...

    def check_assignment(self, name: str, value: str, state: State) -> None:
        """Refuse a variable that changes what programs do."""
        ...

    def may_abort(self, state: State) -> None:
        """Note that an error here gives up the rest of the line."""
        ...


class Expander:
    """Expansion for one analysis; `home` and the positional parameters are its only context.

    `positional` is None where they are not known; `is_called` tells whether the command itself chose them.
    """

    def __init__(self, nested: Nested, home: str) -> None:
        self._nested = nested
        self._home = home
        self.positional: tuple[str, ...] | None = None
        self.is_called = False

    def fields(self, word: Word, state: State) -> list[str]:
        """The fields of a word in a command."""
        parts = word.parts
        if len(parts) == 1:
            only = parts[0]
            if isinstance(only, Text):
                return [only.text] if only.quoted else fields_of(only.text, False, self._home)
            if isinstance(only, Parameter) and not only.operator:
                several = self._several(only, state)
                if several is not None:
                    return several
        text = self._text(parts, state, splitting=True)
        return fields_of(text, any(getattr(part, "quoted", False) for part in parts), self._home)

    def value(self, word: Word, state: State) -> str:
        """The value of an assignment's right side, or of any word that is neither split nor globbed."""
        parts = word.parts
        if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].quoted:
            return parts[0].text
        return assigned(self._text(parts, state, splitting=False), self._home)[:_VALUE_MAX_CHARS]

    def inspect(self, parts: Sequence[Part], state: State) -> None:
        """Judge what a here-document's body or a pattern would run."""
        for part in parts:
            if not isinstance(part, Text):
                self._part(part, state)

    def expression(self, parts: Sequence[Part], state: State, *, certain: bool = False) -> None:
        """Judge an arithmetic expression and note what it assigns.

        Args:
            parts: the expression.
            state: where it stands.
            certain: whether it is a command, so that what it sets first is set in this very process.
        """
        self._nested.may_abort(state)
        pieces: list[str] = []
        for part in parts:
            if isinstance(part, Text):
                pieces.append(part.text)
                continue
            value = self._part(part, state)
            check_expression(value, state.variables, known=False)
            pieces.append(value)
        text = "".join(pieces)
        check_expression(text, state.variables)
        first = initialised(text) if certain else ()
        for name in assigned_names(text):
            self._nested.check_assignment(name, NUM, state)
            # perhaps not reached, or only in the process that opens a file
            state.variables[name] = NUM if name in first else joined_values(state.variables.get(name, base_of(name)), NUM)
            state.variables.pop(name + "[]", None)

    def _text(self, parts: Sequence[Part], state: State, splitting: bool) -> str:
        pieces: list[str] = []
        for part in parts:
            if isinstance(part, Text):
                pieces.append(sheltered(part.text) if part.quoted else part.text)
                continue
            value = self._part(part, state)
            if isinstance(part, ProcessSubstitution):
                pieces.append(value)
            elif part.quoted or not splitting:
                pieces.append(sheltered(value) + (SPLIT if splitting and _is_list(part) else ""))
            else:
                pieces.append(sheltered(value, expansion=True) + ("" if is_known(value) else SPLIT))
        return "".join(pieces)

    def _part(self, part: Part, state: State) -> str:
        if isinstance(part, Parameter):
            return self._parameter(part, state)
        if isinstance(part, Substitution):
            return self._nested.output(part.script, state)
        if isinstance(part, Arithmetic):
            self.expression(part.parts, state)
            return NUM
        if isinstance(part, ProcessSubstitution):
            self._nested.output(part.script, state)
            return f"/dev/fd/{NUM}"
        return part.text

    def _parameter(self, part: Parameter, state: State) -> str:
        if part.subscript is not None and not (len(part.subscript) == 1 and _is_all(part.subscript[0])):
            self.expression(part.subscript, state)
        value = self._plain(part, state)
        operator = part.operator
        if not operator:
            return value
        if operator == "length":
            return NUM
        if operator in ("keys", "@"):
            return ANY
        if operator == ":":
            self.expression(part.argument, state)
            return value if value == NUM else ANY
        argument = self._text(part.argument, state, splitting=False)
        if operator in (":=", "="):
            self._nested.may_abort(state)  # ${1:=x} is an error
            self._nested.check_assignment(part.name, assigned(argument, self._home), state)
            state.variables[part.name] = ANY
            return ANY
        if operator in (":-", "-"):
            return self._default(value, assigned(argument, self._home))
        if operator in (":?", "?"):
            return value
        if operator in (":+", "+"):
            alternative = assigned(argument, self._home)
            return alternative if value and is_known(value) else (ENV if _HARMLESS.match(alternative) else ANY)
        return _trimmed(value, operator, part)

    def _default(self, value: str, default: str) -> str:
        if value and is_known(value):
            return value
        if value == "":
            return default
        return ENV if value == ENV and _HARMLESS.match(default) else ANY

    def _plain(self, part: Parameter, state: State) -> str:
        """The value of the parameter before its operator acts."""
        name = part.name
        if part.subscript is not None:
            is_ours = name in state.variables or name + "[]" in state.variables or TEXT_OF_BASH.fullmatch(name)
            return ANY if is_ours else ENV
        if name in state.variables:
            return state.variables[name]
        if name in _NUMBERS:
            return NUM
        if name == "PWD":
            return state.directories[0] if len(state.directories) == 1 else ANY
        if name == "HOME":
            return self._home
        if name == "!":
            return JOB
        if name.isdigit() and name != "0" and self.positional is not None:
            return self.positional[int(name) - 1] if int(name) <= len(self.positional) else ""
        if TEXT_OF_BASH.fullmatch(name) or name in "@*" or (name.isdigit() and self.is_called):
            return ANY
        return ENV

    def _several(self, part: Parameter, state: State) -> list[str] | None:
        """The fields of `$@` and of a whole array, alone in a word; None for every other parameter."""
        if part.name in ("@", "*") and part.subscript is None:
            if self.positional is None:
                return [(ANY if self.is_called else ENV) + SPLIT]
            if part.name == "@" and part.quoted:
                return list(self.positional)
            return [ANY + SPLIT]
        every = None if part.subscript is None or len(part.subscript) != 1 else part.subscript[0]
        if not isinstance(every, Text) or not _is_all(every):
            return None
        elements = state.variables.get(part.name + "[]")
        if elements is None:
            return [self._plain(part, state) + SPLIT]
        if not part.quoted or every.text == "*":
            return [ANY + SPLIT]
        return elements.split("\0")[:-1]


def _is_list(part: Part) -> bool:
    """Whether the parameter is several fields even inside double quotes."""
    return isinstance(part, Parameter) and (part.name == "@" or part.subscript is not None or part.operator == "keys")


def _is_all(part: Part) -> bool:
    return isinstance(part, Text) and part.quoted and part.text in ("@", "*")


_LITERAL = re.compile(r"[\w.-]+\Z")


def _trimmed(value: str, operator: str, parameter: Parameter) -> str:
    """What the operators that cut, replace and change case leave, for the forms that scripts use; ANY for all else."""
    pattern = parameter.argument
    if not is_known(value) or not all(isinstance(part, Text) for part in pattern):
        return ENV if value == ENV and operator[0] != "/" else ANY
    if len(pattern) > 1 or any(isinstance(part, Text) and part.quoted != parameter.quoted for part in pattern):
        return ANY  # quotes in the pattern decide what acts in it
    text = "".join(part.text for part in pattern if isinstance(part, Text))
    if operator in ("%", "%%") and _LITERAL.match(text) and value.endswith(text):
        return value[: -len(text)]
    if operator == "##" and text == "*/":
        return value.rpartition("/")[2]
    if operator in ("%", "%%") and text == ".*" and NAME not in value and value[:1] not in (".", MAYBE) and "/" not in value and "." in value[1:]:
        return value[: value.rfind(".")] if operator == "%" else value[: value.find(".", 1)]
    if operator in ("/", "//"):
        return _replaced(value, operator, text)
    if operator in ("^^", "^", ",,", ",") and not text and ".." not in value:
        return value if NAME in value else {"^^": value.upper(), ",,": value.lower()}.get(operator, ANY)
    return ANY


def _replaced(value: str, operator: str, text: str) -> str:
    old, slash, new = text.partition("/")
    if not slash or not _LITERAL.match(old) or not _LITERAL.match(new) or not new.strip(".-"):
        return ANY
    if NAME not in value:
        return value.replace(old, new, 1 if operator == "/" else -1)
    directory, _, last = value.rpartition("/")
    if NAME in directory or old in directory or not last.startswith(NAME):
        return ANY
    return f"{directory}/{NAME}" if directory else NAME
