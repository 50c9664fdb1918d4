"""Wrong first steps get help: one clear message, nothing half-made, never a traceback."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lifecycle.cli.main import COMMANDS, commands
from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.offline import ModelServer
from lifecycle.offline.building import building

ROOT = Path(__file__).parents[2]
OF_A_DIRECTORY = sorted(
    name
    for name in set(COMMANDS) - {"demo", "doctor"}
    for parameter in (commands.get_command(click.Context(commands), name) or commands).params
    if parameter.name == "project_dir" and isinstance(parameter, click.Argument)
)
OLD_PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python")) + sorted(
    Path.home().glob(".pyenv/versions/3.10.*/bin/python")
)


class Newcomer:
    """A home of their own and a model that works; what is wrong, each test says."""

    def __init__(self, directory: Path, server: ModelServer) -> None:
        self.directory = directory
        self.server = server
        (directory / "home").mkdir()
        self.project = directory / "app"
        self.project.mkdir()
        (self.project / "app_spec.txt").write_text("One feature.\n")

    def environment(self, **more: str) -> dict[str, str]:
        own = {"HOME": str(self.directory / "home"), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        return {**own, **self.server.environment(), **more}

    def lifecycle(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        given = self.environment(**environment)
        return subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)],
            cwd=self.directory,
            env={name: value for name, value in given.items() if value},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def newcomer(tmp_path: Path, gate_proof) -> Iterator[Newcomer]:
    with ModelServer(building(1)) as server:
        made = Newcomer(tmp_path, server)
        states = tmp_path / "home/.local/state/lifecycle"
        gate_proof.give(states)
        yield made
        gate_proof.take(states)


def helped(done: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_no_credentials(newcomer: Newcomer) -> None:
    done = newcomer.lifecycle("run", "app", ANTHROPIC_API_KEY="")
    helped(done, "ANTHROPIC_API_KEY", "lifecycle demo")
    assert not newcomer.server.requests


def test_no_git_identity_keeps_no_run_from_working(newcomer: Newcomer) -> None:
    """Nobody's name is configured anywhere; the agent is told to set one for the repository, and does."""
    done = newcomer.lifecycle("run", "app", "--continue-delay", "0", "--json", GIT_CONFIG_NOSYSTEM="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stop_reason"] == "complete"
    from lifecycle.agent.prompt_library import files

    assert "no identity" in (files("lifecycle.agent") / "prompts/initializer.md").read_text("utf-8")


@pytest.mark.parametrize("command", OF_A_DIRECTORY)
def test_a_directory_that_is_a_file(newcomer: Newcomer, command: str) -> None:
    (newcomer.directory / "file").write_text("a file\n")
    helped(newcomer.lifecycle(command, "file", *(["--yes"] if command == "init" else [])), "file: is not a directory")


@pytest.mark.parametrize("command", sorted({*OF_A_DIRECTORY} - {"init"}))
def test_a_directory_that_is_not_there(newcomer: Newcomer, command: str) -> None:
    helped(newcomer.lifecycle(command, "nowhere"), "nowhere: does not exist")


def test_a_project_inside_anothers_state_directory(newcomer: Newcomer) -> None:
    """Also where this project's own state would be somewhere else."""
    states = newcomer.directory / "states"
    state = state_directory(newcomer.project, states, {})
    state.mkdir(parents=True)
    asyncio.run(open_and_close(state / JOURNAL_NAME))
    inside = state / "inside"
    inside.mkdir()
    (inside / "app_spec.txt").write_text("Anything.\n")
    for command in ("run", "status", "config"):
        helped(newcomer.lifecycle(command, inside), str(state), "keep them apart")
        helped(newcomer.lifecycle(command, inside, "--state-dir", states), "keep them apart")
    assert [path.name for path in inside.iterdir()] == ["app_spec.txt"]


async def open_and_close(path: Path) -> None:
    await (await SqliteJournal.open(path)).close()


@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_a_home_that_cannot_be_written(newcomer: Newcomer, home: str, gate_proof) -> None:
    helped(newcomer.lifecycle("run", "app", HOME=home), "LIFECYCLE_STATE_DIR", status=5)
    helped(newcomer.lifecycle("skill", "install", "--user", HOME=home), home, status=2 if home == "/dev/null" else 5)
    elsewhere = str(newcomer.directory / "states")
    gate_proof.give(Path(elsewhere))
    agent = {"CLAUDE_CONFIG_DIR": str(newcomer.directory / "claude"), "LIFECYCLE_STATE_DIR": elsewhere}
    done = newcomer.lifecycle("run", "app", "--max-iterations", "1", HOME=home, **agent)
    assert done.returncode == 3, done.stderr
    assert (newcomer.project / "feature_list.json").is_file()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """256 KB, and not a byte left."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        with pytest.raises(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(newcomer: Newcomer, small_disk: Path) -> None:
    done = newcomer.lifecycle("run", "app", "--state-dir", small_disk / "states")
    helped(done, str(small_disk), "space", status=5)
    helped(newcomer.lifecycle("init", small_disk / "app", "--yes"), "space", status=5)
    told = json.loads(newcomer.lifecycle("doctor", "app", "--json", LIFECYCLE_STATE_DIR=str(small_disk)).stdout)
    assert "mend" in [each["verdict"] for each in told["findings"] if each["name"] == "disk"]


# --- Python --------------------------------------------------------------------------------------------------


def test_the_ways_in_can_be_read_by_an_old_python() -> None:
    ast.parse((ROOT / "lifecycle/__init__.py").read_text("utf-8"), feature_version=(3, 6))
    for script in ROOT.glob("lifecycle/skill/scripts/*.py"):
        ast.parse(script.read_text("utf-8"), feature_version=(3, 6))


def test_a_python_that_says_it_is_old_is_told() -> None:
    old = f"import sys; sys.version_info = (3, 10, 0); sys.path.insert(0, {str(ROOT)!r}); import lifecycle"
    done = subprocess.run([sys.executable, "-I", "-c", old], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("ImportError: autonomous-session-manager needs Python 3.11")


@pytest.mark.parametrize("python", OLD_PYTHONS, ids=lambda path: path.parts[-3])
def test_an_old_python_is_told(python: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    script = ROOT / "lifecycle/skill/scripts/session_detector.py"
    for arguments in (["-m", "lifecycle.cli", "run", "x"], ["-m", "lifecycle", "x"], [str(script), "x"]):
        done = subprocess.run([python, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "needs Python 3.11 or newer" in done.stderr
        assert "Traceback" not in done.stderr
