"""The log: an observer that turns each event into one structlog event. The only importer of structlog.

Configures nothing global: the processors are this logger's own, so a host's structlog stays as it is.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from enum import StrEnum
from typing import Any, Protocol, TextIO

import structlog

from lifecycle.events import Event
from lifecycle.moments import to_iso
from lifecycle.observe.outputs import PlainOutput, descriptor_of
from lifecycle.observe.progress import Progress, advance, progress_of, words
from lifecycle.observe.rendering import FAILED, ConsoleLine, JsonLine, Redaction, fields_of, local_time
from lifecycle.observe.sink import Output, Sink
from lifecycle.redaction import Redactor, secrets_in
from lifecycle.status import Status

__all__ = ["EventLog", "LogFormat", "configure"]


class LogFormat(StrEnum):
    """For whom the log is."""

    CONSOLE = "console"
    JSON = "json"


def configure(
    format: LogFormat | str = LogFormat.CONSOLE,  # noqa: A002  # the flag's word
    stream: TextIO | None = None,
    level: str = "info",
    *,
    environment: Mapping[str, str] | None = None,
    now: Callable[[], float] = time.time,  # noqa: TID251  # a watcher's own; the machine's moments are in the events
) -> EventLog:
    """Make a log; pass it to `SessionManager(observers=[log])`, and close it at the end.

    Args:
        format: for people, with a live line below when the stream is a terminal; or a JSON object a line.
        stream: where to; None takes stderr. One with a file descriptor is written to directly.
        level: the least that is told: debug, info, warning or error.
        environment: where NO_COLOR, TERM and the secrets are looked up that must not be told; None knows none.
        now: what time elapsed and time to go are told by.
    """
    environment = environment or {}
    stream = stream or sys.stderr
    is_console = LogFormat(format) is LogFormat.CONSOLE
    is_live = is_console and _is_terminal(stream) and environment.get("TERM") != "dumb"
    has_colour = is_live and not environment.get("NO_COLOR")
    renderer = ConsoleLine(has_colour=has_colour) if is_console else JsonLine()
    return EventLog(
        stream,
        level,
        now=now,
        renderer=renderer,
        redact=Redactor(secrets_in(environment)),
        has_progress=is_console,
        is_live=is_live,
        has_colour=has_colour,
    )


class EventLog:
    """An observer that logs. It never waits for its stream and never raises, whatever becomes of that."""

    def __init__(
        self,
        stream: TextIO,
        level: str,
        *,
        now: Callable[[], float],
        renderer: _Renderer,
        redact: Callable[[str], str],
        has_progress: bool,
        is_live: bool,
        has_colour: bool,
    ) -> None:
        self._now = now
        self._redact = redact
        self._renderer = renderer
        self._progress: Progress | None = None
        self._sink = Sink(
            self._output(stream, has_progress=has_progress, is_live=is_live, has_colour=has_colour),
            dropped=self._dropped,
        )
        self._log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            _Lines(self._sink.put),
            processors=[structlog.processors.add_log_level, Redaction(redact), renderer],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
            context_class=dict,
            cache_logger_on_first_use=True,
        ).bind()

    def __call__(self, event: Event) -> None:
        self._progress = advance(self._progress, event)
        self.tell(event.level, event.name, **fields_of(event))

    def begin(self, status: Status) -> None:
        """Where the run stands that is taken up, before its first event."""
        self._progress = progress_of(status, at=self._now())

    def tell(self, level: str, name: str, **fields: Any) -> None:
        """Log something that is no event of the lifecycle."""
        fields.setdefault("timestamp", to_iso(self._now()))
        getattr(self._log, level)(name, **fields)

    def fail(self, message: str) -> None:
        """Say why the command failed: plainly to a person, as an event to a machine."""
        self.tell("error", FAILED, message=message)

    def close(self, wait_s: float = 1.0) -> bool:
        """Write what waits, for at most this long; return whether all was written. Idempotent."""
        return self._sink.close(wait_s)

    def _output(self, stream: TextIO, *, has_progress: bool, is_live: bool, has_colour: bool) -> Output:
        descriptor = descriptor_of(stream)
        if is_live and descriptor is not None:
            from lifecycle.observe.live import LiveOutput

            return LiveOutput(stream, descriptor, self._progress_words, has_colour=has_colour)
        return PlainOutput(stream, self._progress_line if has_progress else None)

    def _progress_words(self) -> str | None:
        progress = self._progress
        return None if progress is None else self._redact(words(progress, now=self._now()))

    def _progress_line(self) -> str | None:
        told = self._progress_words()
        return None if told is None else f"{local_time(to_iso(self._now()))}  {told}"

    def _dropped(self, count: int) -> str:
        fields = {
            "timestamp": to_iso(self._now()),
            "level": "warning",
            "event": "log_lines_dropped",
            "count": count,
        }
        return self._renderer(None, "warning", fields)


class _Renderer(Protocol):
    def __call__(self, logger: object, method: str, event_dict: MutableMapping[str, Any], /) -> str: ...


class _Lines:
    """What structlog calls with the finished line."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = put


def _is_terminal(stream: TextIO) -> bool:
    descriptor = descriptor_of(stream)
    return descriptor is not None and os.isatty(descriptor)
