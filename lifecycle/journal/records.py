"""Transitions, notes and copies as rows, and back.

Owns the encoding and the rules that make rows a record: numbers without gaps, an unbroken chain of digests, every
source the destination before it, facts that can be read. Runs inside somebody else's transaction.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from lifecycle.journal.schema import COLUMNS
from lifecycle.journal.sealing import Damage, Value, put, rows, seal
from lifecycle.ports import Move, Note, TransitionRecord
from states.errors import RecordInvalid
from states.facts import Facts
from states.record import from_data, to_data
from states.table import INITIAL
from states.vocabulary import RunId


@dataclass(frozen=True, slots=True)
class Link:
    """The newest transition, as far as the next one needs it."""

    seq: int = 0
    digest: bytes = b""
    run_id: str | None = None
    dest: str | None = None


def to_json(value: Any) -> str:
    """Plain data as text. ASCII only: half a surrogate pair, too, can be kept and comes back."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


# --- transitions ---------------------------------------------------------------------------------------------


def follows(run_id: str, source: str, before: Link) -> bool:
    """Whether a transition may come next: from where its run stands, or from the start of a run."""
    return before.run_id != run_id or source in (before.dest, INITIAL)


def newest(connection: sqlite3.Connection) -> Link:
    """The end of the chain.

    Raises:
        Damage: the newest transition is not the one that was written last.
    """
    head = connection.execute("SELECT seq, digest FROM head").fetchone()
    last = connection.execute(
        "SELECT seq, digest, run_id, dest FROM transitions ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    link = Link() if last is None else Link(*last)
    if head is None:
        raise Damage("the number of the newest transition is missing")
    if head != (link.seq, link.digest):
        raise Damage(f"transition {head[0]} was written last and transition {link.seq} is the last one here")
    return link


def append(connection: sqlite3.Connection, move: Move, before: Link) -> TransitionRecord:
    """Write the transition that comes after `before`."""
    facts = move.facts
    record = TransitionRecord(
        seq=before.seq + 1,
        at=float(facts.at),
        run_id=facts.run_id,
        source=str(move.source),
        trigger=str(move.trigger),
        dest=str(move.dest),
        facts=facts,
    )
    values: tuple[Value, ...] = (
        record.seq,
        record.at,
        record.run_id,
        record.source,
        record.trigger,
        record.dest,
        to_json(to_data(facts)),
    )
    digest = seal("transitions", values, previous=before.digest)
    connection.execute("INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, digest))
    connection.execute("UPDATE head SET seq = ?, digest = ?", (record.seq, digest))
    return record


def transitions(connection: sqlite3.Connection, *, after: int = 0) -> list[TransitionRecord]:
    """The transitions above `after`, oldest first.

    Raises:
        Damage: one of them does not hold, by its number.
    """
    return [
        TransitionRecord(seq, at, RunId(run_id), source, trigger, dest, _facts(seq, facts))
        for seq, at, run_id, source, trigger, dest, facts in links(connection, after=after)
    ]


def links(connection: sqlite3.Connection, *, after: int = 0) -> Iterator[tuple[Any, ...]]:
    """The rows above `after`, each checked against the one before it; nobody has looked into their facts.

    Raises:
        Damage: a row is missing, was changed, or leaves another state than its run stood in.
    """
    end = newest(connection)
    before = _anchor(connection, after) if 0 < after < end.seq else Link(max(after, 0))
    while before.seq < end.seq:
        page = connection.execute(
            f"SELECT {', '.join(COLUMNS['transitions'])}, digest FROM transitions WHERE seq > ? ORDER BY seq LIMIT ?",
            (before.seq, _PAGE_ROWS),
        ).fetchall()
        if not page:
            raise Damage(f"transition {before.seq + 1} is missing")
        for *values, digest in page:
            _check(values, digest, before)
            before = Link(values[0], digest, values[2], values[5])
            yield tuple(values)


_PAGE_ROWS = 1000


def _anchor(connection: sqlite3.Connection, seq: int) -> Link:
    """The row that the next one's digest hangs on."""
    row = connection.execute("SELECT seq, digest, run_id, dest FROM transitions WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        raise Damage(f"transition {seq} is missing")
    return Link(*row)


def _check(values: list[Any], digest: bytes, before: Link) -> None:
    seq, run_id, source = values[0], values[2], values[3]
    if seq != before.seq + 1:
        raise Damage(f"transition {before.seq + 1} is missing")
    if seal("transitions", values, previous=before.digest) != digest:
        raise Damage(f"transition {seq} does not match its checksum")
    if not follows(run_id, source, before):
        raise Damage(f"transition {seq} leaves {source}, and transition {before.seq} of its run led to {before.dest}")


def _facts(seq: int, text: str) -> Facts:
    try:
        return from_data(json.loads(text))
    except (RecordInvalid, ValueError) as error:
        raise Damage(f"the facts of transition {seq}: {error}") from error


# --- notes ---------------------------------------------------------------------------------------------------


def put_note(connection: sqlite3.Connection, note: Note) -> None:
    """Keep a note. One that does not say after which transition it came gets the newest one's number."""
    put(
        connection, "notes", next_id(connection, "notes"), str(note.kind), float(note.at), note.run_id,
        note.session_id, note.seq or newest(connection).seq, to_json(note.data),
    )  # fmt: skip


def notes(connection: sqlite3.Connection, *, kind: str | None, run_id: str | None) -> list[Note]:
    """The notes, oldest first."""
    asked = {name: value for name, value in (("kind", kind), ("run_id", run_id)) if value is not None}
    # Plain marks only: Python 3.12 warns of numbered ones.
    condition = " AND ".join(f"{name} = ?" for name in asked) or "TRUE"
    return [_note(row) for row in rows(connection, "notes", f"WHERE {condition} ORDER BY id", tuple(asked.values()))]


def next_id(connection: sqlite3.Connection, table: str) -> int:
    """The number of the row to come."""
    return int(connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def _note(row: tuple[Value, ...]) -> Note:
    _, kind, at, run_id, session_id, seq, data = cast("tuple[Any, ...]", row)
    decoded: Mapping[str, Any] = json.loads(data)
    return Note(kind, at, decoded, run_id, session_id, seq)


# --- copies --------------------------------------------------------------------------------------------------


def put_copy(connection: sqlite3.Connection, name: str, content: bytes) -> None:
    """Keep the newest copy of a file, in place of the one before."""
    put(connection, "copies", name, zlib.compress(content))


def copy(connection: sqlite3.Connection, name: str) -> bytes | None:
    """The copy of a file."""
    for _, content in rows(connection, "copies", "WHERE name = ?", (name,)):
        return zlib.decompress(cast("bytes", content))
    return None
