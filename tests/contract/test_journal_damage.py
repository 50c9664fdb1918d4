"""A file that is not a sound journal is refused by name and left as it is."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lifecycle.errors import JournalCorrupt, JournalForeign, JournalUnavailable
from lifecycle.journal import inspection, schema
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Note
from lifecycle.testing.journal_conformance import (
    OTHER_SESSION,
    OWNER,
    RUN,
    SESSION,
    message,
    move,
    planned,
    start,
)
from states.vocabulary import RunId, State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory / "journal.sqlite3"


async def fill(path: Path) -> None:
    """A journal with something in every table."""
    journal = await SqliteJournal.open(path)
    await journal.append(start(), planned())
    await journal.append(move(State.DETECT, State.CREATE))
    await journal.append(move(State.CREATE, State.RUN), planned(OTHER_SESSION))
    for session in (SESSION, OTHER_SESSION):
        await journal.mark_prompted(session)
        await journal.record_usage(session, [message(f"message-{number}") for number in range(20)])
    for number in range(20):
        await journal.note(Note("warning", float(number), {"text": "words " * 20}, RUN, SESSION))
    await journal.keep("feature_list.json", random.Random(1).randbytes(9000))
    await journal.append(move(State.RUN, State.END))
    await journal.request_stop(RUN, OWNER, "somebody")
    await journal.close()


def contents(directory: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in directory.iterdir() if found.is_file()}


def execute(path: Path, *statements: str) -> None:
    """What somebody else does to the file, in the file itself when it is done."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        connection.execute(statement)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


async def refused(path: Path, error: type[Exception], words: str) -> None:
    """Refused for writing and for reading, with these words, and nothing was touched either time."""
    before = contents(path.parent)
    for read_only in (False, True):
        with pytest.raises(error, match=words) as caught:
            await SqliteJournal.open(path, read_only=read_only)
        assert str(path) in str(caught.value)
        assert contents(path.parent) == before


# --- foreign -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"hello\n", b"\0" * 10_000, b"SQLite format 2\0" * 100, b"{" * 5000])
async def test_what_is_no_database_is_foreign(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    await refused(path, JournalForeign, "not an SQLite database")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("application_id", [0, 1234])
async def test_another_programs_database_is_foreign(path: Path, mode: str, application_id: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute("CREATE TABLE transitions (seq INTEGER PRIMARY KEY)")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.close()
    await refused(path, JournalForeign, f"application id {application_id}")


async def test_another_programs_database_in_use_is_foreign(path: Path) -> None:
    """Its own log and index are there, and stay as they are."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO t VALUES (1)")
    await refused(path, JournalForeign, "application id 0")
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.close()


async def test_a_directory_in_its_place_is_foreign(path: Path) -> None:
    path.mkdir()
    await refused(path, JournalForeign, "not a file")


async def test_a_dangling_link_in_its_place_is_foreign(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")
    with pytest.raises(JournalForeign, match="leads nowhere"):
        await SqliteJournal.open(path)
    assert path.is_symlink()
    assert not (path.parent / "nowhere").exists()


# --- corrupt -------------------------------------------------------------------------------------------------


async def test_an_empty_file_is_corrupt(path: Path) -> None:
    """No journal is ever empty, so this one was cut off; to begin anew would lose a project."""
    path.touch()
    await refused(path, JournalCorrupt, "empty")


@pytest.mark.parametrize("keep", [0.999, 0.9, 0.5, 0.1])
async def test_a_truncated_journal_is_corrupt(path: Path, keep: float) -> None:
    await fill(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    await refused(path, JournalCorrupt, "journal is damaged")


async def test_a_log_without_its_file_is_corrupt(path: Path) -> None:
    """A new journal in this place would have the old log played into it."""
    killed_while_writing(path)
    path.unlink()
    await refused(path, JournalCorrupt, "write-ahead log is still there")


async def test_a_newer_version_is_refused(path: Path) -> None:
    await fill(path)
    execute(path, "PRAGMA user_version = 99")
    await refused(path, JournalCorrupt, "newer version: 99, and this program knows 1")


@pytest.mark.parametrize("version", [0, -3])
async def test_a_version_that_never_was_is_refused(path: Path, version: int) -> None:
    await fill(path)
    execute(path, f"PRAGMA user_version = {version}")
    await refused(path, JournalCorrupt, f"version is {version}")


@pytest.mark.parametrize("table", [*schema.COLUMNS, "head"])
async def test_a_missing_table_is_corrupt(path: Path, table: str) -> None:
    await fill(path)
    execute(path, f"DROP TABLE {table}")
    await refused(path, JournalCorrupt, f"the table {table} is missing")


async def test_a_changed_table_is_corrupt(path: Path) -> None:
    await fill(path)
    execute(path, "ALTER TABLE notes ADD COLUMN mine TEXT")
    await refused(path, JournalCorrupt, "the table notes is not as it was made")


CHANGES = [
    ("DELETE FROM transitions WHERE seq = 2", "transition 2 is missing"),
    ("DELETE FROM transitions WHERE seq = 1", "transition 1 is missing"),
    ("DELETE FROM transitions WHERE seq = 4", "transition 4 was written last and transition 3 is the last one"),
    ("UPDATE transitions SET seq = 5 WHERE seq = 4", "transition 4 was written last and transition 5"),
    ("UPDATE transitions SET facts = '{}' WHERE seq = 3", "transition 3 does not match"),
    ("UPDATE transitions SET dest = 'END' WHERE seq = 2", "transition 2 does not match"),
    ("UPDATE transitions SET digest = x'00' WHERE seq = 2", "transition 2 does not match"),
    ("UPDATE head SET seq = 9", "transition 9 was written last"),
    ("DELETE FROM head", "the newest transition is missing"),
    (f"UPDATE accounts SET cost_usd = 0 WHERE session_id = '{SESSION}'", f"accounts '{SESSION}'.*checksum"),
    ("UPDATE sessions SET prompt = 'other'", "sessions .*checksum"),
    ("UPDATE notes SET data = '{}' WHERE id = 7", "notes 7.*checksum"),
    ("UPDATE usage SET charged_usd = 0", "usage .*checksum"),
    ("UPDATE copies SET content = x'78'", "copies 'feature_list.json'.*checksum"),
    ("UPDATE stop_requests SET asked_by = 'x'", "stop_requests 1.*checksum"),
    ("UPDATE notes SET kind = CAST(x'fffe' AS TEXT) WHERE id = 3", "notes 3.*checksum"),
]


@pytest.mark.parametrize(("statement", "words"), CHANGES, ids=[words for _, words in CHANGES])
async def test_a_changed_record_is_named(path: Path, statement: str, words: str) -> None:
    await fill(path)
    execute(path, statement)
    await refused(path, JournalCorrupt, words)


async def written(path: Path, work: Any) -> None:
    """Something that this program would never write, with checksums that are right."""
    journal = await SqliteJournal.open(path)
    await journal._write(work)
    await journal.close()


async def test_facts_that_cannot_be_read_are_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lifecycle.journal import records

    await fill(path)
    with monkeypatch.context() as patch:
        patch.setattr(records, "to_data", lambda facts: {"version": 99})
        await written(path, lambda c: records.append(c, move(State.END, State.CONTINUE), records.newest(c)))
    await refused(path, JournalCorrupt, "facts of transition 5: .*version 99 is not known")


async def test_a_source_that_is_not_where_its_run_stood_is_named(path: Path) -> None:
    from lifecycle.journal import records

    await fill(path)
    await written(path, lambda c: records.append(c, move(State.CREATE, State.RUN), records.newest(c)))
    await refused(path, JournalCorrupt, "transition 5 leaves CREATE, and transition 4 of its run led to END")


async def everything(path: Path) -> list[Any]:
    journal = await SqliteJournal.open(path)
    try:
        return [
            await journal.transitions(),
            await journal.notes(),
            await journal.session(SESSION),
            await journal.session(OTHER_SESSION),
            await journal.spent(RUN),
            await journal.newest("feature_list.json"),
            await journal.stop_requested(RUN, OWNER),
        ]
    finally:
        await journal.close()


async def test_a_flipped_byte_is_harmless_or_named(path: Path, tmp_path: Path) -> None:
    """Wherever it is, header included: either the error says so, or everything reads as before."""
    await fill(path)
    whole, content = await everything(path), path.read_bytes()
    chance = random.Random(20240607)
    places = [*range(0, 100, 3), *(chance.randrange(len(content)) for _ in range(200))]
    named = 0
    for number, place in enumerate(places):
        copy = tmp_path / f"copy-{number}" / path.name
        copy.parent.mkdir()
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        copy.write_bytes(flipped)
        try:
            assert await everything(copy) == whole, f"byte {place}"
        except (JournalCorrupt, JournalForeign):
            named += 1
            assert contents(copy.parent) == {copy.name: bytes(flipped)}, f"byte {place}"
        except JournalUnavailable as error:
            pytest.fail(f"byte {place}: {error}")
        shutil.rmtree(copy.parent)
    assert named > len(places) / 3


async def test_a_large_journal_is_checked_at_its_end_and_wherever_it_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "FULL_CHECK_PAGES", 0)
    monkeypatch.setattr(inspection, "TAIL", 1)
    await fill(path)
    execute(path, "UPDATE transitions SET trigger = 'x' WHERE seq = 2")
    journal = await SqliteJournal.open(path)
    last = await journal.last()
    assert last is not None
    assert last.seq == 4
    with pytest.raises(JournalCorrupt, match="transition 2 does not match"):
        await journal.transitions()
    assert (await journal.append(move(State.END, State.CONTINUE))).seq == 5
    await journal.close()


# --- after a kill --------------------------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.testing.journal_conformance import start, planned

async def main():
    journal = await SqliteJournal.open(Path(sys.argv[1]))
    await journal.append(start(), planned())
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def killed_while_writing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Path(f"{path}-wal").stat().st_size > 0


async def test_damage_beside_a_log_leaves_file_and_log_as_they_are(path: Path) -> None:
    killed_while_writing(path)
    log = Path(f"{path}-wal")
    content = bytearray(path.read_bytes())
    content[70] ^= 0xFF
    path.write_bytes(content)
    before = contents(path.parent)
    with pytest.raises(JournalForeign):
        await SqliteJournal.open(path)
    assert contents(path.parent) == before
    assert log.exists()


async def test_a_log_that_was_cut_off_ends_with_the_last_whole_commit(path: Path) -> None:
    """A power cut tears the end of the log; nothing that had returned was in the torn part."""
    killed_while_writing(path)
    log = Path(f"{path}-wal")
    log.write_bytes(log.read_bytes()[:-100])
    journal = await SqliteJournal.open(path)
    assert await journal.last() is None
    assert await journal.session(SESSION) is None
    assert (await journal.append(start(RunId("next")))).seq == 1
    await journal.close()


async def test_many_openings_at_once_make_one_journal(path: Path) -> None:
    journals = await asyncio.gather(*(SqliteJournal.open(path) for _ in range(5)))
    for number, journal in enumerate(journals):
        await journal.append(start(RunId(f"run-{number}")))
    assert [record.seq for record in await journals[0].transitions()] == [1, 2, 3, 4, 5]
    for journal in journals:
        await journal.close()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
