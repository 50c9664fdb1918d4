"""`decide`: the precedence of the stop reasons, and when the next cycle begins."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from states.decide import Continue, Stop, backoff_s, decide
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome, Session
from states.vocabulary import Cause, RunId, SessionId, SessionType, StopReason

LIMITS = Limits(max_iterations=3, max_budget_usd=5.0, max_duration_s=1000.0, max_failures=2, stall_after=2)
FACTS = Facts(run_id=RunId("r"), at=100.0, started_at=0.0, limits=LIMITS, features=FeatureCount(3, 1))
SESSION = Session(SessionId("s"), SessionType.CONTINUE, number=1, iteration=1)


def with_(facts: Facts, reason: StopReason) -> Facts:
    """Make `reason` hold, and nothing else change."""
    match reason:
        case StopReason.COMPLETE:
            return replace(facts, features=FeatureCount(3, 3))
        case StopReason.INTERRUPTED:
            return replace(facts, stop_requested=True)
        case StopReason.FATAL:
            return replace(facts, outcome=Outcome(Cause.AUTHENTICATION))
        case StopReason.MAX_FAILURES:
            return replace(facts, counters=replace(facts.counters, failures=2))
        case StopReason.STALLED:
            return replace(facts, counters=replace(facts.counters, stalled=2))
        case StopReason.MAX_BUDGET:
            return replace(facts, cost_usd=5.0)
        case StopReason.MAX_DURATION:
            return replace(facts, at=1000.0)
        case StopReason.MAX_ITERATIONS:
            return replace(facts, counters=replace(facts.counters, iterations=3))


@pytest.mark.parametrize("reason", list(StopReason))
def test_each_reason_alone_stops_for_itself(reason: StopReason) -> None:
    assert decide(with_(FACTS, reason)) == Stop(reason)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(StopReason, 2)))
def test_of_two_reasons_the_one_of_higher_precedence_is_named(first: StopReason, second: StopReason) -> None:
    assert decide(with_(with_(FACTS, second), first)) == Stop(first)


def test_no_reason_means_continue_after_the_delay() -> None:
    assert decide(FACTS) == Continue(103.0, "the next session follows after the continue delay")


@pytest.mark.parametrize("features", [None, FeatureCount(0, 0), FeatureCount(2, 1)])
def test_not_knowing_having_none_and_having_some_left_are_not_complete(features: FeatureCount | None) -> None:
    assert isinstance(decide(replace(FACTS, features=features)), Continue)


def test_max_iterations_is_not_asked_before_a_resumption() -> None:
    used_up = with_(replace(FACTS, session=SESSION), StopReason.MAX_ITERATIONS)
    assert isinstance(decide(replace(used_up, outcome=Outcome(Cause.RATE_LIMIT))), Continue)
    over = replace(used_up, session=replace(SESSION, is_over=True))
    assert decide(over) == Stop(StopReason.MAX_ITERATIONS)


def test_a_reset_beyond_the_deadline_stops_now() -> None:
    """Waiting until half past five for a run that ends at five would be waiting for nothing."""
    limited = replace(FACTS, outcome=Outcome(Cause.RATE_LIMIT, until=1000.5))
    assert decide(limited) == Stop(StopReason.MAX_DURATION)
    assert isinstance(decide(replace(limited, outcome=Outcome(Cause.RATE_LIMIT, until=900.0))), Continue)


def test_a_stated_reset_is_waited_for_and_a_past_one_backs_off() -> None:
    counters = Counters(retries=3)
    until = replace(FACTS, outcome=Outcome(Cause.RATE_LIMIT, until=400.0), counters=counters)
    assert decide(until) == Continue(400.0, "the service said when it is ready again")
    past = replace(FACTS, outcome=Outcome(Cause.RATE_LIMIT, until=50.0), counters=counters, jitter=0.0)
    assert decide(past) == Continue(104.0, "backoff 3 after rate limit")


def test_a_reset_that_is_always_just_now_does_not_spin() -> None:
    soon = replace(FACTS, outcome=Outcome(Cause.RATE_LIMIT, until=100.001))
    decision = decide(soon)
    assert isinstance(decision, Continue)
    assert decision.resume_at == 102.0


def test_backoff_doubles_from_two_seconds_to_ten_minutes_with_the_upper_half_jittered() -> None:
    assert [backoff_s(n, 1.0) for n in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert [backoff_s(n, 0.0) for n in (1, 2, 10)] == [1, 2, 300]
    assert backoff_s(10**9, 1.0) == 600


@pytest.mark.parametrize(
    ("cause", "retries", "delay_s"),
    [
        (Cause.UNAVAILABLE, 5, 32.0),
        (Cause.PROCESS_KILLED, 1, 3.0),
        (Cause.PROCESS_KILLED, 5, 3.0),
        (Cause.PROCESS_KILLED, 6, 64.0),
        (Cause.PROCESS_KILLED, 60, 600.0),
    ],
)
def test_an_agent_that_dies_before_doing_anything_backs_off(cause: Cause, retries: int, delay_s: float) -> None:
    """A kill or two is somebody's; the sixth in a row is the machine's, which must not make us spin."""
    facts = replace(
        FACTS,
        session=SESSION,
        outcome=Outcome(cause, progressed=False),
        counters=Counters(retries=retries),
        jitter=1.0,
    )
    decision = decide(facts)
    assert isinstance(decision, Continue)
    assert decision.resume_at == 100.0 + delay_s


def test_no_limits_never_stop_for_one() -> None:
    free = replace(
        FACTS,
        limits=Limits(max_failures=None, stall_after=None),
        counters=Counters(iterations=10**6, failures=10**6, stalled=10**6),
        cost_usd=1e9,
        at=1e12,
    )
    assert isinstance(decide(free), Continue)
