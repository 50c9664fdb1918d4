"""The journal in memory: the twin of the one in SQLite, for tests and for hosts that keep their own record.

Promises all that `lifecycle.ports.Journal` does, but for surviving the process. `lifecycle.testing` holds both to
one set of cases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lifecycle.errors import JournalUnavailable
from lifecycle.journal.accounting import Account, Counted, begin_leg, charge, settle, total
from lifecycle.journal.records import Link, follows, to_json
from lifecycle.ports import MessageUsage, Move, Note, SessionRecord, Spent, TransitionRecord
from lifecycle.processes import ProcessIdentity
from states.record import to_data
from states.table import FINAL
from states.vocabulary import RunId, SessionId

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """`lifecycle.ports.Journal` in memory. Every call is done when it returns, and none waits."""

    def __init__(self, path: Path = Path(":memory:")) -> None:
        self._path = path
        self._transitions: list[TransitionRecord] = []
        self._sessions: dict[SessionId, SessionRecord] = {}
        self._accounts: dict[SessionId, Account] = {}
        self._counted: dict[tuple[SessionId, str], Counted] = {}
        self._notes: list[Note] = []
        self._copies: dict[str, bytes] = {}
        self._stop_requests: list[tuple[RunId | None, ProcessIdentity, str]] = []
        self._is_closed = False

    @property
    def path(self) -> Path:
        return self._path

    async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
        self._check_open()
        last = self._transitions[-1] if self._transitions else None
        before = Link() if last is None else Link(seq=last.seq, run_id=last.run_id, dest=last.dest)
        if not follows(move.facts.run_id, move.source, before):
            raise JournalUnavailable(
                self._path,
                f"transition {before.seq} led to {before.dest} and not to {move.source}: somebody else writes here",
            )
        to_json(to_data(move.facts))  # what could not be written must not be kept here either
        kept = None if session is None else replace(session, baseline=_plain(session.baseline))
        record = TransitionRecord(
            seq=before.seq + 1,
            at=float(move.facts.at),
            run_id=move.facts.run_id,
            source=str(move.source),
            trigger=str(move.trigger),
            dest=str(move.dest),
            facts=move.facts,
        )
        self._transitions.append(record)
        if kept is not None:
            self._keep_session(kept)
        if record.dest in FINAL:
            self._stop_requests.clear()
        return record

    async def last(self) -> TransitionRecord | None:
        self._check_open()
        return self._transitions[-1] if self._transitions else None

    async def transitions(self, *, after: int = 0) -> Sequence[TransitionRecord]:
        self._check_open()
        return self._transitions[max(after, 0) :]

    async def note(self, note: Note) -> None:
        self._check_open()
        seq = note.seq or len(self._transitions)
        self._notes.append(replace(note, kind=str(note.kind), at=float(note.at), data=_plain(note.data), seq=seq))

    async def notes(self, *, kind: str | None = None, run_id: RunId | None = None) -> Sequence[Note]:
        self._check_open()
        return [
            replace(note, data=_plain(note.data))
            for note in self._notes
            if kind in (None, note.kind) and run_id in (None, note.run_id)
        ]

    async def session(self, session_id: SessionId) -> SessionRecord | None:
        self._check_open()
        record = self._sessions.get(session_id)
        if record is None:
            return None
        account = self._accounts[session_id]
        return replace(
            record,
            baseline=_plain(record.baseline),
            prompted=account.is_prompted,
            turns=account.turns,
            cost_usd=account.cost_usd,
        )

    async def mark_prompted(self, session_id: SessionId) -> None:
        self._accounts[session_id] = begin_leg(self._account(session_id))

    async def record_usage(self, session_id: SessionId, usage: Sequence[MessageUsage]) -> Spent:
        account = self._account(session_id)
        counted: dict[tuple[SessionId, str], Counted] = {}
        for message in usage:
            key = (session_id, message.message_id)
            account, counted[key] = charge(account, counted.get(key, self._counted.get(key)), message)
        self._counted |= counted
        self._accounts[session_id] = account
        return account.spent

    async def raise_cost(self, session_id: SessionId, cost_usd: float) -> Spent:
        account = self._accounts[session_id] = settle(self._account(session_id), cost_usd)
        return account.spent

    async def spent(self, run_id: RunId) -> Spent:
        self._check_open()
        return total(self._accounts[key].spent for key, record in self._sessions.items() if record.run_id == run_id)

    async def keep(self, name: str, content: bytes) -> None:
        self._check_open()
        self._copies[name] = bytes(content)

    async def newest(self, name: str) -> bytes | None:
        self._check_open()
        return self._copies.get(name)

    async def request_stop(self, run_id: RunId | None, owner: ProcessIdentity, by: str) -> None:
        self._check_open()
        self._stop_requests.append((run_id, owner, by))

    async def stop_requested(self, run_id: RunId | None, owner: ProcessIdentity) -> str | None:
        self._check_open()
        for asked_run, asked_owner, by in self._stop_requests:
            if asked_owner == owner and asked_run in (None, run_id):
                return by
        return None

    async def close(self) -> None:
        self._is_closed = True

    def _keep_session(self, session: SessionRecord) -> None:
        known = self._sessions.get(session.session_id)
        if known is not None:
            self._sessions[session.session_id] = replace(known, baseline=session.baseline)
            return
        self._sessions[session.session_id] = session
        self._accounts[session.session_id] = Account(session.prompted, session.turns, float(session.cost_usd))

    def _account(self, session_id: SessionId) -> Account:
        self._check_open()
        if session_id not in self._accounts:
            raise LookupError(f"session {session_id!r} was never appended")
        return self._accounts[session_id]

    def _check_open(self) -> None:
        if self._is_closed:
            raise JournalUnavailable(self._path, "it was closed")


def _plain(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy as it would come back from a file, refusing what could not be written to one."""
    copy: Mapping[str, Any] = json.loads(to_json(data))
    return copy
