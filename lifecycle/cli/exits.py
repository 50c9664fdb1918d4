"""Exit statuses: one table, from why a command ended to its number, and the words that go with an error."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType

from lifecycle.errors import (
    ConfigurationError,
    FeatureListInvalid,
    JournalCorrupt,
    JournalForeign,
    LifecycleError,
    ProjectBusy,
    ProjectInvalid,
)
from states.vocabulary import StopReason

__all__ = ["EXIT_HELP", "Exit", "meaning_of", "message_of", "status_of_error", "status_of_stop"]


class Exit(IntEnum):
    """What a command's exit status says."""

    DONE = 0
    NO = 1
    MISUSE = 2
    LIMIT = 3
    STALLED = 4
    FAILED = 5
    BUSY = 6
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


EXIT_HELP: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.DONE: "complete: every feature passes",
        Exit.MISUSE: "wrong use, configuration or project; no run began",
        Exit.LIMIT: "a limit stopped it: max_iterations, max_budget_usd or max_duration",
        Exit.STALLED: "stalled: sessions in a row that got nothing done",
        Exit.FAILED: "fatal, too many failures in a row, or the journal cannot be written",
        Exit.BUSY: "another manager has the project",
        Exit.SIGHUP: "interrupted by SIGHUP; state saved, the next start goes on",
        Exit.SIGINT: "interrupted by SIGINT (Ctrl-C); state saved, the next start goes on",
        Exit.SIGTERM: "interrupted by SIGTERM or `lifecycle stop`; state saved, the next start goes on",
    }
)
"""How `lifecycle run` tells its statuses."""

_OF_REASON: Mapping[StopReason, Exit] = MappingProxyType(
    {
        StopReason.COMPLETE: Exit.DONE,
        StopReason.FATAL: Exit.FAILED,
        StopReason.MAX_FAILURES: Exit.FAILED,
        StopReason.STALLED: Exit.STALLED,
        StopReason.MAX_BUDGET: Exit.LIMIT,
        StopReason.MAX_DURATION: Exit.LIMIT,
        StopReason.MAX_ITERATIONS: Exit.LIMIT,
    }
)

_OF_ERROR: tuple[tuple[type[BaseException], Exit], ...] = (
    (ConfigurationError, Exit.MISUSE),
    (ProjectInvalid, Exit.MISUSE),
    (FeatureListInvalid, Exit.MISUSE),
    (JournalCorrupt, Exit.MISUSE),
    (JournalForeign, Exit.MISUSE),
    (ProjectBusy, Exit.BUSY),
)
"""Everything else is 5: the world's fault, or ours."""


def meaning_of(status: Exit) -> str:
    """What a status says, of whichever command."""
    if status is Exit.NO:
        return "a check's answer is no"
    if status is Exit.DONE:
        return f"{EXIT_HELP[status]}; and any command that did what it was asked"
    return EXIT_HELP[status]


def status_of_stop(reason: StopReason | None, signal_name: str | None = None) -> int:
    """The status of a run that came to SHUTDOWN for this reason.

    Args:
        signal_name: the first signal that asked for the stop; None when it was `lifecycle stop` or a host.

    >>> int(status_of_stop(StopReason.INTERRUPTED, "SIGINT")), int(status_of_stop(StopReason.INTERRUPTED))
    (130, 143)
    >>> int(status_of_stop(StopReason.COMPLETE, "SIGINT"))
    0
    """
    if reason is None or reason is StopReason.INTERRUPTED:
        return Exit[signal_name or "SIGTERM"]
    return _OF_REASON[reason]


def status_of_error(error: BaseException) -> int:
    """The status of a command that an error ended."""
    return next((status for kind, status in _OF_ERROR if isinstance(error, kind)), Exit.FAILED)


def message_of(error: BaseException) -> str:
    """What to say of an error, on one line where it says no more itself. No traceback."""
    if isinstance(error, LifecycleError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"this is a fault of ours, please report it: {type(error).__name__}: {error}{place}"
