"""INIT or CONTINUE, and the evidence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lifecycle.detection import Detection, detect, detect_session_type
from lifecycle.errors import FeatureListInvalid, ProjectInvalid
from states.facts import FeatureCount
from states.vocabulary import SessionType


def put(project: Path, *passes: bool) -> None:
    listed = [{"category": "c", "description": f"d{number}", "steps": [], "passes": value} for number, value in enumerate(passes)]
    (project / "feature_list.json").write_text(json.dumps(listed))


def test_no_list_is_init(tmp_path: Path) -> None:
    assert detect_session_type(tmp_path) is SessionType.INIT


def test_an_empty_list_is_init(tmp_path: Path) -> None:
    put(tmp_path)
    assert detect_session_type(tmp_path) is SessionType.INIT


@pytest.mark.parametrize("passes", [(False,), (True, False), (True, True)])
def test_a_list_is_continue_also_when_all_pass(tmp_path: Path, passes: tuple[bool, ...]) -> None:
    put(tmp_path, *passes)
    assert detect_session_type(str(tmp_path)) is SessionType.CONTINUE


def test_a_broken_list_is_neither(tmp_path: Path) -> None:
    (tmp_path / "feature_list.json").write_text('[\n{"description": "d", "passes": 1}]')
    with pytest.raises(FeatureListInvalid) as caught:
        detect_session_type(tmp_path)
    assert (caught.value.line, caught.value.column) == (2, 32)


@pytest.mark.parametrize("name", ["missing", "file", "file/below", "nul\0"])
def test_what_is_not_a_directory_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    for ask in (detect_session_type, detect):
        with pytest.raises(ProjectInvalid):
            ask(tmp_path / name)


def test_a_directory_that_cannot_be_entered_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    project = tmp_path_factory.mktemp("project")
    project.chmod(0)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(65_534)
    try:
        with pytest.raises(ProjectInvalid, match="permission denied"):
            detect_session_type(project)
    finally:
        if as_root:
            os.seteuid(0)
        project.chmod(0o700)


def test_nothing_is_written(tmp_path: Path) -> None:
    detect(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_evidence_of_an_empty_directory(tmp_path: Path) -> None:
    assert detect(tmp_path) == Detection(
        session_type=SessionType.INIT,
        features=None,
        evidence=(
            "feature_list.json: not there",
            "app_spec.txt: not there",
            "claude-progress.txt: not there",
            "init.sh: not there",
            "git: not in a git work tree",
        ),
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_evidence_of_a_project_at_work(tmp_path: Path) -> None:
    put(tmp_path, True, False, False)
    (tmp_path / "app_spec.txt").write_text("build it")
    (tmp_path / "claude-progress.txt").touch()
    (tmp_path / "init.sh").mkdir()
    identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **identity, **dates}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "the \x1b[1mfirst"]):
        subprocess.run(["git", *command], cwd=tmp_path, env=environment, check=True)
    found = detect(tmp_path)
    assert found.session_type is SessionType.CONTINUE
    assert found.features == FeatureCount(total=3, passing=1)
    assert found.evidence[:4] == (
        "feature_list.json: 3 features, 1 passing",
        "app_spec.txt: present",
        "claude-progress.txt: present, empty",
        "init.sh: present, not a file",
    )
    assert found.evidence[4].startswith("git: 1 commit, last ")
    assert found.evidence[4].endswith(" 2024-01-02T03:04:05Z the [1mfirst")
