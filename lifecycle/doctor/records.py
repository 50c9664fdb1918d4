"""The records: one project's, or all below one root; and what dead managers may have left running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from lifecycle.agent.leftovers import find_leftovers
from lifecycle.doctor.finding import Finding, Verdict
from lifecycle.errors import LifecycleError
from lifecycle.journal.inspection import inspect
from lifecycle.journal.location import JOURNAL_NAME, has_journal
from lifecycle.journal.lock import owner
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Note
from lifecycle.processes import ProcessIdentity
from states.vocabulary import SessionId

__all__ = ["record", "records"]


async def record(state_dir: Path) -> AsyncIterator[Finding]:
    """What is to be said of one project's record, and of who uses it."""
    try:
        found = owner(state_dir)
        if found is not None:
            who = f"pid {found.pid or 'unknown'} on {found.host} runs it since {found.since}"
            yield Finding("manager", Verdict.OK, who)
        if not has_journal(state_dir):
            yield Finding("journal", Verdict.OK, "no run yet")
            return
        async for each in _journal(state_dir / JOURNAL_NAME, is_owned=found is not None):
            yield each
    except LifecycleError as error:
        advice = f"move {state_dir} away to begin anew; the project's files stay as they are"
        yield Finding("journal", Verdict.MEND, str(error), advice)
    except OSError as error:
        yield Finding("journal", Verdict.MEND, f"{error.filename or state_dir}: {error.strerror}", "make it readable")


async def records(root: Path) -> AsyncIterator[Finding]:
    """What is to be said of the records of all projects, the newest `RECORDS` of them."""
    journals = _journals(root)
    started: list[Note] = []
    unreadable = []
    for path in journals[:RECORDS]:
        try:
            if owner(path.parent) is None:
                started += await _agents_of(path)
        except (LifecycleError, OSError):
            unreadable.append(path.parent.name)
    if not journals:
        return
    count = f"{len(journals)} in {root}"
    if unreadable:
        named = ", ".join(unreadable[:3]) + (", ..." if len(unreadable) > 3 else "")
        yield Finding("records", Verdict.NOTE, f"{count}, of which cannot be read: {named}", "lifecycle doctor DIR tells why")
    else:
        yield Finding("records", Verdict.OK, count)
    yield _leftovers(started, "`lifecycle run` of their project ends them before it begins")


RECORDS: Final = 100
"""More projects than anybody has under way; each takes some milliseconds to open."""


def _journals(root: Path) -> list[Path]:
    """Newest first; none where the place cannot be looked at, which another finding says."""
    try:
        return sorted(root.glob(f"*/{JOURNAL_NAME}"), key=_changed_at, reverse=True)
    except OSError:
        return []


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


async def _journal(path: Path, *, is_owned: bool) -> AsyncIterator[Finding]:
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        # Opening looks at the newest part of a large one only; here everything is read.
        await asyncio.to_thread(inspect, path, is_whole=True)
        last = await journal.last()
        told = "empty" if last is None else f"{last.seq} transitions, in {last.dest}"
        yield Finding("journal", Verdict.OK, f"{told} ({path})")
        if not is_owned:
            notes = await journal.notes(kind=NoteKind.AGENT_STARTED)
            yield _leftovers(notes, "`lifecycle run` ends them before it begins")
    finally:
        await journal.close()


async def _agents_of(path: Path) -> Iterable[Note]:
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        return await journal.notes(kind=NoteKind.AGENT_STARTED)
    finally:
        await journal.close()


def _leftovers(started: Iterable[Note], advice: str) -> Finding:
    """Of sessions whose manager is dead: these are their agents' beginnings."""
    processes: list[ProcessIdentity] = []
    sessions: list[SessionId] = []
    for note in started:
        processes.append(ProcessIdentity.from_record(note.data["process"]))
        if note.session_id is not None:
            sessions.append(note.session_id)
    left = find_leftovers(processes, sessions)
    if not left:
        return Finding("leftovers", Verdict.OK, "nothing of a dead manager runs")
    pids = ", ".join(str(process.pid) for process in left)
    return Finding("leftovers", Verdict.NOTE, f"pid {pids} of a dead manager", advice)
