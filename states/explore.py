"""Every lifecycle there is, within small limits: breadth-first over state x facts, as the table and `states` fold them.

The world is cut down to one representative of each class it can show (`observations`), time to "within" and
"past the deadline", money to "within" and "past the budget"; counters are bounded by the limits themselves. Facts
that no guard and no fold can tell apart are made equal (`normal`), so that the search ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from states.continue_ import delay_elapsed
from states.create import created, plan
from states.decide import Stop, decide
from states.detect import detected
from states.end import Saved, ended
from states.facts import Facts, FeatureCount, Limits, Outcome
from states.guards import has_work
from states.new import begin, go_on, is_suspended
from states.observation import Observation, failed, stop_requested
from states.run import finished
from states.step import step
from states.vocabulary import Cause, OutcomeKind, RunId, SessionId, State, StopReason

LIMITS = Limits(
    continue_delay_s=0.0, max_iterations=2, max_budget_usd=1.0, max_duration_s=100.0, max_failures=2, stall_after=2
)
"""Small enough to search, and every limit can be reached."""

EARLY, LATE = 0.0, 1_000.0
CHEAP, DEAR = 0.0, 2.0
NO_LIST, SOME, ALL = FeatureCount(0, 0), FeatureCount(2, 1), FeatureCount(2, 2)

CAUSES = (
    Cause.END_TURN,
    Cause.STOP,
    Cause.PROCESS_KILLED,
    Cause.RATE_LIMIT,
    Cause.IDLE,
    Cause.PROMPT_TOO_LONG,
    Cause.AUTHENTICATION,
)
"""One for each kind of outcome, and for a retryable one that counts as a failure."""

FAULTS = (Cause.PROJECT, Cause.OPERATING_SYSTEM)


@dataclass(frozen=True, slots=True)
class FactsClass:
    """What the lifecycle can tell apart about facts.

    Attributes:
        has_work: the guard's verdict.
        session: "none", "open" or "over".
        outcome: the kind of this cycle's outcome.
        verdict: what `decide` says: the stop reason, or None to continue; in SHUTDOWN the reason recorded.
    """

    has_work: bool
    session: str
    outcome: OutcomeKind | None
    verdict: StopReason | None


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found.

    Attributes:
        configurations: every reachable (state, facts).
        edges: how many steps lead from one to another.
        pairs: every reachable (state, facts class).
    """

    configurations: frozenset[tuple[State, Facts]]
    edges: int
    pairs: frozenset[tuple[State, FactsClass]]


def explore(limits: Limits = LIMITS) -> Exploration:
    """Search everything that can follow a start under `limits`."""
    start = (State.NEW, normal(State.NEW, begin(RunId("run"), at=EARLY, limits=limits).facts))
    seen, todo, edges = {start}, deque([start]), 0
    while todo:
        for following in successors(*todo.popleft()):
            edges += 1
            if following not in seen:
                seen.add(following)
                todo.append(following)
    pairs = frozenset((state, classify(state, facts)) for state, facts in seen)
    return Exploration(frozenset(seen), edges, pairs)


def successors(state: State, facts: Facts) -> Iterator[tuple[State, Facts]]:
    """Where the table leads from here, for everything that the world can show here."""
    for observation in observations(state, facts):
        source = State.NEW if state is State.SHUTDOWN else state
        dest = State(step(source, observation.trigger, observation.facts))
        yield dest, normal(dest, observation.facts)


def observations(state: State, facts: Facts) -> Iterator[Observation]:  # noqa: C901  # one case a state
    """One representative of each class of things that the state's work can observe."""
    at = facts.at
    match state:
        case State.NEW:
            yield begin(facts.run_id, at=at, limits=facts.limits)
        case State.DETECT:
            for features in (NO_LIST, SOME, ALL):
                yield detected(facts, at=at, features=features)
        case State.CREATE:
            yield created(facts, plan(facts, SessionId(f"session-{facts.counters.sessions + 1}")), at=at)
        case State.RUN:
            yield from _turns(facts)
        case State.END:
            yield from _endings(facts)
        case State.CONTINUE:
            yield delay_elapsed(facts, at=at)
        case State.SHUTDOWN:
            if is_suspended(facts):
                yield go_on(facts, at=at, limits=facts.limits)
    if state not in (State.NEW, State.SHUTDOWN):
        for cause in FAULTS:
            yield failed(facts, state, at=at, cause=cause, detail="")
        if state is not State.END:
            yield stop_requested(facts, state, at=at)


def _turns(facts: Facts) -> Iterator[Observation]:
    for cause in CAUSES:
        for progressed in (False, True):
            for at in {facts.at, LATE}:
                for cost_usd in (CHEAP, DEAR):
                    yield finished(facts, Outcome(cause, progressed=progressed), at=at, cost_usd=cost_usd)


def _endings(facts: Facts) -> Iterator[Observation]:
    for features in (None, NO_LIST, SOME, ALL):
        for has_progressed in (False, True):
            for error, unsure in ((None, None), ("disk full", None), (None, "no such command")):
                for stop in (False, True):
                    saved = Saved(features, has_progressed=has_progressed, error=error, verify_error=unsure)
                    yield ended(facts, saved, at=facts.at, jitter=0.0, stop_requested=stop)


def normal(state: State, facts: Facts) -> Facts:
    """The same facts without what no guard can tell apart: counters beyond their limit, how long a backoff is."""
    counters, limits = facts.counters, facts.limits
    bounded = replace(
        counters,
        failures=min(counters.failures, limits.max_failures or 0),
        stalled=min(counters.stalled, limits.stall_after or 0),
        retries=min(counters.retries, 1),
    )
    facts = replace(facts, counters=bounded, resume_at=None, verify_error=None)
    if state is not State.SHUTDOWN:
        return facts
    # A run that is over is told apart by its reason alone, a suspended one by what the next start takes up.
    if not is_suspended(facts):
        return replace(begin(facts.run_id, at=EARLY, limits=limits).facts, stop_reason=facts.stop_reason)
    return replace(go_on(facts, at=facts.at, limits=limits).facts, features=None, stop_reason=facts.stop_reason)


def classify(state: State, facts: Facts) -> FactsClass:
    """Which class the facts are of."""
    decision = Stop(facts.stop_reason) if facts.stop_reason and state is State.SHUTDOWN else decide(facts)
    session = "none" if facts.session is None else "over" if facts.session.is_over else "open"
    return FactsClass(
        has_work=has_work(facts),
        session=session,
        outcome=None if facts.outcome is None else facts.outcome.kind,
        verdict=decision.reason if isinstance(decision, Stop) else None,
    )
