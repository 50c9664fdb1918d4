"""SIGKILL in the middle of a burst of writes: what was told to be there is there, and nothing by halves."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from lifecycle.journal.sqlite import SqliteJournal
from states.vocabulary import RunId

ROUNDS = 25

WRITER = """
import asyncio, itertools, os, sys
from pathlib import Path
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Note
from lifecycle.testing.journal_conformance import message, planned, start

async def main():
    journal = await SqliteJournal.open(Path(sys.argv[1]))
    last = await journal.last()
    for number in itertools.count(last.seq + 1 if last else 1):
        run, session = f"run-{number}", f"session-{number}"
        await journal.append(start(run, prompt="words " * (number % 300)), planned(session, run))
        os.write(1, b"%d appended\\n" % number)
        spent = await journal.record_usage(session, [message(f"m{n}", 0.5) for n in range(number % 4)])
        os.write(1, b"%d spent %r\\n" % (number, spent.cost_usd))
        await journal.keep("feature_list.json", os.urandom(number % 20000))

asyncio.run(main())
"""


def killed_in_a_burst(path: Path, chance: random.Random) -> list[str]:
    """What a writer told before it was killed at some moment."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline()]
    killer = threading.Timer(chance.uniform(0, 0.06), writer.kill)
    killer.start()
    told += writer.stdout.readlines()
    assert writer.wait(30) == -signal.SIGKILL
    killer.join()
    writer.stdout.close()
    return [line for line in told if line.endswith("\n")]


async def test_a_killed_writer_leaves_all_that_returned_and_nothing_by_halves(tmp_path: Path) -> None:
    path, chance = tmp_path / "journal.sqlite3", random.Random(7)
    told = 0
    for _ in range(ROUNDS):
        lines = killed_in_a_burst(path, chance)
        journal = await SqliteJournal.open(path)
        records = await journal.transitions(after=told)
        told_now = max(int(line.split()[0]) for line in lines if "appended" in line)
        assert told_now <= told + len(records) <= told_now + 1, "at most the call under way is there untold"
        for record in records:
            session = await journal.session(f"session-{record.seq}")
            assert session is not None, "a transition is never there without its session"
            assert session.run_id == record.run_id == f"run-{record.seq}"
        for line in lines:
            number, kind, *cost_usd = line.split()
            if kind == "spent":
                assert (await journal.spent(RunId(f"run-{number}"))).cost_usd >= float(cost_usd[0])
        last = await journal.last()
        assert last is not None
        assert last.seq == told + len(records)
        told = last.seq
        assert await journal.session(f"session-{told + 1}") is None, "a session is never there without its transition"
        await journal.close()
    assert told > ROUNDS
