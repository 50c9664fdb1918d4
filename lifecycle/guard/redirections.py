"""Judging redirections: what is opened must be a file inside the project, or one of three devices.

Owns that rule, and the targets that bash expands twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lifecycle.guard.expansion import Expander
from lifecycle.guard.paths import is_inside, joined
from lifecycle.guard.protected import PROTECTION, Protection
from lifecycle.guard.refusal import Refused
from lifecycle.guard.state import State
from lifecycle.guard.syntax.tree import Redirection, Text, Word
from lifecycle.guard.values import NUM, shown

__all__ = ["check_redirections"]

_GLOB = re.compile(r"[*?\[{]")
_DESCRIPTOR = re.compile(r"(?:[0-9]+-?|-)\Z")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9_./@:+,=-]+\Z")
_DEVICES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


def check_redirections(
    redirections: Sequence[Redirection], expander: Expander, project: str, state: State, protection: Protection = PROTECTION
) -> None:
    """Refuse a redirection that opens, or could open, anything else, or writes to what is protected."""
    for redirection in redirections:
        operator = redirection.operator
        if operator.startswith("<<"):
            if operator == "<<<":
                expander.value(redirection.target, state)
            else:
                expander.inspect(redirection.body, state)
            continue
        fields = expander.fields(redirection.target, state)
        if len(fields) != 1 or _is_glob(redirection.target):
            raise Refused("redirection", f"{operator} needs one file, spelt literally")
        _check(operator, fields[0], project, state)
        if ">" in operator:
            _check_protected(fields[0], project, state, protection)


def _check(operator: str, target: str, project: str, state: State) -> None:
    if operator in (">&", "<&") and _DESCRIPTOR.match(target):
        return
    if operator in (">&", "<&") and not _PLAIN_FILE.match(target):
        raise Refused("redirection", f"bash expands the target of {operator} twice; a descriptor or a plainly named file is accepted")
    if target in _DEVICES:
        return
    is_file = not target.endswith("/") and not target.rpartition("/")[2].startswith("-")
    if is_file and operator != "<&" and all(is_inside(target, project, directory) for directory in state.directories):
        return
    if target == f"/dev/fd/{NUM}":  # a process substitution
        return
    raise Refused(
        "redirection",
        f"{operator} {shown(target)!r} is not certainly a file inside the project; "
        "files inside it, /dev/null, /dev/stdout and /dev/stderr are accepted",
    )


def _check_protected(target: str, project: str, state: State, protection: Protection) -> None:
    for directory in state.directories:
        found = joined(directory, target)
        part = protection.protected_in(found[len(project) :].lstrip("/")) if found.startswith(project + "/") else None
        if part is not None:
            raise Refused("protected", protection.reason(shown(part)))


def _is_glob(word: Word) -> bool:
    return any(isinstance(part, Text) and not part.quoted and _GLOB.search(part.text) for part in word.parts)
