"""A project's history as people read it: a table, with each day told once, and where a new manager took up what another left.

Pure text from records; `lifecycle history` prints it, and the references show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from lifecycle.cli.layout import broken_rows

if TYPE_CHECKING:
    from lifecycle.ports import Note, TransitionRecord

__all__ = ["chronicle"]

_HEAD: Final = ("seq", "time", "transition", "trigger", "session", "features", "cost", "why")
_NARROW_HEAD: Final = ("seq", "time", "transition", "trigger", "session", "pass", "cost")
_UNTIL: Final = "until "


def chronicle(
    records: Sequence[TransitionRecord],
    recoveries: Sequence[Note],
    *,
    zone: tzinfo | None = None,
    width: int | None = None,
) -> list[str]:
    """The table.

    Args:
        records: transitions, oldest first.
        recoveries: the notes of that kind.
        zone: which the times are told in; None is the machine's.
        width: of the terminal, or None. Where not everything has room beside each other, the reason stands with its
            trigger, and is broken if it must.
    """
    entries = list(_entries(records, recoveries, zone))
    rows = [row for _, _, row in entries]
    blocks = list(broken_rows([_HEAD, *rows], yielding=(), width=None))
    if width is not None and max(len(line) for block in blocks for line in block) > width:
        blocks = list(broken_rows([_NARROW_HEAD, *map(_narrowed, rows)], yielding=(3,), width=width))
    lines, run_id, day = [*blocks[0]], "", ""
    for (entry_run, entry_day, _), block in zip(entries, blocks[1:], strict=True):
        if entry_run != run_id:
            run_id, day = entry_run, ""
            lines.append(f"run {run_id}")
        if entry_day != day:
            day = entry_day
            lines.append(day)
        lines += block
    return lines


def _entries(
    records: Sequence[TransitionRecord], recoveries: Sequence[Note], zone: tzinfo | None
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Run, day and cells of each row."""
    for record in records:
        yield record.run_id, _day(record.at, zone), _row(record, zone)
        for note in recoveries:
            if (note.run_id, note.seq) == (record.run_id, record.seq):
                again = f"({note.data['state']} taken up again)"
                cells = ("", _time(note.at, zone), again, "", "", "", "", "a new manager")
                yield record.run_id, _day(note.at, zone), cells


def _row(record: TransitionRecord, zone: tzinfo | None) -> tuple[str, ...]:
    facts = record.facts
    session, features = facts.session, facts.features
    return (
        str(record.seq),
        _time(record.at, zone),
        f"{record.source} -> {record.dest}",
        record.trigger,
        f"{session.number} {session.type}" if session else "",
        f"{features.passing}/{features.total}" if features and features.total else "",
        f"${facts.cost_usd:.2f}" if facts.cost_usd else "",
        _why(record, zone),
    )


def _why(record: TransitionRecord, zone: tzinfo | None) -> str:
    facts = record.facts
    if facts.stop_reason is not None:
        return facts.stop_reason.replace("_", " ")
    if facts.outcome is not None and record.dest == "END":
        return facts.outcome.cause.replace("_", " ")
    if facts.resume_at is not None and record.dest == "CONTINUE":
        return f"{_UNTIL}{_time(facts.resume_at, zone)}"
    return ""


def _narrowed(row: tuple[str, ...]) -> tuple[str, ...]:
    *cells, trigger, session, features, cost, why = row
    reason = "" if why.startswith(_UNTIL) else why  # the next row says when that was, and `lifecycle status` says when it will be
    return (*cells, ": ".join(filter(None, (trigger, reason))), session, features, cost)


def _time(at: float, zone: tzinfo | None) -> str:
    return f"{_moment(at, zone):%H:%M:%S}"


def _day(at: float, zone: tzinfo | None) -> str:
    return f"{_moment(at, zone):%Y-%m-%d}"


def _moment(at: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone)
