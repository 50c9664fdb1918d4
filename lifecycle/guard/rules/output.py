"""What a few programs print, where a script's safety turns on it.

Owns which outputs are numbers, names or the working directory. All else is unknown text.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.values import ANY, MAYBE, NAME, NUM

__all__ = ["output_of"]

_REVISION = re.compile(r"(?![-/.])(?!.*\.\.)[\w./@^~{}-]+\Z")  # what is no revision is printed as it stands
_DATE = re.compile(r"\+%(?!.*\.\.)[%YmdHMSsjyFT_.:-]+\Z")


def output_of(call: Call) -> str:
    """What the program prints, as a value with markers; ANY if that is not known."""
    arguments = list(call.arguments)
    if call.program == "pwd" and not arguments and len(call.directories) == 1:
        return call.directories[0]
    if call.program == "wc" and arguments and all(re.fullmatch(r"-[lcwm]|--lines|--words|--chars|--bytes", a) for a in arguments):
        return NUM + MAYBE if len(arguments) == 1 else ANY
    if call.program == "grep" and arguments and re.fullmatch(r"-[ivwxEFq]*c[ivwxEF]*", arguments[0]):
        operands = [argument for argument in arguments[1:] if not argument.startswith("-")]
        is_one = len(operands) == len(arguments) - 1 and len(operands) <= 2 and not any(a > "\udc00" for a in operands)
        return NUM + MAYBE if is_one else ANY
    if call.program == "date" and len(arguments) == 1:
        if arguments[0] == "+%s":
            return NUM
        return NAME if _DATE.match(arguments[0]) else ANY
    if call.program == "git":
        return _reference(arguments)
    if call.program == "nproc":
        return NUM
    return ANY


def _reference(arguments: list[str]) -> str:
    """A commit's or a branch's name: git lets none begin with a dash or a dot, or hold '..'."""
    if arguments == ["branch", "--show-current"]:
        return NAME + MAYBE
    options = {"rev-parse": ("--short", "--abbrev-ref", "--verify"), "merge-base": (), "describe": ("--tags", "--always", "--abbrev=0")}
    accepted = options.get(arguments[0]) if arguments else None
    if accepted is None or not all(argument in accepted or _REVISION.match(argument) for argument in arguments[1:]):
        return ANY
    return NAME + MAYBE
