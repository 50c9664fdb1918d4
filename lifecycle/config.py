"""The settings: one field a setting, read by the flags, the environment, the file, the host and the documents.

Owns names, types, bounds, defaults and precedence (flags, then `LIFECYCLE_*` environment, then the file, then
defaults). It reads no environment and no file by itself: callers hand both in.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

from lifecycle.errors import ConfigurationError
from lifecycle.toml_places import line_of
from states.facts import Limits

FILE_NAME = "lifecycle.toml"
GUARD_TABLE = "guard"
NOT_IN_A_PROJECT = frozenset({"state_dir"})
"""What a project's own file cannot say, since the agent can write it; a file that a person names with `--config` can."""

ENVIRONMENT_PREFIX = "LIFECYCLE_"

Parser = Callable[[object], Any]
"""Turns what stands in a flag, a variable or the file into the value, or raises ValueError with what is accepted."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the documents and the command line say of one setting."""

    name: str
    parse: Parser
    default: Any
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    def shown(self, value: object) -> str:
        """A value for people, as a flag, a variable or the file would take it."""
        if value is None:
            return "none"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            return duration_words(value) if self.metavar == "DURATION" else f"{value:g}"
        return str(value)


def text(value: object) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def path(value: object) -> Path:
    """A path; `~` stands for the home directory."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("a path")
    return Path(value).expanduser()


def count(value: object) -> int:
    """A whole number from 1 up."""
    number = _number_or(value, 0.0)
    if not number.is_integer() or number < 1:
        raise ValueError("a whole number from 1 up")
    return int(number)


def amount(value: object) -> float:
    """A number above 0."""
    number = _number_or(value, 0.0)
    if number <= 0:
        raise ValueError("a number above 0")
    return number


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


DURATION_FORMS = "90m, 8h, 2d, or a number of seconds"
"""How a duration may be written, in the words of every message, help and document."""


def duration(value: object) -> float:
    """Seconds from 0 up, as a number or with a unit.

    >>> duration("90"), duration("1.5h"), duration("2m"), duration(3)
    (90.0, 5400.0, 120.0, 3.0)
    """
    number = _seconds_or(value, -1.0)
    if number < 0:
        raise ValueError(f"a duration from 0 up: {DURATION_FORMS}")
    return number


def positive_duration(value: object) -> float:
    """Like `duration`, above 0."""
    number = _seconds_or(value, 0.0)
    if number <= 0:
        raise ValueError(f"a duration above 0: {DURATION_FORMS}")
    return number


def duration_words(seconds: float) -> str:
    """The seconds in the largest unit that they are whole in; the inverse of `duration`.

    >>> duration_words(28800.0), duration_words(5400.0), duration_words(3.0), duration_words(0.5)
    ('8h', '90m', '3s', '0.5s')
    """
    unit = next((unit for unit in "dhm" if seconds and seconds % _UNITS_S[unit] == 0), "s")
    number = seconds / _UNITS_S[unit]
    return f"{int(number) if number.is_integer() else number}{unit}"


def _seconds_or(value: object, otherwise: float) -> float:
    unit_s = 1
    if isinstance(value, str) and value.strip()[-1:].lower() in _UNITS_S:
        unit_s = _UNITS_S[value.strip()[-1].lower()]
        value = value.strip()[:-1]
    number = _number_or(value, otherwise / unit_s) * unit_s
    return number if math.isfinite(number) else otherwise


def one_of(*words: str) -> Parser:
    """One of these words."""

    def parsed(value: object) -> str:
        if not isinstance(value, str) or value.strip().lower() not in words:
            raise ValueError(" or ".join(words))
        return value.strip().lower()

    return parsed


def truth(value: object) -> bool:
    """True or false, in the words that people use.

    >>> truth("off"), truth(True)
    (False, True)
    """
    if isinstance(value, bool):
        return value
    for answer, words in ((True, ("true", "on", "yes", "1")), (False, ("false", "off", "no", "0"))):
        if isinstance(value, str) and value.strip().lower() in words:
            return answer
    raise ValueError("true or false")


_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?")


def hosts(value: object) -> str:
    """Names of hosts, with commas between; `*.` in front stands for everything below, `:443` behind for one port.

    >>> hosts("PyPI.org, *.example.com:443"), hosts(["pypi.org", "example.com"])
    ('pypi.org,*.example.com:443', 'pypi.org,example.com')
    """
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, Sequence) or not all(isinstance(each, str) for each in listed):
        raise ValueError(_HOSTS)
    names = dict.fromkeys(each.strip().lower() for each in listed if each.strip())
    if not names or not all(_HOST.fullmatch(name) for name in names):
        raise ValueError(_HOSTS)
    return ",".join(names)


_HOSTS = "names of hosts with commas between, such as pypi.org,*.example.com"


def or_none(parse: Parser) -> Parser:
    """Also accept "none", for without limit."""

    def parsed(value: object) -> Any:
        if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f'{error}, or "none"') from None

    return parsed


def _number_or(value: object, otherwise: float) -> float:
    """The number that it is; else `otherwise`, which the caller refuses with what it accepts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return otherwise
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return otherwise
    return number if math.isfinite(number) else otherwise


def _setting(default: Any, parse: Parser, metavar: str, help_text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "metavar": metavar, "help": help_text})


class Settings(TypedDict, total=False):
    """Every setting by its name, for callers whose types are checked; what is accepted is the setting's parser's to say."""

    model: object
    max_turns: object
    max_iterations: object
    continue_delay: object
    max_budget_usd: object
    max_duration: object
    max_failures: object
    stall_after: object
    idle_timeout: object
    session_timeout: object
    verify_command: object
    verify_timeout: object
    appended_features: object
    prompts_dir: object
    state_dir: object
    profile: object
    protect_claude_md: object
    sandbox: object
    sandbox_hosts: object


@dataclass(frozen=True, slots=True)
class Config:
    """The effective settings. Durations are seconds, amounts are US dollars; None is without limit."""

    model: str = _setting("claude-sonnet-4-5-20250929", text, "NAME", "the model that the agent uses")
    max_turns: int = _setting(1000, count, "N", "turns a session may take, over all its resumptions")
    max_iterations: int | None = _setting(None, or_none(count), "N", "new sessions a run may start")
    continue_delay: float = _setting(3.0, duration, "DURATION", "wait between two sessions")
    max_budget_usd: float | None = _setting(None, or_none(amount), "USD", "what a run may spend")
    max_duration: float | None = _setting(
        None, or_none(positive_duration), "DURATION", "how long a run may take; lying suspended does not count"
    )
    max_failures: int | None = _setting(5, or_none(count), "N", "failures in a row that stop a run")
    stall_after: int | None = _setting(
        3, or_none(count), "N", "sessions in a row without a newly passing feature or a commit that stop a run"
    )
    idle_timeout: float = _setting(
        300.0, positive_duration, "DURATION", "silence of the agent that counts as a stall; a running tool is not silence"
    )
    session_timeout: float | None = _setting(
        None, or_none(positive_duration), "DURATION", "how long one session may take before a fresh one follows"
    )
    verify_command: str | None = _setting(
        None, or_none(text), "COMMAND", "shell command that must succeed for newly passing features to count"
    )
    verify_timeout: float = _setting(600.0, positive_duration, "DURATION", "how long the verification may take")
    appended_features: str = _setting(
        "keep", one_of("keep", "drop"), "keep|drop", "what becomes of features that the agent appends to the list"
    )
    prompts_dir: Path | None = _setting(
        None, or_none(path), "DIR", "directory whose initializer.md, coding.md and resumed.md replace the built-in prompts"
    )
    state_dir: Path | None = _setting(
        None, or_none(path), "DIR", "where the journal lives, outside the project"
    )
    profile: str | None = _setting(
        "standard",
        or_none(one_of("minimal", "standard")),
        "minimal|standard|none",
        "the programs that the agent may run; with none its commands are left to the CLI's own checks",
    )
    protect_claude_md: bool = _setting(
        True, truth, "true|false", "whether CLAUDE.md and CLAUDE.local.md, wherever they lie, are not the agent's to write"
    )
    sandbox: str = _setting(
        "auto",
        one_of("auto", "required", "off"),
        "auto|required|off",
        "the operating system's sandbox around the agent's commands: where it can be had, insisted on, or not at all",
    )
    sandbox_hosts: str | None = _setting(
        "registry.npmjs.org,registry.yarnpkg.com,pypi.org,files.pythonhosted.org,"
        "index.crates.io,static.crates.io,proxy.golang.org,sum.golang.org",
        or_none(hosts),
        "HOSTS",
        'hosts that commands in the sandbox may reach, with commas between; "none" is no network',
    )
    guard: Mapping[str, Any] = field(default_factory=dict)
    """The `[guard]` table: what differs from the profile. It has neither flag nor variable."""

    @property
    def limits(self) -> Limits:
        """What the lifecycle's decision reads."""
        return Limits(
            continue_delay_s=self.continue_delay,
            max_iterations=self.max_iterations,
            max_budget_usd=self.max_budget_usd,
            max_duration_s=self.max_duration,
            max_failures=self.max_failures,
            stall_after=self.stall_after,
        )


SETTINGS: Mapping[str, Setting] = {
    each.name: Setting(
        each.name, each.metadata["parse"], each.default, each.metadata["metavar"], each.metadata["help"]
    )
    for each in fields(Config)
    if "parse" in each.metadata
}


def guard_table(value: object, source: str) -> dict[str, Any]:
    """The `[guard]` table, checked: `allow`, `deny` and `programs`, as `lifecycle.guard.profile_from` takes them.

    Raises:
        ConfigurationError: it is no table, or says what is not accepted.
    """
    # Imported only where there is such a table: most have none, and the settings are read by every command.
    from lifecycle.guard.profiles import profile_from

    if not isinstance(value, Mapping):
        raise ConfigurationError(source, f"{value!r} is not accepted: give a table")
    if "profile" in value:
        raise ConfigurationError(source, "'profile' stands outside of the table: it is a setting by itself")
    profile_from(value, source)
    return dict(value)


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place, checked. `sources` says for each where it stands."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]


def layer(
    raw: Mapping[str, object],
    source: Callable[[Setting], str],
    *,
    place: str,
    at: Callable[[str], str] | None = None,
) -> Layer:
    """Check the raw values of one place.

    Args:
        at: more exactly where a key stands, for messages: the place with its line.

    Raises:
        ConfigurationError: an unknown name (with the nearest known one), or a value that is not accepted.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, given in raw.items():
        if name == GUARD_TABLE:
            sources[name] = f"{place}, table [{name}]"
            values[name] = guard_table(given, f"{at(name) if at else place}, table [{name}]")
            continue
        setting = SETTINGS.get(name)
        if setting is None:
            problem = _NO_TABLE if isinstance(given, Mapping) else _nearest(name)
            raise ConfigurationError(at(name) if at else place, f"{name!r} is no setting; {problem}")
        try:
            values[name] = setting.parse(given)
        except ValueError as error:
            stands = source(setting) if at is None else f"{at(name)}, key {name!r}"
            raise ConfigurationError(stands, f"{given!r} is not accepted: give {error}") from None
        sources[name] = source(setting)
    return Layer(values, sources)


def from_flags(flags: Mapping[str, object]) -> Layer:
    """The flags that were given; None is not given."""
    given = {name: value for name, value in flags.items() if value is not None}
    return layer(given, lambda setting: setting.flag, place="the command line")


def from_host(arguments: Mapping[str, object]) -> Layer:
    """What a host gave by name."""
    return layer(arguments, lambda setting: setting.name, place="the arguments")


def from_environment(environment: Mapping[str, str]) -> Layer:
    """The `LIFECYCLE_*` variables. One that nearly is a setting's is refused, others of the prefix are not ours."""
    suffixes = {setting.name.upper(): setting for setting in SETTINGS.values()}
    raw: dict[str, object] = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        suffix = name.removeprefix(ENVIRONMENT_PREFIX)
        if suffix in suffixes:
            raw[suffixes[suffix].name] = value
        elif near := difflib.get_close_matches(suffix, suffixes, n=1, cutoff=0.8):
            raise ConfigurationError(name, f"no setting has this name; did you mean {suffixes[near[0]].variable!r}?")
    return layer(raw, lambda setting: setting.variable, place="the environment")


def from_file(file: Path, *, must_exist: bool) -> Layer:
    """The configuration file's top-level keys, and its `[guard]` table.

    Args:
        must_exist: whether a missing file is an error, since a person named it. Otherwise it is the project's own,
            which the agent can write: a missing one is empty, and it may not say where the journal is.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or says what is not accepted.
    """
    if file.is_fifo() or file.is_socket():
        raise ConfigurationError(str(file), "it cannot be read: it is not a file")
    try:
        text = file.read_bytes().decode("utf-8-sig")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(str(file), "there is no such file") from None
        return Layer({}, {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(file), f"it cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(file), f"it is not valid TOML: {error}") from None

    def at(key: str) -> str:
        line = line_of(text, key)
        return str(file) if line is None else f"{file}:{line}"

    if not must_exist and (refused := NOT_IN_A_PROJECT & raw.keys()):
        raise ConfigurationError(
            f"{at(min(refused))}, key {min(refused)!r}",
            "the project cannot say where its own journal is, since the agent can write this file; "
            "give --state-dir, LIFECYCLE_STATE_DIR, or a file of yours with --config",
        )
    return layer(raw, lambda setting: f"{file}, key {setting.name!r}", place=str(file), at=at)


def resolve(*layers: Layer) -> Config:
    """The effective settings: an earlier layer beats a later one, defaults fill the rest."""
    values: dict[str, Any] = {}
    for each in reversed(layers):
        values.update(each.values)
    return Config(**values)


def to_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's values as plain data for the journal."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def _nearest(name: str) -> str:
    known = {**SETTINGS, GUARD_TABLE: None}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "`lifecycle config` lists them all"


_NO_TABLE = f"settings stand at the top, and [{GUARD_TABLE}] is the only table"
