"""One program about to be started, as the rules see it.

Owns the question's shape: which program, with which arguments, from which directories. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from lifecycle.guard.paths import is_inside
from lifecycle.guard.refusal import Refused
from lifecycle.guard.values import shown

__all__ = ["Call"]


def _no_nesting(_call: Call) -> None:
    raise Refused("nesting", "a program inside a program cannot be judged here")


@dataclass(slots=True)
class Call:
    """A program with its expanded arguments.

    Attributes:
        program: the name, without a directory.
        arguments: fields, see `values`; without the name itself.
        directories: absolute working directories that are possible.
        project: the project's absolute path.
        judge: judges another call that this one would make (for wrappers).
        judge_text: judges a script that this one would run, in the same directories.
        raw: the spelling of the arguments' words, where they came from words.
    """

    program: str
    arguments: Sequence[str]
    directories: tuple[str, ...]
    project: str
    judge: Callable[[Call], None] = _no_nesting
    judge_text: Callable[[str, Call], None] = lambda _text, call: _no_nesting(call)
    raw: Sequence[str] = field(default_factory=tuple)

    def refuse(self, what: str, instead: str = "") -> NoReturn:
        """Refuse this call: what in it, and what would be accepted."""
        reason = f"{self.program}: {what}"
        raise Refused(f"program.{self.program}", f"{reason}; {instead}" if instead else reason)

    def inside(self, path: str) -> bool:
        """Whether the path is in the project from every possible working directory."""
        return all(is_inside(path, self.project, directory) for directory in self.directories)

    def require_inside(self, path: str, what: str) -> None:
        """Refuse a path that is, or could be, outside the project."""
        if not self.inside(path):
            self.refuse(f"{what} {shown(path)!r} is not certainly inside the project", "a literal path inside it is accepted")

    def is_one_field(self, at: int) -> bool:
        """Whether the argument is certainly one: it is quoted, so that what a glob found in it earlier is one name."""
        raw = self.raw[at] if len(self.raw) == len(self.arguments) else ""
        return len(raw) > 1 and raw[0] == raw[-1] == '"' and '"' not in raw[1:-1]

    def require_directory_inside(self) -> None:
        """Refuse a program that reads its orders from the directory, started from a directory outside."""
        if not all(is_inside(directory, self.project, directory) for directory in self.directories):
            self.refuse("it could be started outside the project", "use 'cd DIR && ...' so that a failed cd stops it")

    def inner(self, arguments: Sequence[str], wrapper: str) -> None:
        """Judge the program that this one starts: a name and its arguments.

        Args:
            arguments: the inner program's name and arguments, as fields.
            wrapper: what to call this program in a refusal.
        """
        if not arguments:
            self.refuse(f"{wrapper} without a program")
        inner = Call(arguments[0], arguments[1:], self.directories, self.project, self.judge, self.judge_text)
        self.judge(inner)
