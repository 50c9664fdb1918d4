"""Where a project's state lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lifecycle.errors import ConfigurationError
from lifecycle.journal.location import STATE_DIR_VARIABLE, state_directory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "work" / "my project"
    directory.mkdir(parents=True)
    return directory


def test_by_default_it_is_in_the_users_state(project: Path, tmp_path: Path) -> None:
    found = state_directory(project, None, {"HOME": str(tmp_path / "home")})
    assert found.parent == tmp_path / "home" / ".local" / "state" / "lifecycle"
    assert found.name.startswith("my-project-")
    assert not found.exists()


def test_the_xdg_variable_moves_it(project: Path, tmp_path: Path) -> None:
    env = {"HOME": "/home/u", "XDG_STATE_HOME": str(tmp_path / "xdg")}
    assert state_directory(project, None, env).parent == tmp_path / "xdg" / "lifecycle"


def test_a_relative_xdg_variable_is_ignored_as_its_specification_says(project: Path) -> None:
    env = {"HOME": "/home/u", "XDG_STATE_HOME": "state"}
    assert state_directory(project, None, env) == state_directory(project, None, {"HOME": "/home/u"})


def test_our_variable_beats_xdg_and_the_argument_beats_both(project: Path, tmp_path: Path) -> None:
    env = {"HOME": "/home/u", "XDG_STATE_HOME": "/xdg", STATE_DIR_VARIABLE: str(tmp_path / "ours")}
    assert state_directory(project, None, env).parent == tmp_path / "ours"
    assert state_directory(project, tmp_path / "given", env).parent == tmp_path / "given"


def test_an_empty_variable_is_no_variable(project: Path) -> None:
    env = {"HOME": "/home/u", "XDG_STATE_HOME": "", STATE_DIR_VARIABLE: ""}
    assert state_directory(project, None, env) == state_directory(project, None, {"HOME": "/home/u"})


def test_a_tilde_stands_for_the_home_that_was_given(project: Path) -> None:
    assert state_directory(project, Path("~/s"), {"HOME": "/home/u"}).parent == Path("/home/u/s")


def test_without_a_home_variable_the_users_entry_is_taken(project: Path) -> None:
    assert state_directory(project, None, {}).is_absolute()


def test_the_environment_of_the_process_does_not_count(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "elsewhere"))
    assert state_directory(project, None, {"HOME": "/home/u"}).is_relative_to("/home/u")


def test_two_names_of_one_project_share_a_state(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    env = {"HOME": "/home/u"}
    there = state_directory(project, None, env)
    assert state_directory(tmp_path / "link", None, env) == there
    assert state_directory(project / ".." / project.name, None, env) == there


def test_two_projects_of_one_name_do_not(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / project.name).mkdir(parents=True)
    env = {STATE_DIR_VARIABLE: str(tmp_path / "state")}
    assert state_directory(project, None, env) != state_directory(tmp_path / "other" / project.name, None, env)


@pytest.mark.parametrize("name", ["..x", "-", "a/b", "\u00fcml\u00e4ut", "x" * 300, "a\nb"])
def test_any_project_name_makes_a_plain_directory_name(name: str) -> None:
    found = state_directory(Path("/nowhere") / name, None, {"HOME": "/home/u"})
    assert found.parent == Path("/home/u/.local/state/lifecycle")
    assert len(os.fsencode(found.name)) < 100
    assert found.name.isprintable()
    assert found.name.isascii()


def test_a_relative_path_is_refused(project: Path) -> None:
    """It would be another journal from every directory that one starts in."""
    with pytest.raises(ConfigurationError, match="absolute") as caught:
        state_directory(project, None, {STATE_DIR_VARIABLE: "state"})
    assert caught.value.source == STATE_DIR_VARIABLE
    with pytest.raises(ConfigurationError, match="absolute"):
        state_directory(project, Path("state"), {})


@pytest.mark.parametrize("inside", ["", ".state", "a/b"])
def test_a_state_inside_the_project_is_refused(project: Path, inside: str) -> None:
    with pytest.raises(ConfigurationError, match="inside the project"):
        state_directory(project, project / inside, {})


def test_a_state_that_a_link_leads_into_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(project)
    with pytest.raises(ConfigurationError, match="inside the project"):
        state_directory(project, tmp_path / "state", {})


def test_a_project_inside_the_state_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="inside the state directory"):
        state_directory(project, tmp_path, {})


def test_a_home_that_is_the_project_is_refused_by_the_name_of_home(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        state_directory(project, None, {"HOME": str(project)})
    assert caught.value.source == "HOME"
