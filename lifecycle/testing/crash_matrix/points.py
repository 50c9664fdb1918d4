"""Where a manager can die: every point by name, read off the code.

Four places to look at, and nothing is listed by hand: the rows of the table, the methods of the ports' protocols, the
kinds of notes, and every place in the manager's modules that calls what changes the disk, or git. Two calls of one
kind in one function are one point: its first crossing counts.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import lifecycle
from lifecycle import ports
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from states.table import TABLE

__all__ = ["CHANGING", "ELSEWHERE", "Group", "Moment", "Point", "Site", "methods", "note_name", "points", "protocols", "sites"]


class Group(StrEnum):
    """What kind of place it is."""

    TRANSITION = "transitions"
    NOTE = "notes"
    PORT = "calls of ports"
    DISK = "changes of the disk"
    GIT = "calls of git"


class Moment(StrEnum):
    """When, at that place."""

    BEFORE = "before"
    UNCOMMITTED = "written, not committed"
    AFTER = "after"
    MOVED = "after the move"
    HALF = "half written"
    UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class Point:
    """One place and moment. Its name is stable as long as the code that it names is."""

    group: Group
    place: str
    moment: Moment

    @property
    def name(self) -> str:
        return f"{self.place}: {self.moment}"


@dataclass(frozen=True, slots=True)
class Site:
    """A call in the code.

    Attributes:
        call: what is called: a function of `os` by its own name, or git's command.
        first, last: its lines.
    """

    file: Path
    place: str
    call: str
    first: int
    last: int

    @property
    def is_git(self) -> bool:
        return self.call.startswith("git")


@cache
def points() -> tuple[Point, ...]:
    """Every point, in the order of the groups."""
    found = (
        *(Point(Group.TRANSITION, f"{row.source} {row.trigger} {row.dest}", moment) for row in TABLE for moment in _ROW),
        *(Point(Group.NOTE, note_name(kind), moment) for kind in NoteKind for moment in _WRITE),
        *_calls_of_ports(),
        *(Point(Group.DISK, site.place, moment) for site in sites() if not site.is_git for moment in _moments(site)),
        *(Point(Group.GIT, site.place, Moment.UNDER_WAY) for site in sites() if site.is_git),
    )
    return tuple(dict.fromkeys(found))


def note_name(kind: str) -> str:
    """The place where a note of this kind is made durable."""
    return f"note {kind}"


@cache
def protocols() -> Mapping[str, type]:
    """Every port's protocol, by its name."""
    return MappingProxyType(
        {
            name: found
            for name, found in vars(ports).items()
            if getattr(found, "_is_protocol", False) and found.__module__ == ports.__name__
        }
    )


def methods(protocol: type) -> Iterator[tuple[str, bool]]:
    """The calls of a port, and whether each is awaited."""
    for name, found in vars(protocol).items():
        if inspect.isfunction(found) and (name == "__call__" or not name.startswith("_")):
            yield name, inspect.iscoroutinefunction(found)


def _calls_of_ports() -> Iterator[Point]:
    """What is awaited can die on either side of its effect; what is not has no effect but in memory."""
    for port, protocol in protocols().items():
        for method, is_awaited in methods(protocol):
            if (port, method) in (("Journal", "append"), ("Journal", "note")):
                continue  # by row, and by kind
            for moment in _moments_of(port, method, is_awaited=is_awaited):
                yield Point(Group.PORT, f"{port}.{method}", moment)


def _moments_of(port: str, method: str, *, is_awaited: bool) -> tuple[Moment, ...]:
    if not is_awaited:
        return (Moment.BEFORE,)
    return _WRITE if port == "Journal" and _writes(method) else (Moment.BEFORE, Moment.AFTER)


def _writes(method: str) -> bool:
    """Whether it is a transaction of the real journal's."""
    names: tuple[str, ...] = getattr(SqliteJournal, method).__code__.co_names
    return "_write" in names or "_account" in names


# --- calls in the code ------------------------------------------------------------------------------------------


@cache
def sites() -> tuple[Site, ...]:
    """Every call in the manager's modules that changes the disk or is git's."""
    root = Path(lifecycle.__file__).parent
    found: list[Site] = []
    for file in sorted(root.rglob("*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        if not any(module == name or module.startswith(f"{name}.") for name in ELSEWHERE):
            found += _sites_of(file, module)
    return tuple(found)


def _sites_of(file: Path, module: str) -> Iterator[Site]:
    def look(node: ast.AST, function: str) -> Iterator[Site]:
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", "")
            is_scope = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            place = f"{module}.{function}"
            if isinstance(child, ast.expr) and place not in _HANDS_ON and (call := _call(child)):
                place = f"{place} {call}"
                yield Site(file, place, call, child.lineno, child.end_lineno or child.lineno)
            yield from look(child, f"{function}.{name}".lstrip(".") if is_scope else function)

    yield from look(ast.parse(file.read_text(encoding="utf-8")), "")


def _call(node: ast.expr) -> str:
    """What this expression calls, if it is of interest."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return node.attr if node.attr in CHANGING else ""  # also where it is handed on to be called
    if not isinstance(node, ast.Call):
        return ""
    match node.func:
        case ast.Name("run_bounded") | ast.Attribute(ast.Name("git" | "ours"), "run"):
            words = (each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str))
            return f"git {next(words, '')}".strip()
        case ast.Attribute(ast.Name("os"), _):
            return ""
        case ast.Attribute(_, "replace"):
            return "replace" if len(node.args) == 1 and not node.keywords else ""  # a path's, not a text's
        case ast.Attribute(_, method):
            return _OF_PATHS.get(method, "")
    return ""


def _moments(site: Site) -> tuple[Moment, ...]:
    """Before each step is after the one before it, and the port's own points are around the last."""
    return (Moment.BEFORE, Moment.HALF) if site.call in WRITING else (Moment.BEFORE,)


_ROW: Final = (Moment.BEFORE, Moment.UNCOMMITTED, Moment.AFTER, Moment.MOVED)
_WRITE: Final = (Moment.BEFORE, Moment.UNCOMMITTED, Moment.AFTER)

WRITING: Final = frozenset({"write", "pwrite", "write_text", "write_bytes"})
"""Calls that can be half done."""

CHANGING: Final = frozenset(
    {"write", "pwrite", "fsync", "fdatasync", "truncate", "ftruncate", "rename", "replace", "link", "symlink", "unlink"}
    | {"remove", "mkdir", "makedirs", "rmdir", "chmod", "fchmod", "chown", "fchown"}
)
"""Of `os`. Opening and closing are not among them: what they make is nothing before something is written."""

_OF_PATHS: Final = MappingProxyType(
    {name: name for name in ("mkdir", "unlink", "rename", "rmdir", "chmod", "write_text", "write_bytes")}
    | {"symlink_to": "symlink", "hardlink_to": "link"}
)

_HANDS_ON: Final = frozenset({"workspace.sealed_git.SealedGit.run"})
"""What only hands a command on: whoever calls it is the place."""

ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cli": "commands: what they write beside the manager is a copy (a picture, a settings file)",
        "testing": "what tests are made of",
        "skill": "the skill's installation",
        "diagram": "pictures",
        "offline": "the scripted model",
        "doctor": "looks, and leaves nothing",
        "observe": "writes to the terminal alone",
        "agent.leash": "a program of its own; its killers have tests of their own",
        "agent.sandbox_inside": "a program of its own, within the sandbox's walls; the manager's death is its end",
        "agent.sandbox_shell": "a program of its own, which the CLI starts; it says on its stderr why nothing was run",
        "workspace.salvage_restore": "`lifecycle salvage`, which a person runs",
        "workspace.state_tracker": "a host's tool, not the manager's",
    }
)
"""Modules that are not looked through, and why: no manager runs them."""
