"""`lifecycle`: the entry point. Finds the command, runs it, and turns however it ends into an exit status.

A command's module is imported when the command is used or its help is asked for; none of them imports at its top
what takes long.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click

from lifecycle.cli.complaint import complain, say
from lifecycle.cli.exits import Exit, message_of, status_of_error
from lifecycle.cli.output import abandon_stdout
from lifecycle.cli.signals import Interrupted, ending_on_signals

__all__ = ["COMMANDS", "commands", "main"]


def _module(command: str) -> str:
    return command.replace("-", "_")


COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: f"lifecycle.cli.{_module(name)}:{_module(name)}"
        for name in (
            *("demo", "run", "detect", "status", "history", "audit", "explain", "what-if", "salvage"),
            *("stop", "diagram", "verify"),
            *("init", "doctor", "config", "guard", "skill", "completion"),
        )
    }
)
"""Command -> where it is, in the order in which the help lists them."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status. Never raises, never prints a traceback.

    Args:
        arguments: what stands behind `lifecycle`; None takes this process's.
    """
    _ensure_standard_files()
    try:
        with ending_on_signals():
            return _run(arguments)
    except Interrupted as interrupted:
        return interrupted.status
    except KeyboardInterrupt:
        return Exit.SIGINT


class _Commands(click.Group):
    """The commands of `COMMANDS`, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence: one that is cut off in the middle tells nobody anything."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, each.get_short_help_str(limit=_SENTENCE)) for name, each in found.items() if each is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name where there is no such command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not (near := difflib.get_close_matches(args[0], COMMANDS, n=1)):
                raise
            problem = f"{error.format_message().rstrip('.')}; did you mean {near[0]!r}?"
            raise click.UsageError(problem, ctx) from None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


_SENTENCE: Final = 300
"""Longer than any; click cuts at 45 characters."""


def _print_version(ctx: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"lifecycle {version('autonomous-session-manager')}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def commands() -> None:
    """Keep a coding agent working on a project, session after session, until it is done or a limit says stop.

    Whatever happens in between, nothing is lost: the next start goes on where the last one was. To see it at once,
    without an account: lifecycle demo

    `lifecycle COMMAND --help` tells more of a command, with examples and exit statuses.
    """


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = commands.main(arguments, prog_name="lifecycle", standalone_mode=False)
    except click.ClickException as error:
        if isinstance(error, _NOTHING_ASKED):
            say(error.format_message())
        else:
            complain(_usage(error))
        return Exit.MISUSE
    except click.Abort:
        return Exit.SIGINT
    except BrokenPipeError:  # whoever reads the help has read enough
        abandon_stdout()
        return Exit.DONE
    except Exception as error:  # noqa: BLE001  # the last place that can turn it into words
        complain(message_of(error))
        return status_of_error(error)
    return result if isinstance(result, int) else Exit.DONE


_NOTHING_ASKED: Final[tuple[type[click.ClickException], ...]] = (
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()
)
"""`lifecycle` alone: click shows the help on stderr and says 2, since nothing was done. One before 8.2 says 0."""


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "lifecycle"
    problem = error.format_message().rstrip(".")
    return f"{problem} See `{path} --help`" if problem.endswith("?") else f"{problem}; see `{path} --help`"


def _ensure_standard_files() -> None:
    """Put /dev/null where a standard file was closed: the next file opened would take its place, and its output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor: this one
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "w", closefd=False))  # noqa: SIM115  # it lives as long as we do
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name need not be text
