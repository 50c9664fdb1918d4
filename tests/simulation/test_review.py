"""The example lifecycle with a REVIEW: proved, simulated, run by the real manager, and its mistake caught."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
import textwrap
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import states.definition as definition_module
from lifecycle.cli.main import main
from lifecycle.cli.verify import _drawn
from lifecycle.diagram.formats import Format
from lifecycle.errors import ConfigurationError
from lifecycle.testing.examples import review
from lifecycle.testing.fakes import FakeClock
from lifecycle.testing.mutants import SMALL, caught_by, guard_mutants, row_mutants
from lifecycle.testing.simulation.report import simulated
from lifecycle.testing.simulation.simulate import Simulator, steps_of
from lifecycle.testing.tables import definition_named, works_named
from lifecycle.work.context import Done, WorkContext
from states.definition import extended
from states.explore import Search
from states.facts import FeatureCount
from states.observation import Observation
from states.promises import always, promises
from states.properties import check
from states.table import TABLE as BUILT_IN_TABLE
from states.table import Transition
from states.vocabulary import StopReason

PLACE = "lifecycle.testing.examples.review"


def test_the_real_driver_runs_it_and_a_rejection_is_followed_by_a_fresh_session(world) -> None:
    asked = []

    async def reviewer(context) -> str | None:
        asked.append(context.facts.session.number)
        return "not good enough" if len(asked) == 2 else None

    async def run():
        arguments = {"definition": review.DEFINITION, "works": {review.REVIEW: review.reviewing(reviewer)}}
        async with world.manager(**arguments) as session:
            return await session.run_until_shutdown(), await world.journal.transitions()

    result, records = asyncio.run(run())
    assert (result.stop_reason, result.features) == (StopReason.COMPLETE, FeatureCount(3, 3))
    assert asked == [1, 2, 3, 4]
    edges = [f"{record.source} {record.trigger} {record.dest}" for record in records]
    assert edges.count("RUN finished REVIEW") == 4
    assert edges.count("REVIEW rejected END") == 1
    assert [r.facts.counters.failures for r in records if r.trigger == "ended"] == [0, 1, 0, 0]
    for step in steps_of(records, review.DEFINITION):
        assert all(promise.holds(step) for promise in always(review.DEFINITION))


def test_simulated_worlds_break_no_promise_of_it() -> None:
    with Simulator(review.DEFINITION, review.WORKS) as simulator:
        report = simulated(simulator, transitions=2_000)
    assert report.failed is None, str(report)
    assert report.rows["REVIEW approved END"] > 100


def test_the_deliberate_mistake_is_caught_by_the_search_and_by_the_simulation() -> None:
    broken = definition_named(f"{PLACE}:BROKEN")
    found = check(promises(broken), broken, SMALL, is_hasty=True)[0]
    assert "RUN is entered only from CREATE" in found.claim.name or "saved" in found.claim.name
    assert [str(step.source) for step in found.path][-1] == review.REVIEW

    async def reject(context) -> str | None:
        return "again" if context.seq < 8 else None  # otherwise it would go round until somebody ends it

    with Simulator(broken, {review.REVIEW: review.reviewing(reject)}) as simulator:
        report = simulated(simulator, transitions=5_000)
    assert report.failed is not None
    assert len(report.small.transitions) < 15


@pytest.mark.parametrize("missing", ["approved", "failed", "stop_requested"])
def test_a_row_of_review_that_is_forgotten_is_caught(missing: str) -> None:
    mutant = next(m for m in row_mutants(review.DEFINITION) if m.name.startswith(f"without REVIEW --{missing}"))
    assert caught_by(mutant) is not None


def test_its_guards_mutants_are_caught() -> None:
    assert [m.name for m in guard_mutants(review.DEFINITION) if caught_by(m) is None] == []


def test_the_command_verifies_it_within_small_limits(capsys) -> None:
    assert works_named(f"{PLACE}:TABLE").keys() == {review.REVIEW}
    assert main(["verify", "--table", f"{PLACE}:TABLE", "--quick", "--transitions", "200", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["holds"], document["is_whole"]) == (True, True)
    assert all(promise["holds"] for promise in document["promises"])
    assert {promise["kind"] for promise in document["promises"]} == {"always", "sometimes", "eventually"}
    assert document["simulation"]["transitions"] >= 200


def test_the_command_tells_the_mistake_as_a_sequence_of_transitions(capsys) -> None:
    assert main(["verify", "--table", f"{PLACE}:BROKEN", "--quick", "--json"]) == 1
    [broken] = json.loads(capsys.readouterr().out)["promises"]
    assert broken["path"][0] == {"source": "NEW", "trigger": "start", "guard": None, "dest": "DETECT"}
    assert [step["dest"] for step in broken["path"]] == ["DETECT", "CREATE", "RUN", "REVIEW", "RUN"]
    assert main(["verify", "--table", f"{PLACE}:BROKEN", "--quick"]) == 1
    told = capsys.readouterr().out
    assert "FAILS  always     RUN is entered only from CREATE\n" in told
    assert "          5  REVIEW --rejected--> RUN\n" in told


def test_the_command_draws_the_mistake(tmp_path, capsys) -> None:
    picture = tmp_path / "broken.svg"
    assert main(["verify", "--table", f"{PLACE}:BROKEN", "--quick", "-o", str(picture)]) == 1
    drawn = picture.read_text()
    assert "does not hold: RUN is entered only from CREATE" in drawn
    assert "#5" in drawn and "broken here" in drawn
    capsys.readouterr()
    assert main(["verify", "--table", f"{PLACE}:BROKEN", "--quick", "-o", "-"]) == 1
    assert "rejected #5" in capsys.readouterr().out


def test_what_cannot_be_verified_is_refused(tmp_path, monkeypatch, capsys) -> None:
    assert main(["verify", "--table", "nowhere:TABLE"]) == 2
    assert "nowhere cannot be imported" in capsys.readouterr().err
    assert main(["verify", "--json", "-o", "-"]) == 2
    assert "draw into a FILE" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no_lifecycle.py").write_text(
        "from states.table import TABLE as BUILT_IN, Transition\n"
        "TABLE = (*BUILT_IN, Transition('SHUTDOWN', 'start', None, 'RUN', 'once more'))\n"
    )
    assert main(["verify", "--table", "no_lifecycle:TABLE", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "holds": False,
        "definition": {"problem": "SHUTDOWN is final and cannot be left", "row": "SHUTDOWN --start--> RUN"},
    }


def test_what_the_simulation_finds_is_drawn_too() -> None:
    """A mistake that is not in the table: REVIEW's work forgets the session."""

    async def forget(context) -> Done:
        return Done(Observation("approved", replace(context.facts, session=None)))

    with Simulator(review.DEFINITION, {review.REVIEW: forget}) as simulator:
        report = simulated(simulator, transitions=5_000)
    assert report.small.transitions[-1].source == review.REVIEW
    assert len(report.small.transitions) < 15
    drawn = _drawn(review.DEFINITION, None, Format.TEXT, [], report)
    assert "broken in a simulation: a session's conversation is let go only when it is over" in drawn
    assert f"approved #{len(report.small.transitions)}" in drawn


def test_the_page_about_it_says_what_it_is() -> None:
    """The snippets are the example: the same rows, work that observes the same, tests that can be collected."""
    page = (Path(__file__).parents[2] / "lifecycle/skill/references/OWN-STATES.md").read_text()
    rows, work, run, tests, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    told: dict = {"DEFINITION": review.DEFINITION, "WORKS": review.WORKS}
    for block in (rows, work, tests):
        exec(block, told)
    assert told["TABLE"] == review.TABLE
    assert issubclass(told["TestReviewed"], unittest.TestCase)
    compile(f"async def main():\n{textwrap.indent(run, '    ')}", "run", "exec")

    async def look_at(session) -> str | None:
        return "too short"

    told["look_at"] = look_at
    facts = next(iter(definition_module.sample_facts()))
    context = WorkContext(facts, SimpleNamespace(clock=FakeClock()), seq=1, max_turns=1)
    observed = asyncio.run(told["review"](context)).observation
    assert observed == review.rejected(replace(facts, at=context.now()), "too short")


@pytest.fixture
def approval(tmp_path, monkeypatch):
    """The module at the page's end, as a person copies it."""
    page = (Path(__file__).parents[2] / "lifecycle/skill/references/OWN-STATES.md").read_text()
    (tmp_path / "approval.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "approval", raising=False)
    yield importlib.import_module("approval")
    monkeypatch.delitem(sys.modules, "approval")


def test_the_pages_approval_before_run_is_verified_as_it_stands(approval, capsys) -> None:
    assert main(["verify", "--table", "approval:TABLE", "--quick", "--transitions", "500", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["holds"] and document["is_whole"]
    assert document["simulation"]["transitions"] >= 500


async def test_who_is_asked_and_says_no_suspends_the_run_and_is_asked_again(approval, world) -> None:
    answers = iter([True, False, True, True, True])

    async def ask(session) -> bool:
        return next(answers)

    approval.ask = ask
    results = []
    for _ in range(2):
        async with world.manager(definition=approval.DEFINITION, works=approval.WORKS) as session:
            results.append(await session.run_until_shutdown())
    assert [result.stop_reason for result in results] == [StopReason.INTERRUPTED, StopReason.COMPLETE]
    assert results[1].iterations == 4
    records = await world.journal.transitions()
    for step in steps_of(records, approval.DEFINITION):
        assert all(promise.holds(step) for promise in always(approval.DEFINITION))
    edges = [f"{record.source} {record.trigger} {record.dest}" for record in records]
    assert edges.count("APPROVAL stop_requested END") == 1


# --- states of one's own behind END, in a real driver --------------------------------------------------------

UPLOAD = (
    *(
        replace(row, dest={"may_continue": "UPLOAD", "must_stop": "PUBLISH"}[row.guard]) if row.trigger == "ended" else row
        for row in BUILT_IN_TABLE
    ),
    Transition("UPLOAD", "uploaded", None, "CONTINUE", "it is there"),
    Transition("PUBLISH", "published", None, "SHUTDOWN", "it is out"),
    *(Transition(own, trouble, None, "SHUTDOWN", "not done") for own in ("UPLOAD", "PUBLISH") for trouble in ("failed", "stop_requested")),
)


def observing(trigger: str, *, trouble: list | None = None):
    async def work(context) -> Done:
        if trouble:
            raise OSError(trouble.pop())
        return Done(Observation(trigger, replace(context.facts, at=context.now())))

    return work


WORKS = {"UPLOAD": observing("uploaded"), "PUBLISH": observing("published")}


def test_simulated_worlds_break_no_promise_of_states_behind_ends_decision() -> None:
    with Simulator(extended(UPLOAD), WORKS) as simulator:
        report = simulated(simulator, transitions=1_500)
    assert report.failed is None, str(report)
    assert min(report.rows["UPLOAD uploaded CONTINUE"], report.rows["PUBLISH published SHUTDOWN"]) > 20


def test_the_simulation_finds_an_upload_that_forgets_what_was_decided() -> None:
    async def forget(context) -> Done:
        return Done(Observation("uploaded", replace(context.facts, at=context.now(), resume_at=context.facts.at)))

    with Simulator(extended(UPLOAD), {**WORKS, "UPLOAD": forget}) as simulator:
        report = simulated(simulator, transitions=2_000)
    assert report.failed is not None
    assert report.small.violation.promise.startswith("CONTINUE waits until a moment that is in the record")


async def test_an_upload_that_fails_is_fatal_and_one_that_is_stopped_is_done_by_the_next_start(world) -> None:
    works = {**WORKS, "PUBLISH": observing("published", trouble=["the disk is full"])}
    async with world.manager(definition=extended(UPLOAD), works=works) as session:
        result = await session.run_until_shutdown()
        assert (result.stop_reason, "the disk is full" in result.detail) == (StopReason.FATAL, True)

        async def stopped(context) -> Done:
            session.stop("the test")
            await asyncio.sleep(3600)

    works["PUBLISH"] = stopped
    async with world.manager(definition=extended(UPLOAD), works=works) as session:
        result = await session.run_until_shutdown()
    assert result.stop_reason is StopReason.INTERRUPTED, "everything passes, and it is not published"
    async with world.manager(definition=extended(UPLOAD), works=WORKS) as session:
        result = await session.run_until_shutdown()
    assert result.stop_reason is StopReason.COMPLETE
    assert (await world.edges())[-1] == "PUBLISH published SHUTDOWN"


# --- what is missing -----------------------------------------------------------------------------------------


def test_a_state_without_work_is_named_before_anything_runs(world, monkeypatch, capsys) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing says what REVIEW does.*works="):
        world.manager(definition=review.DEFINITION)
    with pytest.raises(ConfigurationError, match="PUBLISH"):
        Simulator(extended(UPLOAD), {"UPLOAD": WORKS["UPLOAD"]})
    monkeypatch.setattr(review, "WORKS", {})
    assert main(["verify", "--table", f"{PLACE}:TABLE", "--quick"]) == 2
    told = capsys.readouterr()
    assert "nothing says what REVIEW does" in told.err and "WORKS" in told.err
    assert told.out == ""


def test_the_steps_of_a_simulations_path_name_their_guards(monkeypatch, capsys) -> None:
    async def forget(context) -> Done:
        return Done(Observation("approved", replace(context.facts, session=None)))

    monkeypatch.setattr(review, "WORKS", {review.REVIEW: forget})
    monkeypatch.setattr("lifecycle.cli.verify._searched", lambda definition, is_quick: (Search(definition), []))
    assert main(["verify", "--table", f"{PLACE}:TABLE", "--json"]) == 1
    path = json.loads(capsys.readouterr().out)["simulation"]["violation"]["path"]
    assert {"source": "DETECT", "trigger": "detected", "guard": "has_work", "dest": "CREATE"} in path
    assert path[0] == {"source": "NEW", "trigger": "start", "guard": None, "dest": "DETECT"}
