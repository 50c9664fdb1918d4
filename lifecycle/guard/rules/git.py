"""Rules for git: its commands by a list of accepted ones, its options by what they run, load or write.

Owns git's global options, the subcommands and the options that are refused in each. Hooks, filters and pagers that a
repository's configuration already names are not visible in a command line: configuring them is what is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.paths import joined
from lifecycle.guard.rules.git_config import check_config, check_key
from lifecycle.guard.rules.git_operands import OPERANDS
from lifecycle.guard.rules.git_remotes import check_no_helper
from lifecycle.guard.rules.git_subcommands import SUBCOMMANDS, Subcommand
from lifecycle.guard.values import ANY, NAME, SPLIT, is_known, may_be_option, shown

__all__ = ["git"]

_STRATEGIES = frozenset({"ours", "recursive", "resolve", "octopus", "subtree", "ort"})
_GLOBAL_FLAGS = names(
    """--no-pager -P --no-replace-objects --bare --literal-pathspecs --glob-pathspecs --noglob-pathspecs
    --icase-pathspecs --no-optional-locks --no-lazy-fetch --no-advice"""
)
_COMPLETE = frozenset({"--version", "-v", "--help", "-h", "--html-path", "--man-path", "--info-path"})


def git(call: Call) -> None:
    """An accepted subcommand with none of the options that start programs or write elsewhere."""
    fields = list(call.arguments)
    at = 0
    while at < len(fields):
        field = fields[at]
        if not is_known(field) or NAME in field:
            call.refuse(f"the argument {shown(field)!r} before the subcommand is not known literally", "spell it")
        if not field.startswith("-"):
            break
        if field in _COMPLETE:
            if at + 1 < len(fields) and field in ("--help", "-h"):
                call.refuse("--help opens a manual viewer", "'git COMMAND -h' is accepted")
            return
        at = _global(call, fields, at)
    if at == len(fields):
        return
    call.require_directory_inside()
    _subcommand(call, fields[at], fields[at + 1 :])


def _global(call: Call, fields: list[str], at: int) -> int:  # noqa: RET503  # refusing never returns
    field = fields[at]
    if field in _GLOBAL_FLAGS:
        return at + 1
    name, equals, value = field.partition("=")
    if name in ("-C", "-c", "--git-dir", "--work-tree", "--namespace"):
        if not equals or name in ("-C", "-c"):
            if at + 1 >= len(fields):
                call.refuse(f"the option {name} lacks its value")
            value, at = fields[at + 1], at + 1
        if name == "-c":
            check_key(call, value.partition("=")[0], "-c")
        elif name == "-C":
            if not value:
                return at + 1
            call.require_inside(value, "-C")
            call.directories = tuple(joined(directory, value) for directory in call.directories)
        elif name == "--git-dir" and not value.rstrip("/").endswith(".git"):
            call.refuse(f"--git-dir {shown(value)!r} is not accepted", "the project's own .git is")
        elif name != "--namespace":
            call.require_inside(value, name)
        return at + 1
    call.refuse(f"the option {shown(field)!r} is not accepted", "-C, -c with a harmless key, --no-pager and --git-dir=.git are")


def _subcommand(call: Call, name: str, arguments: list[str]) -> None:
    sub = SUBCOMMANDS.get(name)
    if sub is None:
        call.refuse(
            f"the subcommand {shown(name)!r} is not accepted: it may be an alias, start a program or write elsewhere",
            "status, add, commit, log, diff, show, branch, checkout, merge, push and other everyday ones are",
        )
    if "--help" in arguments[:1] or (name == "help" and any(not a.startswith("-") for a in arguments)):
        call.refuse("it opens a manual viewer", "'git COMMAND -h' is accepted")
    if name == "config":
        check_config(call, arguments)
        return
    operands = _options(call, sub, arguments)
    if name in OPERANDS:
        OPERANDS[name](call, operands)
    if sub.remote:
        for argument in arguments:
            if not argument.startswith("-"):
                check_no_helper(call, argument)


def _options(call: Call, sub: Subcommand, arguments: list[str]) -> list[str]:
    """The operands; every option is judged on the way."""
    operands: list[str] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        if argument in ("--", "--end-of-options"):
            operands.extend(arguments[at:])
            break
        if not argument.startswith("-") or argument == "-":
            if may_be_option(argument) and not sub.open:
                call.refuse(f"the argument {shown(argument)!r} could be an option", "spell it, or quote it after its option")
            operands.append(argument)
        elif argument.startswith("--"):
            at = _long(call, sub, argument, arguments, at)
        else:
            at = _short(call, sub, argument, arguments, at)
    return operands


def _long(call: Call, sub: Subcommand, argument: str, arguments: list[str], at: int) -> int:
    name, equals, value = argument[2:].partition("=")
    _check_spelt(call, name, argument, sub.open)
    bare = name.removeprefix("no-")
    for refused in sub.long:
        if bare and refused.startswith(bare) and bare not in sub.valued_long and not name.startswith("no-"):
            call.refuse(f"the option {shown(argument)!r} starts a program or writes elsewhere", "leave it out")
    for writes in sub.writes:
        if bare and writes.startswith(bare):
            call.require_inside(value if equals else _value(arguments, at), f"--{writes}")
            return at if equals else at + 1
    if bare and "strategy".startswith(bare) and len(bare) >= 3:
        if (value if equals else _value(arguments, at)) not in _STRATEGIES:
            call.refuse(f"the merge strategy of {shown(argument)!r} may be a program", "git's own strategies are accepted")
        return at if equals else at + 1
    if bare and sub is SUBCOMMANDS["clone"] and "config".startswith(bare):
        check_key(call, (value if equals else _value(arguments, at)).partition("=")[0], "--config")
        return at if equals else at + 1
    if SPLIT in argument and not sub.open:
        call.refuse(f"the argument {shown(argument)!r} could be several", "quote it")
    if not equals and bare in sub.valued_long:
        return _past_value(call, arguments, at, sub.open)
    return at


def _short(call: Call, sub: Subcommand, argument: str, arguments: list[str], at: int) -> int:
    _check_spelt(call, argument[1:2], argument, sub.open)
    for position, letter in enumerate(argument[1:], 2):
        rest = argument[position:]
        if letter in sub.short:
            call.refuse(f"the option {shown(argument)!r} starts a program", "leave it out")
        if letter in sub.writes_short or letter in _checked_letters(sub):
            value = rest or _value(arguments, at)
            _check_letter(call, sub, letter, value, argument)
            return at if rest else at + 1
        if letter in sub.valued:
            if SPLIT in rest and not sub.open:
                call.refuse(f"the argument {shown(argument)!r} could be several", "quote it")
            return at if rest else _past_value(call, arguments, at, sub.open)
        if letter in sub.attached:
            if SPLIT in rest:
                call.refuse(f"the argument {shown(argument)!r} could be several", "quote it")
            return at
        if not is_known(letter):
            if not sub.open:
                call.refuse(f"the option {shown(argument)!r} is not known literally", "spell it")
            return at
    return at


def _checked_letters(sub: Subcommand) -> str:
    """Short options whose value is judged: a clone's configuration, a merge strategy."""
    if sub is SUBCOMMANDS["clone"]:
        return "c"
    return "s" if sub in (SUBCOMMANDS["merge"], SUBCOMMANDS["pull"], SUBCOMMANDS["rebase"]) else ""


def _check_letter(call: Call, sub: Subcommand, letter: str, value: str, argument: str) -> None:
    if letter in sub.writes_short:
        call.require_inside(value, f"-{letter}")
    elif letter == "c":
        check_key(call, value.partition("=")[0], "-c")
    elif value not in _STRATEGIES:
        call.refuse(f"the merge strategy of {shown(argument)!r} may be a program", "git's own strategies are accepted")


def _value(arguments: Sequence[str], at: int) -> str:
    return arguments[at] if at < len(arguments) else ANY


def _past_value(call: Call, arguments: Sequence[str], at: int, is_open: bool) -> int:
    """The position after an option's value; one that looks like an option is judged as one, too."""
    if at < len(arguments) and SPLIT in arguments[at] and not is_open:
        call.refuse(f"the value {shown(arguments[at])!r} could be several words", "quote it")
    return at if at < len(arguments) and arguments[at].startswith("-") else at + 1


def _check_spelt(call: Call, name: str, argument: str, is_open: bool) -> None:
    if (not is_known(name) or NAME in name) and not is_open:
        call.refuse(f"the option {shown(argument)!r} is not known literally", "spell it")
