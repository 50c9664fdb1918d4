"""The journal, read from another program while a manager may be running. Reading disturbs nobody.

Run it: python -m lifecycle.skill.examples.reading DIR
"""

import asyncio
import os
import sys
from pathlib import Path

from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.sqlite import SqliteJournal


async def main(project_dir: Path) -> None:
    path = state_directory(project_dir, None, os.environ) / JOURNAL_NAME
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        for record in await journal.transitions():
            print(record.seq, record.source, record.trigger, record.dest, record.facts.cost_usd)
        for note in await journal.notes(kind="recovered"):
            print("taken up again in", note.data["state"])
    finally:
        await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
