"""Reading an audit log while it is written: oldest first, over the files that were put aside.

Owns the order of the files and what becomes of lines that are none. Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lifecycle.guard.audit import rotated
from lifecycle.guard.decisions import Decision, decision_from_line

__all__ = ["AuditReading", "count_refused", "is_refusal", "read_audit"]


@dataclass(slots=True)
class AuditReading:
    """One reading of a log; iterate over it once.

    Attributes:
        damaged: lines passed over, as far as it was read: torn when their writer was killed, or no decisions.
    """

    path: Path
    damaged: int = 0

    def __iter__(self) -> Iterator[Decision]:
        with ExitStack() as closing:
            for file in _files(self.path, closing):
                for line in file:
                    decision = decision_from_line(line)
                    if decision is not None:
                        yield decision
                    elif line.strip():
                        self.damaged += 1


def read_audit(path: Path) -> AuditReading:
    """Every decision in the log, oldest first; none where there is no log.

    Raises:
        OSError: while iterating; a file cannot be read.
    """
    return AuditReading(path)


def count_refused(path: Path, run_id: str) -> int:
    """How many calls of the run's agents were refused, as far as the newest files tell; 0 where there is no log.

    Raises:
        OSError: a file cannot be read.
    """
    run = f'"run_id":"{run_id}"'.encode("ascii", "replace")
    with ExitStack() as closing:
        # The bytes are looked at before the JSON: this is asked by everybody who wants to know how things stand.
        lines = (line for file in _files(path, closing) for line in file if b'"verdict":"deny"' in line and run in line)
        found = (decision_from_line(line) for line in lines)
        return sum(decision is not None and decision.run_id == run_id and is_refusal(decision) for decision in found)


def is_refusal(decision: Decision) -> bool:
    """Whether an agent was refused something: a test of our own, which must be refused, is none."""
    return not decision.allowed and not decision.is_test


def _files(path: Path, closing: ExitStack) -> list[BinaryIO]:
    """The log's files, oldest first. The newest is opened first, so that one put aside meanwhile is not missed."""
    found: dict[tuple[int, int], BinaryIO] = {}
    number = 0
    while number <= _FILES_MAX:
        try:
            handle = os.open(rotated(path, number) if number else path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if number:
                break
        else:
            file = closing.enter_context(os.fdopen(handle, "rb"))
            status = os.fstat(handle)
            found.setdefault((status.st_dev, status.st_ino), file)
        number += 1
    return list(reversed(found.values()))


_FILES_MAX = 1_000
