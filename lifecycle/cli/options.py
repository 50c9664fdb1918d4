"""Flags and arguments that commands share; the settings' flags are made from `lifecycle.config.SETTINGS`.

No flag's value is judged here: the settings' own parsers do that, with the same words wherever a value stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from lifecycle.config import FILE_NAME, SETTINGS, Layer, Setting, from_flags

__all__ = ["as_json", "config_file", "given_flags", "limit_flags", "log_options", "project_dir", "settings_flags", "state_dir"]

Command = TypeVar("Command", bound=Callable[..., Any])

project_dir = click.argument("project_dir", metavar="DIR", type=click.Path(path_type=Path))
"""The project's directory."""

as_json = click.option(
    "--json", "is_json", is_flag=True, help="Print the answer as JSON, and nothing else on stdout."
)

config_file = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"The configuration file, instead of DIR/{FILE_NAME}.",
)


def settings_flags(command: Command) -> Command:
    """Every setting as a flag; the command gets them as keyword arguments, None where not given."""
    for setting in reversed(tuple(SETTINGS.values())):
        command = _flag(setting)(command)
    return command


def limit_flags(command: Command) -> Command:
    """The settings that limit a run."""
    for name in reversed(("max_iterations", "max_budget_usd", "max_duration", "max_failures", "stall_after")):
        command = _flag(SETTINGS[name])(command)
    return command


def state_dir(command: Command) -> Command:
    """The setting that says where the journals are, for commands that take no other."""
    return _flag(SETTINGS["state_dir"])(command)


def log_options(*, level: str) -> Callable[[Command], Command]:
    """How the log on stderr looks, and how much it tells unless asked otherwise."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--log-level",
            type=click.Choice(_LEVELS),
            default=level,
            help=f"The least that the log tells; debug tells each tool call. (default: {level})",
        )(command)
        return click.option(
            "--log-format",
            type=click.Choice(("console", "json")),
            default="console",
            help="The log on stderr: for people, or one JSON object a line. (default: console)",
        )(command)

    return decorate


def given_flags(flags: Mapping[str, str | None]) -> Layer:
    """The settings that were given as flags, checked. A relative path is from the current directory.

    Raises:
        ConfigurationError: a value is not accepted; names the flag.
    """
    layer = from_flags(flags)
    values = {name: value.absolute() if isinstance(value, Path) else value for name, value in layer.values.items()}
    return Layer(values, layer.sources)


_LEVELS: Final = ("debug", "info", "warning", "error")


def _flag(setting: Setting) -> Callable[[Command], Command]:
    return click.option(setting.flag, setting.name, metavar=setting.metavar, default=None, help=_help(setting))


def _help(setting: Setting) -> str:
    return f"{setting.help[0].upper()}{setting.help[1:]}. (default: {_default(setting)}; {setting.variable})"


def _default(setting: Setting) -> str:
    if setting.default is None:
        return _UNSET.get(setting.name, "none")
    return setting.shown(setting.default)


_UNSET: Final = {"state_dir": "$XDG_STATE_HOME/lifecycle", "prompts_dir": "the built-in ones"}
