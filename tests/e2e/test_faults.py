"""`lifecycle run` against a service that misbehaves: the real command, the real CLI, faults on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.offline import ModelServer, Stall, Text, Turn
from lifecycle.offline.demo import DEMO_SPEC, demo_scenario
from lifecycle.offline.faults import FAULTS, rate_limited
from lifecycle.offline.scenarios import always, first_then


class Project:
    """A project directory, and the environment that a stranger's machine would have."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        self.directory.mkdir()
        self.state_root = directory / "state"
        self.spec = directory / "spec.txt"
        self.spec.write_text(DEMO_SPEC)
        self.home = directory / "home"
        self.home.mkdir()

    @property
    def journal(self) -> Path:
        return state_directory(self.directory, self.state_root, {}) / JOURNAL_NAME

    def lifecycle(self, *arguments: str, server: ModelServer | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LIFECYCLE_STATE_DIR": str(self.state_root),
            "LIFECYCLE_CONTINUE_DELAY": "0.1",
            **(server.environment() if server else {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *arguments],
            env=environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip

    def run(self, server: ModelServer, *arguments: str) -> tuple[int, dict, str]:
        """`lifecycle run --json`: exit status, document, stderr."""
        done = self.lifecycle(
            "run", str(self.directory), "--spec", str(self.spec), "--json", *arguments, server=server
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr

    def history(self) -> list[dict]:
        done = self.lifecycle("history", str(self.directory), "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("unauthorized", "ANTHROPIC_API_KEY"),
        ("forbidden", "ANTHROPIC_API_KEY"),
        ("model_not_found", "--model"),
        ("credit_too_low", "credit"),
        ("payment_required", "credit"),
    ],
)
def test_what_will_not_mend_by_itself_stops_at_once_and_says_what_to_do(
    project: Project, fault: str, advice: str
) -> None:
    """The gate's proof runs first on a fresh state directory; a warm-up keeps it out of the five seconds."""
    with ModelServer(always(Turn(Text("Nothing to do.")))) as server:
        project.run(server, "--max-iterations", "1", "--model", "claude-sonnet-4-5-20250929")
    with ModelServer(always(FAULTS[fault])) as server:
        begun = time.monotonic()
        code, document, stderr = project.run(server)
        assert time.monotonic() - begun < 5.0
    assert (code, document["stop_reason"]) == (5, "fatal"), stderr
    assert advice in document["detail"]
    assert "Traceback" not in stderr


def test_a_storm_of_529_is_survived(project: Project) -> None:
    with ModelServer(first_then(9, FAULTS["overloaded"], demo_scenario())) as server:
        code, document, stderr = project.run(server)
    assert (code, document["stop_reason"], document["iterations"]) == (0, "complete", 4), stderr
    causes = [line["facts"]["outcome"]["cause"] for line in project.history() if line["dest"] == "CONTINUE"]
    assert "unavailable" in causes


def test_a_rate_limit_is_waited_out_and_the_conversation_resumed(project: Project) -> None:
    with ModelServer(first_then(1, rate_limited(3600), demo_scenario())) as server:
        code, document, stderr = project.run(server)
    assert (code, document["stop_reason"], document["iterations"]) == (0, "complete", 4), stderr
    history = project.history()
    entered = [line["session_id"] for line in history if line["dest"] == "RUN"]
    assert entered[0] == entered[1], "the limited conversation was taken up again"
    waits = [line for line in history if line["dest"] == "CONTINUE"]
    assert waits[0]["facts"]["outcome"]["cause"] == "rate_limit"
    assert waits[0]["facts"]["counters"]["failures"] == 0


@pytest.mark.parametrize("fault", ["stalled_after_headers", "stalled_with_pings"])
def test_a_stalled_stream_is_cut_by_the_watchdog(project: Project, fault: str) -> None:
    stall = FAULTS[fault]
    assert isinstance(stall, Stall)
    with ModelServer(first_then(1, stall, demo_scenario())) as server:
        code, document, stderr = project.run(server, "--idle-timeout", "2")
    assert (code, document["stop_reason"]) == (0, "complete"), stderr
    causes = [line["facts"]["outcome"]["cause"] for line in project.history() if line["dest"] == "CONTINUE"]
    assert causes[0] == "idle"


def test_garbage_for_replies_fails_a_few_times_and_stops(project: Project) -> None:
    with ModelServer(always(FAULTS["html"])) as server:
        code, document, stderr = project.run(server, "--max-failures", "2")
    assert (code, document["stop_reason"]) == (5, "max_failures"), stderr


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root")
def test_a_full_disk_moves_nothing_and_the_run_goes_on_when_there_is_space(project: Project) -> None:
    """The state directory lies on a disk of 4 MB, which somebody else fills in the middle of the run."""
    project.state_root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(project.state_root)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    filler = project.state_root / "filler"
    try:
        with ModelServer(demo_scenario()) as server:
            code, document, stderr = project.run(server, "--max-iterations", "1")
            assert code == 3, stderr
            before = project.history()
            with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            code, document, stderr = project.run(server)
            assert (code, document) == (5, {}), stderr
            assert "space" in stderr or "full" in stderr
            assert "Traceback" not in stderr
            filler.unlink()
            assert project.history() == before
            code, document, stderr = project.run(server)
            assert (code, document["stop_reason"]) == (0, "complete"), stderr
    finally:
        subprocess.run(["umount", "-l", str(project.state_root)], check=True)


@pytest.mark.parametrize("content", [b"this is somebody's diary\n" * 100, b"SQLite format 3\x00" + b"\x00" * 4096])
def test_a_journal_that_is_none_is_named_and_left_untouched(project: Project, content: bytes) -> None:
    project.journal.parent.mkdir(parents=True)
    project.journal.write_bytes(content)
    with ModelServer(demo_scenario()) as server:
        code, document, stderr = project.run(server)
        assert server.requests == ()
    assert code in (2, 5)
    assert document == {}
    assert str(project.journal) in stderr
    assert "Traceback" not in stderr
    assert project.journal.read_bytes() == content
    assert sorted(p.name for p in project.journal.parent.iterdir() if p.name.startswith("journal")) == [JOURNAL_NAME]


def test_two_started_at_the_same_instant_one_wins(project: Project) -> None:
    """The other is refused with the owner's pid and touches nothing; the lock's own tests do this fifty times."""
    with ModelServer(demo_scenario()) as server:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(project.home), "LIFECYCLE_STATE_DIR": str(project.state_root),
            "LIFECYCLE_CONTINUE_DELAY": "0.1", **server.environment(),
        }  # fmt: skip
        command = [sys.executable, "-m", "lifecycle.cli", "run", str(project.directory), "--spec", str(project.spec)]
        both = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        ended = [(process.communicate(timeout=120), process) for process in both]
    codes = sorted(process.returncode for _, process in ended)
    assert codes == [0, 6]
    winner = next(process for _, process in ended if process.returncode == 0)
    refusal = next(errors for (_, errors), process in ended if process.returncode == 6)
    assert f"pid {winner.pid}" in refusal
