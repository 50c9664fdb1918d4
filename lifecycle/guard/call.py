"""One program about to be started, as the rules see it.

Owns the question's shape: which program, with which arguments, from which directories. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from lifecycle.guard.paths import is_inside, joined
from lifecycle.guard.protected import PROTECTION, Protection
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
        protection: what in the project is not written.
        is_fed_here: whether its standard input stands in the command itself, as a here-document.
    """

    program: str
    arguments: Sequence[str]
    directories: tuple[str, ...]
    project: str
    judge: Callable[[Call], None] = _no_nesting
    judge_text: Callable[[str, Call], None] = lambda _text, call: _no_nesting(call)
    raw: Sequence[str] = field(default_factory=tuple)
    protection: Protection = PROTECTION
    is_fed_here: bool = False

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

    def require_writable(self, path: str, what: str, *, is_glob_counted: bool = True) -> None:
        """Refuse a path to write at that is not inside, or names what is protected."""
        self.require_inside(path, what)
        for relative in self._relatives(path):
            part = self.protection.protected_in(relative, is_glob_counted=is_glob_counted)
            if part is not None:
                raise Refused("protected", f"{self.program}: {self.protection.reason(shown(part))}")

    def names_protected(self, path: str) -> bool:
        """Whether the path, which is inside, names what is protected."""
        return any(self.protection.protected_in(relative) is not None for relative in self._relatives(path))

    def require_removable(self, path: str, what: str) -> None:
        """Refuse a path that is not writable, or names a file that must stay."""
        self.require_writable(path, what)
        for relative in self._relatives(path):
            kept = self.protection.kept_in(relative)
            if kept is not None:
                self.refuse(f"{shown(kept)!r} is, or could be, the project's record, which stays", "writing over it is accepted; spell other files")

    def require_destination(self, target: str, sources: Sequence[str], *, is_directory: bool = False) -> None:
        """Refuse a destination of copies that is not writable, also where it is a directory and they get their own names."""
        self.require_writable(target, "the destination")
        is_directory = is_directory or len(sources) > 1 or target.endswith(("/", "/.", "..")) or not all(self._relatives(target)) or target == "."
        for source in sources if is_directory else ():
            name = source.rstrip("/").rpartition("/")[2]
            if name not in ("", ".", ".."):
                self.require_writable(f"{target.rstrip('/') or '.'}/{name}", "the copy", is_glob_counted=False)

    def _relatives(self, path: str) -> list[str]:
        """The path from the project's top, for each possible directory; "" is the top itself."""
        return [joined(directory, path)[len(self.project) :].lstrip("/") for directory in self.directories]

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
        inner = Call(
            arguments[0], arguments[1:], self.directories, self.project, self.judge, self.judge_text,
            protection=self.protection, is_fed_here=self.is_fed_here,
        )  # fmt: skip
        self.judge(inner)
