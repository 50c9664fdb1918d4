"""`lifecycle history`: every transition of a project, oldest first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.layout import terminal_width
from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.ports import Note, TransitionRecord

__all__ = ["history"]


@click.command()
@project_dir
@state_dir
@config_file
@as_json
def history(project_dir: Path, state_dir: str | None, config_file: Path | None, is_json: bool) -> None:
    """Print every transition that DIR's runs ever made, oldest first.

    Between them stands where a new manager took up a state that another one died in. On a narrow terminal the reason
    stands beside its trigger.

    With --json, one JSON object a line, for transitions alone: seq, at (ISO 8601, UTC), run_id, source, trigger, dest,
    iteration, session_id, facts. A project without a record prints nothing then.

    \b
    Examples:
      lifecycle history my-app
      lifecycle history my-app --json | tail -n 1

    \b
    Exit status:
      0  told
      2  DIR is no directory, or its record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate, no_run

    records, recoveries = asyncio.run(_read(locate(project_dir, state_dir=state_dir, config_file=config_file)))
    if is_json:
        print_text([json.dumps(_document(record)) for record in records])
    elif records:
        from lifecycle.cli.chronicle import chronicle

        print_text(chronicle(records, recoveries, width=terminal_width()))
    else:
        print_text(no_run(project_dir))


async def _read(state_dir: Path) -> tuple[Sequence[TransitionRecord], Sequence[Note]]:
    from lifecycle.cli.record import opened
    from lifecycle.journal.notes import NoteKind

    async with opened(state_dir) as journal:
        if journal is None:
            return (), ()
        return await journal.transitions(), await journal.notes(kind=NoteKind.RECOVERED)


def _document(record: TransitionRecord) -> dict[str, Any]:
    from lifecycle.moments import to_iso
    from states.record import to_data

    facts = record.facts
    session_type = facts.session.type if facts.session else facts.session_type
    return {
        "seq": record.seq,
        "at": to_iso(record.at),
        "run_id": record.run_id,
        "source": record.source,
        "trigger": record.trigger,
        "dest": record.dest,
        "iteration": facts.counters.iterations,
        "session_id": facts.session.id if facts.session else None,
        "facts": {**to_data(facts), "session_type": session_type},
    }
