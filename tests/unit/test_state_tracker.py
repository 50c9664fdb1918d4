"""The public face of the record: features and progress as data."""

from __future__ import annotations

from pathlib import Path

import pytest

import lifecycle
from lifecycle import Feature, FeatureList, StateTracker, read_feature_list, write_feature_list
from lifecycle.workspace.state_tracker import Progress


def test_progress_is_saved_and_loaded(tmp_path: Path) -> None:
    tracker = StateTracker(tmp_path)
    assert tracker.load_progress() is None
    tracker.save_progress(["built it", "tested\nit"], [], ["ship it"])
    assert tracker.load_progress() == Progress(("built it", "tested it"), (), ("ship it",))
    tracker.save_progress(blockers=["no credit"])
    assert tracker.load_progress() == Progress(blockers=("no credit",))


@pytest.mark.parametrize("before", [b"# Notes\n", b"# Notes", b"na\xefve\r\n", b"## Progress\nof another form\n"])
def test_what_people_wrote_stays_byte_for_byte(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_bytes(before)
    StateTracker(tmp_path).save_progress(["built it"])
    path.write_bytes(path.read_bytes() + b"\nmore words\n- of a list\n")
    assert path.read_bytes().startswith(before)
    assert StateTracker(tmp_path).load_progress() == Progress(("built it",))


def test_a_plan_is_created_followed_and_written(tmp_path: Path) -> None:
    plan = FeatureList.create([{"id": "add", "description": "Adds"}, Feature(description="Lists", passes=False)])
    write_feature_list(tmp_path, plan)
    plan = read_feature_list(tmp_path)
    assert plan is not None
    assert plan.next_incomplete().id == "add"
    plan = plan.update_status("add", passes=True)
    assert plan.next_incomplete().description == "Lists"
    plan = plan.update_status("Lists", passes=True)
    assert (plan.next_incomplete(), plan.is_complete) == (None, True)
    assert not plan.update_status("add", passes=False).is_complete


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([{"id": "a"}], "description"),
        ([{"id": "a", "description": "x"}, {"id": "a", "description": "y"}], "id"),
        ([{"description": "x", "passes": "yes"}], "passes"),
    ],
)
def test_what_is_no_feature_is_refused_by_name(items: list, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FeatureList.create(items)


def test_a_status_needs_one_feature() -> None:
    plan = FeatureList.create([{"description": "twice"}, {"description": "twice", "steps": ["x"]}])
    for name in ("twice", "nobody"):
        with pytest.raises(KeyError):
            plan.update_status(name, passes=True)


def test_every_public_name_is_there() -> None:
    assert all(getattr(lifecycle, name) is not None for name in lifecycle.__all__)
