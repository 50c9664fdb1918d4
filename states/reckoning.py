"""Why a decision fell as it did, what would have changed it, and how it falls under other limits. Pure.

Asks `states.decide`'s own functions, one by one, so that what is told is what decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from states.decide import REASONS, Stop, decide
from states.facts import Facts, FeatureCount, Limits
from states.guards import GUARDS
from states.step import step
from states.table import TABLE
from states.vocabulary import StopReason

__all__ = ["Change", "Question", "guards_asked", "nearest_change", "questions", "reason_under"]


@dataclass(frozen=True, slots=True)
class Question:
    """One guard or reason that was asked, with what it looked at.

    Attributes:
        decides: whether it is the one that decided.
    """

    name: str
    inputs: str
    holds: bool
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The least that would have led elsewhere."""

    words: str
    result: str


def questions(facts: Facts) -> list[Question]:
    """Every reason to stop, in the order of precedence; the first that holds decides."""
    found: list[Question] = []
    has_decided = False
    for index, (reason, holds) in enumerate(REASONS):
        verdict = holds(facts)
        is_wait = reason is StopReason.MAX_DURATION and any(earlier is reason for earlier, _ in REASONS[:index])
        inputs = _wait_inputs(facts) if is_wait else _inputs(reason, facts)
        found.append(Question(reason.value, inputs, verdict, decides=verdict and not has_decided))
        has_decided = has_decided or verdict
    return found


def guards_asked(source: str, trigger: str, facts: Facts) -> list[Question]:
    """Every guard of the table's rows for this source and trigger."""
    rows = [row for row in TABLE if (row.source, row.trigger) == (source, trigger) and row.guard]
    return [
        Question(str(row.guard), f"to {row.dest!s}", verdict, decides=verdict)
        for row in rows
        for verdict in (GUARDS[str(row.guard)](facts),)
    ]


def nearest_change(source: str, trigger: str, facts: Facts) -> Change | None:
    """The first of the small changes, from what is nearest at hand, that leads to another state or reason."""
    actual = _result(source, trigger, facts)
    for words, changed in _changes(facts):
        result = _result(source, trigger, changed)
        if result != actual:
            return Change(words, result)
    return None


def reason_under(facts: Facts, limits: Limits) -> StopReason | None:
    """How END would have decided on these facts under other limits: the reason to stop, or None to go on."""
    decision = decide(replace(facts, limits=limits, stop_reason=None, resume_at=None))
    return decision.reason if isinstance(decision, Stop) else None


def _result(source: str, trigger: str, facts: Facts) -> str:
    dest = step(source, trigger, facts)
    decision = decide(facts)
    if dest == "SHUTDOWN" and isinstance(decision, Stop):
        return f"{dest}: {decision.reason.value}"
    return str(dest)


def _inputs(reason: StopReason, facts: Facts) -> str:
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
            return f"${facts.cost_usd:.2f} spent, limit {_limit(limits.max_budget_usd)}"
        case StopReason.MAX_DURATION:
            used_s = facts.at - facts.started_at - facts.suspended_s
            return f"{used_s:.0f} s used, limit {_limit(limits.max_duration_s)}"
        case StopReason.MAX_ITERATIONS:
            opened = ", but a conversation is to be resumed" if facts.has_open_session else ""
            return f"{counters.iterations} used, limit {_limit(limits.max_iterations)}{opened}"


def _wait_inputs(facts: Facts) -> str:
    return "there is no deadline" if facts.deadline is None else "whether the next wait would end after the deadline"


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g}"


def _changes(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """Small changes: wider limits first, since they are the person's, then what happened, then narrower limits."""
    yield from _wider(facts)
    yield from _happened_otherwise(facts)
    yield from _narrower(facts)
    yield "a stop request", replace(facts, stop_requested=True)
    yield from _further_on(facts)
    yield "asked work waiting", replace(facts, prompt="work")


def _counted(facts: Facts) -> Iterator[tuple[str, int]]:
    counters = facts.counters
    yield "max_failures", counters.failures
    yield "stall_after", counters.stalled
    yield "max_iterations", counters.iterations


def _wider(facts: Facts) -> Iterator[tuple[str, Facts]]:
    limits = facts.limits
    for name, used in _counted(facts):
        limit = getattr(limits, name)
        if limit is not None and used >= limit:
            yield f"{name} above {used}", _limited(facts, name, used + 1)
    if limits.max_budget_usd is not None and facts.cost_usd >= limits.max_budget_usd:
        yield f"max_budget_usd above {facts.cost_usd:.2f}", _limited(facts, "max_budget_usd", facts.cost_usd + 0.01)
    if limits.max_duration_s is not None:
        yield "no max_duration", _limited(facts, "max_duration_s", None)


def _happened_otherwise(facts: Facts) -> Iterator[tuple[str, Facts]]:
    outcome, features = facts.outcome, facts.features
    if facts.stop_requested:
        yield "nobody asking for a stop", replace(facts, stop_requested=False)
    if outcome is not None:
        yield f"no {outcome.cause.value.replace('_', ' ')}", replace(facts, outcome=None)
    if features is not None and features.is_complete:
        yield "one feature not passing", replace(facts, features=FeatureCount(features.total, features.total - 1))


def _narrower(facts: Facts) -> Iterator[tuple[str, Facts]]:
    for name, used in _counted(facts):
        if used >= 1:
            yield f"{name} of {used}", _limited(facts, name, used)
    if facts.cost_usd > 0:
        yield f"max_budget_usd of {facts.cost_usd:.2f}", _limited(facts, "max_budget_usd", facts.cost_usd)


def _further_on(facts: Facts) -> Iterator[tuple[str, Facts]]:
    features = facts.features
    if features is None or not features.total:
        yield "a feature list that passes", replace(facts, features=FeatureCount(1, 1))
    elif not features.is_complete:
        left = features.total - features.passing
        yield f"{left} more features passing", replace(facts, features=FeatureCount(features.total, features.total))


def _limited(facts: Facts, name: str, value: float | None) -> Facts:
    limits: Limits = replace(facts.limits, **{name: value})  # type: ignore[arg-type]  # a limit by its name
    return replace(facts, limits=limits)
