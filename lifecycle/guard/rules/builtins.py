"""Rules for bash's builtins and for programs whose arguments are only text.

Owns which forms of them evaluate a string as code or change the shell.
"""

from __future__ import annotations

import re
from itertools import pairwise

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.values import ANY, ENV, MAYBE, NAME, NUM, SPLIT, is_known, shown

__all__ = ["command", "declare", "printf", "read", "return_", "set_", "source", "test", "type_", "unset", "wait"]

_EVALUATING = frozenset({"-v", "-R"})
_JOINING = names("= == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef -a -o ) ]")
_WILD = frozenset({ANY, ENV, NAME, SPLIT})
_SET = re.compile(r"[-+](?:[abefhmuBCET]|eu|ue|euo|uo|eo|o|x|ex|eux|euxo|xe|exo)+\Z")
_SET_NAMES = names(
    """errexit nounset pipefail noglob noclobber allexport errtrace functrace xtrace nounset posix"""
) - {"posix"}
_NUMBER = re.compile(r"[0-9]{1,3}\Z")
_DECLARATION = re.compile(r"([A-Za-z_]\w*)\+?=|([A-Za-z_]\w*)\Z", re.DOTALL)


def test(call: Call) -> None:
    """Tests on files, strings and numbers; none that evaluates a name."""
    for at, (argument, following) in enumerate(pairwise([*call.arguments, "]"])):
        if argument in _EVALUATING:
            call.refuse(f"{argument} evaluates its operand, which can run commands", '[ -n "$name" ] is accepted')
        if SPLIT in argument and ANY in argument:
            call.refuse(f"the operand {shown(argument)!r} could be several", "quote it")
        is_alone = following in _JOINING and (NAME not in argument or call.is_one_field(at))
        if not is_alone and _could_be_evaluating(argument):
            call.refuse(f"{shown(argument)!r} before {shown(following)!r} could be an operator that evaluates it", "write the operator")


def _could_be_evaluating(argument: str) -> bool:
    """Whether unknown text, or the name of a file that a glob finds, could be -v or -R."""
    if argument.isascii():
        return False
    pattern = "".join(".*" if character in _WILD else re.escape(character) for character in argument)
    return any(re.fullmatch(pattern, operator) for operator in _EVALUATING)


def return_(call: Call) -> None:
    """exit, return: with a number or nothing."""
    for argument in call.arguments:
        if argument.startswith(ANY) or not re.fullmatch(r"\d{0,3}", argument.strip(ENV + NUM + MAYBE + SPLIT)):
            call.refuse(f"the status {shown(argument)!r} is not a number")


def wait(call: Call) -> None:
    """Without options that assign."""
    for argument in call.arguments:
        if argument.startswith("-") and argument != "-n":
            call.refuse(f"the option {shown(argument)!r} is not accepted", "job numbers and process ids are")


def printf(call: Call) -> None:
    """Output only: `-v` assigns to a name that may hold a subscript."""
    if call.arguments and call.arguments[0].startswith(("-v", ANY, ENV)):
        call.refuse("-v, or an unknown format, can assign a variable", "a literal format is accepted")


def read(call: Call) -> None:
    """Plain names, so that nothing in a subscript is evaluated."""
    at = 0
    while at < len(call.arguments):
        argument = call.arguments[at]
        at += 1
        if argument.startswith("-"):
            if argument[-1:] in "dnNpt" and len(argument) <= 4 and re.fullmatch(r"-[ers]*[dnNpt]", argument):
                at += 1
            elif not re.fullmatch(r"-[ers]+|-[ers]*[nNt][\d.]+", argument):
                call.refuse(f"the option {shown(argument)!r} is not accepted", "-r, -s, -p, -n and -t are")
        elif not re.fullmatch(r"[A-Za-z_]\w*", argument):
            call.refuse(f"{shown(argument)!r} is not a plain name")


def declare(call: Call) -> None:
    """export, local, readonly, declare: plain names, no attributes that evaluate or redirect the value."""
    for argument in call.arguments:
        if argument.startswith("-"):
            if not re.fullmatch(r"-[grxap]+", argument):
                call.refuse(f"the option {shown(argument)!r} is not accepted", "-r, -x, -g and -a are")
        elif not _DECLARATION.match(argument) or SPLIT in argument:
            call.refuse(f"{shown(argument)!r} is not NAME=value with a literal name", "quote the value")


def unset(call: Call) -> None:
    """Plain names of variables."""
    for argument in call.arguments:
        if argument != "-v" and not re.fullmatch(r"[A-Za-z_]\w*", argument):
            call.refuse(f"{shown(argument)!r} is not a plain name", "'unset NAME' is accepted")


def set_(call: Call) -> None:
    """The switches that make a script strict; never positional parameters."""
    for argument in call.arguments:
        if argument not in _SET_NAMES and not _SET.match(argument):
            call.refuse(f"{shown(argument)!r} is not accepted", "-e, -u, -x and -o pipefail are")


def type_(call: Call) -> None:
    """Looks a name up; runs nothing."""


def command(call: Call) -> None:
    """Looks a name up (`-v`), or runs what follows."""
    arguments = list(call.arguments)
    if arguments and arguments[0] in ("-v", "-V"):
        return
    if arguments and arguments[0] == "--":
        arguments = arguments[1:]
    if not arguments or arguments[0].startswith("-"):
        call.refuse("only 'command -v NAME' and 'command PROGRAM' are accepted")
    call.inner(arguments, "command")


def source(call: Call) -> None:
    """Only a virtual environment's activation, inside the project."""
    if len(call.arguments) != 1 or not is_known(call.arguments[0]) or not call.arguments[0].endswith("/bin/activate"):
        call.refuse("it runs a file in this very shell", "'source DIR/bin/activate' inside the project is accepted")
    call.require_inside(call.arguments[0], "the file")
