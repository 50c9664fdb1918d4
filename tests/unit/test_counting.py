"""The counting rules: what adds to a counter, what resets it, and what leaves it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from states.continue_ import delay_elapsed, rescheduled
from states.create import created, plan
from states.detect import detected
from states.end import Saved, ended
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome
from states.new import begin, go_on, is_suspended
from states.observation import failed, stop_requested
from states.run import finished
from states.vocabulary import Cause, OutcomeKind, RunId, SessionId, SessionType, State, StopReason, Trigger

LIMITS = Limits(max_failures=None, stall_after=None)
NOTHING_DONE = Saved(FeatureCount(2, 0))


def new_run(limits: Limits = LIMITS) -> Facts:
    return begin(RunId("r"), at=0.0, limits=limits).facts


def cycle(facts: Facts, outcome: Outcome, saved: Saved = NOTHING_DONE, fresh_id: str = "s1") -> Facts:
    """One whole cycle from DETECT to the end of END."""
    facts = detected(facts, at=facts.at + 1, features=FeatureCount(2, 0)).facts
    facts = created(facts, plan(facts, SessionId(fresh_id)), at=facts.at + 1).facts
    facts = finished(facts, outcome, at=facts.at + 1, cost_usd=0.0).facts
    return ended(facts, saved, at=facts.at + 1, jitter=0.0).facts


def next_(facts: Facts) -> Facts:
    assert facts.resume_at is not None
    return delay_elapsed(facts, at=facts.resume_at).facts


def test_a_new_session_is_an_iteration_and_a_resumption_is_not() -> None:
    facts = cycle(new_run(), Outcome(Cause.RATE_LIMIT))
    assert (facts.counters.iterations, facts.counters.sessions) == (1, 1)
    facts = cycle(next_(facts), Outcome(Cause.END_TURN), fresh_id="unused")
    assert (facts.counters.iterations, facts.counters.sessions) == (1, 1)
    assert facts.session is not None
    assert facts.session.id == "s1"
    facts = cycle(next_(facts), Outcome(Cause.END_TURN), fresh_id="s2")
    assert (facts.counters.iterations, facts.counters.sessions) == (2, 2)
    assert facts.session is not None
    assert facts.session.id == "s2"


def test_sessions_are_numbered_over_the_projects_life_and_iterations_in_the_run() -> None:
    facts = begin(RunId("r2"), at=0.0, limits=LIMITS, sessions=7).facts
    facts = cycle(facts, Outcome(Cause.END_TURN))
    assert facts.session is not None
    assert (facts.session.number, facts.session.iteration) == (8, 1)


def test_a_resumption_keeps_id_type_and_iteration_whatever_detect_says() -> None:
    facts = detected(new_run(), at=1.0, features=FeatureCount(0, 0)).facts
    facts = created(facts, plan(facts, SessionId("s1")), at=2.0).facts
    facts = finished(facts, Outcome(Cause.PROCESS_KILLED), at=3.0, cost_usd=0.0).facts
    facts = next_(ended(facts, NOTHING_DONE, at=4.0, jitter=0.0).facts)
    facts = detected(facts, at=8.0, features=FeatureCount(2, 0)).facts
    session = plan(facts, SessionId("fresh"))
    assert (session.id, session.type, session.iteration) == ("s1", SessionType.INIT, 1)
    assert session.is_resumption


@pytest.mark.parametrize("cause", list(Cause))
def test_only_failures_count_for_max_failures(cause: Cause) -> None:
    """Rate limits, availability and crashes never count; a normal end starts again; what is neither leaves it."""
    before = replace(new_run(), counters=Counters(failures=3))
    failures = cycle(before, Outcome(cause)).counters.failures
    never_counted = {Cause.RATE_LIMIT, Cause.UNAVAILABLE, Cause.PROCESS_KILLED, Cause.STOP, Cause.DEADLINE}
    if Outcome(cause).kind is OutcomeKind.COMPLETED_TURN:
        assert failures == 0
    elif cause in never_counted or Outcome(cause).kind is OutcomeKind.FATAL:
        assert failures == 3
    else:
        assert failures == 4


def test_a_save_that_failed_counts_and_backs_off_but_does_not_raise() -> None:
    facts = cycle(new_run(), Outcome(Cause.END_TURN), Saved(FeatureCount(2, 0), error="disk full"))
    assert (facts.counters.failures, facts.counters.retries) == (1, 1)
    assert facts.resume_at == facts.at + 1.0
    facts = cycle(next_(facts), Outcome(Cause.END_TURN), Saved(FeatureCount(2, 0), error="disk full"))
    assert (facts.counters.failures, facts.counters.retries) == (2, 2)


def test_a_verification_that_nobody_could_do_counts_without_a_backoff_and_is_forgotten() -> None:
    facts = cycle(new_run(), Outcome(Cause.END_TURN), Saved(FeatureCount(2, 0), verify_error="no such command"))
    assert (facts.counters.failures, facts.counters.retries) == (1, 0)
    assert facts.verify_error == "no such command"
    facts = next_(facts)
    assert facts.verify_error is None
    assert cycle(facts, Outcome(Cause.END_TURN), fresh_id="s2").counters.failures == 0


def test_a_failure_without_a_verification_counts_once() -> None:
    facts = cycle(new_run(), Outcome(Cause.IDLE), Saved(FeatureCount(2, 0), verify_error="took too long"))
    assert facts.counters.failures == 1


def test_sessions_without_progress_stall_and_one_with_progress_starts_again() -> None:
    facts = cycle(new_run(), Outcome(Cause.END_TURN))
    facts = cycle(next_(facts), Outcome(Cause.MAX_TURNS), fresh_id="s2")
    assert facts.counters.stalled == 2
    facts = cycle(next_(facts), Outcome(Cause.END_TURN), Saved(FeatureCount(2, 1), has_progressed=True))
    assert facts.counters.stalled == 0


def test_a_session_that_will_be_resumed_has_not_stalled_and_keeps_its_progress() -> None:
    facts = cycle(new_run(), Outcome(Cause.RATE_LIMIT), Saved(FeatureCount(2, 1), has_progressed=True))
    assert facts.counters.stalled == 0
    facts = cycle(next_(facts), Outcome(Cause.END_TURN))
    assert facts.counters.stalled == 0, "its first leg had progressed"


def test_backoff_grows_with_retries_and_restarts_after_progress() -> None:
    facts = new_run()
    for expected in (1, 2, 3):
        facts = cycle(facts, Outcome(Cause.UNAVAILABLE, progressed=False))
        assert facts.counters.retries == expected
        facts = next_(facts)
    facts = cycle(facts, Outcome(Cause.UNAVAILABLE, progressed=True))
    assert facts.counters.retries == 1
    assert cycle(next_(facts), Outcome(Cause.END_TURN)).counters.retries == 0


@pytest.mark.parametrize("cause", [Cause.END_TURN, Cause.MAX_TURNS, Cause.SESSION_TIMEOUT, Cause.PROMPT_TOO_LONG])
def test_a_turn_that_ended_is_followed_by_a_fresh_session(cause: Cause) -> None:
    assert not cycle(new_run(), Outcome(cause)).has_open_session


@pytest.mark.parametrize("cause", [Cause.RATE_LIMIT, Cause.UNAVAILABLE, Cause.PROCESS_KILLED, Cause.IDLE])
def test_a_conversation_that_was_cut_off_is_resumed(cause: Cause) -> None:
    assert cycle(new_run(), Outcome(cause)).has_open_session


def test_interrupted_suspends_and_the_next_start_goes_on_under_the_same_run_and_counters() -> None:
    limits = Limits(max_duration_s=100.0, max_failures=None, stall_after=None)
    facts = cycle(new_run(limits), Outcome(Cause.END_TURN))
    stopped = stop_requested(facts, State.CONTINUE, at=10.0).facts
    assert stopped.stop_reason is StopReason.INTERRUPTED
    assert is_suspended(stopped)
    newest = Limits(max_duration_s=50.0)
    going_on = go_on(stopped, at=1010.0, limits=newest)
    assert going_on.trigger is Trigger.START
    assert going_on.facts.run_id == "r"
    assert going_on.facts.counters == stopped.counters
    assert going_on.facts.limits == newest
    assert going_on.facts.deadline == 0.0 + 1000.0 + 50.0, "the time it lay suspended does not count"
    assert (going_on.facts.stop_reason, going_on.facts.stop_requested) == (None, False)


def test_interrupted_mid_session_keeps_the_conversation_open() -> None:
    facts = detected(new_run(), at=1.0, features=FeatureCount(2, 0)).facts
    facts = created(facts, plan(facts, SessionId("s1")), at=2.0).facts
    observation = finished(facts, Outcome(Cause.STOP), at=3.0, cost_usd=0.0)
    assert observation.trigger is Trigger.STOP_REQUESTED
    facts = ended(observation.facts, NOTHING_DONE, at=4.0, jitter=0.0).facts
    assert facts.stop_reason is StopReason.INTERRUPTED
    assert go_on(facts, at=9.0, limits=LIMITS).facts.has_open_session


def test_a_clock_set_back_while_suspended_takes_nothing_off_the_time_used() -> None:
    stopped = stop_requested(cycle(new_run(), Outcome(Cause.END_TURN)), State.CONTINUE, at=100.0).facts
    assert go_on(stopped, at=50.0, limits=LIMITS).facts.suspended_s == 0.0


def test_a_fault_in_end_or_continue_stops_as_fatal_and_one_before_is_for_end_to_decide() -> None:
    facts = new_run()
    for state in (State.END, State.CONTINUE):
        observation = failed(facts, state, at=1.0, cause=Cause.OPERATING_SYSTEM, detail="x")
        assert observation.facts.stop_reason is StopReason.FATAL
    for state in (State.DETECT, State.CREATE, State.RUN):
        observation = failed(facts, state, at=1.0, cause=Cause.OPERATING_SYSTEM, detail="x")
        assert observation.facts.stop_reason is None


def test_the_cost_of_a_run_is_never_taken_back() -> None:
    facts = replace(new_run(), cost_usd=2.0)
    assert finished(facts, Outcome(Cause.END_TURN), at=1.0, cost_usd=1.5).facts.cost_usd == 2.0


def test_a_wait_is_reckoned_anew_from_its_beginning_when_the_delay_changes() -> None:
    facts = cycle(new_run(), Outcome(Cause.END_TURN))
    longer = replace(LIMITS, continue_delay_s=60.0)
    assert rescheduled(facts, longer).resume_at == facts.at + 60.0
    limited = cycle(new_run(), Outcome(Cause.RATE_LIMIT, until=500.0))
    assert rescheduled(limited, longer).resume_at == 500.0, "a stated reset stays"
