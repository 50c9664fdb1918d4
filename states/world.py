"""What can happen: one representative of each class of things that each state can observe, for the searches.

Time is cut down to "within" and "past the deadline", money to "within" and "past the budget", the project to four
readings. `normal` makes equal what no guard and no fold can tell apart, so that a search ends; it never merges what
could lead to different places. A host's own states observe what their `Definition` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from states.continue_ import delay_elapsed
from states.create import created, plan
from states.decide import KILLS_FORGIVEN
from states.definition import BUILT_IN, Definition
from states.detect import detected
from states.end import Saved, ended
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome, Session
from states.new import begin, go_on, is_suspended
from states.observation import Observation, failed, stop_requested
from states.outcomes import OUTCOMES
from states.passage import is_own
from states.run import finished
from states.vocabulary import Cause, OutcomeKind, RunId, SessionId, SessionType, State, StopReason, Trigger

__all__ = ["CAUSES", "LIMITS", "SMALL", "normal", "observations"]

LIMITS = Limits(
    continue_delay_s=3.0, max_iterations=2, max_budget_usd=1.0, max_duration_s=100.0, max_failures=2, stall_after=1
)
"""Small enough to search, and every limit can be reached."""

SMALL = replace(LIMITS, max_failures=1, stall_after=1)
"""Half as many configurations, quickly searched; what takes several failures in a row is not seen."""

EARLY = 0.0
LONG_S = 1_000.0
NEAR_S = 0.5
CHEAP = 0.0
NO_LIST, SOME, ALL = FeatureCount(0, 0), FeatureCount(2, 1), FeatureCount(2, 2)
PROMPT = "do it"

CAUSES = (
    Cause.END_TURN,
    Cause.BUDGET,
    Cause.STOP,
    Cause.DEADLINE,
    Cause.PROCESS_KILLED,
    Cause.RATE_LIMIT,
    Cause.IDLE,
    Cause.PROMPT_TOO_LONG,
    Cause.AUTHENTICATION,
)
"""One for each kind of outcome, for a retryable one that counts as a failure, and for each that is a limit's own."""

FAULTS = (Cause.PROJECT, Cause.OPERATING_SYSTEM)

_CAN_BE_RESUMED = frozenset({OutcomeKind.CUT_OFF, OutcomeKind.RETRYABLE})


def observations(state: str, facts: Facts, definition: Definition = BUILT_IN) -> Iterator[Observation]:
    """One representative of each class of things that the state's work can observe.

    In SHUTDOWN it is the next start of a suspended run, which a new machine takes up in NEW.
    """
    if state not in _OBSERVE:
        yield from _of_host(state, facts, definition)
        return
    yield from _OBSERVE[State(state)](facts)
    if state not in (State.NEW, State.SHUTDOWN):
        yield from _troubles(state, facts)


def _troubles(state: str, facts: Facts) -> Iterator[Observation]:
    for cause in FAULTS:
        yield failed(facts, state, at=facts.at, cause=cause, detail="")
    if state != State.END:  # there a stop is a fact for `decide`
        yield stop_requested(facts, state, at=facts.at)


def _of_host(state: str, facts: Facts, definition: Definition) -> Iterator[Observation]:
    if state in definition.observations:
        yield from definition.observations[state](facts)
    else:
        own = {row.trigger for row in definition.table if row.source == state}
        for trigger in sorted(own - {Trigger.FAILED, Trigger.STOP_REQUESTED}):
            yield Observation(trigger, facts)
    if state not in definition.final:
        yield from _troubles(state, facts)


def _new(facts: Facts) -> Iterator[Observation]:
    for prompt in (None, PROMPT):
        yield begin(facts.run_id, at=facts.at, limits=facts.limits, prompt=prompt)


def _detect(facts: Facts) -> Iterator[Observation]:
    for at in _moments(facts):
        for features in (NO_LIST, SOME, ALL):
            yield detected(facts, at=at, features=features)


def _create(facts: Facts) -> Iterator[Observation]:
    session = plan(facts, SessionId(f"session-{facts.counters.sessions + 1}"))
    yield created(facts, session, at=facts.at)


def _run(facts: Facts) -> Iterator[Observation]:
    budget = facts.limits.max_budget_usd
    costs_usd = (facts.cost_usd,) if budget is None else (facts.cost_usd, budget)  # to the cent: a limit's very edge
    for outcome in _outcomes():
        for at in _moments(facts):
            for cost_usd in costs_usd:
                yield finished(facts, outcome, at=at, cost_usd=cost_usd)


def _outcomes() -> Iterator[Outcome]:
    for cause in CAUSES:
        yield Outcome(cause)
        if Outcome(cause).kind in _CAN_BE_RESUMED:
            yield Outcome(cause, progressed=False)
    for until in (EARLY, EARLY + 1.0, LONG_S):  # due, sooner than the shortest backoff, and long after every limit
        yield Outcome(Cause.RATE_LIMIT, until=until, progressed=False)


def _end(facts: Facts) -> Iterator[Observation]:
    for stop in (False,) if facts.stop_requested else (False, True):
        for saved in _saved(facts):
            yield ended(facts, saved, at=facts.at, jitter=0.5, stop_requested=stop)


def _saved(facts: Facts) -> Iterator[Saved]:
    """As END's work: without a session this cycle there is nothing to save, and a save that failed tells nothing."""
    yield Saved(facts.features)
    if facts.session is None or not facts.has_run:
        return
    yield Saved(None)
    yield Saved(NO_LIST, has_progressed=True)
    yield Saved(NO_LIST)
    for features in (SOME, ALL):
        for has_progressed in (False, True):
            yield Saved(features, has_progressed=has_progressed)
    yield Saved(facts.features, error="disk full")
    yield Saved(SOME, verify_error="no such command")


def _continue(facts: Facts) -> Iterator[Observation]:
    for at in _moments(facts):
        yield delay_elapsed(facts, at=at)


def _shutdown(facts: Facts) -> Iterator[Observation]:
    if is_suspended(facts):
        for at in (facts.at, facts.at + LONG_S):
            yield go_on(facts, at=at, limits=facts.limits)
        yield go_on(facts, at=facts.at, limits=facts.limits, prompt=PROMPT)


_OBSERVE = {
    State.NEW: _new,
    State.DETECT: _detect,
    State.CREATE: _create,
    State.RUN: _run,
    State.END: _end,
    State.CONTINUE: _continue,
    State.SHUTDOWN: _shutdown,
}


def _moments(facts: Facts) -> tuple[float, ...]:
    """Now; and where a deadline is ahead, so near to it that no wait fits in between, and at it."""
    deadline = facts.deadline
    if deadline is None or facts.at >= deadline:
        return (facts.at,)
    return (facts.at, deadline) if facts.at >= deadline - NEAR_S else (facts.at, deadline - NEAR_S, deadline)


# --- what is the same ----------------------------------------------------------------------------------------


def normal(state: str, facts: Facts) -> Facts:
    """The same facts without what makes no difference from `state` on."""
    if state == State.SHUTDOWN:
        return _over(facts)
    limits = facts.limits
    is_dear = limits.max_budget_usd is not None and facts.cost_usd >= limits.max_budget_usd
    is_saved = state == State.CONTINUE  # what END judged is behind us
    # A host's state may stand before CREATE, which needs the type, or after END, whose wait is still to come.
    keeps_type = state == State.CREATE or (is_own(state) and not facts.has_run)
    at, counters = _moment(facts), _counters(facts.counters, limits)
    is_decided = is_own(state) and (facts.resume_at is not None or facts.stop_reason is not None)
    if is_decided:  # a guard behind it may reckon the wait once more
        counters = replace(counters, retries=facts.counters.retries)
    return replace(
        facts,
        at=at,
        started_at=EARLY,
        suspended_s=0.0,
        counters=counters,
        features=None if is_saved else facts.features if facts.is_complete else None,
        session_type=facts.session_type if keeps_type else None,
        session=None if is_saved and not facts.has_open_session else _session(facts.session, limits),
        outcome=None if is_saved else _outcome(facts.outcome),
        save_error=None,
        verify_error=None,
        cost_usd=(limits.max_budget_usd or 0.0) if is_dear else CHEAP,
        resume_at=at + (facts.resume_at - facts.at) if is_own(state) and facts.resume_at is not None else None,
        jitter=facts.jitter if is_decided else 0.0,
    )


def _moment(facts: Facts) -> float:
    deadline, longest_s = facts.deadline, facts.limits.max_duration_s
    if deadline is None or longest_s is None or facts.at < deadline - NEAR_S:
        return EARLY
    return longest_s if facts.at >= deadline else longest_s - NEAR_S


def _over(facts: Facts) -> Facts:
    """A run that is over is told apart by its reason alone, a suspended one by what the next start takes up."""
    if not is_suspended(facts):
        return _ended(facts.run_id, facts.limits, facts.stop_reason)
    taken_up = normal(State.NEW, go_on(facts, at=facts.at, limits=facts.limits).facts)
    return replace(taken_up, features=None, stop_reason=facts.stop_reason)


@cache
def _ended(run_id: RunId, limits: Limits, reason: StopReason | None) -> Facts:
    return replace(begin(run_id, at=EARLY, limits=limits).facts, stop_reason=reason)


@cache
def _counters(counters: Counters, limits: Limits) -> Counters:
    most = limits.max_iterations or 1  # without that limit only the first one differs from the others
    return replace(
        counters,
        iterations=min(counters.iterations, most),
        sessions=min(counters.sessions, most),
        failures=min(counters.failures, limits.max_failures or 0),
        stalled=min(counters.stalled, limits.stall_after or 0),
        # They set how long a backoff is, and none is longer than a run. What matters is whether the next kill is the last
        # one that is forgiven, or the first that is not.
        retries=min(max(counters.retries, KILLS_FORGIVEN - 1), KILLS_FORGIVEN),
    )


@cache
def _session(session: Session | None, limits: Limits) -> Session | None:
    """How the open conversation was begun stays; of one that is over only whether it got anything done."""
    if session is None:
        return None
    session = replace(session, is_resumption=False, ran_s=0.0)
    if session.is_over:
        session = replace(session, type=SessionType.INIT, is_asked=False)
    if limits.max_iterations is None:
        session = replace(session, id=SessionId("session-1"), number=1, iteration=1)
    return session


@cache
def _outcome(outcome: Outcome | None) -> Outcome | None:
    """Words make no difference, nor what a conversation that is over had got done, nor causes that mean the same.

    A guard may tell the kinds of outcomes apart and what is a failure, and the causes that are a limit's own.
    """
    if outcome is None:
        return None
    cause = outcome.cause
    if cause not in (Cause.BUDGET, Cause.DEADLINE):
        cause = next(each for each in CAUSES if OUTCOMES[each] == OUTCOMES[cause])
    progressed = outcome.progressed or outcome.kind not in _CAN_BE_RESUMED
    return replace(outcome, cause=cause, detail="", progressed=progressed)


RUN_ID = RunId("run")
