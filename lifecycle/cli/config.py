"""`lifecycle config`: the settings in force for a project, and where each is from."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lifecycle.cli.layout import columns, paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, given_flags, project_dir, settings_flags
from lifecycle.cli.output import print_document, print_text
from lifecycle.config import FILE_NAME, GUARD_TABLE, SETTINGS, from_environment, from_file, resolve, to_record

if TYPE_CHECKING:
    from lifecycle.config import Layer

__all__ = ["Effective", "config", "effective"]


@click.command()
@project_dir
@settings_flags
@config_file
@as_json
def config(project_dir: Path, config_file: Path | None, is_json: bool, **flags: str | None) -> None:
    """Print every setting as `lifecycle run DIR` would take it, and where it is from.

    Flags that are given count as they would for run. A run that is gone on with takes the file's values as they were
    when it began; then those are shown.

    \b
    Examples:
      lifecycle config my-app
      lifecycle config my-app --max-duration 8h --json

    \b
    Exit status:
      0  printed
      2  a setting is not accepted, DIR is no directory, or its record is damaged
      5  the record cannot be read
    """
    from lifecycle.workspace.spec import ensure_project_dir

    ensure_project_dir(project_dir)
    found = asyncio.run(effective(project_dir, config_file, given_flags(flags)))
    if is_json:
        print_document(found.to_json())
    else:
        print_text(_words(found))


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force.

    Attributes:
        values: setting -> value, as plain data.
        sources: setting -> where it stands.
        state_dir: where the record is.
        has_run: whether a run goes on, so that the file counts as it was when that began.
    """

    values: dict[str, Any]
    sources: dict[str, str]
    state_dir: Path
    has_run: bool

    def to_json(self) -> dict[str, Any]:
        """As `lifecycle config --json` prints it."""
        settings = {name: {"value": value, "source": self.sources[name]} for name, value in self.values.items()}
        return {"settings": settings, "state_directory": str(self.state_dir), "file_as_journalled": self.has_run}


async def effective(project_dir: Path, config_file: Path | None, flags: Layer) -> Effective:
    """The settings as a manager would take them now. Makes nothing.

    Raises:
        ConfigurationError: a setting is not accepted, where a manager would say so too.
        JournalUnavailable, JournalCorrupt, JournalForeign: the record cannot be read.
    """
    from lifecycle.cli.record import locate, opened
    from lifecycle.taking import file_as_journalled

    asked = flags.values.get("state_dir")
    state_dir = locate(project_dir, state_dir=None if asked is None else str(asked), config_file=config_file)
    async with opened(state_dir) as journal:
        journalled = None if journal is None or config_file else await file_as_journalled(journal)
    file = journalled or from_file(config_file or project_dir / FILE_NAME, must_exist=config_file is not None)
    layers = (flags, from_environment(os.environ), file)
    in_force = resolve(*layers)
    names = (*SETTINGS, GUARD_TABLE)
    values = to_record({name: getattr(in_force, name) for name in names})
    return Effective(values, {name: _source(name, layers) for name in names}, state_dir, journalled is not None)


def _source(name: str, layers: Sequence[Layer]) -> str:
    return next((each.sources[name] for each in layers if name in each.sources), "default")


def _words(found: Effective) -> list[str]:
    width = terminal_width() or _WIDEST
    # The row says already which key it is.
    sources = {name: source.removesuffix(f", key {name!r}") for name, source in found.sources.items()}
    rows = [(name, _shown(name, value), sources[name]) for name, value in found.values.items()]
    lines = [*columns(rows, yielding=(1, 2), width=width), ""]
    lines += paragraph(f"The record is in {found.state_dir}", width=width)
    if found.has_run:
        lines += paragraph("A run goes on here: the file counts as it was when that run began.", width=width)
    return lines


_WIDEST: Final = 120
"""Where it is no terminal: one long list of hosts would push what is told of the others out of sight."""


def _shown(name: str, value: object) -> str:
    """As the file or a flag would take it."""
    if name == GUARD_TABLE:
        return json.dumps(value) if value else "none"
    shown = SETTINGS[name].shown(value)
    return shown.replace(",", ", ") if name == "sandbox_hosts" else shown
