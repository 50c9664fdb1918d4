"""A fresh person's path, in order, with the commands that the documents give: nothing typed here that they do not say."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.config import from_file
from lifecycle.offline import ModelServer
from lifecycle.offline.building import building

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every `lifecycle` command of the README's shell blocks, as it is written, in its order."""
    lines = (line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines())
    return [found[0] for line in lines if (found := re.search(r"(?<![\w/-])lifecycle .*$", line.replace(".venv/bin/", "")))]


class Beginner:
    """An empty machine: a home, a shell, the installed command, and a service that answers."""

    def __init__(self, directory: Path, server: ModelServer) -> None:
        self.directory = directory
        self.server = server
        for name in ("home", "bin"):
            (directory / name).mkdir()
        command = directory / "bin/lifecycle"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m lifecycle.cli "$@"\n')
        command.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory / "home"),
            "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "LIFECYCLE_CONTINUE_DELAY": "0.2",
            **self.server.environment(),
        }

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=180, check=False,
        )


@pytest.fixture
def beginner(tmp_path: Path) -> Iterator[Beginner]:
    with ModelServer(building(2, wait_s=0.3)) as server:
        yield Beginner(tmp_path, server)


@pytest.fixture
def settled(beginner: Beginner, gate_proof) -> Iterator[Beginner]:
    """One who has had a session before."""
    states = beginner.directory / "home/.local/state/lifecycle"
    gate_proof.give(states)
    yield beginner
    gate_proof.take(states)


def the(word: str) -> str:
    """The README's command of that name."""
    return next(line for line in commands() if line.split()[1] == word)


def test_the_first_hour_by_the_readme(beginner: Beginner) -> None:
    """Demo; a specification of one's own; a crash; going on; looking back; the picture."""
    done = beginner.type(the("demo"))
    assert done.returncode == 0, done.stderr
    assert "Try what was built" in done.stdout

    (beginner.directory / "my-app").mkdir()
    (beginner.directory / "idea.txt").write_text("Two things.\n")
    process = subprocess.Popen(
        ["bash", "-c", f"exec {the('run')}"], cwd=beginner.directory, env=beginner.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (beginner.directory / "my-app/feature_list.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    crashed = json.loads(beginner.type(f"{the('status')} --json").stdout)
    assert (crashed["owner"], crashed["stop_reason"]) == (None, None)
    assert crashed["run_id"] is not None

    done = beginner.type(the("run"))
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    status = json.loads(beginner.type(f"{the('status')} --json").stdout)
    assert status["run_id"] == crashed["run_id"], "the same run went on"
    assert (status["stop_reason"], status["features"]) == ("complete", {"passing": 2, "total": 2})

    for line in commands():
        if line.split()[1] in ("demo", "run"):
            continue
        # Without a terminal there is nobody to ask.
        done = beginner.type(f"{line} --yes" if line.split()[1] == "init" else line)
        # 1 is an answer: the doctor has something to mend, the guard refuses.
        assert done.returncode in ((0, 1) if line.split()[1] in ("doctor", "guard") else (0,)), (line, done.stderr)
        assert done.stdout
    for line in skill_commands():
        done = beginner.type(line.replace("DIR", "my-app").replace("FILE", "idea.txt"))
        assert done.returncode in ((0, 1) if " doctor " in line else (0,)), (line, done.stderr)
        assert done.stdout or "-o night.svg" in line
        assert "--json" not in line or [json.loads(each) for each in done.stdout.splitlines()]
    assert "<svg" in (beginner.directory / "night.svg").read_text()


def skill_commands() -> list[str]:
    """Every whole command that SKILL.md names, but for what was typed already."""
    text = (ROOT / "lifecycle/skill/SKILL.md").read_text("utf-8")
    found = dict.fromkeys(re.findall(r"`(lifecycle [^`]+)`", text))
    return [line for line in found if line.split()[1] not in ("demo", "skill") and " " in line.partition(" ")[2]]


def test_the_readmes_settings_are_accepted(tmp_path: Path) -> None:
    for number, block in enumerate(blocks("toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        assert from_file(file, must_exist=True).values


def test_the_readmes_program_runs_as_it_is_written(settled: Beginner) -> None:
    beginner = settled
    (beginner.directory / "my-app").mkdir()
    for block in blocks("python"):
        program = f"import asyncio\n\nasync def main():\n{textwrap.indent(block, '    ')}\nasyncio.run(main())\n"
        (beginner.directory / "program.py").write_text(program.replace("delay_seconds=3", "delay_seconds=0"))
        done = beginner.type(f"{sys.executable} program.py")
        assert done.returncode == 0, done.stderr
    status = json.loads(beginner.type("lifecycle status my-app --json").stdout)
    assert status["stop_reason"] == "complete"


REFERENCES = ROOT / "lifecycle/skill/references"


def test_a_lifecycle_of_ones_own_is_run_drawn_and_explained(settled: Beginner) -> None:
    """What its page runs; `tests/simulation/test_review.py` tries the page's other snippets, and verifies."""
    beginner = settled
    page = (REFERENCES / "OWN-STATES.md").read_text("utf-8")
    (run,) = (block for block in blocks("python", page) if block.startswith("from lifecycle import SessionManager"))
    (beginner.directory / "my-app").mkdir()
    (beginner.directory / "my-app/app_spec.txt").write_text("Two things.\n")
    program = "import asyncio\n\nasync def look_at(session):\n    return None\n\nasync def main():\n"
    (beginner.directory / "program.py").write_text(f"{program}{textwrap.indent(run, '    ')}\nasyncio.run(main())\n")
    commands = [line for line in "\n".join(blocks("sh", page)).splitlines() if line and "verify" not in line]
    assert len(commands) == 4
    for line in (f"{sys.executable} program.py", *commands):
        done = beginner.type(line)
        assert done.returncode == 0, done.stderr
    assert "REVIEW" in (beginner.directory / "review.svg").read_text("utf-8")


@pytest.mark.parametrize("name", sorted({path.name for path in REFERENCES.iterdir()} - {"OWN-STATES.md"}))
def test_the_snippets_of_the_references_hold(settled: Beginner, name: str) -> None:
    """Settings are accepted, programs run from the skill's folder, commands work on a project of that name."""
    beginner = settled
    # What stands between marks is generated: its programs are files, which `tests/docs/test_examples.py` runs.
    text = re.sub(r"<!-- lifecycle:(\S+) -->.*?<!-- /lifecycle:\1 -->", "", (REFERENCES / name).read_text("utf-8"), flags=re.DOTALL)
    for block in blocks("toml", text):
        (beginner.directory / "x.toml").write_text(block)
        assert from_file(beginner.directory / "x.toml", must_exist=True).values
    for block in blocks("python", text):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=ROOT / "lifecycle/skill", env=beginner.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr
    project = beginner.directory / "generations/my_project"
    project.mkdir(parents=True)
    (project / "app_spec.txt").write_text("Two things.\n")
    for line in "\n".join(blocks("sh", text)).splitlines():
        done = beginner.type(line)
        assert done.returncode == 0, done.stderr
