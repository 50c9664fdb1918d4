"""Connections to a journal's file, and what SQLite's errors mean to whoever asked.

Owns how the file is opened: never made by opening it, and for reading without writing anything. It is opened by
SQLite only: closing a file descriptor of our own would let go of every lock that this process holds on the file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lifecycle.errors import JournalCorrupt, JournalUnavailable
from states.errors import LifecycleError

__all__ = ["connect", "connect_to_read", "has_log", "is_lasting", "primary_code", "translated"]

WRITE: Final = "mode=rw"
READ: Final = "mode=ro"
READ_SETTLED: Final = "mode=ro&immutable=1"
"""No locks, no side files, and no look at the log: only for a file that has none."""
READ_DEAD: Final = "mode=ro&vfs=unix-none"
"""No locks either, and the log's index in memory: only where nobody can be writing."""


def connect(path: Path, how: str, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """Open a file that is there, for the thread that calls this. Nothing has been read of it yet."""
    name = quote(os.fsencode(path.absolute()))
    connection = sqlite3.connect(f"file:{name}?{how}", uri=True, isolation_level=None, timeout=busy_timeout_s)
    # Text that is no UTF-8 was not written by us. It must reach its checksum, which tells which record it is in.
    connection.text_factory = _text
    if how is READ_DEAD:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal for reading, whoever else is writing it, also where nothing can be written.

    A manager that was killed leaves a log that has to be read with the file. SQLite needs a side file for that,
    and on a read-only file system cannot make one; then nobody can be writing, and it is read without.
    """
    try:
        return _tried(path, READ)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _tried(path, READ_DEAD if has_log(path) else READ_SETTLED)


def has_log(path: Path) -> bool:
    """Whether something was written that is not in the file itself yet."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its refinement; 0 where the fault is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_lasting(error: sqlite3.Error) -> bool:
    """Whether the connection is as good as before the error: the disk was full, or somebody else was writing."""
    return primary_code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY)


def translated(path: Path, error: sqlite3.Error) -> LifecycleError | sqlite3.Error:
    """The error that callers know; one that only a fault in this program can make stays as it is."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return error
    # Our statements are right, so where SQLite cannot make sense of one the file is not what it was.
    if primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return JournalCorrupt(path, str(error))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return JournalUnavailable(path, f"{error}, {name}")


def _tried(path: Path, how: str) -> sqlite3.Connection:
    connection = connect(path, how)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            connection.close()
        raise
    return connection


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
