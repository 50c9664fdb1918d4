"""Which programs are accepted: two profiles as data, and a user's own on top of one of them.

Owns the lists and the reading of a `[guard]` table. What a program's arguments may be is in `rules`; a user's table can
narrow a program's arguments, and add programs, but opens nothing that the rules or the fixed list refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from lifecycle.errors import ConfigurationError
from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.protected import PROTECTION, Protection, protection
from lifecycle.guard.rules import RULES, STANDARD_RULES, Rule
from lifecycle.guard.values import NAME, may_be_option, shown

__all__ = ["DEFAULT_PROFILE", "PROFILES", "FenceSettings", "Profile", "fence_of", "profile_from"]

DEFAULT_PROFILE = "standard"


@dataclass(frozen=True, slots=True)
class Profile:
    """The accepted programs and the rules that differ from the usual ones.

    Attributes:
        name: for reasons and the audit log.
        programs: names that may be started; builtins are among them.
        paths: programs that are accepted by exactly this path ("./init.sh").
        rules: rules in place of the usual one.
        narrowed: a user's rules, checked beside the usual one.
        runs_project_files: whether any file inside the project may be started by its path.
        protection: what in the project is not written.
    """

    name: str
    programs: frozenset[str]
    paths: frozenset[str] = frozenset({"./init.sh"})
    rules: Mapping[str, Rule] = field(default_factory=dict)
    narrowed: Mapping[str, Rule] = field(default_factory=dict)
    runs_project_files: bool = False
    protection: Protection = PROTECTION

    def rule(self, name: str) -> Rule | None:
        """The function that judges the program's arguments; None if any are accepted."""
        return self.rules.get(name) or RULES.get(name)

    def with_programs(self, programs: frozenset[str]) -> Profile:
        """The same profile with other programs."""
        return replace(self, programs=programs)

    def with_protection(self, protection: Protection) -> Profile:
        """The same profile with something else protected."""
        return replace(self, protection=protection)


_BUILTINS = frozenset({"[", "test", "true", "false", ":", "break", "continue", "cd"})
_MINIMAL = _BUILTINS | names("ls cat head tail wc grep cp mkdir chmod pwd npm node git ps lsof sleep pkill")
_STANDARD_BUILTINS = names(
    """echo printf exit return wait read export local readonly declare unset set command source . type kill
    jobs disown umask"""
)
_READING = names(
    """yes pgrep ss netstat strings shasum sha512sum cksum find diff cmp comm sort uniq cut tr sed awk gawk mawk paste fold nl rev tac od hexdump column expand
    unexpand join egrep fgrep rg jq stat file du df tree date basename dirname realpath readlink which seq
    expr md5sum sha1sum sha256sum base64 whoami id uname hostname uptime free nproc env xargs timeout nice
    nohup stdbuf time printenv"""
)
_WRITING = names(
    """touch tee mv ln rm rmdir truncate dd"""
)
_LANGUAGES = names(
    """sh bash python python3 pip pip3 uv pytest ruff mypy black isort flake8 npx yarn pnpm make cargo go gofmt
    tsc eslint prettier curl"""
)
_STANDARD = _MINIMAL | _STANDARD_BUILTINS | _READING | _WRITING | _LANGUAGES
PROFILES: dict[str, Profile] = {
    "minimal": Profile("minimal", _MINIMAL),
    "standard": Profile("standard", _STANDARD, rules=STANDARD_RULES, runs_project_files=True),
}


class FenceSettings(Protocol):
    """The settings that make a fence: `lifecycle.config.Config` has them."""

    @property
    def profile(self) -> str | None: ...
    @property
    def guard(self) -> Mapping[str, object]: ...
    @property
    def protect_claude_md(self) -> bool: ...


def fence_of(settings: FenceSettings) -> Profile | None:
    """The profile in force; None where a person has left commands to the agent's own checks.

    Raises:
        ConfigurationError: the table is not accepted.
    """
    if settings.profile is None and not settings.guard:
        return None
    base = {} if settings.profile is None else {"profile": settings.profile}
    return profile_from({**base, **settings.guard}).with_protection(protection(claude_md=settings.protect_claude_md))


def profile_from(table: Mapping[str, object], source: str = "[guard]") -> Profile:
    """A profile from a configuration table.

    Args:
        table: `profile` ("minimal" or "standard"), `allow` and `deny` (lists of program names), and `programs`, a table
            of program name -> {`subcommands`: accepted first words, `deny_arguments`: patterns (regular expressions
            that must match a whole argument), `paths_inside`: true to hold every operand inside the project}.
        source: where the table stands, for errors.

    Raises:
        ConfigurationError: an unknown key, profile or type; a name that is no plain program name.
    """
    unknown = set(table) - {"profile", "allow", "deny", "programs"}
    if unknown:
        raise ConfigurationError(source, f"unknown key {min(unknown)!r}; profile, allow, deny and programs are accepted")
    name = table.get("profile", DEFAULT_PROFILE)
    base = PROFILES.get(name) if isinstance(name, str) else None
    if base is None:
        raise ConfigurationError(source, f"profile {name!r} is unknown; {' and '.join(PROFILES)} are accepted")
    allow, deny = _names(table, "allow", source), _names(table, "deny", source)
    programs = table.get("programs", {})
    if not isinstance(programs, Mapping):
        raise ConfigurationError(source, "programs must be a table of program names")
    narrowed = {program: _narrowing(program, rule, source) for program, rule in programs.items()}
    plain = frozenset(entry for entry in allow if "/" not in entry)
    paths = frozenset(entry for entry in allow if "/" in entry)
    return replace(
        base,
        name=f"{base.name}*" if allow or deny or narrowed else base.name,
        programs=(base.programs | plain) - deny,
        paths=(base.paths | paths) - deny,
        narrowed=narrowed,
    )


def _names(table: Mapping[str, object], key: str, source: str) -> frozenset[str]:
    value = table.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise ConfigurationError(source, f"{key} must be a list of program names")
    for entry in value:
        if not re.fullmatch(r"(?:\./)?[\w.+:\[/-]+", entry) or ".." in entry or entry.startswith("-"):
            raise ConfigurationError(source, f"{key}: {entry!r} is no program name; a plain one or ./PATH is accepted")
    return frozenset(value)


def _narrowing(program: str, rule: object, source: str) -> Rule:
    place = f"{source}.programs.{program}"
    if not isinstance(rule, Mapping):
        raise ConfigurationError(place, "must be a table")
    unknown = set(rule) - {"subcommands", "deny_arguments", "paths_inside"}
    if unknown:
        raise ConfigurationError(place, f"unknown key {min(unknown)!r}; subcommands, deny_arguments and paths_inside are accepted")
    subcommands = _strings(rule, "subcommands", place)
    try:
        denied = [re.compile(pattern) for pattern in _strings(rule, "deny_arguments", place)]
    except re.error as error:
        raise ConfigurationError(place, f"deny_arguments: {error}") from error
    return _narrowed(subcommands, denied, rule.get("paths_inside", False) is True)


def _strings(rule: Mapping[str, object], key: str, place: str) -> list[str]:
    value = rule.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise ConfigurationError(place, f"{key} must be a list of strings")
    return list(value)


def _narrowed(subcommands: list[str], denied: list[re.Pattern[str]], paths_inside: bool) -> Callable[[Call], None]:
    def judge(call: Call) -> None:
        operands = [argument for argument in call.arguments if not argument.startswith("-")]
        if subcommands and (not operands or operands[0] not in subcommands):
            call.refuse("this subcommand is not in the configuration", f"{', '.join(subcommands)} are accepted")
        for argument in call.arguments:
            unclear = (subcommands or denied or paths_inside) and (may_be_option(argument) and not argument.startswith("-"))
            if unclear or (NAME in argument and argument.startswith("-")):
                call.refuse(f"the argument {shown(argument)!r} is not known literally", "spell it")
            if any(pattern.fullmatch(argument) for pattern in denied):
                call.refuse(f"the argument {shown(argument)!r} is denied by the configuration")
        if paths_inside:
            for operand in operands:
                call.require_inside(operand, "the path")

    return judge
