"""The journal's file among other processes, faults that pass, and cancelled calls."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lifecycle.errors import JournalUnavailable
from lifecycle.journal import schema
from lifecycle.journal.inspection import inspect
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.testing.journal_conformance import OWNER, RUN, SESSION, planned, start
from states.vocabulary import RunId

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    path.parent.mkdir()
    journal = await SqliteJournal.open(path, busy_timeout_s=0.2)
    yield journal
    await journal.close()


def run(number: int) -> RunId:
    return RunId(f"run-{number}")


def in_another_process(code: str, *arguments: object, **more: Any) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, **more).stdout


# --- the file ------------------------------------------------------------------------------------------------


async def test_a_new_journal_is_a_log_file_of_ours_for_its_user_only(journal: SqliteJournal, path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.newest_version(),)
    connection.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(path.parent.glob("*.new"))


async def test_every_commit_is_synced(journal: SqliteJournal) -> None:
    assert await journal._read(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)


async def test_closing_leaves_one_file(journal: SqliteJournal, path: Path) -> None:
    await journal.append(start())
    await journal.close()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


async def test_a_draft_of_a_dead_process_is_swept_away(path: Path) -> None:
    """Also of one that died when the journal was in its place already, and the draft its second name."""
    path.parent.mkdir()
    dead = path.with_name(f".{path.name}.{2**22 + 1}-1.new")
    dead.touch()
    await (await SqliteJournal.open(path)).close()
    assert not dead.exists()
    os.link(path, dead)
    await (await SqliteJournal.open(path, read_only=True)).close()
    assert dead.exists()
    await (await SqliteJournal.open(path)).close()
    assert not dead.exists()


@pytest.mark.parametrize("name", ["a b", "what?mode=memory", "100%41", "#1", "ümläut"])
async def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / name
    path.parent.mkdir()
    journal = await SqliteJournal.open(path)
    await journal.append(start())
    await journal.close()
    assert path.stat().st_size > 0


async def test_there_is_nothing_to_read_where_there_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="there is none"):
        await SqliteJournal.open(tmp_path / "journal.sqlite3", read_only=True)
    assert not list(tmp_path.iterdir())


async def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="No such file"):
        await SqliteJournal.open(tmp_path / "missing" / "journal.sqlite3")


async def test_a_reader_writes_nothing(journal: SqliteJournal, path: Path) -> None:
    reader = await SqliteJournal.open(path, read_only=True)
    with pytest.raises(JournalUnavailable, match="reading only"):
        await reader.append(start())
    await reader.close()


@pytest.mark.parametrize("take", ["delete", "replace"])
async def test_a_file_that_was_taken_away_is_not_written_any_more(
    journal: SqliteJournal, path: Path, take: str
) -> None:
    """Its space is still there for whoever has it open, and would be gone with us."""
    await journal.append(start())
    aside = path.with_name("aside")
    path.rename(aside)
    if take == "replace":
        shutil.copy(aside, path)
    with pytest.raises(JournalUnavailable, match="removed or replaced"):
        await journal.append(start(run(2)))
    aside.replace(path)
    assert (await journal.append(start(run(2)))).seq == 2


# --- other processes -----------------------------------------------------------------------------------------


async def test_a_stop_request_from_another_process_arrives(journal: SqliteJournal, path: Path) -> None:
    await journal.append(start())
    assert await journal.stop_requested(RUN, OWNER) is None
    in_another_process(
        """
        import asyncio, sys
        from pathlib import Path
        from lifecycle.journal.sqlite import SqliteJournal
        from lifecycle.testing.journal_conformance import OWNER, RUN

        async def main():
            journal = await SqliteJournal.open(Path(sys.argv[1]))
            await journal.request_stop(RUN, OWNER, "another process")
            await journal.close()

        asyncio.run(main())
        """,
        path,
    )
    assert await journal.stop_requested(RUN, OWNER) == "another process"


async def test_asking_for_a_stop_reads_nothing_when_nobody_wrote(journal: SqliteJournal) -> None:
    statements: list[str] = []
    await journal.stop_requested(RUN, OWNER)
    await journal._read(lambda c: c.set_trace_callback(statements.append))
    statements.clear()
    for _ in range(10):
        await journal.stop_requested(RUN, OWNER)
    assert set(statements) == {"PRAGMA data_version"}
    await journal.request_stop(RUN, OWNER, "somebody")
    assert await journal.stop_requested(RUN, OWNER) == "somebody"


async def test_readers_see_whole_transactions_while_a_manager_writes(journal: SqliteJournal, path: Path) -> None:
    """Two processes read without end; what they see is gapless, and only ever grows."""
    reader = """
        import asyncio, sys
        from pathlib import Path
        from lifecycle.journal.sqlite import SqliteJournal

        async def main():
            seen = rounds = 0
            while seen < 150:
                journal = await SqliteJournal.open(Path(sys.argv[1]), read_only=True)
                for _ in range(5):
                    records = await journal.transitions()
                    assert [record.seq for record in records] == list(range(1, len(records) + 1))
                    assert len(records) >= seen
                    seen = len(records)
                    rounds += 1
                await journal.close()
            print(rounds)

        asyncio.run(main())
        """
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(in_another_process, reader, path) for _ in range(2)]
        number = 0
        while not all(reader.done() for reader in readers):
            number += 1
            await journal.append(start(run(number)), planned(f"session-{number}"))
            await asyncio.sleep(0.005)
        assert all(int(reader.result()) > 0 for reader in readers)
    last = await journal.last()
    assert last is not None
    assert last.seq == number


async def test_a_reader_leaves_no_read_open(journal: SqliteJournal, path: Path) -> None:
    """Else the log could never be emptied, and would grow with the project."""
    reader = await SqliteJournal.open(path, read_only=True)
    for number in range(20):
        await journal.append(start(run(number)))
        await reader.transitions()
        await reader.notes()
        await reader.stop_requested(RUN, OWNER)
    busy, _, _ = await journal._call(
        lambda: journal._database.peek(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    )
    assert busy == 0
    await reader.close()


async def test_somebody_elses_long_write_is_told_and_nothing_is_kept(journal: SqliteJournal, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="locked"):
        await journal.append(start())
    assert await journal.last() is None
    other.execute("ROLLBACK")
    other.close()
    assert (await journal.append(start())).seq == 1


async def test_a_look_from_the_same_process_keeps_the_managers_locks(journal: SqliteJournal, path: Path) -> None:
    """POSIX locks go with the first descriptor that a process closes; SQLite sees to it that ours do not."""

    def locks() -> list[str]:
        files = [path.stat().st_ino, Path(f"{path}-shm").stat().st_ino]
        lines = Path("/proc/locks").read_text().splitlines()
        return sorted(line.split(maxsplit=1)[1] for line in lines if any(f":{file} " in line for file in files))

    await journal.append(start())
    before = locks()
    assert len(before) == 2
    reader = await SqliteJournal.open(path, read_only=True)
    await reader.last()
    await reader.close()
    writer = await SqliteJournal.open(path)
    await writer.close()
    inspect(path)
    assert locks() == before


async def test_a_file_without_a_log_gets_it_back(path: Path) -> None:
    path.parent.mkdir()
    await (await SqliteJournal.open(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    journal = await SqliteJournal.open(path)
    assert await journal._read(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    await journal.close()


# --- cancelling ----------------------------------------------------------------------------------------------


@pytest.fixture
def held(journal: SqliteJournal) -> Iterator[Callable[[], None]]:
    """The journal's thread waits before its next work, until the function is called."""
    gate = threading.Event()
    journal._worker._thread.submit(gate.wait, 30)
    yield gate.set
    gate.set()


@pytest.mark.parametrize("cancels", [1, 2, 3])
async def test_a_cancelled_append_is_carried_through_first(
    journal: SqliteJournal, held: Callable[[], None], cancels: int
) -> None:
    task = asyncio.ensure_future(journal.append(start(), planned()))
    for _ in range(cancels):
        await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    held()
    with pytest.raises(asyncio.CancelledError):
        await task
    last = await journal.last()
    assert last is not None
    assert last.seq == 1
    assert await journal.session(SESSION) == planned()


async def test_a_cancelled_append_that_failed_tells_why(journal: SqliteJournal, held: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    task = asyncio.ensure_future(journal.append(start(cost_usd=float("nan"))))
    await asyncio.sleep(0.01)
    task.cancel()
    held()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ValueError)
    assert await journal.last() is None


async def test_a_timeout_around_an_append_is_a_timeout(journal: SqliteJournal, held: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(0.1, held)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await journal.append(start())
    assert len(await journal.transitions()) == 1


async def test_the_event_loop_runs_on_while_the_disk_is_slow(
    journal: SqliteJournal, held: Callable[[], None]
) -> None:
    task = asyncio.ensure_future(journal.append(start()))
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert not task.done()
    held()
    await task


async def test_a_cancelled_opening_lets_go_of_the_file(path: Path) -> None:
    path.parent.mkdir()
    task = asyncio.ensure_future(SqliteJournal.open(path))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [found.name for found in path.parent.iterdir()] == [path.name]


# --- disks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=768k", "tmpfs", str(directory)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("no small disk can be mounted here (needs root)")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


async def test_a_full_disk_moves_nothing_and_the_same_journal_goes_on(small_disk: Path) -> None:
    path = small_disk / "journal.sqlite3"
    journal = await SqliteJournal.open(path)
    await journal.append(start(), planned())
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 1024)
    kept = 1
    with pytest.raises(JournalUnavailable, match="full"):
        while True:
            await journal.append(start(run(kept), prompt="words " * 500))
            kept += 1
    for _ in range(3):
        with pytest.raises(JournalUnavailable, match="full"):
            await journal.append(start(run(kept), prompt="words " * 500))
    last = await journal.last()
    assert last is not None
    assert last.seq == kept
    reader = await SqliteJournal.open(path, read_only=True)
    assert len(await reader.transitions()) == kept
    await reader.close()
    ballast.unlink()
    assert (await journal.append(start(run(kept)))).seq == kept + 1
    await journal.close()
    again = await SqliteJournal.open(path)
    assert len(await again.transitions()) == kept + 1
    await again.close()


async def test_no_journal_is_half_made_on_a_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    path = small_disk / "journal.sqlite3"
    with pytest.raises(JournalUnavailable):
        await SqliteJournal.open(path)
    assert [found.name for found in small_disk.iterdir()] == ["ballast"]
    ballast.unlink()
    await (await SqliteJournal.open(path)).close()


async def test_a_limit_on_file_size_moves_nothing_and_the_same_journal_goes_on(
    journal: SqliteJournal, path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    await journal.append(start())
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size + 10_000, hard))
    kept = 1
    try:
        with pytest.raises(JournalUnavailable):
            while kept < 100:
                await journal.append(start(run(kept)))
                kept += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    last = await journal.last()
    assert last is not None
    assert last.seq == kept
    assert (await journal.append(start(run(kept)))).seq == kept + 1


@pytest.fixture
def read_only_disk(path: Path) -> Iterator[Callable[[], None]]:
    """Makes the state directory a file system that cannot be written."""
    directory, is_mounted = path.parent, False

    def seal() -> None:
        nonlocal is_mounted
        bound = subprocess.run(["mount", "--bind", directory, directory], check=False, capture_output=True)
        if bound.returncode != 0:
            pytest.skip("nothing can be mounted here (needs root)")
        is_mounted = True
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)

    yield seal
    if is_mounted:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("end", ["closed", "killed", "killed, index gone"])
async def test_a_journal_can_be_read_where_nothing_can_be_written(
    path: Path, read_only_disk: Callable[[], None], end: str
) -> None:
    path.parent.mkdir()
    in_another_process(
        f"""
        import asyncio, os, sys
        from pathlib import Path
        from lifecycle.journal.sqlite import SqliteJournal
        from lifecycle.testing.journal_conformance import planned, start

        async def main():
            journal = await SqliteJournal.open(Path(sys.argv[1]))
            await journal.append(start(), planned())
            if {end == "closed"}:
                await journal.close()
            os._exit(0)

        asyncio.run(main())
        """,
        path,
    )
    if end == "killed, index gone":
        Path(f"{path}-shm").unlink()
    before = {found.name: found.read_bytes() for found in path.parent.iterdir()}
    read_only_disk()
    reader = await SqliteJournal.open(path, read_only=True)
    assert await reader.session(SESSION) == planned()
    assert await reader.stop_requested(RUN, OWNER) is None
    await reader.close()
    with pytest.raises(JournalUnavailable):
        await SqliteJournal.open(path)
    assert {found.name: found.read_bytes() for found in path.parent.iterdir()} == before


async def test_another_user_can_read_and_is_told_that_it_cannot_write() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    code = """
        import asyncio, os, sys
        from pathlib import Path
        from lifecycle.errors import JournalUnavailable
        from lifecycle.journal.sqlite import SqliteJournal

        async def main():
            path = Path(sys.argv[1])
            await (await SqliteJournal.open(path, read_only=True)).close()
            try:
                await SqliteJournal.open(path)
            except JournalUnavailable as error:
                print(error)

        os.setuid(int(sys.argv[2]))
        asyncio.run(main())
        """
    with TemporaryDirectory() as directory:
        path = Path(directory) / "journal.sqlite3"
        journal = await SqliteJournal.open(path)
        await journal.append(start())
        Path(directory).chmod(0o755)
        for found in Path(directory).iterdir():
            found.chmod(0o644)
        assert "cannot be used" in in_another_process(code, path, NOBODY)  # while a manager has it
        await journal.close()
        assert "cannot be used" in in_another_process(code, path, NOBODY)
