"""Rules for programs that look at or end processes.

Owns which processes may be ended: a development server's, never the machine's or the manager's.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.values import JOB, may_be_option, shown

__all__ = ["kill", "lsof", "pkill", "pkill_development"]

DEVELOPMENT_PROCESSES = ("node", "npm", "npx", "vite", "next")

_SERVERS = ("uvicorn", "gunicorn", "flask", "vitest", "webpack", "nodemon", "tsx")
_PYTHONS = ("python", "python3")

_SIGNAL = re.compile(r"-(?:[0-9]{1,2}|(?:SIG)?(?:HUP|INT|QUIT|KILL|TERM|USR1|USR2|STOP|CONT))\Z")
_SIGNAL_NAME = re.compile(r"(?:[0-9]{1,2}|(?:SIG)?(?:HUP|INT|QUIT|KILL|TERM|USR1|USR2|STOP|CONT))\Z")
_FLAGS = re.compile(r"-[fxnoecila]+\Z")
_LONG_FLAGS = frozenset({"--full", "--exact", "--newest", "--oldest", "--echo", "--count", "--ignore-case"})
_WORD = re.compile(r"[A-Za-z0-9_@:=,%/-]+(?:\.[A-Za-z0-9_@:=,%/-]+)*\Z|\.{1,2}(?:/[A-Za-z0-9_@:=,%-]+(?:\.[A-Za-z0-9_-]+)*)+\Z")


def pkill(call: Call) -> None:
    """One pattern whose first word is a development server's name, and that is no regular expression."""
    _pkill(call, DEVELOPMENT_PROCESSES)


def pkill_development(call: Call) -> None:
    """Also servers of other languages; python only with its script, since a manager may be a python, too."""
    _pkill(call, (*DEVELOPMENT_PROCESSES, *_SERVERS, *_PYTHONS))


def _pkill(call: Call, accepted: tuple[str, ...]) -> None:
    patterns: list[str] = []
    full = False
    arguments = list(call.arguments)
    while arguments:
        argument = arguments.pop(0)
        if argument == "--":
            patterns.extend(arguments)
            break
        if argument == "--signal":
            argument = f"--signal={arguments.pop(0) if arguments else ''}"
        if argument.startswith("-"):
            full = _option(call, argument) or full
        else:
            patterns.append(argument)
    if len(patterns) != 1:
        call.refuse("it needs one pattern", "'pkill -f \"node server.js\"' is accepted")
    _check_pattern(call, patterns[0], full, accepted)


def _option(call: Call, argument: str) -> bool:
    """Whether an accepted option makes the pattern match whole command lines."""
    name, _, value = argument.partition("=")
    is_signal = _SIGNAL.match(argument) or (name == "--signal" and _SIGNAL_NAME.match(value))
    if not (is_signal or _FLAGS.match(argument) or argument in _LONG_FLAGS):
        call.refuse(f"the option {shown(argument)!r} is not accepted", "a signal, -f, -x, -n, -o, -e, -c and -i are")
    return argument == "--full" or (not is_signal and not argument.startswith("--") and "f" in argument)


def _check_pattern(call: Call, pattern: str, full: bool, accepted: tuple[str, ...]) -> None:
    words = pattern.split(" ")
    if words[0] not in accepted or (len(words) > 1 and not full):
        names = ", ".join(accepted)
        call.refuse(f"the pattern {shown(pattern)!r} does not begin with a development process", f"{names} are accepted")
    if words[0] in _PYTHONS and not (len(words) > 1 and words[1].endswith(".py")):
        call.refuse(f"the pattern {shown(pattern)!r} may be the manager's own process", "'pkill -f \"python3 server.py\"' is accepted")
    for word in words[1:]:
        if not _WORD.match(word):
            call.refuse(
                f"the pattern {shown(pattern)!r} is a regular expression", "literal words are accepted, with '.' inside a word"
            )


def kill(call: Call) -> None:
    """Only jobs of this shell: `%1`, `$!`; never a process by number."""
    targets = [argument for argument in call.arguments if not _SIGNAL.match(argument)]
    if not targets or not all(target == JOB or re.fullmatch(r"%[0-9]+|%%|%\+", target) for target in targets):
        call.refuse("it may only end this shell's own jobs", "%1 and $! are accepted, or 'pkill -f \"node server.js\"'")


def lsof(call: Call) -> None:
    """Anything but the device cache, which it would write outside the project."""
    for argument in call.arguments:
        if argument.startswith(("-D", "+m")) or (may_be_option(argument) and not argument.startswith("-")):
            call.refuse(f"the argument {shown(argument)!r} is not accepted", "literal options without -D are")
