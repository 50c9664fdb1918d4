"""What other libraries log and warn, told through our log: for a program that owns its process, not for a host's.

Owns the bridge from `logging` and `warnings`. Installing it is a decision about the whole process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lifecycle.moments import to_iso
from lifecycle.observe.log import EventLog

__all__ = ["told_by_libraries"]


@contextmanager
def told_by_libraries(log: EventLog) -> Iterator[None]:
    """While inside, warnings and worse of any library become `library_log` events instead of lines on stderr."""
    bridge = _Bridge(log)
    root = logging.getLogger()
    root.addHandler(bridge)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(bridge)


class _Bridge(logging.Handler):
    def __init__(self, log: EventLog) -> None:
        super().__init__(level=logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("transitions"):
            return  # it logs every exception that passes through a trigger, a cancel too; whoever raised it tells it
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["detail"] = logging.Formatter().formatException(record.exc_info)
        self._log.tell(level, "library_log", timestamp=to_iso(record.created), **fields)
