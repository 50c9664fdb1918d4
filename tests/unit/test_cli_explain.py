"""`lifecycle explain` and `what-if` on real journals that the real manager wrote, its agent and project being fakes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import pytest

from lifecycle import SessionManager
from lifecycle.cli.main import main
from lifecycle.testing.examples import review
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace, build, idle
from lifecycle.work.context import Done
from states.decide import LIMITS, REASONS
from states.definition import extended, sample_facts
from states.facts import Facts, Limits, Outcome
from states.guards import GUARDS
from states.inputs import looked_at
from states.observation import Observation
from states.otherwise import nearest_change, result_of
from states.reckoning import guards_asked, reasons_asked
from states.table import TABLE, Transition
from states.vocabulary import Cause, RunId

REVIEWED = "lifecycle.testing.examples.review:TABLE"


@pytest.fixture
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Let runs happen in a project, one after the other, and return its directory. The journal is the real one."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "app_spec.txt").write_text("Build it.\n")
    monkeypatch.setenv("LIFECYCLE_STATE_DIR", str(tmp_path / "state"))
    workspace, clock, chance = FakeWorkspace(), FakeClock(), FakeChance()

    async def live(behaviours, settings, is_stopped: bool) -> None:
        async with SessionManager(
            directory, state_dir=tmp_path / "state", clock=clock, chance=chance, workspace=workspace,
            agent=FakeAgent(workspace, behaviours, cost_usd=1.0), prompts=FakePrompts(), **settings,
        ) as manager:  # fmt: skip
            if is_stopped:
                manager.stop("the test")
            await manager.run_until_shutdown()

    def run(*behaviours, is_stopped: bool = False, **settings) -> Path:
        asyncio.run(live(behaviours, settings, is_stopped))
        return directory

    return run


@pytest.fixture
def project(lived) -> Path:
    """Two sessions that get something done, then two that do not: stalled."""
    return lived(build, build, idle, stall_after=2)


def told(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def said(capsys, *arguments: str) -> str:
    assert main([*arguments]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    assert main([*arguments]) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    return answer.err


# --- explain -------------------------------------------------------------------------------------------------


def test_the_newest_decision_is_told_with_every_guard_and_reason(project: Path, capsys) -> None:
    document = told(capsys, "explain", str(project))
    assert (document["source"], document["dest"], document["stop_reason"]) == ("END", "SHUTDOWN", "stalled")
    guards = {guard["name"]: guard for guard in document["guards"]}
    assert [(guards[name]["holds"], guards[name]["leads_to"]) for name in ("may_continue", "must_stop")] == [
        (False, "CONTINUE"),
        (True, "SHUTDOWN"),
    ]
    inputs = guards["must_stop"]["inputs"]
    assert (inputs["counters.stalled"], inputs["limits.stall_after"], inputs["stop_requested"]) == (2, 2, False)
    assert "cost_usd" not in inputs, "what comes after the first reason that holds is not looked at"
    assert [reason["name"] for reason in document["reasons"]] == [reason.value for reason, _ in REASONS]
    [decides] = [reason for reason in document["reasons"] if reason["decides"]]
    assert decides["words"] == "2 in a row, limit 2"
    assert decides["inputs"] == {"limits.stall_after": 2, "counters.stalled": 2}
    assert document["nearest_change"] == {"change": "stall_after above 2", "result": "CONTINUE"}
    assert document["decided_now"] is None


def test_a_decision_to_go_on_is_told_with_its_reason_and_until_when(project: Path, capsys) -> None:
    document = told(capsys, "explain", str(project), "5")
    assert (document["dest"], document["why"]) == ("CONTINUE", "the next session follows after the continue delay")
    assert document["resume_at"].endswith("Z")
    assert not any(reason["holds"] for reason in document["reasons"])
    words = said(capsys, "explain", str(project), "5")
    guards = "-> may_continue       yes  to CONTINUE\n   must_stop          no   to SHUTDOWN\n"
    assert f"{guards}      features.total 3, features.passing 0" in words
    assert words.count("features.total") == 1, "both look at the same, which is told once"
    assert "otherwise: with " in words


def test_people_are_told_moments_by_their_own_clock_and_machines_as_numbers(project: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    try:
        words, document = said(capsys, "explain", str(project), "5"), told(capsys, "explain", str(project), "5")
    finally:
        monkeypatch.undo()
        time.tzset()
    [guard] = [guard for guard in document["guards"] if guard["decides"]]
    at = guard["inputs"]["at"]
    assert isinstance(at, float)
    zone = timezone(timedelta(hours=5, minutes=30))
    flat = " ".join(words.split())
    assert f", at {datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S}, outcome.until none" in flat
    resumes = datetime.fromisoformat(document["resume_at"]).astimezone(zone)
    assert f"goes on at {resumes:%Y-%m-%d %H:%M:%S}\n" in words


def test_detect_asks_only_whether_there_is_work_and_for_the_limits(project: Path, capsys) -> None:
    document = told(capsys, "explain", str(project), "2")
    assert [guard["name"] for guard in document["guards"] if guard["decides"]] == ["has_work"]
    assert [reason["name"] for reason in document["reasons"]] == ["complete", *(reason.value for reason, _ in LIMITS)]


def test_what_no_guard_decided_is_told_with_the_tables_reason(project: Path, capsys) -> None:
    assert told(capsys, "explain", str(project), "1")["why"] == "a run begins, or a suspended one goes on"
    words = said(capsys, "explain", str(project), "4")
    assert "it was end_turn (completed_turn): done" in words
    assert "no guard was asked" in words


def test_a_hosts_decisions_are_told_by_its_own_table(lived, capsys) -> None:
    project = lived(build, definition=review.DEFINITION, works=review.WORKS)
    assert told(capsys, "explain", str(project), "--table", REVIEWED)["stop_reason"] == "complete"
    assert told(capsys, "explain", str(project), "4", "--table", REVIEWED)["why"].startswith("the agent's turn is over: ")
    assert "name the right one with --table" in said(capsys, "explain", str(project), "4")
    assert "has no NOWHERE" in refused(capsys, "explain", str(project), "--table", f"{review.__name__}:NOWHERE")


def test_what_cannot_be_told_is_refused(project: Path, tmp_path: Path, capsys) -> None:
    assert "there is no transition 999; the newest is 20" in refused(capsys, "explain", str(project), "999")
    assert "is not in the range" in refused(capsys, "explain", str(project), "0")
    assert "not a valid integer" in refused(capsys, "explain", str(project), "two")
    assert str(tmp_path / "nowhere") in refused(capsys, "explain", str(tmp_path / "nowhere"))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    elsewhere = ("--state-dir", str(tmp_path / "other"))
    assert "there is no transition 1; there is no run yet" in refused(capsys, "explain", str(fresh), "1", *elsewhere)


def test_before_the_first_run_that_is_the_answer_with_every_field_there(project: Path, tmp_path: Path, capsys) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    elsewhere = ("--state-dir", str(tmp_path / "other"))
    assert "no run yet" in said(capsys, "explain", str(fresh), *elsewhere)
    document = told(capsys, "explain", str(fresh), *elsewhere)
    assert document.keys() == told(capsys, "explain", str(project)).keys()
    assert not any(document.values())


# --- what-if -------------------------------------------------------------------------------------------------


def test_narrower_limits_stop_earlier_and_what_that_saves_and_loses_is_told(project: Path, capsys) -> None:
    document = told(capsys, "what-if", str(project), "--max-iterations", "1")
    [run] = document["runs"]
    assert (run["stopped"], run["verdict"]) == ({"seq": 20, "reason": "stalled"}, "earlier")
    assert run["would_stop"] == {"seq": 5, "reason": "max_iterations"}
    assert run["saves"] == {"cost_usd": 3.0, "sessions": 3, "seconds": 9.0, "is_least": False}
    assert run["loses"] == {"features": 1, "commits": 1}
    assert document["limits"] == {"max_iterations": 1}
    words = said(capsys, "what-if", str(project), "--max-iterations", "1")
    assert "would have stopped at 5 (max_iterations)\n  saves $3.00, 3 sessions, 9 s; loses 1 passing feature and 1 commit" in words


def test_a_limit_that_also_cuts_a_session_saves_at_least_what_is_told(project: Path, capsys) -> None:
    assert "saves at least $3.00" in said(capsys, "what-if", str(project), "--max-budget-usd", "0.5")


def test_wider_limits_would_have_gone_on(project: Path, capsys) -> None:
    [run] = told(capsys, "what-if", str(project), "--stall-after", "none")["runs"]
    assert (run["verdict"], run["would_stop"], run["saves"]) == ("longer", None, None)
    assert "would have gone on" in said(capsys, "what-if", str(project), "--stall-after", "5")


def test_another_reason_at_the_same_place_is_told(project: Path, capsys) -> None:
    assert "stopped there too, as max_budget" in said(
        capsys, "what-if", str(project), "--stall-after", "none", "--max-budget-usd", "4"
    )
    assert "the same" in said(capsys, "what-if", str(project), "--max-failures", "3")


def test_several_runs_are_told_each_and_together(lived, capsys) -> None:
    lived(build, idle, max_iterations=2)
    project = lived(build, max_iterations=5)
    document = told(capsys, "what-if", str(project), "--max-iterations", "1")
    assert [run["verdict"] for run in document["runs"]] == ["earlier", "earlier"]
    assert (document["total"]["saves"]["sessions"], document["total"]["loses"]["features"]) == (3, 2)
    assert "all 2 runs: 2 stop earlier" in said(capsys, "what-if", str(project), "--max-iterations", "1")


def test_a_suspended_run_is_suspended_under_any_limits(lived, capsys) -> None:
    project = lived(build, is_stopped=True)
    [run] = told(capsys, "what-if", str(project), "--max-iterations", "9")["runs"]
    assert (run["stopped"]["reason"], run["verdict"]) == ("interrupted", "same")
    assert lived(build) == project
    [run] = told(capsys, "what-if", str(project), "--max-iterations", "9")["runs"]
    assert (run["stopped"]["reason"], run["verdict"]) == ("complete", "same"), "that it was suspended ended nothing"


def test_what_if_follows_a_hosts_table(lived, tmp_path: Path, monkeypatch, capsys) -> None:
    """A state between END's decision and SHUTDOWN is no further decision; a guard of the host's own is asked."""
    rows = tuple(replace(row, dest="PUBLISH") if row.guard == "must_stop" else row for row in TABLE)
    rows = (*rows, *(Transition("PUBLISH", each, None, "SHUTDOWN", "it is out") for each in ("out", "failed", "stop_requested")))

    async def publish(context) -> Done:
        return Done(Observation("out", context.facts))

    host = ModuleType("a_host")
    host.TABLE = rows
    monkeypatch.setitem(sys.modules, "a_host", host)
    project = lived(build, build, idle, stall_after=2, definition=extended(rows), works={"PUBLISH": publish})
    table = ("--table", "a_host:TABLE")
    [run] = told(capsys, "what-if", str(project), "--stall-after", "2", *table)["runs"]
    assert (run["verdict"], run["would_stop"]) == ("same", run["stopped"])
    assert run["stopped"]["reason"] == "stalled"
    [run] = told(capsys, "what-if", str(project), "--stall-after", "5", *table)["runs"]
    assert run["verdict"] == "longer"
    [run] = told(capsys, "what-if", str(project), "--max-iterations", "1", *table)["runs"]
    assert (run["verdict"], run["would_stop"]["reason"]) == ("earlier", "max_iterations")

    host.GUARDS = {"may_continue": lambda facts: facts.counters.iterations < 2, "must_stop": lambda facts: facts.counters.iterations > 1}
    [run] = told(capsys, "what-if", str(project), "--stall-after", "5", *table)["runs"]
    assert (run["verdict"], run["would_stop"]["reason"]) == ("earlier", "must_stop")
    assert "nowhere" in refused(capsys, "what-if", str(project), "--stall-after", "5", "--table", "nowhere:TABLE")


def test_what_if_needs_a_limit_that_is_one(project: Path, tmp_path: Path, capsys) -> None:
    assert "give at least one limit" in refused(capsys, "what-if", str(project))
    assert "--stall-after" in refused(capsys, "what-if", str(project), "--stall-after", "-1")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    elsewhere = ("--state-dir", str(tmp_path / "other"))
    assert told(capsys, "what-if", str(fresh), "--stall-after", "1", *elsewhere)["runs"] == []
    assert "no run yet" in said(capsys, "what-if", str(fresh), "--stall-after", "1", *elsewhere)


# --- the reckoning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "trigger"), [("END", "ended"), ("DETECT", "detected")])
def test_every_change_that_is_told_leads_elsewhere_whatever_the_facts(source: str, trigger: str) -> None:
    for facts in list(sample_facts())[::7]:
        assert sum(question.decides for question in reasons_asked(trigger, facts)) <= 1
        guards = guards_asked(source, trigger, facts)
        assert sum(guard.decides for guard in guards) == 1
        change = nearest_change(source, trigger, facts)
        assert change is not None
        assert change.result.partition(":")[0] != result_of(source, trigger, facts).partition(":")[0]


def test_the_reasons_and_the_guards_agree() -> None:
    for facts in list(sample_facts())[::7]:
        is_stop = any(question.decides for question in reasons_asked("ended", facts))
        assert GUARDS["must_stop"](facts) is is_stop


def test_of_two_changes_the_smaller_one_is_told() -> None:
    limits = Limits(max_failures=10, stall_after=3, max_iterations=None)
    facts = Facts(RunId("r"), at=0.0, started_at=0.0, limits=limits)
    nearly = replace(facts, counters=replace(facts.counters, failures=1, stalled=2))
    assert nearest_change("END", "ended", nearly).words == "stall_after of 2"


def test_what_needs_two_changes_is_told_with_both() -> None:
    limits = Limits(max_failures=1, stall_after=1)
    facts = Facts(RunId("r"), at=0.0, started_at=0.0, limits=limits)
    both = replace(facts, counters=replace(facts.counters, failures=1, stalled=1))
    assert nearest_change("END", "ended", both).words == "max_failures above 1 and stall_after above 1"


def test_what_a_hosts_guard_looks_at_is_told_also_where_it_does_more_than_look() -> None:
    def mine(facts: Facts) -> bool:
        return replace(facts, at=1.0).outcome == Outcome(Cause.IDLE) or facts.cost_usd > 2

    facts = Facts(RunId("r"), at=0.0, started_at=0.0, outcome=Outcome(Cause.IDLE))
    assert looked_at(lambda facts: facts.outcome is not None, facts) == {"outcome": "there"}
    assert "outcome.cause" not in looked_at(lambda facts: facts.cost_usd > 2, facts)
    assert mine(facts)
    assert isinstance(looked_at(mine, facts), dict)
