"""What no profile can allow.

Owns the short list of commands that destroy a machine or hand it over. It is checked before any profile, on every
program that is found, so that a user's own `allow` cannot open it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.paths import joined
from lifecycle.guard.values import NAME, shown

__all__ = ["check_always"]

_DESTROYERS = re.compile(
    r"(?:mkfs|fsck)(?:\.\w+)?|mke2fs|wipefs|shred|fdisk|sfdisk|cfdisk|gdisk|parted|mkswap|swapoff|hdparm|blkdiscard|losetup|shutdown"
    r"|reboot|halt|poweroff|init|telinit|insmod|rmmod|modprobe|kexec|visudo|useradd|usermod|userdel|passwd|chpasswd|crontab|at"
)
_EVALUATORS = frozenset({"eval", "exec", "trap", "alias", "enable", "hash", "builtin", "bind", "complete", "compgen"})
_INTERPRETERS = names(
    """sh bash zsh dash ksh fish csh tcsh ash busybox perl ruby php lua tclsh osascript pwsh"""
)
_OPEN_MODE = re.compile(r"(?:[ug]*[oa][ugoa]*)?[+=][rxXst]*w[rwxXst]*|[ugoa]*[+=][rwxX]*s[rwxXst]*")
_CREATORS = frozenset({"cp", "mkdir", "mv", "touch", "ln", "tee"})
_ROOTS = re.compile(r"/+(?:\.{1,2}/*)*\*?|/+(?:bin|boot|dev|etc|home|lib\w*|opt|proc|root|run|sbin|srv|sys|usr|var)(?:/.*)?|~.*")


def check_always(call: Call) -> None:
    """Refuse what is refused whatever the profile says."""
    name = call.program.rpartition("/")[2]
    if _DESTROYERS.fullmatch(name):
        call.refuse("it can damage the machine; no profile accepts it")
    if name in _EVALUATORS:
        call.refuse("it runs or redefines what cannot be judged here; no profile accepts it", "write the command itself")
    if name == "rm":
        _rm(call)
    elif name == "chmod":
        _chmod(call)
    elif name == "dd":
        _dd(call)
    elif (
        name in _INTERPRETERS
        and all(argument.startswith("-") for argument in call.arguments)
        and call.arguments not in (["--version"], ["--help"])
    ):
        call.refuse("without a script it runs what it is fed, such as a download; no profile accepts it")
    if name in _CREATORS and _plants_option(name, call.arguments):
        call.refuse("a file's name that begins with '-' is an option to what finds it later", "another name is accepted")
    for argument in call.arguments:
        if name in ("cp", "mv", "tee", "install", "truncate", "ln") and argument.lstrip("-to").startswith(("/dev/sd", "/dev/nvme", "/dev/mem")):
            call.refuse(f"{shown(argument)!r} is a device; no profile accepts it")


def _plants_option(name: str, arguments: Sequence[str]) -> bool:
    """Whether a file would be named like an option, for a later `*` to find."""
    operands = arguments[arguments.index("--") + 1 :] if "--" in arguments else ()
    if name in ("cp", "mv"):
        operands = operands[-1:]  # what is already there may be copied
    return any("/-" in argument for argument in arguments) or any(operand.startswith("-") for operand in operands)


def _rm(call: Call) -> None:
    for argument in call.arguments:
        if argument == "--no-preserve-root":
            call.refuse("--no-preserve-root; no profile accepts it")
        if argument.startswith("-"):
            continue
        places = {joined(directory, argument.replace(NAME, "*")) for directory in call.directories}
        if any(_ROOTS.fullmatch(place) and not call.inside(argument) for place in places) or argument.startswith("~"):
            call.refuse(f"{shown(argument)!r} is the system or a home directory; no profile accepts it", "paths inside the project are")


def _chmod(call: Call) -> None:
    for argument in call.arguments:
        mode = re.fullmatch(r"[0-7]{3,4}", argument)
        if mode and int(argument[-1]) & 2:
            call.refuse(f"the mode {argument} lets everybody write; no profile accepts it", "modes such as +x and 755 are")
        if _OPEN_MODE.fullmatch(argument):
            call.refuse(f"the mode {argument} opens the file to everybody; no profile accepts it", "modes such as +x are")


def _dd(call: Call) -> None:
    for argument in call.arguments:
        if argument.startswith("of="):
            call.require_writable(argument[3:], "the output")
