"""Which keys of git's configuration may be set: those that name no program, no file outside and no other configuration.

Owns the list of keys and the forms of `git config`. It is one of accepted keys: git grows new ones that run programs.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.rules.git_remotes import check_repository, is_remote_name
from lifecycle.guard.values import ANY, SPLIT, is_known, shown

__all__ = ["check_config", "check_key", "is_safe_key"]

_SAFE = re.compile(
    r"""user\.(name|email|signingkey|useconfigonly)|(author|committer)\.(name|email)|color\.[\w.-]+|advice\.\w+|column\.\w+
    |init\.defaultbranch|core\.(autocrlf|safecrlf|eol|filemode|ignorecase|quotepath|precomposeunicode|symlinks|whitespace|abbrev
    |longpaths|logallrefupdates|compression|untrackedcache|preloadindex|commentchar|trustctime|checkstat|sharedrepository
    |bigfilethreshold|protecthfs|protectntfs|multipackindex|commitgraph|packedgitlimit|packedgitwindowsize|loosecompression|excludesfile)
    |branch\.[^:]+\.(merge|rebase|description)|branch\.(autosetupmerge|autosetuprebase|sort)
    |push\.(default|autosetupremote|followtags|gpgsign|recursesubmodules)|pull\.(rebase|ff|twohead|octopus)
    |fetch\.(prune|prunetags|parallel|writecommitgraph|recursesubmodules|showforcedupdates|output)
    |merge\.(ff|conflictstyle|renames|renamelimit|log|stat|verbosity|autostash|branchdesc|directoryrenames)
    |rebase\.(autosquash|autostash|stat|updaterefs|missingcommitscheck|abbreviatecommands|forkpoint)
    |gpg\.format|protocol\.version|commit\.(gpgsign|template|verbose|cleanup|status)|tag\.(gpgsign|sort|forcesignannotated)|log\.\w+|status\.\w+|stash\.\w+
    |diff\.(algorithm|renames|renamelimit|mnemonicprefix|noprefix|colormoved|colormovedws|context|interhunkcontext|submodule
    |wserrorhighlight|statgraphwidth|indentheuristic|relative|ignoresubmodules|autorefreshindex|statnamewidth|dirstat|wordregex)
    |format\.(pretty|signoff|numbered|coverletter|thread)|grep\.(linenumber|column|patterntype|extendedregexp|fullname|threads)
    |rerere\.\w+|gc\.(auto|autodetach|autopacklimit|pruneexpire|reflogexpire|writecommitgraph)|index\.\w+|feature\.\w+
    |http\.(postbuffer|lowspeedlimit|lowspeedtime|version|maxrequests)|safe\.directory|checkout\.\w+|clean\.requireforce
    |apply\.(whitespace|ignorewhitespace)|blame\.(date|blankboundary|coloring|showemail|showroot)|versionsort\.\w+
    |worktree\.guessremote|submodule\.(recurse|fetchjobs)|i18n\.\w+|pack\.(threads|windowmemory|depth|window|compression)
    |receive\.denycurrentbranch|remote\.[^:]+\.(prune|fetch|tagopt)|help\.autocorrect|showbranch\.\w+|pretty\.[\w-]+""",
    re.VERBOSE,
)


def is_safe_key(key: str) -> bool:
    """Whether setting the key runs nothing.

    >>> is_safe_key("user.name"), is_safe_key("core.pager")
    (True, False)
    """
    return _SAFE.fullmatch(key.lower()) is not None


def check_key(call: Call, key: str, where: str) -> None:
    """Refuse to set a key that is not on the list."""
    if not is_safe_key(key):
        call.refuse(
            f"the configuration {shown(key)!r} ({where}) may name a program or another configuration",
            "user.name, user.email, color.*, init.defaultBranch, core.autocrlf and their like are accepted",
        )


_READS = names(
    """--list -l --get --get-all --get-regexp --get-urlmatch --get-color --get-colorbool --unset --unset-all"""
)
_FLAGS = names(
    """--global --local --worktree --add --replace-all --bool --int --bool-or-int --path --fixed-value
    --includes --no-includes --all --show-origin --show-scope --name-only -z --null"""
)
_WORDS = frozenset({"list", "get", "unset", "set"})
_VALUED = names("--type --default --value --comment")
_FILES = names("-f --file --blob")


def check_config(call: Call, arguments: list[str]) -> None:
    """Reading anything, unsetting anything, setting what is on the list."""
    reads, operands = _read(call, arguments)
    if operands and operands[0] in _WORDS and (len(operands) > 1 or operands[0] == "list"):
        reads = reads or operands[0] != "set"
        operands = operands[1:]
    if reads:
        return
    if any(SPLIT in operand for operand in operands) or not all(is_known(operand) for operand in operands[:1]):
        call.refuse("the key, or the value, is not one literal word", "spell the key and quote the value")
    if len(operands) == 1 and "--add" not in arguments:
        return
    if operands:
        _check_setting(call, operands[0], operands[1] if len(operands) > 1 else "")


def _read(call: Call, arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether the options make it a reading, and the operands."""
    reads = False
    operands: list[str] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            operands.append(argument)
        elif argument in _READS:
            reads = True
        elif name in _VALUED:
            at += not equals
        elif name in _FILES:
            call.require_inside(value if equals else (arguments[at] if at < len(arguments) else ANY), name)
            at += not equals
        elif argument not in _FLAGS:
            call.refuse(f"config {shown(argument)!r} is not accepted", "reading, and setting harmless keys, is")
    return reads, operands


def _check_setting(call: Call, key: str, value: str) -> None:
    if re.fullmatch(r"branch\.[^:]+\.remote", key) and is_remote_name(value):
        return
    if re.fullmatch(r"remote\.[\w-]+\.url", key):
        check_repository(call, value)
        return
    check_key(call, key, "config")
