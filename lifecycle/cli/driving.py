"""Driving a manager from the command line: the log, the signals, the result, the exit status.

What `run` and `demo` have in common.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lifecycle.cli.exits import Exit, message_of, status_of_error, status_of_stop
from lifecycle.cli.signals import Interrupted, StopSignals
from lifecycle.errors import LifecycleError
from lifecycle.observe.library import told_by_libraries
from lifecycle.observe.log import EventLog, configure

if TYPE_CHECKING:
    from lifecycle.manager import SessionManager
    from lifecycle.status import RunResult

__all__ = ["Driven", "conclude", "drive", "result_words", "telling"]


@dataclass(frozen=True, slots=True)
class Driven:
    """How driving ended.

    Attributes:
        result: None when a second signal cut it off.
        status: the exit status.
    """

    result: RunResult | None
    status: int


def conclude(
    log_format: str, level: str, work: Callable[[EventLog], Driven], answer: Callable[[RunResult, int], None]
) -> int:
    """Do the work with a log, then print the answer; return the exit status.

    Args:
        answer: prints the result, given its status.

    Raises:
        click.exceptions.Exit: the work failed; it was told.
        Interrupted: a signal came before there was anything to stop.
    """
    driven: Driven | None = None
    try:
        with telling(log_format, level) as log:
            driven = work(log)
        if driven.result is not None:
            answer(driven.result, driven.status)
    except Interrupted:
        if driven is None:
            raise  # later than that, it only cuts short the telling of how it ended
    return driven.status


@contextmanager
def telling(log_format: str, level: str) -> Iterator[EventLog]:
    """The log, while inside. An error that comes out is told in it, in its format, and becomes the exit status.

    Raises:
        click.exceptions.Exit: with the status of the error.
    """
    log = configure(log_format, sys.stderr, level, environment=os.environ)
    try:
        with told_by_libraries(log):
            yield log
    except click.exceptions.Exit:
        raise
    except Exception as error:
        if not isinstance(error, LifecycleError | OSError):
            log.tell("error", "fault", state="", error=repr(error), detail=traceback.format_exc())
        log.fail(message_of(error))
        raise click.exceptions.Exit(status_of_error(error)) from error
    finally:
        log.close()


async def drive(manager: SessionManager, log: EventLog, *, opened: Callable[[], None] = lambda: None) -> Driven:
    """Run until SHUTDOWN, or until a second signal.

    Args:
        opened: called once the project is ours.

    Raises:
        LifecycleError: what opening and running raise.
    """
    task = asyncio.current_task()
    assert task is not None, "drive is awaited in a task"
    with StopSignals(stop=lambda name: manager.stop(by=name), cancel=task.cancel) as signals:
        try:
            async with manager:
                opened()
                log.begin(await manager.status())
                result = await manager.run_until_shutdown()
        except asyncio.CancelledError:
            if not signals.is_forced:
                raise
            log.fail(f"stopped at once by a second signal after {signals.first}; the next start goes on from here")
            return Driven(None, Exit[signals.first or "SIGTERM"])
    return Driven(result, status_of_stop(result.stop_reason, signals.first))


def result_words(result: RunResult) -> list[str]:
    """The result for people."""
    reason = (result.stop_reason or result.state).replace("_", " ")
    features = "cannot be told"
    if result.features is not None:
        features = f"{result.features.passing} of {result.features.total} pass" if result.features.total else "none yet"
    return [
        f"{reason}: {result.detail}" if result.detail else reason,
        f"  run        {result.run_id}",
        f"  sessions   {result.sessions}",
        f"  features   {features}",
        f"  cost       ${result.cost_usd:.2f}",
    ]
