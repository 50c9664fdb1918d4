"""Rules for git: its commands by a list of accepted ones, its options by what they run, load or write.

Owns git's global options, the subcommands and the options that are refused in each. Hooks, filters and pagers that a
repository's configuration already names are not visible in a command line: configuring them is what is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.guard.call import Call
from lifecycle.guard.rules.git_config import is_safe_key
from lifecycle.guard.values import ANY, NAME, SPLIT, is_known, may_be_option, shown

__all__ = ["git"]


@dataclass(frozen=True, slots=True)
class _Sub:
    """What a subcommand refuses.

    Attributes:
        long: long options, refused with every abbreviation.
        short: short options, refused alone and in clusters.
        valued: short options that take a value, attached or apart, so that the rest of a cluster is text.
        attached: short options whose value is only ever attached.
        writes: long options whose value is a path that is written.
        writes_short: the same, short.
        open: whether arguments of unknown text are harmless: nothing it accepts runs or writes elsewhere.
        remote: whether its operands can be URLs or other repositories.
        valued_long: long options whose next argument is their value.
    """

    long: tuple[str, ...] = ()
    short: str = ""
    valued: str = ""
    attached: str = ""
    writes: tuple[str, ...] = ()
    writes_short: str = ""
    open: bool = False
    remote: bool = False
    valued_long: tuple[str, ...] = ()


_DIFF = ("ext-diff",)
_MESSAGE = ("message", "file", "author", "date", "template", "reuse-message", "reedit-message", "fixup", "squash", "trailer", "cleanup")
_SHOW = _Sub(long=_DIFF, valued="nGSL", attached="UlOCMBX", writes=("output",), valued_long=(
    "format", "pretty", "since", "until", "after", "before", "author", "committer", "grep", "max-count", "skip", "date"))
_PLAIN = _Sub(open=True)
_FETCH = ("upload-pack", "exec", "receive-pack", "server-option")
_SUBCOMMANDS: dict[str, _Sub] = {
    "add": _Sub(open=True), "status": _PLAIN, "rm": _PLAIN, "mv": _PLAIN, "reset": _PLAIN, "restore": _PLAIN, "switch": _PLAIN,
    "checkout": _PLAIN, "stash": _Sub(long=_DIFF, valued="m", writes=("output",), valued_long=("message",)), "clean": _PLAIN, "rev-parse": _PLAIN, "merge-base": _PLAIN, "describe": _PLAIN,
    "ls-files": _PLAIN, "ls-tree": _PLAIN, "show-ref": _PLAIN, "update-ref": _PLAIN, "symbolic-ref": _PLAIN, "check-ignore": _PLAIN,
    "check-attr": _PLAIN, "check-ref-format": _PLAIN, "count-objects": _PLAIN, "name-rev": _PLAIN, "cherry": _PLAIN,
    "sparse-checkout": _PLAIN, "fsck": _PLAIN, "gc": _PLAIN, "prune": _PLAIN, "pack-refs": _PLAIN, "repack": _PLAIN,
    "verify-commit": _PLAIN, "verify-tag": _PLAIN, "stripspace": _PLAIN, "version": _PLAIN, "show-branch": _PLAIN,
    "write-tree": _PLAIN, "commit-tree": _PLAIN, "mktree": _PLAIN, "hash-object": _PLAIN, "update-index": _PLAIN, "rerere": _PLAIN,
    "whatchanged": _SHOW, "annotate": _SHOW, "var": _PLAIN, "merge-tree": _PLAIN, "patch-id": _PLAIN, "for-each-ref": _PLAIN,
    "branch": _Sub(open=True), "tag": _Sub(open=True),
    "commit": _Sub(open=True, valued="mFCct", valued_long=_MESSAGE),
    "diff": _SHOW, "log": _SHOW, "show": _SHOW, "reflog": _SHOW, "rev-list": _SHOW, "shortlog": _SHOW, "range-diff": _SHOW,
    "blame": _SHOW, "diff-tree": _SHOW, "diff-index": _SHOW, "diff-files": _SHOW,
    "notes": _Sub(valued="mFCc"),
    "grep": _Sub(long=("open-files-in-pager", "ext-grep"), short="O", valued="efmABC"),
    "cat-file": _Sub(long=("textconv", "filters")),
    "cherry-pick": _Sub(valued="Xm"),
    "revert": _Sub(valued="Xm"),
    "merge": _Sub(valued="mFX", valued_long=("message", "file", "strategy-option")),
    "am": _Sub(valued="CpX", long=("build-fake-ancestor",)),
    "apply": _Sub(long=("unsafe-paths", "build-fake-ancestor"), valued="Cp"),
    "rebase": _Sub(long=("exec",), short="x", valued="XC"),
    "format-patch": _Sub(long=_DIFF, valued="vGS", attached="nUlOCM", writes=("output", "output-directory"), writes_short="o"),
    "archive": _Sub(long=("exec", "remote"), writes=("output",), writes_short="o"),
    "bundle": _Sub(valued=""),
    "init": _Sub(long=("template", "separate-git-dir"), valued="b", valued_long=("initial-branch", "object-format", "ref-format")),
    "clone": _Sub(long=("template", "upload-pack", "separate-git-dir", "exec", "bundle-uri"), short="u", valued="objcb", remote=True,
                  valued_long=("origin", "branch", "depth", "jobs", "filter", "config", "reference", "shallow-since")),
    "fetch": _Sub(long=_FETCH, valued="jo", remote=True), "pull": _Sub(long=_FETCH, valued="jsXo", remote=True),
    "ls-remote": _Sub(long=_FETCH, valued="o", remote=True),
    "push": _Sub(long=(*_FETCH, "repo"), valued="o", remote=True, valued_long=("push-option",)),
    "remote": _Sub(valued="tm", remote=True, valued_long=("track", "master", "mirror")),
    "worktree": _Sub(valued="bB", valued_long=("reason", "expire")),
    "submodule": _Sub(valued="bj", remote=True, valued_long=("branch", "name", "depth", "jobs")),
    "bisect": _Sub(),
    "config": _Sub(),
    "help": _Sub(),
}  # fmt: skip
_STRATEGIES = frozenset({"ours", "recursive", "resolve", "octopus", "subtree", "ort"})
_GLOBAL_FLAGS = frozenset(
    """--no-pager -P --no-replace-objects --bare --literal-pathspecs --glob-pathspecs --noglob-pathspecs --icase-pathspecs
    --no-optional-locks --no-lazy-fetch --no-advice""".split()
)
_COMPLETE = frozenset({"--version", "-v", "--help", "-h", "--html-path", "--man-path", "--info-path"})
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::|://-|@-|:-|\A-")
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*\Z")
_URL = re.compile(r"(?:https?|ssh|git)://|[\w.-]+@[\w.-]+:|[\w-]+(?:\.[\w-]+)+:")


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


def _global(call: Call, fields: list[str], at: int) -> int:
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
            _key(call, value.partition("=")[0], "-c")
        elif name == "-C":
            if not value:
                return at + 1
            call.require_inside(value, "-C")
            call.directories = tuple(_joined(directory, value) for directory in call.directories)
        elif name == "--git-dir" and not value.rstrip("/").endswith(".git"):
            call.refuse(f"--git-dir {shown(value)!r} is not accepted", "the project's own .git is")
        elif name != "--namespace":
            call.require_inside(value, name)
        return at + 1
    call.refuse(f"the option {shown(field)!r} is not accepted", "-C, -c with a harmless key, --no-pager and --git-dir=.git are")


def _joined(directory: str, value: str) -> str:
    from lifecycle.guard.paths import joined

    return joined(directory, value)


def _key(call: Call, key: str, where: str) -> None:
    if not is_safe_key(key):
        call.refuse(
            f"the configuration {shown(key)!r} ({where}) may name a program or another configuration",
            "user.name, user.email, color.*, init.defaultBranch, core.autocrlf and their like are accepted",
        )


def _subcommand(call: Call, name: str, arguments: list[str]) -> None:
    sub = _SUBCOMMANDS.get(name)
    if sub is None:
        call.refuse(
            f"the subcommand {shown(name)!r} is not accepted: it may be an alias, start a program or write elsewhere",
            "status, add, commit, log, diff, show, branch, checkout, merge, push and other everyday ones are",
        )
    if "--help" in arguments[:1] or (name == "help" and any(not a.startswith("-") for a in arguments)):
        call.refuse("it opens a manual viewer", "'git COMMAND -h' is accepted")
    if name == "config":
        _config(call, arguments)
        return
    operands = _options(call, sub, arguments)
    _EXTRA.get(name, _nothing)(call, operands, arguments)
    if sub.remote:
        for operand in arguments:
            if _HELPER.search(operand) and not operand.startswith("-"):
                call.refuse(f"the repository {shown(operand)!r} starts a helper program", "https, ssh and git URLs are accepted")


def _options(call: Call, sub: _Sub, arguments: list[str]) -> list[str]:
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


def _long(call: Call, sub: _Sub, argument: str, arguments: list[str], at: int) -> int:
    name, equals, value = argument[2:].partition("=")
    _check_spelt(call, name, argument, sub.open)
    bare = name[3:] if name.startswith("no-") else name
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
    if bare and sub is _SUBCOMMANDS["clone"] and "config".startswith(bare):
        _key(call, (value if equals else _value(arguments, at)).partition("=")[0], "--config")
        return at if equals else at + 1
    if SPLIT in argument and not sub.open:
        call.refuse(f"the argument {shown(argument)!r} could be several", "quote it")
    if not equals and bare in sub.valued_long:
        return _past_value(call, arguments, at, sub.open)
    return at


def _short(call: Call, sub: _Sub, argument: str, arguments: list[str], at: int) -> int:
    _check_spelt(call, argument[1:2], argument, sub.open)
    for position, letter in enumerate(argument[1:], 2):
        rest = argument[position:]
        if letter in sub.short:
            call.refuse(f"the option {shown(argument)!r} starts a program", "leave it out")
        if letter in sub.writes_short:
            call.require_inside(rest or _value(arguments, at), f"-{letter}")
            return at if rest else at + 1
        if letter == "c" and sub is _SUBCOMMANDS["clone"]:
            _key(call, (rest or _value(arguments, at)).partition("=")[0], "-c")
            return at if rest else at + 1
        if letter == "s" and sub in (_SUBCOMMANDS["merge"], _SUBCOMMANDS["pull"], _SUBCOMMANDS["rebase"]):
            if (rest or _value(arguments, at)) not in _STRATEGIES:
                call.refuse(f"the merge strategy of {shown(argument)!r} may be a program", "git's own strategies are accepted")
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


# -- subcommands with operands that matter


def _nothing(_call: Call, _operands: list[str], _arguments: list[str]) -> None:
    return


def _init(call: Call, operands: list[str], _arguments: list[str]) -> None:
    for operand in operands:
        call.require_inside(operand, "the repository")


def _clone(call: Call, operands: list[str], _arguments: list[str]) -> None:
    if len(operands) > 1:
        call.require_inside(operands[1], "the directory")
    elif operands:
        name = re.sub(r"(/?\.git)?/*\Z", "", operands[0]).rpartition("/")[2].rpartition(":")[2]
        if not is_known(operands[0]) or name in ("", ".", ".."):
            call.refuse("where it would write is not certain", "'git clone URL DIRECTORY' inside the project is accepted")


def _worktree(call: Call, operands: list[str], _arguments: list[str]) -> None:
    if operands and operands[0] in ("list", "prune", "repair"):
        return
    if not operands or operands[0] not in ("add", "remove", "lock", "unlock", "move"):
        call.refuse("this worktree command is not accepted", "list, add, remove, move, lock, unlock and prune are")
    count = 2 if operands[0] == "move" else 1
    for path in operands[1 : 1 + count]:
        call.require_inside(path, "the worktree")


def _submodule(call: Call, operands: list[str], _arguments: list[str]) -> None:
    accepted = {"status", "init", "update", "add", "sync", "summary", "deinit", "set-branch", "set-url", "absorbgitdirs"}
    if operands and operands[0] not in accepted:
        call.refuse(f"'submodule {shown(operands[0])}' is not accepted: foreach runs commands", ", ".join(sorted(accepted)))
    if operands[:1] == ["add"] and len(operands) > 2:
        call.require_inside(operands[2], "the submodule")


def _bisect(call: Call, operands: list[str], _arguments: list[str]) -> None:
    accepted = {"start", "bad", "good", "new", "old", "terms", "skip", "reset", "log", "replay", "next"}
    if operands and operands[0] not in accepted:
        call.refuse(f"'bisect {shown(operands[0])}' starts a program", "start, good, bad, skip, reset and log are accepted")


def _remote(call: Call, operands: list[str], _arguments: list[str]) -> None:
    if operands and operands[0] in ("add", "set-url"):
        for operand in operands[2:]:
            _repository(call, operand)


def _push(call: Call, operands: list[str], _arguments: list[str]) -> None:
    if operands and not _REMOTE_NAME.match(operands[0]):
        call.refuse(f"the destination {shown(operands[0])!r} is not a remote's name", "'git push origin BRANCH' is accepted")


def _repository(call: Call, operand: str) -> None:
    """A URL of a usual kind, or a path inside."""
    if _HELPER.search(operand):
        call.refuse(f"the repository {shown(operand)!r} starts a helper program", "https, ssh and git URLs are accepted")
    if _URL.match(operand):
        return
    call.require_inside(operand.removeprefix("file://"), "the repository")


def _bundle(call: Call, operands: list[str], _arguments: list[str]) -> None:
    if operands[:1] == ["create"]:
        call.require_inside(operands[1] if len(operands) > 1 else "", "the bundle")
    elif operands[:1] not in (["verify"], ["list-heads"], ["unbundle"]):
        call.refuse("this bundle command is not accepted", "create, verify and list-heads are")


_EXTRA = {
    "init": _init, "clone": _clone, "worktree": _worktree, "submodule": _submodule, "bisect": _bisect, "remote": _remote,
    "push": _push, "bundle": _bundle,
}  # fmt: skip
_CONFIG_READS = frozenset(
    """--list -l --get --get-all --get-regexp --get-urlmatch --get-color --get-colorbool --show-origin --show-scope --name-only -z
    --null --unset --unset-all""".split()
)
_CONFIG_FLAGS = frozenset(
    "--global --local --worktree --add --replace-all --bool --int --bool-or-int --path --fixed-value --includes --no-includes".split()
)
_CONFIG_WORDS = frozenset({"list", "get", "unset", "set"})


def _config(call: Call, arguments: list[str]) -> None:
    reads = False
    operands: list[str] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            operands.append(argument)
        elif argument in _CONFIG_READS:
            reads = True
        elif argument in _CONFIG_FLAGS or name in ("--type", "--default", "--value", "--comment", "--all"):
            if name in ("--type", "--default", "--value", "--comment") and not equals:
                at += 1
        elif name in ("-f", "--file", "--blob"):
            value = value if equals else _value(arguments, at)
            at = at if equals else at + 1
            call.require_inside(value, name)
        else:
            call.refuse(f"config {shown(argument)!r} is not accepted", "reading, and setting harmless keys, is")
    if operands and operands[0] in _CONFIG_WORDS and (len(operands) > 1 or operands[0] == "list"):
        reads = reads or operands[0] != "set"
        operands = operands[1:]
    if reads:
        return
    if any(SPLIT in operand or not is_known(operand) for operand in operands[:1]):
        call.refuse("the key is not known literally", "spell it")
    if len(operands) == 1 and "--add" not in arguments:
        return
    if len(operands) == 2 and re.fullmatch(r"branch\.[^:]+\.remote", operands[0]) and _REMOTE_NAME.match(operands[1]):
        return
    if len(operands) == 2 and re.fullmatch(r"remote\.[\w-]+\.url", operands[0]):
        _repository(call, operands[1])
        return
    for operand in operands[:1]:
        _key(call, operand, "config")
    if any(SPLIT in operand for operand in operands):
        call.refuse("the value could be several words", "quote it")
