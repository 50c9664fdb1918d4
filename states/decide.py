"""Why continue and until when, or why stop: the one decision of the lifecycle, as a pure function.

The precedence of the stop reasons is the order of `REASONS`, which is the order of `StopReason`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from states.facts import Facts
from states.vocabulary import Cause, OutcomeKind, StopReason

BACKOFF_FIRST_S = 2.0
BACKOFF_MAX_S = 600.0

KILLS_FORGIVEN = 5
"""An agent that is killed before it did anything, so often in a row, is simply started again after the delay."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on at `resume_at` (epoch seconds), because of `why`."""

    resume_at: float
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop, because of `reason`."""

    reason: StopReason


Decision = Continue | Stop


def decide(facts: Facts) -> Decision:
    """Judge the facts at the end of a cycle.

    Total: every `Facts` gets exactly one decision, and the same facts always the same.

    >>> from states.vocabulary import RunId
    >>> decide(Facts(run_id=RunId("r"), at=10.0, started_at=0.0))
    Continue(resume_at=13.0, why='the next session follows after the continue delay')
    """
    for reason, holds in REASONS:
        if holds(facts):
            return Stop(reason)
    return next_cycle(facts)


def has_room(facts: Facts) -> bool:
    """Whether the limits leave room for another session, as DETECT asks before one is paid for.

    A run that was interrupted, or started again with narrower limits, can stand before a session that no END has
    judged.
    """
    return not any(holds(facts) for _, holds in LIMITS)


def next_cycle(facts: Facts) -> Continue:
    """When the next cycle would begin, whatever the limits say."""
    at, outcome = facts.at, facts.outcome
    if outcome is not None and outcome.until is not None and outcome.until > at:
        # Never sooner than the first backoff: a server whose resets are always "just now" must not make us spin.
        return Continue(max(outcome.until, at + BACKOFF_FIRST_S), "the service said when it is ready again")
    if needs_backoff(facts) and not _is_forgiven(facts):
        delay_s = backoff_s(facts.counters.retries, facts.jitter)
        return Continue(at + delay_s, f"backoff {facts.counters.retries} after {_what_failed(facts)}")
    if facts.has_open_session:
        return Continue(at + facts.limits.continue_delay_s, "the conversation that was cut off goes on")
    return Continue(
        at + facts.limits.continue_delay_s, "the next session follows after the continue delay"
    )


def needs_backoff(facts: Facts) -> bool:
    """Whether the next cycle waits for a growing while.

    Besides retryable outcomes this covers a save that failed and an agent that was killed before it did
    anything: neither counts as its outcome's failure, and neither may spin.
    """
    if facts.save_error is not None:
        return True
    outcome = facts.outcome
    if outcome is None:
        return False
    return outcome.kind is OutcomeKind.RETRYABLE or (
        outcome.kind is OutcomeKind.CUT_OFF and not outcome.progressed
    )


def backoff_s(retries: int, jitter: float) -> float:
    """The wait before retry number `retries` (from 1): doubling from 2 s to 10 min, the upper half of it jittered.

    Args:
        retries: how many cycles in a row called for a backoff; anything below 1 counts as 1.
        jitter: injected chance in [0, 1).

    >>> [backoff_s(n, jitter=0.999999) > backoff_s(n, jitter=0.0) for n in (1, 5, 40)]
    [True, True, True]
    >>> round(backoff_s(1, 1.0)), round(backoff_s(3, 1.0)), round(backoff_s(1_000, 1.0))
    (2, 8, 600)
    """
    doublings = min(max(retries, 1) - 1, 32)
    return min(BACKOFF_FIRST_S * float(2**doublings), BACKOFF_MAX_S) * (0.5 + jitter / 2)


def _is_forgiven(facts: Facts) -> bool:
    was_killed = facts.outcome is not None and facts.outcome.kind is OutcomeKind.CUT_OFF
    return was_killed and facts.save_error is None and facts.counters.retries <= KILLS_FORGIVEN


def _is_fatal(facts: Facts) -> bool:
    return facts.outcome is not None and facts.outcome.kind is OutcomeKind.FATAL


def _has_failed_too_often(facts: Facts) -> bool:
    return facts.limits.max_failures is not None and facts.counters.failures >= facts.limits.max_failures


def _has_stalled(facts: Facts) -> bool:
    return facts.limits.stall_after is not None and facts.counters.stalled >= facts.limits.stall_after


def _has_spent_the_budget(facts: Facts) -> bool:
    limit = facts.limits.max_budget_usd
    return limit is not None and (facts.cost_usd >= limit or _caused_by(facts, Cause.BUDGET))


def _is_past_the_deadline(facts: Facts) -> bool:
    return facts.deadline is not None and (facts.at >= facts.deadline or _caused_by(facts, Cause.DEADLINE))


def _would_wait_past_the_deadline(facts: Facts) -> bool:
    """A wait that ends after the deadline would be a wait for nothing."""
    return facts.deadline is not None and next_cycle(facts).resume_at > facts.deadline


def _has_used_the_iterations(facts: Facts) -> bool:
    limit = facts.limits.max_iterations
    # Tested only before a new session: a resumption belongs to an iteration that was counted.
    return limit is not None and not facts.has_open_session and facts.counters.iterations >= limit


def _caused_by(facts: Facts, cause: Cause) -> bool:
    return facts.outcome is not None and facts.outcome.cause is cause


def _what_failed(facts: Facts) -> str:
    if facts.save_error is not None:
        return "a save that failed"
    return "a fault" if facts.outcome is None else facts.outcome.cause.value.replace("_", " ")


LIMITS: tuple[tuple[StopReason, Callable[[Facts], bool]], ...] = (
    (StopReason.MAX_FAILURES, _has_failed_too_often),
    (StopReason.STALLED, _has_stalled),
    (StopReason.MAX_BUDGET, _has_spent_the_budget),
    (StopReason.MAX_DURATION, _is_past_the_deadline),
    (StopReason.MAX_ITERATIONS, _has_used_the_iterations),
)

REASONS: tuple[tuple[StopReason, Callable[[Facts], bool]], ...] = (
    (StopReason.COMPLETE, lambda facts: facts.is_complete and not facts.has_asked_work),
    (StopReason.INTERRUPTED, lambda facts: facts.stop_requested),
    (StopReason.FATAL, _is_fatal),
    *LIMITS[:4],
    (StopReason.MAX_DURATION, _would_wait_past_the_deadline),
    *LIMITS[4:],
)
"""The stop reasons in order of precedence."""
