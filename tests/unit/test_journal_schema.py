"""Versions of the journal's tables."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from lifecycle.errors import JournalUnavailable
from lifecycle.journal import schema
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.schema import COLUMNS, MIGRATIONS, Migration, definitions, migrate, newest_version
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.testing.journal_conformance import start

ADDED = Migration(2, "for a test", ("CREATE TABLE extra (id INTEGER PRIMARY KEY)",))


def empty() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def test_versions_are_numbered_from_one_without_gaps() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, newest_version() + 1))


def test_an_empty_file_becomes_a_journal_in_steps_that_are_done_once() -> None:
    connection = empty()
    assert migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (newest_version(),)
    assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert not migrate(connection)
    connection.close()


def test_the_sealed_columns_are_all_columns() -> None:
    """What a digest does not cover could change unseen."""
    connection = empty()
    migrate(connection)
    for table, columns in COLUMNS.items():
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        assert found == [*columns, "digest"]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {*COLUMNS, "head"}
    connection.close()


def test_a_step_that_fails_leaves_the_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(2, "for a test", (*ADDED.statements, "CREATE TABLE extra (again)"))
    connection = empty()
    migrate(connection)
    before = schema.read_definitions(connection)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert schema.read_definitions(connection) == before
    connection.close()


async def test_an_older_journal_is_brought_up_to_date_and_keeps_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = await SqliteJournal.open(path)
    record = await journal.append(start())
    await journal.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, ADDED))
    with pytest.raises(JournalUnavailable, match="older version"):
        await SqliteJournal.open(path, read_only=True)
    journal = await SqliteJournal.open(path)
    assert await journal.last() == record
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[60:64], "big") == 2, "in the file itself, for older programs to see"
    await journal.close()
    assert "extra" in definitions(2)
    assert "extra" not in definitions(1)


def test_every_kind_of_note_says_what_it_tells() -> None:
    source = Path(schema.__file__).with_name("notes.py").read_text()
    for kind in NoteKind:
        assert re.search(rf'    {kind.name} = "{kind.value}"\n    """.+"""\n', source), kind
