"""Directories of the autonomous-coding quickstart work as they are: in every stage of life, damaged ones included."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SETTINGS = {"sandbox": {"enabled": True}, "permissions": {"defaultMode": "acceptEdits", "allow": ["Read(./**)", "Bash(*)"]}}
NOTES = "# Session 12\n\nFixed the sidebar.  \n\tNext: keyboard shortcuts \u2014 see features 58 ff.\n"


def features(passing: int, total: int = 200) -> list[dict]:
    """As the quickstart's initializer writes them: no ids, two categories, steps of any number."""
    return [
        {
            "category": "style" if number % 3 == 0 else "functional",
            "description": f"Feature {number}: the page shows what it should",
            "steps": [f"Step {step}: look" for step in range(1, 2 + number % 12)],
            "passes": number <= passing,
        }
        for number in range(1, total + 1)
    ]


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Q", "-c", "user.email=q@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)


def quickstart(project: Path, passing: int | None) -> Path:
    """A directory as the quickstart leaves it; None for the number passing is before its first session's end."""
    project.mkdir(parents=True)
    (project / "app_spec.txt").write_text("<project_specification>\n  <name>A clone</name>\n</project_specification>\n")
    (project / ".claude_settings.json").write_text(json.dumps(SETTINGS, indent=2))
    if passing is None:
        return project
    (project / "feature_list.json").write_text(json.dumps(features(passing), indent=2))
    (project / "claude-progress.txt").write_text(NOTES)
    script = project / "init.sh"
    script.write_text("#!/bin/bash\necho ready\n")
    script.chmod(0o755)
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", f"{passing} features pass")
    return project


def contents(project: Path) -> dict[str, bytes]:
    files = (path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(project)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("passing", "kind", "count"),
    [
        (None, "init", None),
        (0, "continue", {"passing": 0, "total": 200}),
        (57, "continue", {"passing": 57, "total": 200}),
        (200, "continue", {"passing": 200, "total": 200}),
    ],
)
def test_each_stage_is_told_and_nothing_is_changed_by_looking(desk, passing, kind, count) -> None:
    project = quickstart(desk.directory / "generations/my_project", passing)
    before = contents(project)
    done = desk.lifecycle("detect", "generations/my_project", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["session_type"], found["features"]) == (kind, count)
    for command in ("status", "doctor", "config"):
        desk.lifecycle(command, project)
    assert contents(project) == before


def test_a_project_on_its_way_is_gone_on_with_and_only_what_the_agent_did_changes(desk) -> None:
    project = quickstart(desk.directory / "generations/my_project", 198)
    before = contents(project)
    done = desk.lifecycle("run", "generations/my_project", "--continue-delay", "0", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["stop_reason"], result["iterations"]) == ("complete", 2)
    after = contents(project)
    assert json.loads(after.pop("feature_list.json")) == features(200)
    before.pop("feature_list.json")
    # Whoever keeps the progress notes may add to them; what a person wrote stays.
    assert after.pop("claude-progress.txt").startswith(before.pop("claude-progress.txt"))
    assert after == before
    asked = json.dumps(next(request.body for request in desk.server.requests if request.is_main))
    assert "keyboard shortcuts" in asked, "the notes are restored into the prompt"
    assert "198 features pass" in asked, "so are the commits"


def test_a_project_before_its_first_session_begins_with_init(desk) -> None:
    project = quickstart(desk.directory / "my_project", None)
    done = desk.lifecycle("run", project, "--continue-delay", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["iterations"] == 2
    assert json.loads((project / ".claude_settings.json").read_text()) == SETTINGS


def test_a_finished_project_is_complete_without_a_session(desk) -> None:
    project = quickstart(desk.directory / "my_project", 200)
    done = desk.lifecycle("run", project, "--json")
    assert (done.returncode, json.loads(done.stdout)["iterations"]) == (0, 0)
    assert not desk.server.requests


def truncated(project: Path) -> None:
    path = project / "feature_list.json"
    path.write_bytes(path.read_bytes()[:-400])


def wrapped(project: Path) -> None:
    path = project / "feature_list.json"
    path.write_text(json.dumps({"features": json.loads(path.read_text())}))


def merged(project: Path) -> None:
    path = project / "feature_list.json"
    path.write_text("<<<<<<< HEAD\n" + path.read_text())


def quoted(project: Path) -> None:
    path = project / "feature_list.json"
    path.write_text(path.read_text().replace("true", '"true"', 1))


@pytest.mark.parametrize("damage", [truncated, wrapped, merged, quoted])
def test_a_damaged_list_is_refused_with_its_place_and_left_for_a_person(desk, damage: Callable[[Path], None]) -> None:
    project = quickstart(desk.directory / "my_project", 57)
    damage(project)
    before = contents(project)
    for command in ("detect", "run"):
        done = desk.lifecycle(command, project)
        assert (done.returncode, done.stdout) == (2, "")
        assert "feature_list.json:" in done.stderr
        assert "Traceback" not in done.stderr
    assert contents(project) == before
    assert not desk.server.requests


def bom(project: Path) -> None:
    path = project / "feature_list.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def binary_notes(project: Path) -> None:
    (project / "claude-progress.txt").write_bytes(bytes(range(256)) * 10)


def no_git(project: Path) -> None:
    subprocess.run(["rm", "-rf", ".git"], cwd=project, check=True)


def broken_git(project: Path) -> None:
    (project / ".git/HEAD").write_text("nonsense\n")


def detached(project: Path) -> None:
    git(project, "checkout", "-q", "--detach")


def half_done(project: Path) -> None:
    (project / "half.js").write_text("function (\n")
    (project / "app_spec.txt").unlink()
    (project / "init.sh").unlink()


def broken_settings(project: Path) -> None:
    (project / ".claude_settings.json").write_text('{"permissions": {"allow": ["Bash(*)"]}, "hooks": ')


def all_its_files(project: Path) -> None:
    """One real session for what does not touch each other."""
    for damage in (bom, binary_notes, half_done, broken_settings):
        damage(project)


@pytest.mark.parametrize("damage", [all_its_files, no_git, broken_git, detached])
def test_what_a_bad_night_leaves_behind_does_not_keep_the_next_from_working(
    desk, damage: Callable[[Path], None]
) -> None:
    project = quickstart(desk.directory / "my_project", 199)
    damage(project)
    done = desk.lifecycle("run", project, "--max-iterations", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stop_reason"] == "complete"
