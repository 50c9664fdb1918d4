"""`lifecycle run`: run a project until it is done or a limit says stop."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lifecycle.cli.exits import EXIT_HELP
from lifecycle.cli.layout import columns
from lifecycle.cli.options import as_json, config_file, given_flags, log_options, project_dir, settings_flags
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.config import Layer
    from lifecycle.observe.log import EventLog
    from lifecycle.status import RunResult

__all__ = ["run"]

_HELP: Final = """Work on the project in DIR, session after session, until it is done or a limit says stop.

Begins a run where none is under way, and goes on with one that is, exactly where it was: after an interruption, a
crash or a power cut. The first session writes the feature list from the specification, the others work through it.

A setting comes from its flag, else its LIFECYCLE_* variable, else the configuration file, else the default. A DURATION is
90m, 8h, 2d, or a number of seconds; "none" is without limit.

The first SIGINT (Ctrl-C), SIGTERM or SIGHUP saves and suspends the run; a second signal stops at once. Either way the
next start goes on. Some supervisors signal a process and its group: GNU timeout sends one signal with --foreground.

\b
Examples:
  lifecycle run my-app --spec idea.txt
  lifecycle run my-app --max-iterations 20 --max-budget-usd 10
  lifecycle run my-app --json --log-format json 2>log.jsonl

\b
Exit status:
"""


def _exit_help() -> str:
    rows = [(str(int(status)), words) for status, words in EXIT_HELP.items()]
    return "\n".join(f"  {line}" for line in columns(rows, yielding=[1], width=_HELP_WIDTH))


_HELP_WIDTH: Final = 76
"""What click leaves of 80 characters, with our own indent."""


@click.command(help=_HELP + _exit_help())
@project_dir
@click.option(
    "--spec",
    "spec_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What to build, in your words; becomes DIR/app_spec.txt. The same again changes nothing, another one "
    "replaces it.",
)
@settings_flags
@config_file
@log_options(level="info")
@as_json
def run(  # noqa: D103  # its docstring is the help above
    project_dir: Path,
    spec_file: Path | None,
    config_file: Path | None,
    log_format: str,
    log_level: str,
    is_json: bool,
    **flags: str | None,
) -> int:
    from lifecycle.cli.driving import Driven, conclude, drive, result_words
    from lifecycle.manager import SessionManager
    from lifecycle.workspace.spec import ensure_project_dir, load_spec

    def work(log: EventLog) -> Driven:
        given = given_flags(flags)
        ensure_project_dir(project_dir)
        spec = None if spec_file is None else load_spec(spec_file)
        manager = SessionManager(
            project_dir,
            spec=spec,
            environment=os.environ,
            config_file=config_file,
            observers=[log],
            **given.values,
        )
        _refuse_early(project_dir, config_file, given, has_spec=spec is not None)
        return asyncio.run(drive(manager, log))

    def answer(result: RunResult, status: int) -> None:
        if is_json:
            print_document(result.to_json())
        else:
            print_text([*result_words(result), f"  more       lifecycle history {shlex.quote(str(project_dir))}"])

    return conclude(log_format, log_level, work, answer)


def _refuse_early(project_dir: Path, config_file: Path | None, given: Layer, *, has_spec: bool) -> None:
    """Refuse before anything is made what a first session would be refused for, or would fail with.

    Wrong settings and a project that cannot be worked on are the plainer faults, and a finished one needs nobody to
    log in.

    Raises:
        ConfigurationError: the agent has nothing to log in with, or a setting is not accepted.
        ProjectInvalid, FeatureListInvalid: the project cannot be worked on.
    """
    from lifecycle.agent.credentials import CREDENTIAL_VARIABLES, has_credentials
    from lifecycle.cli.config import effective
    from lifecycle.cli.record import locate
    from lifecycle.errors import ConfigurationError
    from lifecycle.journal.location import has_journal
    from lifecycle.workspace.feature_list import read_feature_list
    from lifecycle.workspace.spec import ensure_workable

    asked = given.values.get("state_dir")
    state_dir = locate(project_dir, state_dir=None if asked is None else str(asked), config_file=config_file)
    if not has_journal(state_dir):
        ensure_workable(project_dir, has_spec=has_spec)
    if has_credentials(os.environ):
        return
    asyncio.run(effective(project_dir, config_file, given))
    ensure_workable(project_dir, has_spec=has_spec)
    features = read_feature_list(project_dir)
    if features is None or not features.count.is_complete:
        raise ConfigurationError(
            "no credentials",
            f"the agent has nothing to log in with; set {CREDENTIAL_VARIABLES[0]}, or log in with `claude`. "
            "`lifecycle demo` shows everything without an account",
        )
