"""What a journal says about states and edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lifecycle.diagram.example import bad_night
from lifecycle.diagram.model import Kind, diagram_of
from lifecycle.diagram.paint import NO_RUN, Trouble, complete, is_bad, paint
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Note, TransitionRecord
from states.facts import Facts, Outcome
from states.vocabulary import Cause, RunId, StopReason

RUN = RunId("run-1")


def record(source: str, trigger: str, dest: str, at: float, *, run: RunId = RUN, **facts) -> TransitionRecord:
    return TransitionRecord(1, at, run, source, trigger, dest, Facts(run_id=run, at=at, started_at=0.0, **facts))


FIRST = [
    record("NEW", "start", "DETECT", 100.0),
    record("DETECT", "detected", "CREATE", 101.0),
    record("CREATE", "created", "RUN", 102.0),
    record("RUN", "finished", "END", 162.0, cost_usd=0.5, outcome=Outcome(Cause.END_TURN)),
    record("END", "ended", "CONTINUE", 164.0, cost_usd=0.5, outcome=Outcome(Cause.END_TURN)),
]


def test_time_and_cost_are_of_the_state_where_they_were_spent() -> None:
    painted = paint(FIRST)
    assert (painted.state("RUN").time_s, painted.state("RUN").cost_usd) == (60.0, 0.5)
    assert (painted.state("END").time_s, painted.state("END").cost_usd) == (2.0, 0.0)
    assert (painted.time_s, painted.cost_usd) == (64.0, 0.5)


def test_an_edge_has_what_was_spent_before_it_was_taken() -> None:
    diagram = diagram_of()
    edge = next(edge for edge in diagram.edges if (edge.source, edge.dest) == ("RUN", "END"))
    used = paint(FIRST).edge(edge)
    assert (used.count, used.time_s, used.cost_usd) == (1, 60.0, 0.5)


def test_the_last_states_time_runs_on_while_a_manager_is_at_work() -> None:
    assert paint(FIRST).state("CONTINUE").time_s == 0.0
    running = paint(FIRST, now=174.0)
    assert (running.state("CONTINUE").time_s, running.is_running) == (10.0, True)


def test_a_clock_that_was_set_back_makes_no_time() -> None:
    assert paint([*FIRST, record("CONTINUE", "delay_elapsed", "DETECT", 10.0)]).state("CONTINUE").time_s == 0.0


def test_what_lies_between_two_runs_is_nobodys_time_and_each_run_begins_at_no_cost() -> None:
    second = RunId("run-2")
    painted = paint(
        [
            *FIRST,
            record("CONTINUE", "stop_requested", "SHUTDOWN", 165.0, cost_usd=0.5),
            record("NEW", "start", "DETECT", 9_000.0, run=second),
            record("DETECT", "detected", "CREATE", 9_001.0, run=second),
            record("CREATE", "created", "RUN", 9_001.0, run=second),
            record("RUN", "finished", "END", 9_002.0, run=second, cost_usd=0.2),
        ]
    )
    assert painted.time_s == pytest.approx(67.0)
    assert painted.cost_usd == pytest.approx(0.7)
    assert painted.runs == ("run-1", "run-2")


def test_an_outcome_is_counted_once_though_later_records_of_its_cycle_tell_it_too() -> None:
    idle = Outcome(Cause.IDLE)
    painted = paint([*FIRST[:3], *(replace(r, facts=replace(r.facts, outcome=idle)) for r in FIRST[3:])])
    assert painted.state("RUN").troubles == (Trouble("idle", 1, is_failure=True),)
    assert painted.state("END").failures == 0


def test_what_waits_or_is_resumed_is_a_trouble_but_no_failure() -> None:
    limited = replace(FIRST[3], facts=replace(FIRST[3].facts, outcome=Outcome(Cause.RATE_LIMIT)))
    assert paint([*FIRST[:3], limited]).state("RUN").troubles == (Trouble("rate_limit", 1, is_failure=False),)


@pytest.mark.parametrize("cause", [Cause.END_TURN, Cause.MAX_TURNS, Cause.STOP])
def test_a_normal_end_and_a_stop_are_no_trouble(cause: Cause) -> None:
    ended = replace(FIRST[3], facts=replace(FIRST[3].facts, outcome=Outcome(cause)))
    assert paint([*FIRST[:3], ended]).state("RUN").troubles == ()


def test_work_that_could_not_be_done_is_a_failure_where_it_was_tried() -> None:
    broken = record("DETECT", "failed", "END", 101.0, outcome=Outcome(Cause.PROJECT))
    assert paint([FIRST[0], broken]).state("DETECT").troubles == (Trouble("project", 1, is_failure=True),)


def test_a_save_that_failed_is_a_failure_of_the_state_that_saves() -> None:
    unsaved = replace(FIRST[4], facts=replace(FIRST[4].facts, save_error="disk full"))
    assert paint([*FIRST[:4], unsaved]).state("END").troubles == (Trouble("save_error", 1, is_failure=True),)


def test_a_recovery_is_a_crash_of_the_state_that_was_at_work() -> None:
    notes = [
        Note(NoteKind.RECOVERED, 103.0, {"state": "RUN"}, run_id=RUN),
        Note(NoteKind.RECOVERED, 103.0, {"state": "RUN"}, run_id=RunId("another")),
        Note(NoteKind.STARTED, 103.0, {"state": "RUN"}, run_id=RUN),
    ]
    assert paint(FIRST, notes).state("RUN").crashes == 1


def test_rows_that_differ_only_in_their_guard_tell_their_use_once() -> None:
    from states.table import Transition

    rows = [Transition("A", "go", guard, "B", "so") for guard in ("one", "other")]
    (edge,) = diagram_of(rows).edges
    painted = paint([record("A", "go", "B", 1.0), record("A", "go", "B", 2.0)])
    assert [painted.arrow(edge, arrow).count for arrow in edge.arrows] == [2, 0]
    assert painted.edge(edge).count == 2


def test_nothing_in_the_journal_is_left_out_of_the_picture() -> None:
    painted = paint(
        [*FIRST[:3], record("RUN", "reviewed", "REVIEW", 110.0), record("REVIEW", "finished", "END", 120.0)]
    )
    diagram = complete(diagram_of(), painted)
    assert diagram.node("REVIEW").kind is Kind.NORMAL
    drawn = {(edge.source, arrow.trigger, edge.dest) for edge in diagram.edges for arrow in edge.arrows}
    assert set(painted.ways) <= drawn


def test_a_journal_of_the_same_lifecycle_adds_nothing() -> None:
    assert complete(diagram_of(), paint(*bad_night())) == diagram_of()
    assert complete(diagram_of(), NO_RUN) == diagram_of()


def test_the_bad_night_stops_by_itself_where_it_failed_too_often() -> None:
    painted = paint(*bad_night())
    assert (painted.current, painted.reason) == ("SHUTDOWN", StopReason.MAX_FAILURES)
    assert painted.state("RUN").failures == 5
    assert all(not used.failures for name, used in painted.states.items() if name != "RUN")


def test_only_a_run_that_went_wrong_is_called_bad() -> None:
    bad = {reason for reason in StopReason if is_bad(reason)}
    assert bad == {StopReason.FATAL, StopReason.MAX_FAILURES, StopReason.STALLED}
    assert not is_bad(None)
