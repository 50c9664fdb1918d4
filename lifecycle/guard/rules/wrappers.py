"""Rules for programs that start other programs: judged by what they start.

Owns how each of them splits its own options from the program's words, and shells, whose program is a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from lifecycle.guard import environment
from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.options import Options
from lifecycle.guard.paths import joined
from lifecycle.guard.values import ANY, NAME, SPLIT, is_known, may_be_option, shown

__all__ = ["env", "find", "nice", "nohup", "shell", "stdbuf", "time_", "timeout", "xargs"]

_XARGS = Options(
    flags="0rtx", valued="adEILnPs", permute=False, attached="eil",
    long_flags=frozenset({"null", "no-run-if-empty", "verbose", "exit", "open-tty"}),
    long_valued=frozenset({"arg-file", "delimiter", "max-args", "max-procs", "max-chars"}),
)  # fmt: skip
_TIMEOUT = Options(
    flags="vf", valued="ks", permute=False, long_flags=frozenset({"foreground", "preserve-status", "verbose"}),
    long_valued=frozenset({"kill-after", "signal"}),
)  # fmt: skip
_NICE = Options(valued="n", permute=False, long_valued=frozenset({"adjustment"}))
_NOHUP = Options(permute=False)
_STDBUF = Options(valued="ioe", permute=False, long_valued=frozenset({"input", "output", "error"}))
_TIME = Options(flags="pv", valued="f", permute=False, long_flags=frozenset({"portability", "verbose"}), long_valued=frozenset({"format"}))
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)\Z", re.DOTALL)

_FIND_TESTS = names(
    """-name -iname -path -ipath -wholename -iwholename -type -xtype -size -mtime -atime -ctime -mmin -amin
    -cmin -newer -anewer -cnewer -maxdepth -mindepth -perm -user -group -uid -gid -regex -iregex -regextype
    -links -inum -samefile -fstype -lname -ilname -used -printf -newermt -newerat -newerct"""
)
_FIND_FLAGS = names(
    """-print -print0 -ls -prune -quit -empty -readable -writable -executable -true -false -not -a -and -o -or
    -depth -d -mount -xdev -follow -daystart -noleaf -nouser -nogroup -ignore_readdir_race -warn -nowarn ! (
    ) , -H -L -P -O0 -O1 -O2 -O3"""
)


def env(call: Call) -> None:
    """Assignments, then a program; or a listing."""
    arguments = list(call.arguments)
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        found = _ASSIGNMENT.match(argument)
        if found and SPLIT not in argument:
            for directory in call.directories:
                refusal = environment.refusal_of(found.group(1), found.group(2), call.project, directory)
                if refusal:
                    call.refuse(refusal)
        elif argument in ("-u", "--unset"):
            at += 1
        elif argument not in ("-i", "-", "--ignore-environment", "--", "-0", "--null") and not argument.startswith("--unset="):
            break
        at += 1
    if at < len(arguments):
        if arguments[at].startswith("-"):
            call.refuse(f"the option {shown(arguments[at])!r} is not accepted", "-i, -u NAME and NAME=value are")
        call.inner(arguments[at:], "env")


def timeout(call: Call) -> None:
    """A duration, then a program."""
    operands = _TIMEOUT.scan(call).operands
    if not operands or not re.fullmatch(r"[0-9.]+[smhd]?", operands[0]):
        call.refuse("it needs a duration", "'timeout 60 PROGRAM' is accepted")
    call.inner(operands[1:], "timeout")


def nice(call: Call) -> None:
    """A program at another priority."""
    call.inner(_NICE.scan(call).operands, "nice")


def nohup(call: Call) -> None:
    """A program that ignores the end of its terminal; its output file lies in the directory."""
    call.require_directory_inside()
    call.inner(_NOHUP.scan(call).operands, "nohup")


def stdbuf(call: Call) -> None:
    """A program with other buffers."""
    call.inner(_STDBUF.scan(call).operands, "stdbuf")


def time_(call: Call) -> None:
    """The program `time`, which measures another."""
    call.inner(_TIME.scan(call).operands, "time")


def xargs(call: Call) -> None:
    """A program to which names are appended: one whose arguments decide nothing, or literal ones after `--`."""
    scanned = _XARGS.scan(call)
    operands = list(scanned.operands) or ["echo"]
    marks = list(scanned.values("I", "i")) or (["{}"] if scanned.has("i") else [])
    if marks:
        mark = marks[-1]
        operands = [operand.replace(mark, ANY) if mark else ANY for operand in operands]
        call.inner(operands, "xargs")
        return
    call.inner([*operands, ANY + SPLIT], "xargs")


def find(call: Call) -> None:
    """Tests and prints; `-exec` is judged by its program, deletions and written files by their place."""
    arguments = list(call.arguments)
    starts: list[str] = []
    tests = [following for test, following in pairwise(arguments) if test in ("-name", "-iname")]
    at = 0
    while at < len(arguments) and (arguments[at] in ("-H", "-L", "-P") or not arguments[at].startswith(("-", "(", "!", ","))):
        if SPLIT in arguments[at]:
            call.refuse(f"the argument {shown(arguments[at])!r} could be an expression", "quote it, or spell it")
        if not arguments[at].startswith("-"):
            starts.append(arguments[at])
            if may_be_option(arguments[at]):
                call.refuse(f"the argument {shown(arguments[at])!r} could be an expression", "spell it")
        at += 1
    while at < len(arguments):
        at = _expression(call, arguments, at, starts, tests)


def _expression(call: Call, arguments: list[str], at: int, starts: list[str], tests: list[str]) -> int:  # noqa: RET503  # refusing never returns
    argument = arguments[at]
    if argument in _FIND_FLAGS:
        return at + 1
    if argument in _FIND_TESTS:
        return at + 2
    if argument == "-delete":
        for start in starts or ["."]:
            call.require_writable(start, "the place of -delete")
            if not tests and any(joined(directory, start) == call.project for directory in call.directories):
                call.refuse("-delete without -name would empty the project", "-name PATTERN before it, or a place below, is accepted")
        return at + 1
    if argument in ("-exec", "-execdir", "-ok", "-okdir"):
        end = next((i for i in range(at + 1, len(arguments)) if arguments[i] in (";", "+")), len(arguments))
        inside = all(call.inside(start) for start in starts or ["."])
        _exec(call, arguments[at + 1 : end], _found(tests) if inside else [ANY], argument.endswith("dir"))
        return end + 1
    call.refuse(f"{shown(argument)!r} is not accepted", "tests, -print, -exec with an accepted program, and -delete inside are")


def _found(tests: Sequence[str]) -> list[str]:
    """What `{}` can be, below a place inside: with names to go by, any of those in any directory."""
    patterns = [re.sub(r"[*?]+|\[[^\]]*\]", NAME, test) for test in tests if "/" not in test and is_known(test)]
    return [f"./{NAME}/{pattern}" for pattern in patterns] if tests and len(patterns) == len(tests) else [f"./{NAME}"]


def _exec(call: Call, words: Sequence[str], found: Sequence[str], in_directory: bool) -> None:
    if in_directory:
        call.refuse("-execdir runs in directories that are not known", "-exec is accepted")
    if words and "{}" in words[0]:
        call.refuse("-exec runs the files that it finds", "a literal program is accepted")
    for each in found:
        call.inner([word.replace("{}", each) for word in words], "-exec")


def shell(call: Call) -> None:
    """sh, bash: a literal text after -c, which is judged like the command itself; or a script inside the project."""
    arguments = list(call.arguments)
    at = 0
    runs_text = False
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] not in ("-", "--"):
        if not re.fullmatch(r"-[ceuxnl]+", arguments[at]):
            call.refuse(f"the option {shown(arguments[at])!r} is not accepted", "-c with a literal text, -e, -u and -x are")
        runs_text = runs_text or "c" in arguments[at]
        at += 1
    if at >= len(arguments) or arguments[at] in ("-", "--"):
        call.refuse("it would run what it is fed, such as a download", "a script inside the project is accepted")
    if not runs_text:
        if not is_known(arguments[at]):
            call.refuse(f"the script {shown(arguments[at])!r} is not known literally", "spell it")
        call.require_directory_inside()
        call.require_inside(arguments[at], "the script")
        return
    if not is_known(arguments[at]) or NAME in arguments[at]:
        call.refuse("the text after -c is not known literally", "spell it")
    call.judge_text(arguments[at], call)
