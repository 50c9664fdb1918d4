"""The journal's file as it is used: made once, opened, read and written in transactions of a few milliseconds.

Owns the connection, and the promise that a write is there whole or not at all. Everything here is called from one
thread. It knows no table's meaning.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from lifecycle.errors import JournalCorrupt, JournalUnavailable
from lifecycle.journal.connecting import WRITE, connect, connect_to_read, is_lasting, primary_code, translated
from lifecycle.journal.inspection import inspect
from lifecycle.journal.schema import migrate, newest_version
from lifecycle.journal.sealing import Damage
from lifecycle.processes import identity_of

__all__ = ["Database"]

T = TypeVar("T")

_DRAFTS = count(1)


class Database:
    """One connection to one file, made anew after a fault that it may not have survived.

    Args:
        read_only: the file is neither made nor migrated nor written.
        busy_timeout_s: how long to wait for somebody else's write.
    """

    def __init__(self, path: Path, *, read_only: bool, busy_timeout_s: float) -> None:
        self._path = path
        self._read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[os.stat_result, ...] = ()
        self.writes = 0

    def open(self) -> None:
        """Check the file, or make it where there is none, and open it.

        Raises:
            JournalForeign, JournalCorrupt, JournalUnavailable: the file is as it was.
        """
        version = inspect(self._path)
        if not self._read_only:
            self._guarded(lambda: _sweep(self._path))
        if version is None:
            if self._read_only:
                raise JournalUnavailable(self._path, "there is none")
            self._guarded(lambda: _make(self._path))
            version = newest_version()
        self._guarded(lambda: self._connected(version))

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` read at one moment of the file's life."""
        return self._guarded(lambda: _in_transaction(self._ready(), "BEGIN", work))

    def peek(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` read with statements that need not be of one moment."""
        return self._guarded(lambda: work(self._ready()))

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` write. What this returns from is on the disk; when it raises, nothing of it is there."""
        if self._read_only:
            raise JournalUnavailable(self._path, "it was opened for reading only")

        def checked(connection: sqlite3.Connection) -> T:
            self._check_in_place()
            return work(connection)

        self.writes += 1
        return self._guarded(lambda: _in_transaction(self._ready(), "BEGIN IMMEDIATE", checked))

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing may tidy the log up, and may fail at it: nothing that was promised depends on that.
            with suppress(sqlite3.Error):
                connection.close()

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            version = inspect(self._path)
            if version is None:
                raise JournalUnavailable(self._path, "it is gone")
            return self._connected(version)
        return self._connection

    def _connected(self, version: int) -> sqlite3.Connection:
        if self._read_only:
            if version < newest_version():
                raise JournalUnavailable(self._path, "it is of an older version; the next run brings it up to date")
            self._connection = connect_to_read(self._path)
            return self._connection
        connection = connect(self._path, WRITE, busy_timeout_s=self._busy_timeout_s)
        try:
            self._prepare(connection)
        except BaseException:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalUnavailable(self._path, f"its file system allows no write-ahead log, only {mode!r}")
        # FULL: the log is on the disk when a commit returns. The default would promise less after a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        if migrate(connection):
            # Into the file itself, so that an older program sees the version without reading the log.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        # A file that cannot be written is refused now and not at the first transition. It takes a change to find
        # out: a transaction alone silently becomes one for reading.
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("UPDATE head SET seq = seq")
        except sqlite3.OperationalError as error:
            if primary_code(error) == sqlite3.SQLITE_READONLY and os.access(self._path, os.W_OK):
                raise Damage("its header names a format that cannot be written") from error
            raise
        finally:
            connection.execute("ROLLBACK")
        self._files = _stats(self._path)

    def _check_in_place(self) -> None:
        """A file that was deleted can still be written, and nobody would ever find what was."""
        try:
            if all(map(os.path.samestat, self._files, _stats(self._path))):
                return
        except FileNotFoundError:
            pass
        self._files = ()
        raise JournalUnavailable(self._path, "somebody removed or replaced it while it was in use")

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Damage as damage:
            raise JournalCorrupt(self._path, damage.problem) from damage
        except sqlite3.Error as error:
            if not is_lasting(error):
                self.close()
            raise translated(self._path, error) from error
        except OSError as error:
            raise JournalUnavailable(self._path, error.strerror or str(error)) from error
        finally:
            if self._connection is not None and (self._connection.in_transaction or self._is_lost()):
                self.close()

    def _is_lost(self) -> bool:
        return not self._read_only and not self._files


def _in_transaction(connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Some faults have rolled back already. Where even that fails the connection is given up (`_guarded`).
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    return result


def _stats(path: Path) -> tuple[os.stat_result, ...]:
    return os.stat(path), os.stat(f"{path}-wal")


def _make(path: Path) -> None:
    """Make an empty journal: elsewhere, and then in its place at once, so that no crash leaves half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{next(_DRAFTS)}.new")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(connect(draft, WRITE)) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            migrate(connection)
        _put_in_place(draft, path)
        _sync(path.parent)
        _sync(path.parent.parent)
    finally:
        draft.unlink(missing_ok=True)


def _put_in_place(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # somebody else made it meanwhile
    except OSError:
        # A file system without hard links. The lock sees to it that nobody else is making one.
        if not path.exists():
            draft.rename(path)


def _sweep(path: Path) -> None:
    """Remove the drafts of processes that died over them."""
    for draft in path.parent.glob(f".{path.name}.*.new"):
        pid = draft.name.split(".")[-2].split("-")[0]
        if pid.isdecimal() and identity_of(int(pid)) is None:
            draft.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make the directory's names durable, as far as its file system and our permissions let us."""
    with suppress(OSError):
        file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
