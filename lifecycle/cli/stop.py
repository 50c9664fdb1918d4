"""`lifecycle stop`: ask whoever runs a project to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.options import config_file, project_dir, state_dir
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.journal.lock import Owner

__all__ = ["stop"]


@click.command()
@project_dir
@state_dir
@config_file
@click.option("--wait", "is_waiting", is_flag=True, help="Return when it has stopped, not at once.")
def stop(project_dir: Path, state_dir: str | None, config_file: Path | None, is_waiting: bool) -> None:
    """Ask the manager that runs DIR for a graceful stop: it saves, is suspended, and exits with 143.

    The next `lifecycle run` goes on from there. Where nothing runs, says so.

    \b
    Examples:
      lifecycle stop my-app
      lifecycle stop my-app --wait

    \b
    Exit status:
      0  asked, or nothing runs
      2  DIR is no directory, or its record is damaged
      5  the manager cannot be asked: its record cannot be written
    """
    from lifecycle.cli.record import locate

    place = locate(project_dir, state_dir=state_dir, config_file=config_file)
    asked = asyncio.run(_ask(place))
    if asked is None:
        print_text(f"nothing runs in {project_dir}")
        return
    print_text(f"asked pid {asked.pid} on {asked.host} to stop")
    if is_waiting:
        asyncio.run(_wait(place, asked))
        print_text("it has stopped")


async def _ask(state_dir: Path) -> Owner | None:
    from lifecycle.cli.record import opened
    from lifecycle.errors import JournalUnavailable
    from lifecycle.journal.location import JOURNAL_NAME
    from lifecycle.journal.lock import owner
    from states.vocabulary import State

    deadline = asyncio.get_running_loop().time() + _OPENING_S
    while (found := owner(state_dir)) is not None:
        async with opened(state_dir, read_only=False) as journal:
            if journal is not None and found.process is not None:
                last = await journal.last()
                is_under_way = last is not None and last.dest != State.SHUTDOWN
                await journal.request_stop(
                    last.run_id if last is not None and is_under_way else None, found.process, "lifecycle stop"
                )
                return found
        # It has only just started, and says who it is and makes its journal in a moment.
        if asyncio.get_running_loop().time() > deadline:
            problem = "a manager runs, and it has made no journal, or does not say who it is"
            raise JournalUnavailable(state_dir / JOURNAL_NAME, problem)
        await asyncio.sleep(0.05)
    return None


_OPENING_S = 3.0


async def _wait(state_dir: Path, asked: Owner) -> None:
    from lifecycle.journal.lock import owner

    while (found := owner(state_dir)) is not None and found.process == asked.process:  # noqa: ASYNC110  # another process
        await asyncio.sleep(0.1)
