"""What the end of an agent's turn means: one decision table, and nothing else decides.

Every combination of symptoms matches exactly one row; a test goes through all of them. Pure and stateless: how often
something went wrong in a row is counted by the lifecycle (`max_failures`), and how long to wait is its backoff. So
"malformed replies: once or twice again, then fatal" is no row here: each one is a retryable failure, a proxy's login
page does not outlast `max_failures`, and a single garbled answer costs one resumption.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lifecycle.agent.evidence import (
    Cut,
    End,
    Ending,
    Evidence,
    Status,
    Symptom,
    Symptoms,
    is_signal,
    symptoms,
)
from lifecycle.redaction import one_line
from states.facts import Outcome
from states.outcomes import OUTCOMES
from states.vocabulary import Cause

__all__ = ["TABLE", "Row", "classify", "is_id_taken", "is_unknown_conversation"]


def classify(evidence: Evidence, redact: Callable[[str], str] = str) -> Outcome:
    """The outcome that the evidence calls for, with a sentence for a person and what to do about it.

    >>> classify(Evidence(exit_code=-9)).cause
    <Cause.PROCESS_KILLED: 'process_killed'>
    """
    read = symptoms(evidence)
    row = next(row for row in TABLE if row.matches(read))
    cause = row.cause or (evidence.cut.cause if evidence.cut else Cause.INTERNAL)
    advice = OUTCOMES[cause].advice
    said = redact(_sentence(row, evidence))
    return Outcome(
        cause=cause,
        detail=f"{said}; {advice}" if advice else said,
        until=evidence.resets_at if cause is Cause.RATE_LIMIT else None,
        progressed=evidence.progressed,
    )


def is_unknown_conversation(evidence: Evidence) -> bool:
    """Whether a resumption was refused because the conversation was never begun: begin it, under the same id."""
    errors = evidence.result.errors if evidence.result else ()
    return _says("no conversation found", *errors, evidence.problem, evidence.stderr)


def is_id_taken(evidence: Evidence) -> bool:
    """Whether a fresh start was refused because the conversation exists: resume it."""
    return evidence.result is None and _says("is already in use", evidence.problem, evidence.stderr)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what must be seen (None: anything), what it means, and how to tell a person.

    Attributes:
        cause: None takes the cause of our own cut.
        says: the beginning of the sentence; what the CLI said itself follows.
    """

    cause: Cause | None
    says: str
    was_cut: bool = False
    ending: frozenset[Ending] = frozenset({Ending.RESULT})
    end: frozenset[End] | None = None
    status: frozenset[Status] | None = None
    symptom: frozenset[Symptom] | None = None

    def matches(self, read: Symptoms) -> bool:
        """Whether this row is the one for these symptoms."""
        was_cut, ending, end, status, symptom = read
        if self.was_cut or was_cut:
            return self.was_cut and was_cut
        return (
            ending in self.ending
            and (self.end is None or end in self.end)
            and (self.status is None or status in self.status)
            and (self.symptom is None or symptom in self.symptom)
        )


def _process(cause: Cause, ending: Ending, says: str) -> Row:
    return Row(cause, says, ending=frozenset({ending}))


def _turn(cause: Cause, end: End, says: str) -> Row:
    return Row(cause, says, end=frozenset({end}))


def _request(
    cause: Cause, status: Status | tuple[Status, ...], symptom: tuple[Symptom, ...] | None, says: str
) -> Row:
    return Row(
        cause,
        says,
        end=frozenset({End.API_ERROR}),
        status=frozenset(status if isinstance(status, tuple) else (status,)),
        symptom=None if symptom is None else frozenset(symptom),
    )


C, S, Y = Cause, Status, Symptom

REJECTIONS: Final = tuple(symptom for symptom in Symptom if symptom not in (Y.BILLING, Y.REFUSAL))

TABLE: Final[tuple[Row, ...]] = (
    # We ended it ourselves, and know why.
    Row(None, "", was_cut=True),
    # The process ended without a result.
    _process(C.PROCESS_KILLED, Ending.SIGNALLED, "the agent's process was killed"),
    _process(C.PROCESS_FAILED, Ending.EXITED, "the agent's process failed"),
    _process(C.PROCESS_FAILED, Ending.SILENT, "the agent's process ended without a result"),
    _process(C.PROCESS_FAILED, Ending.UNREADABLE, "the agent's output could not be understood"),
    _process(C.CONFIGURATION, Ending.CANNOT_RUN, "the agent's program cannot be run"),
    _process(C.OPERATING_SYSTEM, Ending.NO_RESOURCES, "the operating system did not start the agent"),
    # It ended with a result that is no failed request.
    _turn(C.END_TURN, End.COMPLETED, "the agent ended its turn"),
    _turn(C.MAX_TURNS, End.MAX_TURNS, "the session has used its turns"),
    _turn(C.BUDGET, End.BUDGET, "the session has used its budget"),
    _turn(C.PROMPT_TOO_LONG, End.TOO_LONG, "the conversation has grown too long"),
    _turn(C.PROCESS_KILLED, End.ABORTED, "somebody else interrupted the agent"),
    _turn(C.PROCESS_FAILED, End.FAILED, "the agent failed"),
    # A request failed: the status decides where there is one.
    _request(C.AUTHENTICATION, S.UNAUTHORIZED, None, "the service refused the credentials"),
    _request(C.BILLING, S.PAYMENT, None, "the service asks for payment"),
    _request(C.MODEL_NOT_FOUND, S.NOT_FOUND, None, "the service has no such model, or no such address"),
    _request(C.PROMPT_TOO_LONG, S.TOO_LARGE, None, "the conversation has grown too large to be sent"),
    _request(C.RATE_LIMIT, S.RATE_LIMIT, None, "the service's rate limit is reached"),
    _request(C.UNAVAILABLE, S.SERVER, None, "the service is not available"),
    _request(C.MALFORMED_REPLY, S.OTHER, None, "the service gave an answer that is none"),
    _request(C.BILLING, S.BAD_REQUEST, (Y.BILLING,), "the account has no credit"),
    _request(C.REFUSED, S.BAD_REQUEST, (Y.REFUSAL,), "the model refused to go on"),
    _request(C.CONVERSATION_BROKEN, S.BAD_REQUEST, REJECTIONS, "the service rejects this conversation"),
    # Without a status the CLI's own word for it does.
    _request(C.AUTHENTICATION, S.NONE, (Y.AUTHENTICATION,), "the agent has no credentials"),
    _request(C.BILLING, S.NONE, (Y.BILLING,), "the account has no credit"),
    _request(C.RATE_LIMIT, S.NONE, (Y.RATE_LIMIT,), "the service's rate limit is reached"),
    _request(C.MODEL_NOT_FOUND, S.NONE, (Y.MODEL_NOT_FOUND,), "the service has no such model"),
    _request(C.UNAVAILABLE, S.NONE, (Y.SERVER, Y.CONNECTION), "the service cannot be reached"),
    _request(C.REFUSED, S.NONE, (Y.REFUSAL,), "the model refused to go on"),
    _request(C.CONVERSATION_BROKEN, S.NONE, (Y.INVALID_REQUEST, Y.OUTPUT_LIMIT), "the agent cannot go on"),
    _request(C.MALFORMED_REPLY, S.NONE, (Y.OTHER, Y.NONE), "the service's answer could not be understood"),
)


def _sentence(row: Row, evidence: Evidence) -> str:
    if isinstance(evidence.cut, Cut):
        return evidence.cut.detail
    said = _said(row, evidence)
    return f"{row.says}: {said}" if said else row.says


def _said(row: Row, evidence: Evidence) -> str:
    """What the CLI, the service or the system said themselves, on one line."""
    result = evidence.result
    if result is not None:
        if row.cause is Cause.END_TURN:
            return ""  # its last words are in the stream, and no log's business
        return one_line("; ".join(result.errors) or result.text, DETAIL_CHARS_MAX)
    parts = []
    if evidence.exit_code:
        parts.append(_how_it_ended(evidence.exit_code))
    elif evidence.problem:
        parts.append(one_line(evidence.problem, DETAIL_CHARS_MAX))
    if evidence.stderr.strip():
        parts.append(one_line(evidence.stderr.strip().splitlines()[-1], DETAIL_CHARS_MAX))
    return ": ".join(parts)


def _how_it_ended(exit_code: int) -> str:
    if not is_signal(exit_code):
        return f"exit status {exit_code}"
    number = -exit_code if exit_code < 0 else exit_code - 128
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _says(phrase: str, *texts: str) -> bool:
    return any(phrase in text.lower() for text in texts)


DETAIL_CHARS_MAX: Final = 300
