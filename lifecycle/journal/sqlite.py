"""The journal in a file: SQLite with a write-ahead log, every commit on the disk before its call returns.

Owns what each call of the port means in rows. One thread of its own has the connection, so that nothing blocks the
event loop, and a call that was begun is carried through whoever is cancelled meanwhile. Other processes may read
the same file at any time, or write one row into it; that there is one manager is `lock`'s business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from lifecycle.errors import JournalUnavailable
from lifecycle.journal import records, session_records
from lifecycle.journal.accounting import Account, begin_leg, charge, settle, total
from lifecycle.journal.database import Database
from lifecycle.journal.sealing import put, rows
from lifecycle.journal.worker import Worker
from lifecycle.ports import MessageUsage, Move, Note, SessionRecord, Spent, TransitionRecord
from lifecycle.processes import ProcessIdentity
from states.table import FINAL
from states.vocabulary import RunId, SessionId

__all__ = ["SqliteJournal"]

T = TypeVar("T")


class SqliteJournal:
    """`lifecycle.ports.Journal` in an SQLite file. Make one with `open`.

    After a fault that passes (a full disk, a lock held too long) the same object goes on.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_timeout_s: float = 5.0) -> None:
        self._path = path
        self._database = Database(path, read_only=read_only, busy_timeout_s=busy_timeout_s)
        self._worker = Worker("lifecycle-journal")
        self._is_closed = False
        self._polled: tuple[object, str | None] | None = None

    @classmethod
    async def open(
        cls, path: Path, *, read_only: bool = False, busy_timeout_s: float = 5.0
    ) -> SqliteJournal:
        """Open the journal at `path`, checked; without `read_only` it is made where there is none.

        Args:
            read_only: for a look at a journal that may be another's: nothing is made or written, and it works
                while a manager writes, after one was killed, and on a read-only file system.
            busy_timeout_s: how long a call waits for another process's write before it gives up.

        Raises:
            JournalForeign: another file is in its place; it was left untouched.
            JournalCorrupt: it is damaged or of a newer version; it was left untouched.
            JournalUnavailable: it cannot be opened, or with `read_only` is not there.
        """
        journal = cls(path, read_only=read_only, busy_timeout_s=busy_timeout_s)
        try:
            await journal._worker.call(journal._database.open)
        except BaseException:
            await journal.close()
            raise
        return journal

    @property
    def path(self) -> Path:
        return self._path

    async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
        def work(connection: sqlite3.Connection) -> TransitionRecord:
            before = records.newest(connection)
            if not records.follows(move.facts.run_id, move.source, before):
                raise JournalUnavailable(
                    self._path,
                    f"transition {before.seq} led to {before.dest} and not to {move.source}: somebody else writes here",
                )
            record = records.append(connection, move, before)
            if session is not None:
                session_records.put_session(connection, session)
            if record.dest in FINAL:
                # What ends a run is the answer to everything that was asked of it.
                connection.execute("DELETE FROM stop_requests")
            return record

        return await self._write(work)

    async def last(self) -> TransitionRecord | None:
        def work(connection: sqlite3.Connection) -> TransitionRecord | None:
            end = records.newest(connection)
            return records.transitions(connection, after=end.seq - 1)[0] if end.seq else None

        return await self._read(work)

    async def transitions(self, *, after: int = 0) -> Sequence[TransitionRecord]:
        return await self._read(lambda connection: records.transitions(connection, after=after))

    async def note(self, note: Note) -> None:
        await self._write(lambda connection: records.put_note(connection, note))

    async def notes(self, *, kind: str | None = None, run_id: RunId | None = None) -> Sequence[Note]:
        return await self._read(lambda connection: records.notes(connection, kind=kind, run_id=run_id))

    async def session(self, session_id: SessionId) -> SessionRecord | None:
        return await self._read(lambda connection: session_records.session(connection, session_id))

    async def mark_prompted(self, session_id: SessionId) -> None:
        await self._account(session_id, lambda _, account: begin_leg(account))

    async def record_usage(self, session_id: SessionId, usage: Sequence[MessageUsage]) -> Spent:
        def work(connection: sqlite3.Connection, account: Account) -> Account:
            for message in usage:
                before = session_records.counted(connection, session_id, message.message_id)
                account, counted = charge(account, before, message)
                session_records.put_counted(connection, session_id, counted)
            return account

        return await self._account(session_id, work)

    async def raise_cost(self, session_id: SessionId, cost_usd: float) -> Spent:
        return await self._account(session_id, lambda _, account: settle(account, cost_usd))

    async def spent(self, run_id: RunId) -> Spent:
        return await self._read(
            lambda connection: total(account.spent for account in session_records.accounts(connection, run_id))
        )

    async def keep(self, name: str, content: bytes) -> None:
        if await self.newest(name) != content:
            await self._write(lambda connection: records.put_copy(connection, name, content))

    async def newest(self, name: str) -> bytes | None:
        return await self._read(lambda connection: records.copy(connection, name))

    async def request_stop(self, run_id: RunId | None, owner: ProcessIdentity, by: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            number = records.next_id(connection, "stop_requests")
            put(
                connection, "stop_requests", number, run_id, owner.pid, owner.start, owner.boot_id, owner.host, by
            )  # fmt: skip

        await self._write(work)

    async def stop_requested(self, run_id: RunId | None, owner: ProcessIdentity) -> str | None:
        def work(connection: sqlite3.Connection) -> str | None:
            # One page of shared memory tells whether anybody else wrote; our own writes we know of.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            asked = (id(connection), version, self._database.writes, run_id, owner)
            if self._polled is None or self._polled[0] != asked:
                self._polled = (asked, _asked_by(connection, run_id, owner))
            return self._polled[1]

        return await self._call(lambda: self._database.peek(work))

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            try:
                await self._worker.call(self._database.close)
            finally:
                self._worker.stop()

    async def _account(
        self, session_id: SessionId, work: Callable[[sqlite3.Connection, Account], Account]
    ) -> Spent:
        def change(connection: sqlite3.Connection) -> Spent:
            found = session_records.account(connection, session_id)
            if found is None:
                raise LookupError(f"session {session_id!r} was never appended")
            run_id, account = found
            changed = work(connection, account)
            if changed != account:
                session_records.put_account(connection, session_id, run_id, changed)
            return changed.spent

        return await self._write(change)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._call(lambda: self._database.read(work))

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._call(lambda: self._database.write(work))

    async def _call(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise JournalUnavailable(self._path, "it was closed")
        return await self._worker.call(work)


def _asked_by(connection: sqlite3.Connection, run_id: RunId | None, owner: ProcessIdentity) -> str | None:
    found = rows(
        connection,
        "stop_requests",
        "WHERE pid = ? AND start = ? AND boot_id = ? AND host = ? AND (run_id IS NULL OR run_id = ?) ORDER BY id",
        (owner.pid, owner.start, owner.boot_id, owner.host, run_id),
    )
    return cast("str", found[0][-1]) if found else None
