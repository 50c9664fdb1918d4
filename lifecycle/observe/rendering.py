"""From an event to a line: structlog processors, and nothing that is global.

Owns the fields' form: moments as ISO 8601 in UTC, Nones left out, secrets out, whoever they come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from structlog import DropEvent

from lifecycle.events import Event
from lifecycle.moments import to_iso
from lifecycle.observe.phrases import phrase

__all__ = ["FAILED", "ConsoleLine", "JsonLine", "Redaction", "fields_of", "local_time"]

EventDict = MutableMapping[str, Any]

FAILED: Final = "failed"
"""The name of the line with which a command says why it failed."""


def fields_of(event: Event) -> dict[str, Any]:
    """The event's fields for structlog: its moment as `timestamp`, other moments in the same form, no Nones."""
    told: dict[str, Any] = {"timestamp": to_iso(event.at)}
    for field in fields(event):
        value = getattr(event, field.name)
        if value is not None and field.name != "at":
            told[field.name] = to_iso(value) if field.name in _MOMENTS else value
    return told


_MOMENTS: Final = frozenset({"resume_at", "resets_at"})


class Redaction:
    """A processor that takes secrets out of every text."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def __call__(self, logger: object, method: str, event_dict: EventDict) -> EventDict:
        for key, value in event_dict.items():
            if isinstance(value, str) and key not in ("timestamp", "event"):
                event_dict[key] = self._redact(value)
        return event_dict


class JsonLine:
    """A processor that ends the chain: one JSON object a line, ASCII, `timestamp`, `level` and `event` first."""

    def __call__(self, logger: object, method: str, event_dict: EventDict) -> str:
        head = {key: event_dict.pop(key) for key in ("timestamp", "level", "event") if key in event_dict}
        return json.dumps({**head, **event_dict}, default=str)


class ConsoleLine:
    """A processor that ends the chain: the local time and a phrase, in colour where that is wanted."""

    def __init__(self, *, has_colour: bool) -> None:
        self._has_colour = has_colour

    def __call__(self, logger: object, method: str, event_dict: EventDict) -> str:
        name, level = event_dict.pop("event"), event_dict.pop("level", "info")
        moment = event_dict.pop("timestamp", None)
        if name == FAILED:
            return self._styled(_style(name, level, event_dict), f"lifecycle: {event_dict['message']}")
        if "detail" in event_dict and name == "fault":
            event_dict["place"] = _innermost(event_dict["detail"])
        time = "" if moment is None else f"{self._styled(_DIM, local_time(moment))}  "
        said = phrase(name, _short(event_dict))
        if not said:
            raise DropEvent
        return time + self._styled(_style(name, level, event_dict), _MARKS.get(level, "") + said)

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._has_colour and style else text


_DIM: Final = "2"
_BOLD: Final = "1"
_STYLES: Final = {"debug": _DIM, "warning": "33", "error": "31", "critical": "31"}
_MARKS: Final = {"warning": "! ", "error": "!! ", "critical": "!! "}


def _style(name: str, level: str, told: Mapping[str, Any]) -> str:
    if name == "transition" and "reason" in told:
        return "1;32" if told["reason"] == "complete" else _BOLD
    return _STYLES.get(level, "")


def local_time(iso: str) -> str:
    """The time of day, here, of a moment in ISO 8601."""
    return datetime.fromisoformat(iso).astimezone().strftime("%H:%M:%S")


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    """Moments as people read them: the local time alone."""
    return {key: local_time(value) if key in _MOMENTS else value for key, value in told.items()}


def _innermost(traceback: str) -> str:
    """Where a traceback ends: enough to look it up, without printing it."""
    places = re.findall(r'File "(.+?)", line (\d+)', traceback)
    return f"{places[-1][0]}:{places[-1][1]}" if places else ""
