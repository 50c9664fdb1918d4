"""Why a decision fell as it did, what would have changed it, and how it falls under other limits. Pure.

Asks the table's own guards and `states.decide`'s own functions, one by one, so that what is told is what decides. What
could have been otherwise is `states.otherwise`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from states.decide import LIMITS, REASONS, Stop, decide
from states.definition import BUILT_IN, Definition
from states.facts import Facts, Limits
from states.inputs import looked_at
from states.vocabulary import StopReason, Trigger

__all__ = ["Question", "guards_asked", "reason_under", "reasons_asked"]


@dataclass(frozen=True, slots=True)
class Question:
    """One guard or reason that was asked.

    Attributes:
        inputs: what it looked at: paths into the facts, and their values.
        decides: whether it is the one that decided.
        leads_to: a guard's state; empty for a reason.
        words: the same for people, where there are any.
    """

    name: str
    inputs: Mapping[str, Any] = field(hash=False)
    holds: bool = False
    decides: bool = False
    leads_to: str = ""
    words: str = ""


def guards_asked(source: str, trigger: str, facts: Facts, definition: Definition = BUILT_IN) -> list[Question]:
    """Every guard of the table's rows for this source and trigger."""
    found = []
    for row in definition.rows(source, trigger):
        if row.guard is not None:
            guard = definition.guards[row.guard]
            holds = bool(guard(facts))
            found.append(Question(row.guard, looked_at(guard, facts), holds, holds, str(row.dest)))
    return found


def reasons_asked(trigger: str, facts: Facts) -> list[Question]:
    """Every reason behind the built-in guards' verdict, in the order of precedence; the first that holds decides.

    END asks for all of them. DETECT asks whether everything passes, and for the limits: what they say is what
    makes it pay for no session.
    """
    if trigger == Trigger.ENDED:
        return _asked(REASONS, facts)
    return _asked((REASONS[0], *LIMITS), facts) if trigger == Trigger.DETECTED else []


def _asked(reasons: Iterable[tuple[StopReason, Callable[[Facts], bool]]], facts: Facts) -> list[Question]:
    found: list[Question] = []
    for reason, holds in reasons:
        is_wait = any(earlier.name == reason.value for earlier in found)  # the second look at the time
        words = _wait_words(facts) if is_wait else _words(reason, facts)
        verdict = holds(facts)
        decides = verdict and not any(earlier.decides for earlier in found)
        found.append(Question(reason.value, looked_at(holds, facts), verdict, decides, words=words))
    return found


def reason_under(facts: Facts, limits: Limits) -> StopReason | None:
    """How END would have decided on these facts under other limits: the reason to stop, or None to go on."""
    decision = decide(replace(facts, limits=limits, stop_reason=None, resume_at=None))
    return decision.reason if isinstance(decision, Stop) else None


def _words(reason: StopReason, facts: Facts) -> str:
    limits, counters, outcome = facts.limits, facts.counters, facts.outcome
    match reason:
        case StopReason.COMPLETE:
            features = facts.features
            passing = "features unknown" if features is None else f"{features.passing} of {features.total} features pass"
            return f"{passing}{', asked work waits' if facts.has_asked_work else ''}"
        case StopReason.INTERRUPTED:
            return "a stop was asked for" if facts.stop_requested else "nobody asked for a stop"
        case StopReason.FATAL:
            return "no outcome" if outcome is None else f"the outcome is {outcome.cause.value} ({outcome.kind.value})"
        case StopReason.MAX_FAILURES:
            return f"{counters.failures} in a row, limit {_limit(limits.max_failures)}"
        case StopReason.STALLED:
            return f"{counters.stalled} in a row, limit {_limit(limits.stall_after)}"
        case StopReason.MAX_BUDGET:
            return f"${facts.cost_usd:.2f} spent, limit {_limit(limits.max_budget_usd)}{_cut_by('budget', facts)}"
        case StopReason.MAX_DURATION:
            used_s = facts.at - facts.started_at - facts.suspended_s
            return f"{used_s:.0f} s used, limit {_limit(limits.max_duration_s)}{_cut_by('deadline', facts)}"
        case StopReason.MAX_ITERATIONS:
            opened = ", but a conversation is to be resumed" if facts.has_open_session else ""
            return f"{counters.iterations} used, limit {_limit(limits.max_iterations)}{opened}"


def _cut_by(cause: str, facts: Facts) -> str:
    return ", which cut the session" if facts.outcome is not None and facts.outcome.cause.value == cause else ""


def _wait_words(facts: Facts) -> str:
    return "there is no deadline" if facts.deadline is None else "whether the next wait would end after the deadline"


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g}"
