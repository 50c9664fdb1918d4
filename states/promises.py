"""What the lifecycle promises, as properties of every step: the built-in table's, and any table's that extends it.

The rules are spelled here a second time on purpose, from the contract and not from `decide` and the modules of the
states, so that a mistake in either shows. `states.properties` checks them over everything there is; the simulation
checks the same ones on the records of journals.

What is promised of the built-in states is promised of the path with a host's own states taken out: they may stand
anywhere, hold back, and stop or fail; they may not leave out what comes next, overrule what was decided, or swallow a
stop. So a step into a host's state is judged where the path arrives, by what its `Passage` remembers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from states.definition import BUILT_IN, Definition
from states.explore import Step
from states.facts import Facts, Limits
from states.new import is_suspended
from states.outcomes import OUTCOMES
from states.passage import is_own
from states.properties import Always, Eventually, Holds, Property, Sometimes
from states.record import from_data, to_data
from states.vocabulary import Cause, OutcomeKind, SessionType, State, StopReason, Trigger
from states.world import LIMITS

__all__ = ["PRECEDENCE", "always", "eventually", "promises", "reasons_to_stop", "sometimes"]

S, T = State, Trigger

PRECEDENCE = (
    StopReason.COMPLETE,
    StopReason.INTERRUPTED,
    StopReason.FATAL,
    StopReason.MAX_FAILURES,
    StopReason.STALLED,
    StopReason.MAX_BUDGET,
    StopReason.MAX_DURATION,
    StopReason.MAX_ITERATIONS,
)
"""The contract's order."""


def promises(definition: Definition = BUILT_IN, limits: Limits = LIMITS) -> tuple[Property, ...]:
    """Everything that is promised of `definition`; `limits` are those that bound a run."""
    return (*always(definition), *sometimes(definition), *eventually(limits, definition))


# --- the rules, spelled again --------------------------------------------------------------------------------


def reasons_to_stop(facts: Facts) -> set[StopReason]:
    """Every reason that holds at the end of a cycle, whatever its rank."""
    return {reason for reason, holds in _reasons(facts) if holds} | _limits_reached(facts)


def _reasons(facts: Facts) -> Iterator[tuple[StopReason, bool]]:
    yield StopReason.COMPLETE, _is_all_done(facts) and not _is_asked(facts)
    yield StopReason.INTERRUPTED, facts.stop_requested
    yield StopReason.FATAL, _kind(facts) is OutcomeKind.FATAL
    deadline = facts.deadline
    yield StopReason.MAX_DURATION, deadline is not None and _earliest(facts) > deadline


def _limits_reached(facts: Facts) -> set[StopReason]:
    limits, counters = facts.limits, facts.counters
    cause = facts.outcome.cause if facts.outcome else None
    is_late = facts.deadline is not None and (facts.at >= facts.deadline or cause is Cause.DEADLINE)
    is_dear = limits.max_budget_usd is not None and (
        facts.cost_usd >= limits.max_budget_usd or cause is Cause.BUDGET
    )
    found = {
        StopReason.MAX_FAILURES: _is_used_up(counters.failures, limits.max_failures),
        StopReason.STALLED: _is_used_up(counters.stalled, limits.stall_after),
        StopReason.MAX_BUDGET: is_dear,
        StopReason.MAX_DURATION: is_late,
        StopReason.MAX_ITERATIONS: not _is_open(facts) and _is_used_up(counters.iterations, limits.max_iterations),
    }
    return {reason for reason, holds in found.items() if holds}


def _earliest(facts: Facts) -> float:
    """When the next cycle may begin."""
    outcome = facts.outcome
    if outcome is not None and outcome.until is not None and outcome.until > facts.at:
        return max(outcome.until, facts.at + 2.0)
    kind = _kind(facts)
    is_killed_again = kind is OutcomeKind.CUT_OFF and facts.counters.retries > 5
    got_nowhere = is_killed_again and outcome is not None and not outcome.progressed
    if facts.save_error is not None or kind is OutcomeKind.RETRYABLE or got_nowhere:
        steps_s = [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
        longest_s = steps_s[min(max(facts.counters.retries, 1), len(steps_s)) - 1]
        return facts.at + longest_s * (1 + facts.jitter) / 2
    return facts.at + facts.limits.continue_delay_s


def _is_asked(facts: Facts) -> bool:
    """Whether an explicit prompt waits, or its session is not over: that is work, whatever passes."""
    session = facts.session
    return facts.prompt is not None or (session is not None and session.is_asked and not session.is_over)


def _is_used_up(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit


def _is_all_done(facts: Facts) -> bool:
    features = facts.features
    return features is not None and features.total >= 1 and features.passing == features.total


def _is_open(facts: Facts) -> bool:
    return facts.session is not None and not facts.session.is_over


def _kind(facts: Facts) -> OutcomeKind | None:
    return OUTCOMES[facts.outcome.cause].kind if facts.outcome else None


def _is_failure(facts: Facts) -> bool:
    outcome = facts.outcome
    is_unsure = facts.save_error is not None or facts.verify_error is not None
    return is_unsure or (outcome is not None and OUTCOMES[outcome.cause].is_failure)


# --- always --------------------------------------------------------------------------------------------------


def always(definition: Definition = BUILT_IN) -> tuple[Always, ...]:
    """What every step must satisfy, whatever the definition adds."""
    return (
        Always("whatever a state observes, exactly one row applies", lambda step: step.row is not None),
        Always("a stop request is honoured from every state", _honours_stops),
        Always("a state is left for another one", _is_left_for_another),
        Always("work that cannot be done is judged by END, or ends the run", _judges_failures),
        Always("every cycle begins by reading the project", _reads_first),
        Always("RUN is entered only from CREATE", lambda step: step.dest != S.RUN or step.left == S.CREATE),
        Always("no session runs without a durable id", _has_id),
        Always("what a session did is saved before anything else begins or ends", _saved_first),
        Always("only END decides to go on", lambda step: step.dest != S.CONTINUE or step.left == S.END),
        Always("SHUTDOWN has exactly one reason, and no other state has one", _has_one_reason),
        Always("SHUTDOWN is final: only a suspended run is taken up again, before its start", _is_final),
        Always("END goes on exactly when no reason to stop holds", _goes_on_rightly),
        Always("of the reasons to stop the first in precedence is recorded", _first_reason),
        Always("complete only with at least one feature, and all of them passing", _completes_rightly),
        Always("interrupted only when somebody asked", _was_asked),
        Always("a session is begun only for work, and within the limits", _begins_rightly),
        Always("an iteration is counted exactly once: a new session that enters RUN", _counts_iterations),
        Always("no two sessions at once: an open conversation is resumed before another begins", _resumes),
        Always("a session's conversation is let go only when it is over", _keeps_sessions),
        Always("the turn's end leaves the conversation open exactly when it can be taken up again", _leaves_open),
        Always("INIT exactly as long as there is no feature list", _has_right_type),
        Always("failures in a row: availability and crashes never count, a normal end starts anew", _counts_failures),
        Always("stalled sessions in a row: only one that is over and got nothing done counts", _counts_stalls),
        Always("backoffs in a row: a cycle that got something done starts from the first step", _counts_retries),
        Always("cost never falls, and a run keeps its id, beginning and numbers", _keeps_what_lasts),
        Always("time that a run lay suspended is not held against it", _suspends_the_clock),
        Always("CONTINUE waits until a moment that is in the record, never sooner than may be", _waits),
        Always("a new cycle begins with nothing left of the last one", _starts_clean),
        Always("END saves exactly when a session was to run in this cycle", _remembers_that_it_ran),
        Always("an explicit prompt is kept until a new session takes it, and is asked once", _keeps_prompt),
        Always("whatever is recorded comes back as it was", _survives_a_crash),
    )


def _honours_stops(step: Step) -> bool:
    if step.trigger == T.STOP_REQUESTED or (step.passage is not None and step.passage.was_stopped):
        return step.row is not None and _comes_to(step, S.END, S.SHUTDOWN) and step.after.stop_requested
    return not (step.source == S.END and step.after.stop_requested) or _comes_to(step, S.SHUTDOWN)


def _comes_to(step: Step, *states: State) -> bool:
    """Whether it arrives at one of them, or is still on its way."""
    return not step.is_arrival or step.dest in states


def _is_left_for_another(step: Step) -> bool:
    if step.passage is not None and step.dest == S.RUN:
        return True  # told as what it is: entered from elsewhere than CREATE
    return is_own(step.dest) or step.dest != step.left


def _judges_failures(step: Step) -> bool:
    has_failed = step.trigger == T.FAILED or (step.passage is not None and step.passage.has_failed)
    return not has_failed or _comes_to(step, S.END, S.SHUTDOWN)


def _reads_first(step: Step) -> bool:
    """On its way to DETECT a host's state may hold back, which is END's to judge."""
    begins = (step.trigger if step.passage is None else step.passage.trigger) in (T.START, T.DELAY_ELAPSED)
    holds_back = step.passage is not None and step.dest in (S.END, S.SHUTDOWN)
    return (not begins or _comes_to(step, S.DETECT) or holds_back) and (step.dest != S.CREATE or step.left == S.DETECT)


def _has_id(step: Step) -> bool:
    if step.dest != S.RUN:
        return True
    session = step.after.session
    return session is not None and bool(session.id) and not session.is_over


def _saved_first(step: Step) -> bool:
    begins_again = step.left == S.RUN and step.dest in (S.RUN, S.CREATE, S.DETECT)
    ends = step.left in (S.DETECT, S.CREATE, S.RUN) and step.dest in (S.CONTINUE, S.SHUTDOWN)
    return not (begins_again or ends)


def _has_one_reason(step: Step) -> bool:
    has_reason = step.after.stop_reason is not None
    if not step.is_arrival:  # END's decision waits to be carried out
        return not has_reason or step.left in (S.END, S.CONTINUE)
    return step.row is None or has_reason == (step.dest == S.SHUTDOWN)


def _is_final(step: Step) -> bool:
    if step.source != S.SHUTDOWN:
        return True
    return step.trigger == T.START and step.before.stop_reason is StopReason.INTERRUPTED


def _goes_on_rightly(step: Step) -> bool:
    if step.left != S.END:
        return True
    passage = step.passage
    if passage is None:
        stops = step.dest == S.SHUTDOWN if step.is_arrival else step.after.stop_reason is not None
        return step.trigger != T.ENDED or stops == bool(reasons_to_stop(step.after))
    return not step.is_arrival or (step.dest == S.SHUTDOWN) == (_reason(step) is not None)


def _reason(step: Step) -> StopReason | None:
    """What stands when a host's state is left: what cut it short, or else what was decided before."""
    assert step.passage is not None, "it is a host's state that is left"
    if step.trigger == T.FAILED:
        return StopReason.FATAL
    if step.trigger == T.STOP_REQUESTED:
        return StopReason.INTERRUPTED
    return step.passage.reason


def _first_reason(step: Step) -> bool:
    after = step.after
    if step.dest == S.SHUTDOWN and step.trigger == T.FAILED:
        return after.stop_reason is StopReason.FATAL
    if step.dest == S.SHUTDOWN and step.trigger == T.STOP_REQUESTED:
        return after.stop_reason is StopReason.INTERRUPTED
    if step.dest == S.SHUTDOWN and step.passage is not None:
        return after.stop_reason is step.passage.reason
    is_decision = step.source == S.END and step.trigger == T.ENDED and not step.is_arrival
    if step.dest != S.SHUTDOWN and not is_decision:
        return True
    holding = reasons_to_stop(after)
    return after.stop_reason == next((reason for reason in PRECEDENCE if reason in holding), None)


def _completes_rightly(step: Step) -> bool:
    return step.after.stop_reason is not StopReason.COMPLETE or _is_all_done(step.after)


def _was_asked(step: Step) -> bool:
    return step.after.stop_reason is not StopReason.INTERRUPTED or step.after.stop_requested


def _begins_rightly(step: Step) -> bool:
    """A host's state behind DETECT may hold back; time that passes there may use up what was left."""
    if step.passage is not None:
        return step.dest != S.CREATE or (_is_worth_it(step.passage.decided) and _is_worth_it(step.after))
    if step.source != S.DETECT or step.trigger != T.DETECTED or not step.is_arrival:
        return True
    return (step.dest == S.CREATE) == _is_worth_it(step.after)


def _is_worth_it(facts: Facts) -> bool:
    is_work = _is_asked(facts) or not _is_all_done(facts)
    return is_work and not _limits_reached(facts)


def _counts_iterations(step: Step) -> bool:
    before, after, session = step.before.counters, step.after.counters, step.after.session
    if step.trigger == T.START:
        return step.source != S.SHUTDOWN or before == after
    if step.trigger != T.CREATED or _is_open(step.before):
        return (after.iterations, after.sessions) == (before.iterations, before.sessions)
    counted = (before.iterations + 1, before.sessions + 1)
    return (
        (after.iterations, after.sessions) == counted
        and session is not None
        and (session.iteration, session.number) == counted
        and not session.is_resumption
        and session.is_asked == (step.before.prompt is not None)
    )


def _resumes(step: Step) -> bool:
    if step.trigger != T.CREATED:
        return True
    before, after = step.before.session, step.after.session
    if after is None:
        return False
    if _is_open(step.before):
        return before is not None and after == replace(before, is_resumption=True)
    return before is None or before.id != after.id


def _keeps_sessions(step: Step) -> bool:
    """In RUN and after it the session of the cycle stays the same one."""
    if step.trigger in (T.START, T.CREATED, T.DELAY_ELAPSED):
        if not _is_open(step.before) or step.source == S.NEW:
            return True
        kept = step.after.session
        return kept is not None and step.before.session is not None and kept.id == step.before.session.id
    before, after = step.before.session, step.after.session
    return (before is None) == (after is None) and (before is None or after is None or before.id == after.id)


def _leaves_open(step: Step) -> bool:
    if step.source != S.RUN or step.trigger not in (T.FINISHED, T.STOP_REQUESTED):
        return True
    if step.trigger == T.STOP_REQUESTED:
        return _is_open(step.after)
    return _is_open(step.after) == (_kind(step.after) in (OutcomeKind.CUT_OFF, OutcomeKind.RETRYABLE))


def _has_right_type(step: Step) -> bool:
    features = step.after.features
    if step.trigger == T.DETECTED and step.source == S.DETECT:
        expected = SessionType.INIT if features is not None and features.total == 0 else SessionType.CONTINUE
        return step.after.session_type is expected
    if step.trigger == T.CREATED and not _is_open(step.before):
        return step.after.session is not None and step.after.session.type is step.before.session_type
    return True


def _counts_failures(step: Step) -> bool:
    before, after = step.before.counters.failures, step.after.counters.failures
    if step.trigger != T.ENDED:
        return _is_start(step) or before == after
    if _is_failure(step.after):
        return after == before + 1
    return after == (0 if _kind(step.after) is OutcomeKind.COMPLETED_TURN else before)


def _counts_stalls(step: Step) -> bool:
    before, after = step.before.counters.stalled, step.after.counters.stalled
    session = step.after.session
    if step.trigger != T.ENDED:
        return _is_start(step) or before == after
    if session is None or not session.is_over:
        return after == before
    return after == (0 if session.has_progressed else before + 1)


def _counts_retries(step: Step) -> bool:
    before, after, outcome = step.before.counters.retries, step.after.counters.retries, step.after.outcome
    if step.trigger != T.ENDED:
        return _is_start(step) or before == after
    is_cut_early = _kind(step.after) is OutcomeKind.CUT_OFF and outcome is not None and not outcome.progressed
    if step.after.save_error is not None or is_cut_early:
        return after == before + 1
    if outcome is not None and _kind(step.after) is OutcomeKind.RETRYABLE:
        return after == (1 if outcome.progressed else before + 1)
    return after == 0


def _is_start(step: Step) -> bool:
    """A run's very first step: there is nothing that it could keep."""
    return step.trigger == T.START and step.source == S.NEW


def _keeps_what_lasts(step: Step) -> bool:
    before, after = step.before, step.after
    if _is_start(step):
        return True
    lasts = (before.run_id, before.started_at, before.limits) == (after.run_id, after.started_at, after.limits)
    is_same_time = step.trigger == T.START or before.suspended_s == after.suspended_s
    return lasts and is_same_time and after.cost_usd >= before.cost_usd


def _suspends_the_clock(step: Step) -> bool:
    before, after = step.before, step.after
    if step.trigger != T.START or step.source == S.NEW or before.deadline is None or after.deadline is None:
        return True
    lay_s = max(0.0, after.at - before.at)
    return after.deadline == before.deadline + lay_s


def _waits(step: Step) -> bool:
    after, passage = step.after, step.passage
    if passage is not None:
        return _waits_on(step, passage.decided.resume_at) if step.left == S.END else after.resume_at is None
    if step.trigger == T.ENDED and (step.dest == S.CONTINUE or (not step.is_arrival and after.stop_reason is None)):
        return after.resume_at is not None and after.resume_at == _earliest(after)
    return after.resume_at is None or step.trigger == T.FAILED


def _waits_on(step: Step, decided: float | None) -> bool:
    """A host's state behind END may only make the wait longer."""
    if step.dest != S.CONTINUE:
        return True
    return step.after.resume_at is not None and decided is not None and step.after.resume_at >= decided


def _starts_clean(step: Step) -> bool:
    if step.dest != S.DETECT:
        return True
    after = step.after
    has_errors = after.save_error is not None or after.verify_error is not None
    is_clean = after.outcome is None and not has_errors and not after.stop_requested and not after.has_run
    return is_clean and (after.session is None or _is_open(after))


def _remembers_that_it_ran(step: Step) -> bool:
    if step.trigger in (T.START, T.DELAY_ELAPSED):
        return not step.after.has_run
    return step.after.has_run == (step.before.has_run or step.trigger == T.CREATED)


def _keeps_prompt(step: Step) -> bool:
    before, after = step.before.prompt, step.after.prompt
    if step.trigger == T.START:
        return before is None or after is not None or step.source == S.NEW
    return after == (None if step.trigger == T.CREATED and not _is_open(step.before) else before)


def _survives_a_crash(step: Step) -> bool:
    """Checked where a crash costs most: on the way into a session, and between two."""
    if step.dest not in (S.RUN, S.CONTINUE):
        return True
    return from_data(to_data(step.after)) == step.after


# --- sometimes -----------------------------------------------------------------------------------------------


def sometimes(definition: Definition = BUILT_IN) -> tuple[Sometimes, ...]:
    """What must be possible: every state, row and stop reason, and the situations that the promises are about."""
    return (
        *(_taken(index, definition) for index in range(len(definition.table))),
        *(Sometimes(f"a run stops: {reason}", _stops_for(reason)) for reason in PRECEDENCE),
        Sometimes("a conversation that was cut off is resumed", _on_created(is_resumption=True)),
        Sometimes("a suspended run goes on with its conversation", lambda s: _goes_on(s) and _is_open(s.after)),
        Sometimes("completion on the last allowed iteration is complete", _completes_last),
        Sometimes("completion beats a stop request", lambda s: _is_stop(s, StopReason.COMPLETE) and s.after.stop_requested),
        Sometimes("an explicit prompt is worked on although everything passes", _works_on_prompt),
        Sometimes("a session is refused because the limits are used up", _is_refused),
        Sometimes("a list that cannot be read stops nothing", lambda s: _decides_to_go_on(s) and s.after.features is None),
        Sometimes("INIT is followed by INIT", lambda s: s.trigger == T.CREATED and _is_second_init(s.after)),
    )


def _taken(index: int, definition: Definition) -> Sometimes:
    row = definition.table[index]
    return Sometimes(f"taken: {row}", lambda step: step.row is row)


def _is_stop(step: Step, reason: StopReason) -> bool:
    return step.dest == S.SHUTDOWN and step.after.stop_reason is reason


def _stops_for(reason: StopReason) -> Holds:
    return lambda step: _is_stop(step, reason)


def _on_created(*, is_resumption: bool) -> Holds:
    def holds(step: Step) -> bool:
        session = step.after.session
        return step.trigger == T.CREATED and session is not None and session.is_resumption is is_resumption

    return holds


def _goes_on(step: Step) -> bool:
    return step.source == S.SHUTDOWN and is_suspended(step.before) and _comes_to(step, S.DETECT)


def _decides_to_go_on(step: Step) -> bool:
    return step.source == S.END and step.after.stop_reason is None and _comes_to(step, S.CONTINUE)


def _completes_last(step: Step) -> bool:
    limit = step.after.limits.max_iterations
    return _is_stop(step, StopReason.COMPLETE) and step.after.counters.iterations == limit


def _works_on_prompt(step: Step) -> bool:
    return step.dest == S.CREATE and _is_all_done(step.after)


def _is_refused(step: Step) -> bool:
    facts, trigger = (
        (step.after, step.trigger) if step.passage is None else (step.passage.decided, step.passage.trigger)
    )
    is_over = step.left == S.DETECT and trigger == T.DETECTED and step.dest == S.END
    return is_over and not _is_all_done(facts) and not _is_worth_it(facts)


def _is_second_init(facts: Facts) -> bool:
    return facts.session is not None and facts.session.type is SessionType.INIT and facts.session.iteration > 1


# --- eventually ----------------------------------------------------------------------------------------------

_NONE = Limits(
    continue_delay_s=0.0, max_iterations=None, max_budget_usd=None, max_duration_s=None, max_failures=None, stall_after=None
)


def eventually(limits: Limits = LIMITS, definition: Definition = BUILT_IN) -> tuple[Eventually, ...]:
    """Every run that has limits comes to SHUTDOWN: by each limit alone, and by all of them.

    The work goes on where each thing that a host's states wait for happens at last, as the built-in ones' does.
    """
    own = {(row.source, row.trigger) for row in definition.table if is_own(row.source)}
    own = {(source, trigger) for source, trigger in own if trigger not in (T.FAILED, T.STOP_REQUESTED)}
    works = (_step_is(T.DETECTED), _step_is(T.CREATED), *(_observes(*each) for each in sorted(own)))
    return (
        Eventually(
            "with every limit, as time passes", limits, fair=(_time_passes,)
        ),
        Eventually(
            "with max_duration alone, as time passes",
            replace(_NONE, max_duration_s=limits.max_duration_s), fair=(_time_passes,),
        ),
        Eventually(
            "with max_budget_usd alone, as the work goes on and money is spent",
            replace(_NONE, max_budget_usd=limits.max_budget_usd), fair=(*works, _money_is_spent),
        ),
        Eventually(
            "with max_iterations alone, as the work goes on and turns end",
            replace(_NONE, max_iterations=limits.max_iterations), fair=(*works, _turn_ends),
        ),
        Eventually(
            "with max_failures alone, when every cycle fails",
            replace(_NONE, max_failures=limits.max_failures), within=_fails,
        ),
        Eventually(
            "with stall_after alone, as the work goes on and turns end, when nothing gets done",
            replace(_NONE, stall_after=limits.stall_after), fair=(*works, _turn_ends), within=_gets_nothing_done,
        ),
    )


def _step_is(trigger: str) -> Holds:
    return lambda step: step.trigger == trigger


def _observes(source: str, trigger: str) -> Holds:
    return lambda step: step.source == source and step.trigger == trigger


def _time_passes(step: Step) -> bool:
    deadline = step.before.deadline
    return deadline is not None and step.before.at < deadline <= step.after.at


def _money_is_spent(step: Step) -> bool:
    return step.after.cost_usd > step.before.cost_usd


def _turn_ends(step: Step) -> bool:
    return step.trigger == T.FINISHED and _kind(step.after) is OutcomeKind.COMPLETED_TURN


def _fails(step: Step) -> bool:
    if step.trigger == T.ENDED and step.after.outcome is None:
        return False  # a host's state held back: nothing was tried
    return step.trigger != T.FINISHED or _is_failure(step.after)


def _gets_nothing_done(step: Step) -> bool:
    session = step.after.session
    return step.trigger != T.ENDED or session is None or not session.has_progressed
