"""The tree of a bash command line: words made of parts, commands made of words.

Owns the shapes. They are what bash executes, not what was written: continuations and comments are gone, here-documents
hang on their redirections. `Word.raw` keeps the spelling, for the rules that want a name spelt plainly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "AndOr", "Arithmetic", "ArithmeticCommand", "ArithmeticFor", "Assignment", "Case", "Clause", "Command",
    "Conditional", "Coprocess", "For", "Function", "Group", "If", "Item", "Loop", "Parameter", "Part", "Pipeline",
    "ProcessSubstitution", "Redirected", "Redirection", "Script", "Simple", "Substitution", "Term", "Text", "Word",
]  # fmt: skip


@dataclass(slots=True)
class Text:
    """Characters. `quoted` ones are literal; in others `{ } , ~ * ? [ ]` are still active."""

    text: str
    quoted: bool


@dataclass(slots=True)
class Parameter:
    """`$name` or `${name...}`: `operator` is "" for a plain one, "length" for `${#x}`, "keys" for `${!x[@]}`."""

    name: str
    operator: str
    argument: tuple[Part, ...]
    subscript: tuple[Part, ...] | None
    quoted: bool


@dataclass(slots=True)
class Substitution:
    """`$(script)` or a backtick pair."""

    script: Script
    quoted: bool


@dataclass(slots=True)
class ProcessSubstitution:
    """`<(script)` or `>(script)`."""

    script: Script


@dataclass(slots=True)
class Arithmetic:
    """`$((parts))`: text and expansions that bash evaluates as an expression."""

    parts: tuple[Part, ...]
    quoted: bool


Part: TypeAlias = "Text | Parameter | Substitution | ProcessSubstitution | Arithmetic"


@dataclass(slots=True)
class Word:
    """One word as read.

    `raw` is its spelling without backslash-newlines, `bare` its text if nothing in it is quoted; `escaped` says that a
    backslash outside quotes and expansions quotes a character of it.
    """

    parts: tuple[Part, ...]
    raw: str
    bare: str | None
    escaped: bool = False


@dataclass(slots=True)
class Assignment:
    """`name=value`, `name[subscript]+=value` or `name=(values)`."""

    name: str
    subscript: tuple[Part, ...] | None
    append: bool
    value: Word | tuple[Word, ...]


@dataclass(slots=True)
class Redirection:
    """`operator` with its target; for a here-document the target is the delimiter and `body` its parts."""

    operator: str
    descriptor: str
    target: Word
    body: tuple[Part, ...] = ()


@dataclass(slots=True)
class Simple:
    """A simple command: a program with its arguments, or assignments, or redirections, alone or together."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


@dataclass(slots=True)
class Pipeline:
    """Commands joined by `|`, each in a process of its own; or one command with `!` or `time` before it."""

    commands: tuple[Command, ...]
    negated: bool


@dataclass(slots=True)
class AndOr:
    """`first`, then (`&&` or `||`, command) pairs."""

    first: Command
    rest: tuple[tuple[str, Command], ...]


@dataclass(slots=True)
class Item:
    """One entry of a list; `background` if `&` ends it, `ends_line` if nothing follows on its line."""

    command: Command
    background: bool
    ends_line: bool


@dataclass(slots=True)
class Script:
    """A list of commands, possibly empty."""

    items: tuple[Item, ...]


@dataclass(slots=True)
class Group:
    """`{ body }`, or `( body )` when `subshell`."""

    body: Script
    subshell: bool


@dataclass(slots=True)
class If:
    """Pairs of condition and body in order, and what `else` holds."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script | None


@dataclass(slots=True)
class Loop:
    """`while` and `until`."""

    condition: Script
    body: Script
    until: bool


@dataclass(slots=True)
class For:
    """`for` and `select`; `words` is None when `in` is missing (the positional parameters)."""

    name: str
    words: tuple[Word, ...] | None
    body: Script
    select: bool


@dataclass(slots=True)
class ArithmeticFor:
    """`for ((a; b; c))`."""

    header: tuple[Part, ...]
    body: Script


@dataclass(slots=True)
class Clause:
    """One arm of a `case`."""

    patterns: tuple[Word, ...]
    body: Script


@dataclass(slots=True)
class Case:
    """`case subject in clauses esac`."""

    subject: Word
    clauses: tuple[Clause, ...]


@dataclass(slots=True)
class ArithmeticCommand:
    """`((parts))`."""

    parts: tuple[Part, ...]


@dataclass(slots=True)
class Term:
    """One test inside `[[ ]]`: `operator` is "" for a lone word; `left` is None for a unary one."""

    operator: str
    left: Word | None
    right: Word


@dataclass(slots=True)
class Conditional:
    """`[[ ... ]]`: its tests; how they are joined decides nothing here, every one may be evaluated."""

    terms: tuple[Term, ...]


@dataclass(slots=True)
class Function:
    """A definition; nothing runs until it is called."""

    name: str
    body: Command


@dataclass(slots=True)
class Coprocess:
    """`coproc [name] body`."""

    name: str
    body: Command


@dataclass(slots=True)
class Redirected:
    """A compound command with redirections of its own."""

    command: Command
    redirections: tuple[Redirection, ...]


Command: TypeAlias = (
    "Simple | Pipeline | AndOr | Group | If | Loop | For | ArithmeticFor | Case | ArithmeticCommand | Conditional"
    " | Function | Coprocess | Redirected"
)
