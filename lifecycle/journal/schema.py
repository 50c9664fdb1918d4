"""The journal's tables, and how an older file becomes a newer one.

Owns the DDL, the version and the migrations; knows nothing of what the rows mean. A migration is never changed once
it was released: what comes later is a new row of `MIGRATIONS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["APPLICATION_ID", "COLUMNS", "MIGRATIONS", "Migration", "definitions", "migrate", "newest_version"]

APPLICATION_ID: Final = 0x4C435943
"""What tells a journal from any other SQLite file ("LCYC"); in the file's header, at byte 68."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step, made in one transaction of its own together with its number."""

    version: int
    why: str
    statements: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "the first version",
        (
            # `seq` is gapless over the project's life. Every digest covers the one before it: a chain, so that a
            # row can neither change nor vanish without showing.
            """CREATE TABLE transitions (
                seq INTEGER PRIMARY KEY CHECK (seq > 0),
                at REAL NOT NULL,
                run_id TEXT NOT NULL,
                source TEXT NOT NULL,
                trigger TEXT NOT NULL,
                dest TEXT NOT NULL,
                facts TEXT NOT NULL,
                digest BLOB NOT NULL,
                UNIQUE (run_id, seq)
            )""",
            # The chain's end. Without it a file whose newest pages were lost would be a good, shorter one.
            """CREATE TABLE head (
                id INTEGER PRIMARY KEY CHECK (id = 1),
                seq INTEGER NOT NULL,
                digest BLOB NOT NULL
            )""",
            "INSERT INTO head (id, seq, digest) VALUES (1, 0, x'')",
            # Two tables, because a baseline can be megabytes and an account changes with every message.
            """CREATE TABLE sessions (
                session_id TEXT PRIMARY KEY,
                run_id TEXT NOT NULL,
                number INTEGER NOT NULL,
                iteration INTEGER NOT NULL,
                type TEXT NOT NULL,
                prompt TEXT NOT NULL,
                baseline BLOB NOT NULL,
                digest BLOB NOT NULL
            )""",
            """CREATE TABLE accounts (
                session_id TEXT PRIMARY KEY,
                run_id TEXT NOT NULL,
                is_prompted INTEGER NOT NULL,
                turns INTEGER NOT NULL,
                cost_usd REAL NOT NULL,
                leg_start_usd REAL NOT NULL,
                leg_usd REAL NOT NULL,
                digest BLOB NOT NULL
            )""",
            "CREATE INDEX accounts_of_run ON accounts (run_id)",
            """CREATE TABLE usage (
                session_id TEXT NOT NULL,
                message_id TEXT NOT NULL,
                usage TEXT NOT NULL,
                charged_usd REAL NOT NULL,
                is_turn INTEGER NOT NULL,
                digest BLOB NOT NULL,
                PRIMARY KEY (session_id, message_id)
            ) WITHOUT ROWID""",
            """CREATE TABLE notes (
                id INTEGER PRIMARY KEY,
                kind TEXT NOT NULL,
                at REAL NOT NULL,
                run_id TEXT,
                session_id TEXT,
                seq INTEGER NOT NULL,
                data TEXT NOT NULL,
                digest BLOB NOT NULL
            )""",
            """CREATE TABLE copies (
                name TEXT PRIMARY KEY,
                content BLOB NOT NULL,
                digest BLOB NOT NULL
            )""",
            """CREATE TABLE stop_requests (
                id INTEGER PRIMARY KEY,
                run_id TEXT,
                pid INTEGER NOT NULL,
                start INTEGER NOT NULL,
                boot_id TEXT NOT NULL,
                host TEXT NOT NULL,
                asked_by TEXT NOT NULL,
                digest BLOB NOT NULL
            )""",
        ),
    ),
)

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "transitions": ("seq", "at", "run_id", "source", "trigger", "dest", "facts"),
    "sessions": ("session_id", "run_id", "number", "iteration", "type", "prompt", "baseline"),
    "accounts": ("session_id", "run_id", "is_prompted", "turns", "cost_usd", "leg_start_usd", "leg_usd"),
    "usage": ("session_id", "message_id", "usage", "charged_usd", "is_turn"),
    "notes": ("id", "kind", "at", "run_id", "session_id", "seq", "data"),
    "copies": ("name", "content"),
    "stop_requests": ("id", "run_id", "pid", "start", "boot_id", "host", "asked_by"),
}
"""What each table's digest covers, in this order."""


def newest_version() -> int:
    """The version that this program writes."""
    return MIGRATIONS[-1].version


def migrate(connection: sqlite3.Connection) -> bool:
    """Bring an open journal to the newest version, and an empty file to be one; return whether it was not.

    Each step is one transaction, so that a crash leaves one version or the next. Two who migrate at once wait for
    each other, and the second finds it done.
    """
    has_changed = False
    for migration in MIGRATIONS:
        if _version(connection) >= migration.version:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) < migration.version:
                for statement in migration.statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {migration.version}")
                has_changed = True
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return has_changed


def definitions(version: int) -> Mapping[str, str]:
    """What a journal of this version is made of: the SQL of every table and index, by name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migration in MIGRATIONS:
            if migration.version <= version:
                for statement in migration.statements:
                    connection.execute(statement)
        return read_definitions(connection)
    finally:
        connection.close()


def read_definitions(connection: sqlite3.Connection) -> dict[str, str]:
    """The SQL of every table and index that somebody made in this file, by name."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: sql for name, sql in rows if not name.startswith("sqlite_")}


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
