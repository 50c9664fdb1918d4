"""`lifecycle diagram`: the lifecycle drawn, and a project's journal painted on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lifecycle.cli.drawing import chosen_format, write_drawing
from lifecycle.cli.options import config_file, state_dir

if TYPE_CHECKING:
    from lifecycle.diagram.model import Diagram
    from lifecycle.diagram.paint import Paint

__all__ = ["diagram"]

_FORMATS: Final = ("text", "svg", "png", "mermaid", "dot", "table")


@click.command()
@click.argument("project_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="How to draw. (default: as FILE's name ends; text)")
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to draw it. (default: standard output)")
@click.option("--table", metavar="MODULE:NAME", help="A table of your own. (default: the built-in one)")
@click.option("--all-runs", is_flag=True, help="Paint all runs of DIR, and not only the newest.")
@click.option("--theme", type=click.Choice(("light", "dark")), help="For SVG and PNG. (default: SVG both, PNG light)")
@state_dir
@config_file
def diagram(
    project_dir: Path | None,
    kind: str | None,
    output: str,
    table: str | None,
    all_runs: bool,
    theme: str | None,
    state_dir: str | None,
    config_file: Path | None,
) -> None:
    """Draw the lifecycle; with DIR, painted with what its journal says.

    Painted, each state and edge shows how often it was visited and what went wrong there, states also their time
    and cost; where most failures are is the reddest, and where the run stands is marked. Disturbs nobody: it may
    be asked while a manager runs. PNG needs the extra `diagram`; asked for one without it, the command that installs
    what is missing is told.

    \b
    Examples:
      lifecycle diagram
      lifecycle diagram my-app -o night.svg
      lifecycle diagram --table my_host.lifecycle:TABLE --format mermaid

    \b
    Exit status:
      0  drawn
      2  DIR is no directory, its record is damaged, there is no such table,
         FILE's name ends in what nobody draws, or what draws a PNG is missing
      5  the record cannot be read, or FILE cannot be written
    """
    from lifecycle.diagram.formats import render
    from lifecycle.diagram.palette import Theme

    chosen = chosen_format(output, kind)
    model, paint = _model(project_dir, table), None
    if project_dir is not None:
        model, paint = _painted(model, project_dir, state_dir, config_file, is_whole=all_runs)
    drawn = render(model, chosen, paint, theme=None if theme is None else Theme(theme))
    write_drawing(drawn, output)


def _model(project_dir: Path | None, table: str | None) -> Diagram:
    from lifecycle.diagram.hosts import host_groups, host_table
    from lifecycle.diagram.model import diagram_of

    name = "lifecycle" if project_dir is None else project_dir.resolve().name or "lifecycle"
    if table is None:
        return diagram_of(name=name)
    rows = host_table(table)
    return diagram_of(rows, name=table if project_dir is None else name, groups=host_groups(table))


def _painted(
    model: Diagram, project_dir: Path, state_dir: str | None, config_file: Path | None, *, is_whole: bool
) -> tuple[Diagram, Paint]:
    from lifecycle.cli.record import locate
    from lifecycle.diagram.paint import complete

    directory = locate(project_dir, state_dir=state_dir, config_file=config_file)
    paint = asyncio.run(_read(directory, is_whole=is_whole))
    return complete(model, paint), paint


async def _read(state_dir: Path, *, is_whole: bool) -> Paint:
    from lifecycle.cli.record import opened
    from lifecycle.diagram.paint import NO_RUN, paint
    from lifecycle.journal.lock import owner
    from lifecycle.journal.notes import NoteKind
    from lifecycle.runtime.local import SystemClock

    async with opened(state_dir) as journal:
        records = () if journal is None else await journal.transitions()
        if journal is None or not records:
            return NO_RUN
        if not is_whole:
            records = [record for record in records if record.run_id == records[-1].run_id]
        notes = await journal.notes(kind=NoteKind.RECOVERED)
        now = None if owner(state_dir) is None else SystemClock().now()
        return paint(records, notes, now=now)
