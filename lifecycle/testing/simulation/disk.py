"""A simulated world whose journal is the real one, in SQLite files that a crash can leave half written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.testing.simulation.scenario import Scenario
from lifecycle.testing.simulation.world import World

__all__ = ["DiskWorld"]

T = TypeVar("T")

_SUFFIXES = ("", "-wal")


class DiskWorld(World):
    """A world with a disk. After each life the files are what a crash left: the last write whole, or cut anywhere.

    A cut is made in the write-ahead log, at any byte; a write that changed the file itself is left whole.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        # In memory where there is such a place: what a power cut does to a disk's own cache is not simulated here.
        place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # mkdtemp makes a private directory
        self._directory = Path(tempfile.mkdtemp(prefix="lifecycle-disk-", dir=place))
        self._path = self._directory / "journal.sqlite3"
        self._dice = Random(scenario.seed)  # noqa: S311  # a simulation's dice
        self._open: SqliteJournal | None = None
        self._before: dict[str, bytes] = {}
        self._torn: dict[str, bytes] | None = None

    async def begin_life(self) -> None:
        if self._open is not None:
            left = self._torn or self._files()
            await self._open.close()
            self._restore(left)
        self._torn = None
        self._open = _InlineJournal(self._path)
        await self._open.begin()
        self.journal = self._open

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def remember(self) -> None:
        self._before = self._files()

    def tear(self) -> None:
        after = self._files()
        if after[""] != self._before[""]:
            return
        old, new = self._before["-wal"], after["-wal"]
        cut = self._dice.randint(0, len(new))
        self._torn = {"": after[""], "-wal": new[:cut] + old[cut:]}

    def _files(self) -> dict[str, bytes]:
        return {suffix: _content(Path(f"{self._path}{suffix}")) for suffix in _SUFFIXES}

    def _restore(self, files: dict[str, bytes]) -> None:
        Path(f"{self._path}-shm").unlink(missing_ok=True)
        for suffix, content in files.items():
            Path(f"{self._path}{suffix}").write_bytes(content)


class _InlineJournal(SqliteJournal):
    """The real journal without its thread, so that everything happens in one order."""

    async def begin(self) -> None:
        self._worker.stop()
        self._worker = _Inline()  # type: ignore[assignment]  # all of it that a journal uses
        self._database.open()


class _Inline:
    async def call(self, work: Callable[[], T]) -> T:
        return work()

    def stop(self) -> None:
        return


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
