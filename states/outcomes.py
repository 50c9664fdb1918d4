"""What each cause means: one row a cause, read by the facts, the agent's classifier and the documents."""

from __future__ import annotations

from dataclasses import dataclass, field

from states.vocabulary import Cause, OutcomeKind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the lifecycle does about a cause. Two that differ in words only are equal.

    Attributes:
        kind: the class of outcome.
        what: what happened, in words.
        is_failure: whether it counts for `max_failures`; availability and crashes never do.
        advice: what a person can do about it; empty where nothing is asked of one.
    """

    kind: OutcomeKind
    what: str = field(compare=False)
    is_failure: bool = False
    advice: str = field(default="", compare=False)


_DONE = OutcomeKind.COMPLETED_TURN
_CUT = OutcomeKind.CUT_OFF
_RETRY = OutcomeKind.RETRYABLE
_FRESH = OutcomeKind.NEEDS_FRESH_CONVERSATION
_FATAL = OutcomeKind.FATAL

OUTCOMES: dict[Cause, Meaning] = {
    # The turn is over. A fresh session follows, and none of these is a failure.
    Cause.END_TURN: Meaning(_DONE, "the agent ended its turn by itself"),
    Cause.MAX_TURNS: Meaning(_DONE, "the session took all the turns that it may"),
    Cause.SESSION_TIMEOUT: Meaning(_DONE, "the session took all the time that it may"),
    Cause.BUDGET: Meaning(_DONE, "what the run may spend was used up in the middle of the session"),
    # The conversation was cut off and can be taken up where it stopped.
    Cause.DEADLINE: Meaning(_CUT, "what the run may last was used up in the middle of the session"),
    Cause.STOP: Meaning(_CUT, "somebody asked for a stop"),
    Cause.PROCESS_KILLED: Meaning(
        _CUT, "a signal ended the agent's process, or somebody else interrupted it"
    ),
    # Try again later, in the same conversation.
    Cause.RATE_LIMIT: Meaning(
        _RETRY, "the account's rate limit is reached; waited out until the stated reset, where there is one"
    ),
    Cause.UNAVAILABLE: Meaning(_RETRY, "the service cannot be reached, or is overloaded"),
    Cause.IDLE: Meaning(
        _RETRY, "the agent was silent for longer than `idle_timeout` while no tool ran", is_failure=True
    ),
    Cause.PROCESS_FAILED: Meaning(
        _RETRY, "the agent's process failed, or ended without a result", is_failure=True
    ),
    Cause.MALFORMED_REPLY: Meaning(_RETRY, "the service's answer could not be understood", is_failure=True),
    Cause.OPERATING_SYSTEM: Meaning(
        _RETRY, "the operating system refused something: memory, processes, disk", is_failure=True
    ),
    # This conversation cannot go on, another can.
    Cause.PROMPT_TOO_LONG: Meaning(
        _FRESH, "the conversation has outgrown what the model can read", is_failure=True
    ),
    Cause.CONVERSATION_BROKEN: Meaning(_FRESH, "the service rejects this conversation", is_failure=True),
    Cause.REFUSED: Meaning(_FRESH, "the model refused to go on", is_failure=True),
    # Nothing will get better by itself.
    Cause.AUTHENTICATION: Meaning(
        _FATAL,
        "the service does not accept the login",
        advice="check ANTHROPIC_API_KEY, or log in again with `claude`, and start again",
    ),
    Cause.BILLING: Meaning(
        _FATAL, "the account has no credit left", advice="add credit to the account, and start again"
    ),
    Cause.MODEL_NOT_FOUND: Meaning(
        _FATAL,
        "the account has no model of this name",
        advice="give a model that the account can use with --model",
    ),
    Cause.CONFIGURATION: Meaning(
        _FATAL, "a setting cannot work", advice="mend the configuration, and start again"
    ),
    Cause.PROJECT: Meaning(
        _FATAL,
        "the project directory cannot be worked on any more",
        advice="mend the project directory, and start again",
    ),
    Cause.GATE: Meaning(
        _FATAL,
        "the gate that judges every tool call was not asked",
        advice="the agent's tool gate did not hold: use a tested version of claude-agent-sdk",
    ),
    Cause.INTERNAL: Meaning(
        _FATAL, "a fault of ours", advice="this is a fault of ours: please report it with the log"
    ),
}
