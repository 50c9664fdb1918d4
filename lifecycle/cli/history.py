"""`lifecycle history`: every transition of a project, oldest first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.layout import broken_rows, terminal_width
from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.ports import TransitionRecord

__all__ = ["history"]


@click.command()
@project_dir
@state_dir
@config_file
@as_json
def history(project_dir: Path, state_dir: str | None, config_file: Path | None, is_json: bool) -> None:
    """Print every transition that DIR's runs ever made, oldest first.

    With --json, one JSON object a line: seq, at (ISO 8601, UTC), run_id, source, trigger, dest, iteration,
    session_id, facts. A project without a record prints nothing then. On a terminal that is too narrow for everything,
    the session's id and the iteration are left out.

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
    from lifecycle.cli.record import locate, no_run, transitions_in

    records = asyncio.run(transitions_in(locate(project_dir, state_dir=state_dir, config_file=config_file)))
    if is_json:
        print_text([json.dumps(_document(record)) for record in records])
    elif records:
        width = terminal_width()
        told = list(_table(records))
        print_text(told if width is None or max(map(len, told)) <= width else list(_narrow_table(records, width)))
    else:
        print_text(no_run(project_dir))


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


_HEAD = ("seq", "when", "transition", "trigger", "iteration", "session", "features", "cost", "why")


def _table(records: Sequence[TransitionRecord]) -> Iterator[str]:
    rows = [_HEAD, *map(_row, records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    run_id = None
    for row, record in zip(rows, (None, *records), strict=True):
        if record is not None and record.run_id != run_id:
            run_id = record.run_id
            yield f"run {run_id}"
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


_NARROW_HEAD = ("seq", "time", "transition", "trigger", "session", "pass", "cost")


def _narrow_table(records: Sequence[TransitionRecord], width: int) -> Iterator[str]:
    """The same for a narrow terminal: the day once, the reason beside its trigger, and no ids."""
    head, *rows = broken_rows([_NARROW_HEAD, *map(_narrow_row, records)], yielding=(3,), width=width)
    yield from head
    run_id = day = ""
    for lines, record in zip(rows, records, strict=True):
        if record.run_id != run_id:
            run_id, day = record.run_id, ""
            yield f"run {run_id}"
        if f"{_moment(record):%Y-%m-%d}" != day:
            day = f"{_moment(record):%Y-%m-%d}"
            yield day
        yield from lines


def _narrow_row(record: TransitionRecord) -> tuple[str, ...]:
    seq, _, transition, trigger, _, session, features, cost, why = _row(record)
    number = record.facts.session.number if record.facts.session else ""
    kind = session.partition(" ")[0]
    return (
        *(seq, f"{_moment(record):%H:%M:%S}", transition),
        *(f"{trigger}: {why}" if why else trigger, f"{number} {kind}" if kind else "", features, cost),
    )


def _moment(record: TransitionRecord) -> datetime:
    return datetime.fromtimestamp(record.at, UTC).astimezone()


def _row(record: TransitionRecord) -> tuple[str, ...]:
    facts = record.facts
    session = facts.session
    return (
        str(record.seq),
        f"{_moment(record):%Y-%m-%d %H:%M:%S}",
        f"{record.source} -> {record.dest}",
        record.trigger,
        str(facts.counters.iterations or ""),
        f"{session.type} {session.id[:8]}" if session else "",
        f"{facts.features.passing}/{facts.features.total}" if facts.features and facts.features.total else "",
        f"${facts.cost_usd:.2f}" if facts.cost_usd else "",
        _why(record),
    )


def _why(record: TransitionRecord) -> str:
    facts = record.facts
    if facts.stop_reason is not None:
        return facts.stop_reason.replace("_", " ")
    if facts.outcome is not None and record.dest == "END":
        return facts.outcome.cause.replace("_", " ")
    return ""
