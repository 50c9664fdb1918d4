"""`lifecycle explain` and `what-if` on real journals that the simulation's manager wrote."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from lifecycle import SessionManager
from lifecycle.cli.main import main
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace, build, idle
from states.decide import REASONS
from states.facts import Facts, Limits
from states.reckoning import guards_asked, nearest_change, questions
from states.vocabulary import RunId


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions that get something done, then two that do not: stalled. Its journal is the real one."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "app_spec.txt").write_text("Build it.\n")
    monkeypatch.setenv("LIFECYCLE_STATE_DIR", str(tmp_path / "state"))
    workspace = FakeWorkspace()

    async def run() -> None:
        async with SessionManager(
            directory, state_dir=tmp_path / "state", stall_after=2, clock=FakeClock(), chance=FakeChance(),
            workspace=workspace, agent=FakeAgent(workspace, [build, build, idle]), prompts=FakePrompts(),
        ) as manager:  # fmt: skip
            assert (await manager.run_until_shutdown()).stop_reason == "stalled"

    asyncio.run(run())
    return directory


def told(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_newest_decision_is_told_with_every_guard_and_reason(project: Path, capsys) -> None:
    document = told(capsys, "explain", str(project))
    assert (document["source"], document["dest"], document["stop_reason"]) == ("END", "SHUTDOWN", "stalled")
    assert [(guard["name"], guard["holds"]) for guard in document["guards"]] == [
        ("may_continue", False),
        ("must_stop", True),
    ]
    assert [reason["name"] for reason in document["reasons"]] == [reason.value for reason, _ in REASONS]
    assert [reason["inputs"] for reason in document["reasons"] if reason["decides"]] == ["2 in a row, limit 2"]
    assert document["nearest_change"] == {"change": "stall_after above 2", "result": "CONTINUE"}


def test_an_earlier_decision_is_told_by_its_number(project: Path, capsys) -> None:
    assert main(["explain", str(project), "2"]) == 0
    said = capsys.readouterr().out
    assert "DETECT --detected--> CREATE" in said
    assert "otherwise: with" in said


def test_a_number_that_is_not_there_is_refused(project: Path, capsys) -> None:
    assert main(["explain", str(project), "999"]) == 2
    assert "there is no transition 999" in capsys.readouterr().err


def test_narrower_limits_stop_earlier_and_what_that_saves_and_loses_is_told(project: Path, capsys) -> None:
    [run] = told(capsys, "what-if", str(project), "--max-iterations", "1")["runs"]
    assert run["stopped"]["reason"] == "stalled"
    assert run["would_stop"] == {"seq": 5, "reason": "max_iterations"}
    assert (run["saves"]["sessions"], run["saves"]["cost_usd"], run["loses"]["features"]) == (3, 0.03, 1)


def test_wider_limits_would_have_gone_on(project: Path, capsys) -> None:
    [run] = told(capsys, "what-if", str(project), "--stall-after", "5")["runs"]
    assert (run["would_stop"], run["saves"]) == (None, None)
    assert main(["what-if", str(project), "--stall-after", "5"]) == 0
    assert "would have gone on" in capsys.readouterr().out


def test_what_if_needs_a_limit(project: Path, capsys) -> None:
    assert main(["what-if", str(project)]) == 2
    assert "give at least one limit" in capsys.readouterr().err


def test_every_change_that_is_told_is_true() -> None:
    """Over facts of every kind: the change is found, and leads where it says."""
    from states.definition import sample_facts

    for facts in sample_facts():
        assert sum(question.decides for question in questions(facts)) <= 1
        assert sum(guard.decides for guard in guards_asked("END", "ended", facts)) == 1
        change = nearest_change("END", "ended", facts)
        assert change is not None
    fresh = Facts(run_id=RunId("r"), at=0.0, started_at=0.0, limits=Limits())
    assert nearest_change("END", "ended", fresh).words == "a stop request"
