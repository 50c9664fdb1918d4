"""The words of the lifecycle. Every value is stable on disk: rename a member, never its value."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

RunId = NewType("RunId", str)
SessionId = NewType("SessionId", str)
"""A UUID in its canonical form: the agent's conversation carries the same id."""


class State(StrEnum):
    """Where a run is. NEW is the pseudo-state before the start; SHUTDOWN is final."""

    NEW = "NEW"
    DETECT = "DETECT"
    CREATE = "CREATE"
    RUN = "RUN"
    END = "END"
    CONTINUE = "CONTINUE"
    SHUTDOWN = "SHUTDOWN"


class Trigger(StrEnum):
    """What has happened, told by the state that saw it."""

    START = "start"
    DETECTED = "detected"
    CREATED = "created"
    FINISHED = "finished"
    FAILED = "failed"
    STOP_REQUESTED = "stop_requested"
    ENDED = "ended"
    DELAY_ELAPSED = "delay_elapsed"


class StopReason(StrEnum):
    """Why a run stopped, in order of precedence: the first that holds is the one recorded."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FATAL = "fatal"
    MAX_FAILURES = "max_failures"
    STALLED = "stalled"
    MAX_BUDGET = "max_budget"
    MAX_DURATION = "max_duration"
    MAX_ITERATIONS = "max_iterations"


class SessionType(StrEnum):
    """What a session is for: writing the feature list, or working through it."""

    INIT = "init"
    CONTINUE = "continue"


class OutcomeKind(StrEnum):
    """How the agent's turn ended, as far as the lifecycle cares."""

    COMPLETED_TURN = "completed_turn"
    CUT_OFF = "cut_off"
    RETRYABLE = "retryable"
    NEEDS_FRESH_CONVERSATION = "needs_fresh_conversation"
    FATAL = "fatal"


class Cause(StrEnum):
    """What made the outcome. `states.outcomes.OUTCOMES` says which kind each one is."""

    END_TURN = "end_turn"
    MAX_TURNS = "max_turns"
    SESSION_TIMEOUT = "session_timeout"
    BUDGET = "budget"
    DEADLINE = "deadline"
    STOP = "stop"
    PROCESS_KILLED = "process_killed"
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    IDLE = "idle"
    PROCESS_FAILED = "process_failed"
    MALFORMED_REPLY = "malformed_reply"
    OPERATING_SYSTEM = "operating_system"
    PROMPT_TOO_LONG = "prompt_too_long"
    CONVERSATION_BROKEN = "conversation_broken"
    REFUSED = "refused"
    AUTHENTICATION = "authentication"
    BILLING = "billing"
    MODEL_NOT_FOUND = "model_not_found"
    CONFIGURATION = "configuration"
    PROJECT = "project"
    GATE = "gate"
    INTERNAL = "internal"
