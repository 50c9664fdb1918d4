"""`lifecycle diagram`, called as a person would, on a journal that a lifecycle wrote."""

from __future__ import annotations

import io
import os
import shlex
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from lifecycle import SessionManager
from lifecycle.cli.main import main
from lifecycle.diagram.__main__ import main as draw_all
from lifecycle.diagram.documents import pictures
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace

TABLE = """
from states.table import TABLE, Transition
REVIEWED = tuple(row for row in TABLE if (row.source, row.trigger) != ("RUN", "finished")) + (
    Transition("RUN", "finished", None, "REVIEW", "somebody looks at it"),
    Transition("REVIEW", "reviewed", None, "END", "it was looked at"),
)
GROUPS = {"REVIEW": "our own"}
NOTHING = 3
"""


@pytest.fixture
def say(monkeypatch, tmp_path, capfd):
    """Run the command in a directory of its own; return status, stdout, stderr."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        # The tests' own stdout is told what stands behind it, as the command writes bytes there.
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8"))
        status = main(["diagram", *arguments])
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return status, out, err

    return run


@pytest.fixture
async def project(tmp_path) -> Path:
    """A project with a run in its journal: one INIT and three coding sessions."""
    directory = tmp_path / "my app"
    directory.mkdir()
    (directory / "app_spec.txt").write_text("Build it.\n")
    workspace = FakeWorkspace()
    async with SessionManager(
        directory, clock=FakeClock(), chance=FakeChance(), workspace=workspace, agent=FakeAgent(workspace),
        prompts=FakePrompts(), state_dir=tmp_path / "state",
    ) as session:  # fmt: skip
        await session.run_until_shutdown()
    return directory


def test_without_anything_the_lifecycle_is_drawn_for_the_terminal(say) -> None:
    assert say() == (0, pictures(has_png=False)["lifecycle.txt"].decode(), "")


@pytest.mark.parametrize("kind", ["svg", "mermaid", "dot", "table"])
def test_every_format_goes_to_stdout_alone(say, kind: str) -> None:
    status, out, err = say("--format", kind)
    named = {"svg": "lifecycle.svg", "mermaid": "lifecycle.mmd", "dot": "lifecycle.dot", "table": "table.md"}
    assert (status, out, err) == (0, pictures(has_png=False)[named[kind]].decode(), "")


def test_a_projects_journal_is_painted(say, project) -> None:
    status, out, err = say(str(project), "--state-dir", "state")
    assert (status, err) == (0, "")
    assert "my app\nrun run-1" in out
    assert "stopped: complete" in out
    assert "detected [has_work] ×4" in out


def test_a_project_without_a_run_is_drawn_where_it_stands(say, tmp_path) -> None:
    (tmp_path / "fresh").mkdir()
    status, out, _ = say("fresh")
    assert (status, out.splitlines()[1]) == (0, "no run yet")


@pytest.fixture
async def run_again(project, tmp_path) -> None:
    """A second run in the same journal, with nothing left to do."""
    workspace = FakeWorkspace(features=[True])
    chance = FakeChance()
    chance.run_id()
    async with SessionManager(
        project, clock=FakeClock(2_000_000.0), chance=chance, workspace=workspace, agent=FakeAgent(workspace),
        prompts=FakePrompts(), state_dir=tmp_path / "state",
    ) as session:  # fmt: skip
        await session.run_until_shutdown()


@pytest.mark.usefixtures("run_again")
def test_the_newest_run_is_painted_unless_all_are_asked_for(say, project) -> None:
    newest = say(str(project), "--state-dir", "state")
    every = say(str(project), "--state-dir", "state", "--all-runs")
    assert "run run-2" in newest[1] and "has_work] ×" not in newest[1]
    assert "2 runs" in every[1] and "has_work] ×4" in every[1]


def test_a_files_name_chooses_the_format_and_the_file_is_put_in_place_whole(say, tmp_path) -> None:
    (tmp_path / "a.svg").write_text("old")
    assert say("-o", "a.svg") == (0, "", "")
    assert (tmp_path / "a.svg").read_bytes() == pictures(has_png=False)["lifecycle.svg"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.svg").stat().st_mode) == 0o666 & ~mask
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".a")] == []


def test_a_device_is_written_to_and_not_replaced(say) -> None:
    assert say("-o", "/dev/null")[0] == 0
    assert Path("/dev/null").is_char_device()


def test_a_file_that_cannot_be_written_is_named(say) -> None:
    assert say("-o", "nowhere/a.svg") == (5, "", "lifecycle: nowhere/a.svg: no such file or directory\n")


def test_a_hosts_own_table_is_drawn_from_the_current_directory(say, tmp_path) -> None:
    (tmp_path / "host_of_mine.py").write_text(TABLE)
    status, out, _ = say("--table", "host_of_mine:REVIEWED", "--format", "mermaid")
    assert status == 0
    assert 'RUN ==>|"finished"| REVIEW' in out
    assert 'subgraph group1["our own"]' in out


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("REVIEWED", "not of the form module:NAME"),
        ("no_such_module_here:TABLE", "cannot be imported"),
        ("host_of_mine2:MISSING", "has no MISSING"),
        ("host_of_mine2:NOTHING", "holds no table there"),
    ],
)
def test_a_table_that_is_not_there_is_named(say, tmp_path, place: str, words: str) -> None:
    (tmp_path / "host_of_mine2.py").write_text(TABLE)
    status, out, err = say("--table", place)
    assert (status, out) == (2, "")
    assert words in err and err.startswith("lifecycle: --table")


def test_a_file_beside_the_table_takes_no_modules_place(say, tmp_path) -> None:
    (tmp_path / "host_of_mine3.py").write_text(TABLE)
    (tmp_path / "colorsys.py").write_text("raise SystemExit('taken')")
    assert say("--table", "host_of_mine3:REVIEWED")[0] == 0
    import colorsys

    assert colorsys.__file__ != str(tmp_path / "colorsys.py")


def test_a_png_needs_its_extra_and_says_so(say, monkeypatch) -> None:
    monkeypatch.setattr("lifecycle.diagram.png.find_spec", lambda name: None)
    status, out, err = say("--format", "png")
    assert (status, out) == (2, "")
    install = shlex.split(err.partition("install it with: ")[2])
    assert install[:4] == [sys.executable, "-m", "pip", "install"]
    assert sorted(install[4:]) == sorted(needed_by_the_extra())
    assert say("-o", "night.png") == (2, "", err)


def needed_by_the_extra() -> list[str]:
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    needed: list[str] = pyproject["project"]["optional-dependencies"]["diagram"]
    return needed


def test_drawing_the_repositorys_pictures_needs_the_extra_and_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setattr("lifecycle.diagram.png.find_spec", lambda name: None)
    assert draw_all(["--check"]) == 2
    assert "-m pip install" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("diagram",), ("verify", "--quick")])
def test_a_name_that_ends_in_what_nobody_draws_is_wrong_use(command, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, "-o", "x.jpg"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert all(ending in told.err for ending in (".svg", ".png", ".mmd", ".dot", ".md", ".txt"))
    assert not (tmp_path / "x.jpg").exists()


def test_whoever_names_the_format_names_the_file_as_they_like(say, tmp_path) -> None:
    assert say("--format", "svg", "-o", "night.xml") == (0, "", "")
    assert (tmp_path / "night.xml").read_bytes() == pictures(has_png=False)["lifecycle.svg"]
    assert say("-o", "night") == (0, "", "")
    assert (tmp_path / "night").read_bytes() == pictures(has_png=False)["lifecycle.txt"]


def test_a_png_is_no_text(say, tmp_path) -> None:
    pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    assert say("-o", "a.png") == (0, "", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_directory_that_is_none_is_wrong_use(say) -> None:
    status, out, err = say("nowhere")
    assert (status, out) == (2, "")
    assert "nowhere" in err
