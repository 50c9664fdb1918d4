"""Whether a file is a sound journal, found out before anything is written.

Owns the look at a file that may be anything: it leaves the file as it is, and makes no side file beside one that is
not ours. A small journal is checked whole. Of a large one only the frame and the newest transitions are, so that
opening takes no longer as a project grows; whatever else is read of it is checked when it is read.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Final

from lifecycle.errors import JournalCorrupt, JournalForeign, JournalUnavailable
from lifecycle.journal import records
from lifecycle.journal.connecting import (
    READ_SETTLED,
    connect,
    connect_to_read,
    has_log,
    primary_code,
    translated,
)
from lifecycle.journal.schema import APPLICATION_ID, COLUMNS, definitions, newest_version, read_definitions
from lifecycle.journal.sealing import Damage, rows

__all__ = ["FULL_CHECK_PAGES", "TAIL", "inspect"]

FULL_CHECK_PAGES: Final = 512
"""Up to this many pages, of 4 KiB, a journal is checked whole: thirty milliseconds at most."""

TAIL: Final = 32
"""How many of the newest transitions are read through, facts and all, at every opening."""


def inspect(path: Path, *, is_whole: bool = False) -> int | None:
    """Return the journal's version, or None when there is no file.

    Args:
        is_whole: check everything, whatever its size.

    Raises:
        JournalForeign: something else is in its place.
        JournalCorrupt: it is damaged, or was written by a newer version.
        JournalUnavailable: it cannot be read.
    """
    if not _is_there(path):
        return None
    try:
        is_live = has_log(path)
        try:
            _recognise(path)
            if not is_live:
                with closing(connect(path, READ_SETTLED)) as connection:
                    return _check(connection, is_whole=is_whole)
        except (Damage, sqlite3.DatabaseError) as error:
            # What looks broken without its log may be whole with it: a writer may have come just now.
            if not has_log(path) or (isinstance(error, sqlite3.Error) and not _is_damage(error)):
                raise
        with closing(connect_to_read(path)) as connection:
            return _check(connection, is_whole=is_whole)
    except Damage as damage:
        raise JournalCorrupt(path, damage.problem) from damage
    except UnicodeDecodeError as error:
        # SQLite quotes the damaged name in its message, and Python cannot decode the message.
        raise JournalCorrupt(path, "a name in its schema is no text") from error
    except sqlite3.Error as error:
        raise translated(path, error) from error


def _is_there(path: Path) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise JournalForeign(path, "a link that leads nowhere is in its place") from None
        if has_log(path):
            # A new file in this place would have the old log played into it.
            raise JournalCorrupt(path, "the file is gone, and its write-ahead log is still there") from None
        return False
    except OSError as error:
        raise JournalUnavailable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise JournalForeign(path, "what is in its place is not a file")
    if status.st_size == 0:
        raise JournalCorrupt(path, "the file is empty")
    if not os.access(path, os.R_OK):
        raise JournalUnavailable(path, "it may not be read by this user")
    return True


def _recognise(path: Path) -> None:
    """Look at the header alone, which is in the file itself from its first moment on."""
    with closing(connect(path, READ_SETTLED)) as connection:
        try:
            application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            if primary_code(error) == sqlite3.SQLITE_NOTADB:
                raise JournalForeign(path, "it is not an SQLite database") from error
            raise
    if application_id != APPLICATION_ID:
        raise JournalForeign(path, f"an SQLite database with the application id {application_id}")
    _check_version(version)


def _check_version(version: int) -> int:
    if version > newest_version():
        raise Damage(f"it was written by a newer version: {version}, and this program knows {newest_version()}")
    if version < 1:
        raise Damage(f"its version is {version}, which there never was")
    return version


def _is_damage(error: sqlite3.Error) -> bool:
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _check(connection: sqlite3.Connection, *, is_whole: bool) -> int:
    connection.execute("BEGIN")
    version = _check_version(int(connection.execute("PRAGMA user_version").fetchone()[0]))
    found = read_definitions(connection)
    for name, sql in definitions(version).items():
        if found.get(name) != sql:
            raise Damage(f"the table {name} is {'not as it was made' if name in found else 'missing'}")
    if is_whole or connection.execute("PRAGMA page_count").fetchone()[0] <= FULL_CHECK_PAGES:
        _check_whole(connection)
    end = records.newest(connection)
    records.transitions(connection, after=max(0, end.seq - TAIL))
    connection.execute("COMMIT")
    return version


def _check_whole(connection: sqlite3.Connection) -> None:
    """Every page, every index, every row."""
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    deque(records.links(connection), maxlen=0)
    for table in COLUMNS:
        if table != "transitions":
            rows(connection, table)
    # Last, because a row's own check names the record.
    if verdict != "ok":
        raise Damage(str(verdict))
