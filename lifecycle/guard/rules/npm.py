"""Rules for npm: installing, running the project's scripts, and looking things up.

Owns npm's way of reading its command line (every number of dashes, abbreviations, clusters) and which of its commands
and settings start programs of somebody's choosing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.rules.npm_options import (
    BEFORE_COMMAND,
    BOOLEAN,
    INDIFFERENT,
    PATHS,
    REFUSED,
    SHORTHANDS,
    VALUED,
    VALUED_IN_SOME,
    abbreviates,
    check_countable,
)
from lifecycle.guard.values import NAME, SPLIT, is_known, may_be_option, may_vanish, shown

__all__ = ["npm"]

_COMMANDS = names(
    """access adduser approve-scripts audit bin birthday bugs cache ci completion config dedupe deny-scripts
    deprecate diff dist-tag docs doctor edit exec explain explore find-dupes fund get help help-search hook
    init install install-ci-test install-scripts install-test link ll login logout ls org outdated owner
    pack ping pkg prefix profile prune publish query rebuild repo restart root run sbom search set
    set-script shrinkwrap stage star stars start stop team test token trust undeprecate uninstall unpublish
    unstar update version view whoami"""
)
_ALIASES = {
    "author": "owner", "home": "docs", "issues": "bugs", "info": "view", "show": "view", "find": "search", "add": "install",
    "unlink": "uninstall", "remove": "uninstall", "rm": "uninstall", "r": "uninstall", "un": "uninstall", "rb": "rebuild",
    "list": "ls", "ln": "link", "create": "init", "i": "install", "it": "install-test", "cit": "install-ci-test", "u": "update",
    "up": "update", "c": "config", "s": "search", "se": "search", "tst": "test", "t": "test", "ddp": "dedupe", "v": "view",
    "run-script": "run", "clean-install": "ci", "clean-install-test": "install-ci-test", "x": "exec", "why": "explain", "la": "ll",
    "verison": "version", "ic": "ci", "innit": "init", "in": "install", "ins": "install", "inst": "install", "insta": "install",
    "instal": "install", "isnt": "install", "isnta": "install", "isntal": "install", "isntall": "install", "install-clean": "ci",
    "isntall-clean": "ci", "hlep": "help", "dist-tags": "dist-tag", "upgrade": "update", "udpate": "update", "rum": "run",
    "sit": "install-ci-test", "urn": "run", "ogr": "org", "add-user": "adduser",
}  # fmt: skip
_ACCEPTED = names(
    """audit cache ci completion config dedupe diff doctor explain find-dupes fund get help init install
    install-ci-test install-test ll ls outdated pack ping pkg prefix prune query rebuild restart root run
    sbom search set shrinkwrap start stop test uninstall update version view whoami bin"""
)
_GLOBAL_ACCEPTED = frozenset({"ls", "ll", "outdated", "root", "prefix", "view", "config", "get", "help", "bin", "search", "fund", "doctor"})
_SPECS = frozenset({"install", "install-test", "pack", "diff", "update"})

_PACKAGE_KEY = re.compile(
    r"(?:name|version|description|main|module|types|typings|type|license|author|keywords|homepage|repository|bugs|private|engines|"
    r"exports|imports|files|browser|sideEffects|dependencies|devDependencies|peerDependencies|optionalDependencies|workspaces|"
    r"browserslist|jest|prettier|eslintConfig|contributors|funding|packageManager|publishConfig)(?:[.\[][\w@/.\[\]-]*)?\Z"
)
_SETTING_KEY = re.compile(r"[a-z][a-z.-]*\Z|@[\w.-]+:registry\Z")


def npm(call: Call) -> None:
    """A command that runs no program of the caller's choosing, without settings that would."""
    command, words, is_global = _read(call)
    if command is None:
        return
    if command not in _ACCEPTED:
        call.refuse(
            f"the command {command!r} is not accepted: it runs, publishes or opens something outside the project's scripts",
            "install, ci, run, test, start, ls, audit and their like are",
        )
    if is_global and (command not in _GLOBAL_ACCEPTED or words[:1] == ["set"]):
        call.refuse("a global installation writes outside the project", "leave -g out")
    call.require_directory_inside()
    if command in ("config", "set", "get"):
        _config(call, command, words)
    elif command == "pkg":
        _pkg(call, words)
    elif command == "init" and words:
        call.refuse(f"'init {shown(words[0])}' downloads a program and runs it", "'npm init -y' is accepted")
    elif command == "help" and words:
        call.refuse("'help TOPIC' opens a viewer", "'npm COMMAND --help' is accepted")
    elif command in _SPECS:
        for word in words:
            _spec(call, word)


def _read(call: Call) -> tuple[str | None, list[str], bool]:  # noqa: C901, PLR0912  # one loop over npm's own reading
    """The canonical command, its words, and whether -g stands there; every setting is judged on the way."""
    words: list[str] = []
    command: str | None = None
    is_global = False
    workspaces: list[str] = []
    fields = list(call.arguments)
    at = 0
    while at < len(fields):
        field = fields[at]
        at += 1
        if field == "--":
            rest = fields[at:]
            if command is None and rest:
                command, rest = _canonical(call, rest[0]), rest[1:]
            words.extend(rest)
            break
        if SPLIT in field or may_vanish(field) or (may_be_option(field) and not field.startswith("-")):
            call.refuse(f"the argument {shown(field)!r} could be an option", "spell it, or put it after '--'")
        if not field.startswith("-") or field == "-":
            if command is None:
                command = _canonical(call, field)
            else:
                words.append(field)
            continue
        takes_dashes = _next(fields, at) == "--" and field.lstrip("-").lower().startswith("no-")
        if command not in INDIFFERENT or takes_dashes:
            check_countable(call, field)
        settings = _settings(call, field, command is None)
        for name, given in settings:
            value = given if given is not None else _next(fields, at)
            if name == "workspace":
                workspaces.append(value)
            is_global = is_global or name == "global" or (name == "location" and value == "global")
            if name in PATHS:
                call.require_inside(value, f"--{name}")
            if given is None and (name in VALUED or name in PATHS):
                if value.startswith("-"):
                    call.refuse(f"the option {shown(field)!r} lacks its value", f"write --{name}=VALUE")
                at += 1
        if _is_switch(field, settings):
            if _next(fields, at) == "null" and command not in INDIFFERENT:
                call.refuse(f"some switches take the word null, perhaps {shown(field)!r}", "leave it out")
            at += _next(fields, at) in ("true", "false")
    for workspace in workspaces:
        if command == "init" or is_known(workspace):  # init makes the directory
            call.require_inside(workspace, "the workspace")
    return command, words, is_global


def _is_switch(field: str, settings: Sequence[tuple[str, str | None]]) -> bool:
    """Whether npm takes `true` or `false` after the option for its value, and nothing else."""
    if not settings:
        return "=" not in field
    name, given = settings[-1]
    return given is None and name not in VALUED and name not in PATHS


def _next(fields: Sequence[str], at: int) -> str:
    return fields[at] if at < len(fields) else ""


def _settings(call: Call, field: str, before_command: bool) -> list[tuple[str, str | None]]:
    """What one argument with dashes sets: (canonical name, value or None) pairs."""
    name, equals, value = field.lstrip("-").partition("=")
    if not is_known(name) or NAME in name:
        call.refuse(f"the option {shown(field)!r} is not known literally", "spell it")
    if name in BOOLEAN or name in VALUED or name in PATHS or (equals and name in VALUED_IN_SOME):
        return [_placed(call, name, value if equals else None, before_command)]
    if name in SHORTHANDS:
        target, _, given = SHORTHANDS[name].partition("=")
        return [_placed(call, target, given or (value if equals else None), before_command)]
    if name and not equals and all(letter in SHORTHANDS for letter in name) and not field.startswith("--"):
        pairs = [SHORTHANDS[letter].partition("=") for letter in name]
        if any(target in PATHS for target, _, _ in pairs):
            call.refuse(f"the cluster {shown(field)!r} is not accepted", "write its options apart")
        return [_placed(call, target, given or None, before_command) for target, _, given in pairs]
    bare = re.sub(r"(?i)\A(?:no-)+", "", name)
    _check_unknown(call, field, bare, before_command)
    return [] if bare != name else [(name, value if equals else None)]


def _placed(call: Call, name: str, value: str | None, before_command: bool) -> tuple[str, str | None]:
    """The setting; before the command only those for which it is certain which word is their value."""
    if before_command and value is None and name in VALUED and name not in BEFORE_COMMAND:
        call.refuse(f"the option --{name} before the command is not accepted", f"put it behind the command, or write --{name}=VALUE")
    return name, value


def _check_unknown(call: Call, field: str, bare: str, before_command: bool) -> None:
    """Refuse an option that is no harmless known one, and is or abbreviates a refused one."""
    if bare in BOOLEAN or bare in VALUED or bare == "global":
        return
    normal = bare.replace("_", "-").lower()
    is_letter = len(normal) == 1 and not abbreviates(normal) and not before_command  # it begins too many names to mean one
    if not is_letter and any(refused.startswith(normal) for refused in (*REFUSED, *PATHS)):
        call.refuse(f"the option {shown(field)!r} changes what npm runs, loads or writes", "leave it out")
    if before_command:
        call.refuse(f"the option {shown(field)!r} before the command is not accepted", "put it behind the command")


def _canonical(call: Call, word: str) -> str:  # noqa: RET503  # refusing never returns
    if not is_known(word) or NAME in word:
        call.refuse(f"the command {shown(word)!r} is not known literally", "spell it")
    word = re.sub("[A-Z]", lambda letter: "-" + letter.group().lower(), word)
    if word in _COMMANDS:
        return word
    if word in _ALIASES:
        return _ALIASES[word]
    meant = {_ALIASES.get(name, name) for name in (*_COMMANDS, *_ALIASES) if name.startswith(word)}
    if len(meant) == 1:
        return meant.pop()
    call.refuse(f"the command {shown(word)!r} is not one of npm's, or is ambiguous", "spell it")


def _config(call: Call, command: str, words: list[str]) -> None:
    if command == "config":
        if not words or words[0] in ("list", "ls", "get", "delete", "rm", "del"):
            return
        if words[0] != "set":
            call.refuse(f"'config {shown(words[0])}' is not accepted", "config get, list, set and delete are")
        words = words[1:]
    elif command == "get":
        return
    for key in _set_keys(words):
        normal = key.replace("_", "-").lower()
        if not _SETTING_KEY.match(normal) or normal in REFUSED or normal in PATHS:
            call.refuse(f"the setting {shown(key)!r} changes what npm runs, loads or writes", "other settings are accepted")


def _set_keys(words: Sequence[str]) -> list[str]:
    """The keys of `config set`, which takes KEY=VALUE and KEY VALUE in any mixture."""
    keys: list[str] = []
    at = 0
    while at < len(words):
        key, equals, _ = words[at].partition("=")
        keys.append(key)
        at += 1 if equals else 2
    return keys


def _pkg(call: Call, words: list[str]) -> None:
    if not words or words[0] in ("get", "fix", "delete"):
        return
    if words[0] != "set":
        call.refuse(f"'pkg {shown(words[0])}' is not accepted", "pkg get, set and delete are")
    for word in words[1:]:
        key = word.partition("=")[0]
        if not _PACKAGE_KEY.match(key):
            call.refuse(f"'pkg set {shown(key)}' is not accepted: scripts are programs", "edit package.json with the Edit tool")


def _spec(call: Call, word: str) -> None:
    path = word.partition("@")[2] if re.match(r"@?[\w./-]+@(file:|link:|[./~])", word) else word
    path = re.sub(r"\A(?:file|link):(?://)?", "", path)
    if path.startswith(("/", ".", "~")) and path != ".":
        call.require_inside(path, "the package")
    if "::" in word or re.search(r"://-|--upload-pack", word):
        call.refuse(f"the package {shown(word)!r} is not accepted", "a name, a version or a URL is")
