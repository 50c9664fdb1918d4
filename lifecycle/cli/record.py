"""Finding and reading a project's record without disturbing the manager that writes it.

Looks where a manager would: the flag, the environment, the configuration file, the default.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from lifecycle.cli.options import given_flags
from lifecycle.config import FILE_NAME, Layer, from_environment, from_file, resolve
from lifecycle.errors import ConfigurationError
from lifecycle.journal.location import JOURNAL_NAME, has_journal, state_directory
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import TransitionRecord
from lifecycle.workspace.spec import ensure_project_dir

__all__ = ["locate", "no_run", "opened", "transitions_in"]


def locate(project_dir: Path, *, state_dir: str | None = None, config_file: Path | None = None) -> Path:
    """The project's state directory, whether it is there or not.

    Raises:
        ProjectInvalid: the project directory is none.
        ConfigurationError: a setting is wrong, or the configuration file that was named.
    """
    ensure_project_dir(project_dir)
    file, error = _read_file(project_dir, config_file)
    asked = resolve(given_flags({"state_dir": state_dir}), from_environment(os.environ), file).state_dir
    directory = state_directory(project_dir, asked, os.environ)
    if error is not None and not (directory / JOURNAL_NAME).exists():
        raise error
    return directory


@asynccontextmanager
async def opened(state_dir: Path, *, read_only: bool = True) -> AsyncIterator[SqliteJournal | None]:
    """The journal, or None where no run has begun yet.

    Raises:
        JournalForeign, JournalCorrupt, JournalUnavailable: what is there cannot be read.
    """
    if not has_journal(state_dir):
        yield None
        return
    journal = await SqliteJournal.open(state_dir / JOURNAL_NAME, read_only=read_only)
    try:
        yield journal
    finally:
        await journal.close()


async def transitions_in(state_dir: Path) -> Sequence[TransitionRecord]:
    """Every transition of the project, oldest first; none where no run has begun yet. Raises what `opened` raises."""
    async with opened(state_dir) as journal:
        return () if journal is None else await journal.transitions()


def no_run(project_dir: Path) -> str:
    """What every command says to a person where there is no run to tell of. It is an answer, and no error."""
    return f"no run yet; begin one with `lifecycle run {shlex.quote(str(project_dir))}`"


def _read_file(project_dir: Path, config_file: Path | None) -> tuple[Layer, ConfigurationError | None]:
    """As a manager does: a fault in the project's own file is no matter while the journal is in its usual place."""
    if config_file is not None:
        return from_file(config_file, must_exist=True), None
    try:
        return from_file(project_dir / FILE_NAME, must_exist=False), None
    except ConfigurationError as error:
        return Layer({}, {}), error
