"""The setting `sandbox` on the command line: insisted on, wished for, left out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.agent.sandbox import sandbox_problem
from lifecycle.offline import ModelServer
from lifecycle.offline.demo import DEMO_SPEC, demo_scenario


class Person:
    """A home, a project, and the programs that a machine without bubblewrap has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.project = directory / "app"
        self.project.mkdir()
        (self.project / "app_spec.txt").write_text(DEMO_SPEC)
        self.programs = directory / "programs"
        self.programs.mkdir()
        for name in ("sh", "bash", "git", "python3", "ls", "cat", "rm", "chmod", "env", "dirname", "basename"):
            (self.programs / name).symlink_to(shutil.which(name) or "/nowhere")

    def lifecycle(self, *arguments: object, path: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)],
            cwd=self.directory,
            env={
                "HOME": str(self.directory / "home"),
                "PATH": path,
                "LIFECYCLE_STATE_DIR": str(self.directory / "state"),
                "LIFECYCLE_CONTINUE_DELAY": "0.1",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.mark.parametrize("where", ["flag", "environment", "file"])
def test_required_starts_nothing_and_makes_nothing_without_it(person: Person, where: str) -> None:
    if where == "file":
        (person.project / "lifecycle.toml").write_text('sandbox = "required"\n')
    before = sorted(person.project.rglob("*"))
    done = person.lifecycle(
        "run", person.project, *(["--sandbox", "required"] if where == "flag" else []),
        path=str(person.programs), ANTHROPIC_API_KEY="sk-ant-none",
        **({"LIFECYCLE_SANDBOX": "required"} if where == "environment" else {}),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    for word in ("sandbox", "required", "bwrap is not installed", "apt-get install bubblewrap"):
        assert word in done.stderr
    assert {"flag": "sandbox:", "environment": "LIFECYCLE_SANDBOX:", "file": "key 'sandbox':"}[where] in done.stderr
    assert sorted(person.project.rglob("*")) == before
    assert not (person.directory / "state").exists()


def test_auto_says_aloud_what_it_does_without_and_status_remembers(person: Person) -> None:
    with ModelServer(demo_scenario()) as server:
        done = person.lifecycle(
            "run", person.project, "--max-iterations", 1, "--log-format", "json", path=str(person.programs), **server.environment()
        )
    assert done.returncode == 3, done.stderr
    told = [event for event in map(json.loads, done.stderr.splitlines()) if event["event"] == "sandbox_missing"]
    assert [(event["level"], "bwrap is not installed" in event["problem"]) for event in told] == [("warning", True)]
    status = json.loads(person.lifecycle("status", person.project, "--json", path=str(person.programs)).stdout)
    assert (status["sandbox"]["mode"], status["sandbox"]["on"]) == ("auto", False)
    assert "NONE: bwrap is not installed" in person.lifecycle("status", person.project, path=str(person.programs)).stdout


@pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")
def test_a_run_in_the_sandbox_comes_to_its_end(person: Person) -> None:
    """From the specification to the finished program, everything by Bash within the walls, with the verification."""
    verify = "python3 -m unittest && ! touch /usr/evil 2>/dev/null"
    with ModelServer(demo_scenario()) as server:
        done = person.lifecycle(
            "run", person.project, "--sandbox", "required", "--sandbox-hosts", "none", "--verify-command", verify, "--json",
            path=os.environ["PATH"], GIT_CONFIG_GLOBAL=os.devnull, **server.environment(),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stop_reason"] == "complete"
    assert "sandbox: commands write in the project only and reach no host" in done.stderr
    status = json.loads(person.lifecycle("status", person.project, "--json", path=os.environ["PATH"]).stdout)
    assert status["sandbox"] == {"mode": "required", "on": True, "problem": ""}
    tracked = subprocess.run(
        ["git", "-C", str(person.project), "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "habits.py" in tracked
    assert not {"lifecycle.toml", ".claude"} & set(tracked)
    # The scratch space is beside the record, and neither is in the project.
    assert sorted(path.name for path in person.project.iterdir() if path.name.startswith((".", "l"))) == [".git", ".gitignore"]
