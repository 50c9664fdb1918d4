"""What each cause means: one row a cause, read by the facts, the agent's classifier and the documents."""

from __future__ import annotations

from dataclasses import dataclass

from states.vocabulary import Cause, OutcomeKind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the lifecycle does about a cause.

    Attributes:
        kind: the class of outcome.
        is_failure: whether it counts for `max_failures`; availability and crashes never do.
        advice: what a person can do about it; empty where nothing is asked of one.
    """

    kind: OutcomeKind
    is_failure: bool = False
    advice: str = ""


_DONE = OutcomeKind.COMPLETED_TURN
_CUT = OutcomeKind.CUT_OFF
_RETRY = OutcomeKind.RETRYABLE
_FRESH = OutcomeKind.NEEDS_FRESH_CONVERSATION
_FATAL = OutcomeKind.FATAL

OUTCOMES: dict[Cause, Meaning] = {
    # The turn is over. A fresh session follows, and none of these is a failure.
    Cause.END_TURN: Meaning(_DONE),
    Cause.MAX_TURNS: Meaning(_DONE),
    Cause.SESSION_TIMEOUT: Meaning(_DONE),
    Cause.BUDGET: Meaning(_DONE),
    # The conversation was cut off and can be taken up where it stopped.
    Cause.DEADLINE: Meaning(_CUT),
    Cause.STOP: Meaning(_CUT),
    Cause.PROCESS_KILLED: Meaning(_CUT),
    # Try again later, in the same conversation.
    Cause.RATE_LIMIT: Meaning(_RETRY),
    Cause.UNAVAILABLE: Meaning(_RETRY),
    Cause.IDLE: Meaning(_RETRY, is_failure=True),
    Cause.PROCESS_FAILED: Meaning(_RETRY, is_failure=True),
    Cause.MALFORMED_REPLY: Meaning(_RETRY, is_failure=True),
    Cause.OPERATING_SYSTEM: Meaning(_RETRY, is_failure=True),
    # This conversation cannot go on, another can.
    Cause.PROMPT_TOO_LONG: Meaning(_FRESH, is_failure=True),
    Cause.CONVERSATION_BROKEN: Meaning(_FRESH, is_failure=True),
    Cause.REFUSED: Meaning(_FRESH, is_failure=True),
    # Nothing will get better by itself.
    Cause.AUTHENTICATION: Meaning(
        _FATAL, advice="check ANTHROPIC_API_KEY, or log in again with `claude`, and start again"
    ),
    Cause.BILLING: Meaning(_FATAL, advice="add credit to the account, and start again"),
    Cause.MODEL_NOT_FOUND: Meaning(_FATAL, advice="give a model that the account can use with --model"),
    Cause.CONFIGURATION: Meaning(_FATAL, advice="mend the configuration, and start again"),
    Cause.PROJECT: Meaning(_FATAL, advice="mend the project directory, and start again"),
    Cause.GATE: Meaning(
        _FATAL, advice="the agent's tool gate did not hold: use a tested version of claude-agent-sdk"
    ),
    Cause.INTERNAL: Meaning(_FATAL, advice="this is a fault of ours: please report it with the log"),
}
