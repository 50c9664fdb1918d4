"""How an agent's turn ended, in a few words that a table can decide on.

Owns the reading: free text, statuses and exit codes of the CLI become members of small enumerations, and whatever is
new becomes OTHER. What each combination means is `faults`' business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from states.vocabulary import Cause

__all__ = ["Cut", "End", "Ending", "Evidence", "Result", "Status", "Symptom", "symptoms"]


@dataclass(frozen=True, slots=True)
class Cut:
    """We ended the turn ourselves, because of `cause`."""

    cause: Cause
    detail: str


class Ending(Enum):
    """What the last sign of the process was."""

    RESULT = "it reported a result"
    SIGNALLED = "it died by a signal"
    EXITED = "it exited with an error"
    CANNOT_RUN = "it could not be executed"
    SILENT = "its stream ended without a result"
    UNREADABLE = "its stream could not be understood"
    NO_RESOURCES = "the operating system refused to start it"


class End(Enum):
    """Why the CLI says that the turn is over."""

    COMPLETED = "completed"
    MAX_TURNS = "max_turns"
    BUDGET = "budget"
    TOO_LONG = "too_long"
    ABORTED = "aborted"
    API_ERROR = "api_error"
    FAILED = "failed"


class Status(Enum):
    """The HTTP status that a request failed with, as far as it matters."""

    NONE = "none"
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401, 403"
    PAYMENT = "402"
    NOT_FOUND = "404"
    TOO_LARGE = "413"
    RATE_LIMIT = "429"
    SERVER = "408, 409, 5xx"
    OTHER = "any other"


class Symptom(Enum):
    """What the CLI calls the error in its own message."""

    NONE = "none"
    AUTHENTICATION = "authentication_failed"
    BILLING = "billing_error"
    RATE_LIMIT = "rate_limit"
    MODEL_NOT_FOUND = "model_not_found"
    SERVER = "server_error"
    INVALID_REQUEST = "invalid_request"
    OUTPUT_LIMIT = "max_output_tokens"
    REFUSAL = "refusal"
    CONNECTION = "connection"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Result:
    """The CLI's last word: the fields of the SDK's ResultMessage that tell why it ended."""

    subtype: str
    is_error: bool
    terminal_reason: str | None = None
    api_error_status: int | None = None
    stop_reason: str | None = None
    text: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known about the end of a turn.

    Attributes:
        cut: why we ended it, if we did.
        result: the CLI's last result, if there was one.
        error: the newest `AssistantMessage.error`.
        exit_code: of the process, negative for a signal, if it ended by itself.
        problem: an exception's words, when the stream broke or the process could not be started.
        cannot_run: the process could not be executed at all.
        no_resources: it could not be started because the operating system had nothing left.
        is_unreadable: the stream could not be understood.
        resets_at: when a rejected rate limit ends, epoch seconds.
        stderr: the last lines of the CLI's stderr.
        progressed: whether anything of the model arrived whole.
    """

    cut: Cut | None = None
    result: Result | None = None
    error: str | None = None
    exit_code: int | None = None
    problem: str = ""
    cannot_run: bool = False
    no_resources: bool = False
    is_unreadable: bool = False
    resets_at: float | None = None
    stderr: str = ""
    progressed: bool = False


Symptoms = tuple[bool, Ending, End, Status, Symptom]


def symptoms(evidence: Evidence) -> Symptoms:
    """Whether we cut it off, and the four words that the table decides on."""
    result = evidence.result
    return (
        evidence.cut is not None,
        _ending(evidence),
        End.FAILED if result is None else _end(result),
        Status.NONE if result is None else _status(result.api_error_status),
        _symptom(evidence),
    )


def _ending(evidence: Evidence) -> Ending:
    # A result is a result also when the process fails after it: the CLI exits with 1 after an error on purpose.
    if evidence.result is not None:
        return Ending.RESULT
    if evidence.cannot_run or evidence.exit_code in CANNOT_RUN_CODES:
        return Ending.CANNOT_RUN
    if evidence.no_resources:
        return Ending.NO_RESOURCES
    if evidence.is_unreadable:
        return Ending.UNREADABLE
    if evidence.exit_code is None or evidence.exit_code == 0:
        return Ending.SILENT
    return Ending.SIGNALLED if is_signal(evidence.exit_code) else Ending.EXITED


def is_signal(exit_code: int) -> bool:
    """Whether the status tells of a signal: as a parent sees it, or as a shell and our leash pass it on."""
    return exit_code < 0 or 128 < exit_code <= 128 + 64


def _end(result: Result) -> End:
    known = _ENDS.get(result.terminal_reason or "") or _ENDS.get(result.subtype)
    if known is not None and known is not End.COMPLETED:
        return known
    return End.FAILED if result.is_error else End.COMPLETED


def _status(status: int | None) -> Status:
    if status is None:
        return Status.NONE
    return _STATUSES.get(status) or (Status.SERVER if 500 <= status <= 599 else Status.OTHER)


def _symptom(evidence: Evidence) -> Symptom:
    result = evidence.result
    if result is not None and result.stop_reason == "refusal":
        return Symptom.REFUSAL
    if evidence.error is None:
        return Symptom.NONE
    known = _SYMPTOMS.get(evidence.error, Symptom.OTHER)
    if known is Symptom.OTHER and result is not None and _CONNECTION.search(result.text):
        return Symptom.CONNECTION
    return known


CANNOT_RUN_CODES: Final = frozenset({126, 127})

_ENDS: Final = {
    "completed": End.COMPLETED,
    "hook_stopped": End.COMPLETED,
    "tool_deferred": End.COMPLETED,
    "max_turns": End.MAX_TURNS,
    "error_max_turns": End.MAX_TURNS,
    "budget_exhausted": End.BUDGET,
    "error_max_budget_usd": End.BUDGET,
    "prompt_too_long": End.TOO_LONG,
    "blocking_limit": End.TOO_LONG,
    "image_error": End.TOO_LONG,
    "aborted_streaming": End.ABORTED,
    "aborted_tools": End.ABORTED,
    "api_error": End.API_ERROR,
}
_STATUSES: Final = {
    400: Status.BAD_REQUEST,
    401: Status.UNAUTHORIZED,
    402: Status.PAYMENT,
    403: Status.UNAUTHORIZED,
    404: Status.NOT_FOUND,
    408: Status.SERVER,
    409: Status.SERVER,
    413: Status.TOO_LARGE,
    429: Status.RATE_LIMIT,
}
_SYMPTOMS: Final = {
    "authentication_failed": Symptom.AUTHENTICATION,
    "oauth_org_not_allowed": Symptom.AUTHENTICATION,
    "billing_error": Symptom.BILLING,
    "rate_limit": Symptom.RATE_LIMIT,
    "model_not_found": Symptom.MODEL_NOT_FOUND,
    "server_error": Symptom.SERVER,
    "overloaded": Symptom.SERVER,
    "invalid_request": Symptom.INVALID_REQUEST,
    "max_output_tokens": Symptom.OUTPUT_LIMIT,
}
_CONNECTION: Final = re.compile(
    r"\bE(?:CONN|HOST|NET|TIMEDOUT|PIPE|NOTFOUND|AI_)|(?i:connection (?:error|was lost|dropped|closed|reset)|timed out)"
)
