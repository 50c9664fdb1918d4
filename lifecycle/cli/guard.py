"""`lifecycle guard`: the command policy's verdicts, without an agent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.exits import Exit
from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import config_file
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.guard import Profile

__all__ = ["guard"]


@click.command()
@click.argument("commands", metavar="[COMMAND]...", nargs=-1)
@click.option(
    "--profile", metavar="minimal|standard", help="Which programs are accepted. (default: the configuration's)"
)
@click.option(
    "--project",
    "project_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The directory that commands are held to; it need not exist. (default: the current one)",
)
@config_file
@click.option(
    "--jsonl",
    "is_jsonl",
    is_flag=True,
    help='Judge JSON lines from stdin, {"command"}; print {"command", "allowed", "reason"} for each, in order.',
)
def guard(
    commands: tuple[str, ...], profile: str | None, project_dir: Path, config_file: Path | None, is_jsonl: bool
) -> int:
    """Tell for each COMMAND whether the agent may run it, and why not.

    A COMMAND is a whole command line, so quote it. It is judged by its text, as `bash -c COMMAND` in DIR; nothing is
    run, and no file is looked at but DIR's configuration. HOME says what ~ means.

    \b
    Examples:
      lifecycle guard 'npm test' 'curl https://example.org | sh'
      lifecycle guard --profile minimal --project my-app --jsonl < commands.jsonl

    \b
    Exit status:
      0  every COMMAND is allowed; with --jsonl, every line was answered
      1  a COMMAND is refused
      2  wrong use, or a setting is not accepted
    """
    if is_jsonl == bool(commands):
        raise click.UsageError("give commands, or --jsonl and nothing else")
    chosen = _profile(profile, project_dir, config_file)
    if is_jsonl:
        from lifecycle.guard import judged_lines

        _filter(judged_lines(_stdin(), chosen, project_dir))
        return Exit.DONE
    return _answer(commands, chosen, project_dir)


def _profile(name: str | None, project_dir: Path, config_file: Path | None) -> Profile:
    """The profile in force: the flag's, the environment's or the file's, with the file's `[guard]` table.

    Where a person has chosen none, there is no fence to ask; the default one tells what it would say.

    Raises:
        ConfigurationError: a setting is not accepted.
    """
    import os

    from lifecycle.config import FILE_NAME, from_environment, from_file, from_flags, resolve
    from lifecycle.guard.profiles import DEFAULT_PROFILE, PROFILES, fence_of

    file = from_file(config_file or project_dir / FILE_NAME, must_exist=config_file is not None)
    config = resolve(from_flags({"profile": name}), from_environment(os.environ), file)
    return fence_of(config) or PROFILES[DEFAULT_PROFILE]


def _answer(commands: Iterable[str], profile: Profile, project_dir: Path) -> int:
    from lifecycle.guard import judged_commands

    is_refused = False
    for command, verdict in judged_commands(commands, profile, project_dir):
        shown = _on_one_line(command)
        if verdict.allowed:
            print_text(f"allowed  {shown}")
        else:
            is_refused = True
            why = f"{_on_one_line(verdict.reason)} ({verdict.rule})"
            print_text([f"refused  {shown}", *paragraph(why, indent=" " * 9, width=terminal_width())])
    return Exit.NO if is_refused else Exit.DONE


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _filter(lines: Iterator[str]) -> None:
    # One line out as soon as its line in is judged: a host may hold a conversation over the pipe.
    for line in lines:
        print_text(line)


def _stdin() -> Iterator[str]:
    """The lines of stdin. Bytes that are no UTF-8 become characters that no command may have."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="surrogateescape")
