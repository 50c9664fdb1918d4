"""Hypothesis strategies for the lifecycle's words: facts, outcomes, faults, whole scenarios, sequences of transitions."""

from __future__ import annotations

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "lifecycle.testing.strategies needs hypothesis: pip install 'autonomous-session-manager[test]'", name=error.name
    ) from error

from lifecycle.ports import VerdictKind
from lifecycle.testing.simulation.scenario import OPERATIONS, Fault, FaultKind, Leg, Scenario, Work
from states.definition import BUILT_IN, Definition
from states.explore import Search, Step
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome, Session
from states.vocabulary import Cause, RunId, SessionId, SessionType
from states.world import LIMITS

__all__ = ["facts", "faults", "outcomes", "scenarios", "transitions"]

_COUNTS = st.integers(0, 10)
_VERDICTS = [kind for kind in VerdictKind if kind is not VerdictKind.STOPPED]  # that one follows a stop request alone


def outcomes() -> st.SearchStrategy[Outcome]:
    """How a cycle may have ended."""
    until = st.none() | st.floats(0, 1e6)
    return st.builds(Outcome, st.sampled_from(Cause), st.text(max_size=20), until=until, progressed=st.booleans())


def facts() -> st.SearchStrategy[Facts]:
    """Any facts, reachable or not: guards must be total."""
    features = st.tuples(_COUNTS, _COUNTS).map(lambda pair: FeatureCount(max(pair), min(pair)))
    session = st.builds(
        Session, st.uuids().map(lambda uuid: SessionId(str(uuid))), st.sampled_from(SessionType), _COUNTS, _COUNTS,
        is_resumption=st.booleans(), is_asked=st.booleans(), is_over=st.booleans(), has_progressed=st.booleans(),
    )  # fmt: skip
    limit, amount = st.none() | st.integers(1, 10), st.none() | st.floats(0.01, 1e6)
    limits = st.builds(Limits, st.floats(0, 1e3), limit, amount, amount, limit, limit)
    moment = st.floats(0, 1e9)
    return st.builds(
        Facts, st.just(RunId("run")), at=moment, started_at=moment, limits=limits,
        counters=st.builds(Counters, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS), features=st.none() | features,
        session_type=st.none() | st.sampled_from(SessionType), session=st.none() | session,
        prompt=st.none() | st.text(), outcome=st.none() | outcomes(), stop_requested=st.booleans(),
        save_error=st.none() | st.text(), cost_usd=st.floats(0, 1e6), jitter=st.floats(0, 1, exclude_max=True),
    )  # fmt: skip


def faults() -> st.SearchStrategy[tuple[Fault, ...]]:
    """What may go wrong in one scenario, at any call of any port."""
    fault = st.builds(Fault, st.sampled_from(OPERATIONS), st.integers(1, 25), st.sampled_from(FaultKind))
    return st.lists(fault, max_size=6).map(tuple)


def scenarios() -> st.SearchStrategy[Scenario]:
    """Whole worlds for `lifecycle.testing.simulation`."""
    leg = st.builds(
        Leg, st.sampled_from(Work), st.sampled_from(Cause), st.integers(0, 2), st.sampled_from((0.0, 0.25, 1.0)),
        st.sampled_from((0.0, 60.0, 600.0)), st.booleans(), st.integers(1, 3), st.booleans(),
    )  # fmt: skip
    settings = st.fixed_dictionaries({}, optional={"max_iterations": st.integers(1, 5), "stall_after": st.integers(1, 3)})
    return st.builds(
        Scenario, features=st.integers(1, 4), settings=settings, legs=st.lists(leg, max_size=8).map(tuple), faults=faults(),
        verdicts=st.lists(st.sampled_from(_VERDICTS), max_size=4).map(tuple),
        asks=st.sets(st.integers(1, 5), max_size=2).map(lambda calls: tuple(sorted(calls))),
        restarts=st.lists(settings, max_size=2).map(tuple),
    )  # fmt: skip


@st.composite
def transitions(draw: st.DrawFn, definition: Definition = BUILT_IN, limits: Limits = LIMITS) -> list[Step]:
    """A random lifecycle of up to 60 steps from the start on, as the table allows it."""
    search = Search(definition, limits)
    here, steps = search.start, []
    for _ in range(draw(st.integers(1, 60))):
        found = list(search.steps(here))
        if not found:
            break
        step, here = draw(st.sampled_from(found))
        steps.append(step)
    return steps
