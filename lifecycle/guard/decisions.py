"""One decision of a gate, as the audit log keeps it: bounded, redacted, one line of JSON.

Owns the line's shape and how much of a tool's input it may hold. Files and clocks are others': see `audit`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lifecycle.moments import to_iso
from lifecycle.redaction import REDACTED, secrets_in

__all__ = ["GATE_CANARY", "SANDBOX_CANARY", "AuditSink", "Decision", "bounded_input", "decision_from_line", "line_of_decision"]


GATE_CANARY: Final = "gate.canary"
SANDBOX_CANARY: Final = "sandbox.canary"
"""The rules of our own tests, by which gate and sandbox are proven: no agent asked for what they judge."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was asked of a gate, and what it said.

    Attributes:
        at: when, seconds since the epoch.
        tool: the tool's name; "" for a call that could not be understood.
        input: its arguments, as they came; what is written down of them is bounded and redacted.
        allowed: whether it was let through. The agent's own permissions may still refuse it then.
        rule: a stable dotted name of the rule that decided; "allowed" where every rule agreed.
        reason: why it was refused; "" where it was not.
    """

    at: float
    tool: str
    input: Mapping[str, Any]
    allowed: bool
    rule: str
    reason: str = ""
    run_id: str | None = None
    session_id: str | None = None
    cwd: str = field(default="")

    @property
    def is_test(self) -> bool:
        """Whether the call was a test of ours, and none of an agent's."""
        return self.rule in (GATE_CANARY, SANDBOX_CANARY)


AuditSink = Callable[[Decision], None]
"""Keeps a decision, or raises: then the call must not run."""


def line_of_decision(decision: Decision, redact: Callable[[str], str]) -> bytes:
    """The decision as one line of ASCII JSON with its line end: at most `LINE_MAX_BYTES` long."""
    document = {
        "at": to_iso(decision.at),
        "run_id": decision.run_id,
        "session_id": decision.session_id,
        "tool": _bounded(decision.tool, redact, _NAME_MAX_CHARS),
        "input": bounded_input(decision.input, redact),
        "cwd": _bounded(decision.cwd, redact, _PATH_MAX_CHARS),
        "verdict": _WORDS[decision.allowed],
        "rule": _bounded(decision.rule, redact, _NAME_MAX_CHARS),
        "reason": _bounded(decision.reason, redact, _TEXT_MAX_CHARS),
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def decision_from_line(line: bytes) -> Decision | None:
    """The decision that a line holds; None where it is none: torn when its writer was killed, or written by others."""
    try:
        data = json.loads(line)
        tool, given, rule, reason = data["tool"], data["input"], data["rule"], data["reason"]
        at = datetime.fromisoformat(data["at"]).timestamp()
        allowed = _VERDICTS[data["verdict"]]
        ids = (data["run_id"], data["session_id"])
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
        return None
    if not all(isinstance(text, str) for text in (tool, rule, reason)) or not isinstance(given, dict):
        return None
    if not all(identity is None or isinstance(identity, str) for identity in ids):
        return None
    return Decision(at, tool, given, allowed, rule, reason, *ids, cwd=str(data.get("cwd", "")))


def bounded_input(given: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """A tool's arguments, short enough to keep and without the secrets that can be recognised.

    Numbers, truth values and null stay; a text is cut, and tells how long it was; anything else becomes such a text.

    >>> from lifecycle.redaction import Redactor
    >>> bounded_input({"command": "curl -H 'x-api-key: abc'", "timeout": 5, "token": "hunter2-hunter2"}, Redactor())
    {'command': "curl -H 'x-api-key: [redacted]'", 'timeout': 5, 'token': '[redacted]'}
    """
    kept: dict[str, Any] = {}
    for number, (name, value) in enumerate(given.items()):
        if number == _FIELDS_MAX:
            kept["..."] = f"{len(given) - _FIELDS_MAX} more"
            break
        key = _bounded(str(name), redact, _NAME_MAX_CHARS)
        if value is None or isinstance(value, bool | int | float):
            kept[key] = value if abs(value or 0) < _NUMBER_MAX else _bounded(repr(value)[:_NAME_MAX_CHARS], redact, _NAME_MAX_CHARS)
            continue
        text = value if isinstance(value, str) else _as_text(value)
        limit = _TEXT_MAX_CHARS if number == 0 or name in _TELLING else _VALUE_MAX_CHARS
        kept[key] = REDACTED if secrets_in({str(name): text}) else _bounded(text, redact, limit)
    return kept


def _as_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        return repr(type(value))


def _bounded(text: str, redact: Callable[[str], str], limit: int) -> str:
    """The text's beginning. It is redacted before it is cut, and what the first cut may have split is dropped."""
    window = text[: limit + _SECRET_MAX_CHARS]
    shown = redact(window)
    if len(window) < len(text):
        shown = shown[: max(0, len(shown) - _SECRET_MAX_CHARS)]
    if len(shown) > limit:
        shown = shown[:limit]
    elif len(window) == len(text):
        return shown
    return f"{shown}… ({len(text)} characters)"


_WORDS: Final = {True: "allow", False: "deny"}
_VERDICTS: Final = {word: allowed for allowed, word in _WORDS.items()}
_TELLING: Final = frozenset({"command", "file_path", "path", "pattern"})

_TEXT_MAX_CHARS: Final = 1_000
_VALUE_MAX_CHARS: Final = 200
_PATH_MAX_CHARS: Final = 300
_NAME_MAX_CHARS: Final = 100
_FIELDS_MAX: Final = 10
_NUMBER_MAX: Final = 1e15
_SECRET_MAX_CHARS: Final = 512
"""A secret that is no longer than this never shows a part of itself at a cut."""

LINE_MAX_BYTES: Final = 100_000
"""No line is longer, whatever the call holds: an escaped character takes six bytes, twelve outside the first plane."""
