"""Subcommands of git whose operands decide: what they write must lie inside, what they run must be git's own.

Owns one small function for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lifecycle.guard.call import Call
from lifecycle.guard.rules.git_remotes import check_destination, check_repository
from lifecycle.guard.values import is_known, shown

__all__ = ["OPERANDS"]


def _init(call: Call, operands: list[str]) -> None:
    for operand in operands:
        call.require_inside(operand, "the repository")


def _clone(call: Call, operands: list[str]) -> None:
    # An option of clone's that takes its value apart may stand here as an operand: so every one but the first is checked.
    for operand in operands[1:]:
        call.require_inside(operand, "the directory")
    if len(operands) == 1:
        name = re.sub(r"(/?\.git)?/*\Z", "", operands[0]).rpartition("/")[2].rpartition(":")[2]
        if not is_known(operands[0]) or name in ("", ".", ".."):
            call.refuse("where it would write is not certain", "'git clone URL DIRECTORY' inside the project is accepted")


def _worktree(call: Call, operands: list[str]) -> None:
    if operands and operands[0] in ("list", "prune", "repair"):
        return
    if not operands or operands[0] not in ("add", "remove", "lock", "unlock", "move"):
        call.refuse("this worktree command is not accepted", "list, add, remove, move, lock, unlock and prune are")
    for path in operands[1:]:
        call.require_inside(path, "the worktree")


def _submodule(call: Call, operands: list[str]) -> None:
    accepted = {"status", "init", "update", "add", "sync", "summary", "deinit", "set-branch", "set-url", "absorbgitdirs"}
    if operands and operands[0] not in accepted:
        call.refuse(f"'submodule {shown(operands[0])}' is not accepted: foreach runs commands", ", ".join(sorted(accepted)))
    if operands[:1] == ["add"]:
        for path in operands[2:]:
            call.require_inside(path, "the submodule")


def _bisect(call: Call, operands: list[str]) -> None:
    accepted = {"start", "bad", "good", "new", "old", "terms", "skip", "reset", "log", "replay", "next"}
    if operands and operands[0] not in accepted:
        call.refuse(f"'bisect {shown(operands[0])}' starts a program", "start, good, bad, skip, reset and log are accepted")


def _remote(call: Call, operands: list[str]) -> None:
    if operands and operands[0] in ("add", "set-url"):
        for operand in operands[1:]:
            check_repository(call, operand)


def _push(call: Call, operands: list[str]) -> None:
    if operands:
        check_destination(call, operands[0])
    for operand in operands[1:]:
        if "://" in operand or operand.startswith(("/", ".", "~")) or "@" in operand.partition(":")[0]:
            call.refuse(f"{shown(operand)!r} could be the destination", "'git push origin BRANCH' is accepted")


def _rm(call: Call, operands: list[str]) -> None:
    for operand in operands:
        if is_known(operand):
            call.require_removable(operand, "the file")


def _mv(call: Call, operands: list[str]) -> None:
    _rm(call, operands[:-1])
    if operands and is_known(operands[-1]):
        call.require_writable(operands[-1], "the destination")


def _bundle(call: Call, operands: list[str]) -> None:
    if operands[:1] == ["create"]:
        for operand in operands[1:]:
            call.require_inside(operand, "the bundle")
    elif operands[:1] not in (["verify"], ["list-heads"], ["unbundle"]):
        call.refuse("this bundle command is not accepted", "create, verify and list-heads are")


OPERANDS: dict[str, Callable[[Call, list[str]], None]] = {
    "init": _init, "clone": _clone, "worktree": _worktree, "submodule": _submodule, "bisect": _bisect, "remote": _remote,
    "push": _push, "bundle": _bundle, "rm": _rm, "mv": _mv,
}  # fmt: skip
