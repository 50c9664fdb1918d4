"""What would have decided otherwise: the smallest change of the facts that leads to another state or stop reason.

How far a change reaches is told from 0 to 1: of a number, by what share of the greater of both it moves; of a yes or
no, and of a limit that was not there, 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from states.decide import Stop, decide, next_cycle
from states.definition import BUILT_IN, Definition
from states.errors import IllegalTransition
from states.facts import Facts, FeatureCount, Limits
from states.step import step
from states.vocabulary import State

__all__ = ["Change", "nearest_change", "result_of"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that might have been otherwise.

    Attributes:
        words: what.
        distance: how far from how it was, from 0 to 1; of several changes at once the sum.
        result: where it leads: a state, in SHUTDOWN with its reason.
    """

    words: str
    distance: float
    result: str


def nearest_change(source: str, trigger: str, facts: Facts, definition: Definition = BUILT_IN) -> Change | None:
    """The nearest change that leads to another state; where no single one does, the nearest of the fewest at once.

    None where nothing that is known here would have led elsewhere, as with guards of a host that look at other things.
    """
    facts = replace(facts, stop_reason=None, resume_at=None)
    actual = result_of(source, trigger, facts, definition)
    others = list(_changes(facts))
    for count in range(1, len(others) + 1):
        tried = [_tried(_together(some), source, trigger, facts, definition) for some in combinations(others, count)]
        elsewhere = [each for each in tried if _state(each.result) != _state(actual)]
        if elsewhere:
            return min(elsewhere, key=lambda each: each.distance)
    return None


def result_of(source: str, trigger: str, facts: Facts, definition: Definition = BUILT_IN) -> str:
    """Where these facts lead, with the reason where that is SHUTDOWN by a decision."""
    try:
        dest = step(source, trigger, facts, definition.table, definition.guards)
    except IllegalTransition:
        return "nowhere"
    decision = decide(facts)
    if dest == State.SHUTDOWN and isinstance(decision, Stop):
        return f"{dest}: {decision.reason.value}"
    return str(dest)


@dataclass(frozen=True, slots=True)
class _Other:
    words: str
    distance: float
    changes: tuple[tuple[str, object], ...]


def _tried(other: _Other, source: str, trigger: str, facts: Facts, definition: Definition) -> Change:
    changed = _changed(facts, other)
    return Change(other.words, other.distance, result_of(source, trigger, changed, definition))


def _changed(facts: Facts, other: _Other) -> Facts:
    for name, value in other.changes:
        if name in Limits.__dataclass_fields__:
            facts = replace(facts, limits=replace(facts.limits, **{name: value}))  # type: ignore[arg-type]  # by its name
        else:
            facts = replace(facts, **{name: value})  # type: ignore[arg-type]  # by its name
    return facts


def _together(others: Sequence[_Other]) -> _Other:
    words = " and ".join(each.words for each in others)
    return _Other(words, sum(each.distance for each in others), tuple(one for each in others for one in each.changes))


def _state(result: str) -> str:
    return result.partition(":")[0]


# --- what might have been otherwise --------------------------------------------------------------------------


def _changes(facts: Facts) -> Iterator[_Other]:
    yield from _of_counts(facts)
    yield from _of_money(facts)
    yield from _of_time(facts)
    yield from _of_what_happened(facts)
    yield from _of_features(facts)


def _of_counts(facts: Facts) -> Iterator[_Other]:
    used = {
        "max_failures": facts.counters.failures,
        "stall_after": facts.counters.stalled,
        "max_iterations": facts.counters.iterations,
    }
    for name, count in used.items():
        limit = getattr(facts.limits, name)
        if limit is not None and count >= limit:
            yield _Other(f"{name} above {count}", _far(limit, count + 1), ((name, count + 1),))
        elif count >= 1:
            yield _Other(f"{name} of {count}", _far(limit, count), ((name, count),))


def _of_money(facts: Facts) -> Iterator[_Other]:
    limit, cost_usd = facts.limits.max_budget_usd, facts.cost_usd
    if limit is not None and cost_usd >= limit:
        enough_usd = cost_usd + 0.01
        words = f"max_budget_usd above {cost_usd:.2f}"
        yield _Other(words, _far(limit, enough_usd), (("max_budget_usd", enough_usd),))
    elif cost_usd > 0:
        yield _Other(f"max_budget_usd of {cost_usd:.2f}", _far(limit, cost_usd), (("max_budget_usd", cost_usd),))


def _of_time(facts: Facts) -> Iterator[_Other]:
    limit, since = facts.limits.max_duration_s, facts.started_at + facts.suspended_s
    used_s, needed_s = facts.at - since, next_cycle(facts).resume_at - since
    if limit is not None and max(used_s, needed_s) >= limit:
        enough_s = max(used_s, needed_s) + 1
        words = f"max_duration of {enough_s:.0f} s"
        yield _Other(words, _far(limit, enough_s), (("max_duration_s", enough_s),))
    elif used_s > 0:
        yield _Other(f"max_duration of {used_s:.0f} s", _far(limit, used_s), (("max_duration_s", used_s),))


def _of_what_happened(facts: Facts) -> Iterator[_Other]:
    if facts.stop_requested:
        yield _Other("nobody asking for a stop", 1.0, (("stop_requested", False),))
    else:
        yield _Other("a stop request", 1.0, (("stop_requested", True),))
    if facts.outcome is not None:
        yield _Other(f"no {facts.outcome.cause.value.replace('_', ' ')}", 1.0, (("outcome", None),))
    if facts.prompt is None:
        yield _Other("asked work waiting", 1.0, (("prompt", "work"),))
    else:
        yield _Other("no asked work waiting", 1.0, (("prompt", None),))


def _of_features(facts: Facts) -> Iterator[_Other]:
    features = facts.features
    if features is None or not features.total:
        yield _Other("a feature list that passes", 1.0, (("features", FeatureCount(1, 1)),))
    elif features.is_complete:
        fewer = FeatureCount(features.total, features.total - 1)
        yield _Other("one feature not passing", 1 / features.total, (("features", fewer),))
    else:
        left = features.total - features.passing
        whole = FeatureCount(features.total, features.total)
        more = "1 more feature" if left == 1 else f"{left} more features"
        yield _Other(f"{more} passing", left / features.total, (("features", whole),))


def _far(limit: float | None, other: float) -> float:
    if limit is None:
        return 1.0
    return abs(other - limit) / max(abs(other), abs(limit), 1e-9)
