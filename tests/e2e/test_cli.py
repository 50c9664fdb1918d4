"""The command line as a person or a script meets it: real processes, the real agent CLI, a script for a model."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.offline import ModelRequest, ModelServer, Play, Script, ToolUse
from lifecycle.offline.demo import HOW_TO_RUN

FEATURES = 2
SIGNALS = [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)]

# The harness may itself run with signals ignored (nohup, a job of a script); a person's terminal does not.
DEFAULT_SIGNALS = (
    "import os, signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'lifecycle.cli', *sys.argv[1:]])"
)


def builder(gate: Path) -> Script:
    """Writes a feature list first, then makes one feature pass and commits; each session waits for `gate` to open."""
    features = [
        {"category": "f", "description": f"feature {number}", "steps": ["look"], "passes": False}
        for number in range(FEATURES)
    ]
    write = (
        "git init -q; git config user.name Script; git config user.email script@localhost; "
        f"printf '%s' '{json.dumps(features)}' > feature_list.json; git add -A; git commit -qm 'The features'"
    )
    flip = "sed -i '0,/\"passes\": false/s//\"passes\": true/' feature_list.json; git commit -qam 'One more'"

    def play(request: ModelRequest) -> Play:
        wait = f"until [ -e {gate} ]; do sleep 0.05; done; cat feature_list.json"
        look = yield ToolUse("Bash", {"command": wait})
        yield ToolUse("Bash", {"command": write if look.is_error else flip})
        return "Done."

    return Script(play)


@dataclass
class Bench:
    """A person's home, a project with a specification, and a model to work with."""

    directory: Path
    server: ModelServer
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.directory / "project"

    @property
    def gate(self) -> Path:
        return self.directory / "gate"

    @property
    def spec(self) -> Path:
        return self.directory / "idea.txt"

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "HOME": str(self.directory / "home"),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LIFECYCLE_CONTINUE_DELAY": "0.1",
            "LIFECYCLE_SANDBOX": "off",  # the agent waits for a file that lies outside of the project
            **self.server.environment(),
            **more,
        }

    def start(
        self,
        *arguments: object,
        environment: dict[str, str] | None = None,
        program: str = DEFAULT_SIGNALS,
        **how: Any,
    ) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=environment or self.environment(),
            cwd=self.directory,
            text=True,
            **{**pipes, **how},
        )
        self.started.append(process)
        return process

    def run(self, *arguments: object, **how: Any) -> tuple[int, str, str]:
        process = self.start(*arguments, **how)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def begin(self, *flags: object, **how: Any) -> subprocess.Popen[str]:
        """A run whose agent is at work and gets nowhere before the gate opens."""
        before = len(self.server.requests)
        process = self.start("run", self.project, "--spec", self.spec, "--json", *flags, **how)
        self.until(lambda: any(request.is_main for request in self.server.requests[before:]))
        return process

    def until(self, is_so: Callable[[], bool], timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, "it does not happen"
            time.sleep(0.02)

    def status(self) -> dict[str, Any]:
        code, out, err = self.run("status", self.project, "--json")
        assert (code, err) == (0, "")
        document: dict[str, Any] = json.loads(out)
        return document

    def history(self) -> list[dict[str, Any]]:
        code, out, err = self.run("history", self.project, "--json")
        assert (code, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    def processes(self) -> list[psutil.Process]:
        """What works in the project just now."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.project) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def is_left_alone(self) -> None:
        """Within two seconds nothing works in the project any more, and then nothing is asked of the model."""
        self.until(lambda: not self.processes(), timeout_s=2)
        before = len(self.server.contacts)
        time.sleep(0.3)
        assert len(self.server.contacts) == before


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ModelServer(builder(tmp_path / "gate")) as server:
        made = Bench(tmp_path, server)
        (tmp_path / "home").mkdir()
        made.project.mkdir()
        made.spec.write_text("A program with two features.\n")
        yield made
        for process in made.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def events_of(err: str) -> list[dict[str, Any]]:
    """stderr as JSON lines, every one of them."""
    return [json.loads(line) for line in err.splitlines()]


def test_from_a_specification_to_a_finished_project(bench: Bench) -> None:
    """One INIT, then CONTINUE until everything passes; stdout, log, history and status tell the same story."""
    bench.gate.touch()
    code, out, err = bench.run("run", bench.project, "--spec", bench.spec, "--json", "--log-format", "json")
    assert code == 0, err
    result = json.loads(out)
    told = events_of(err)
    history, status = bench.history(), bench.status()
    assert out.count("\n") == 1
    assert (result["stop_reason"], result["iterations"], result["sessions"]) == ("complete", 3, 3)
    assert result["features"] == {"passing": FEATURES, "total": FEATURES}
    assert result["cost_usd"] > 0
    runs = [line for line in history if line["dest"] == "RUN"]
    assert [line["facts"]["session_type"] for line in runs] == ["init", "continue", "continue"]
    assert [line["iteration"] for line in runs] == [1, 2, 3]
    assert len({line["session_id"] for line in runs}) == 3
    assert [event["seq"] for event in told if event["event"] == "transition"] == [line["seq"] for line in history]
    assert history[-1]["facts"]["stop_reason"] == status["stop_reason"] == "complete"
    assert {line["run_id"] for line in history} == {status["run_id"]} == {result["run_id"]}
    assert status["features"] == result["features"]
    assert status["cost_usd"] == result["cost_usd"]
    assert status["owner"] is None
    assert (bench.project / "app_spec.txt").read_text() == bench.spec.read_text()
    assert "sk-ant" not in out + err
    before = len(bench.server.requests)
    code, out, err = bench.run("run", bench.project)
    assert code == 0, err
    assert out.startswith("complete: every feature passes")
    assert len(bench.server.requests) == before, "a finished project starts no session"


@pytest.mark.parametrize(("name", "status"), SIGNALS)
def test_a_signal_saves_leaves_nothing_running_and_the_next_start_goes_on(name: str, status: int, bench: Bench) -> None:
    process = bench.begin()
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=30)
    assert process.returncode == status, err
    result = json.loads(out)
    assert result["stop_reason"] == "interrupted"
    bench.is_left_alone()
    stopped = bench.status()
    assert (stopped["state"], stopped["stop_reason"]) == ("SHUTDOWN", "interrupted")
    if name != "SIGTERM":
        return
    bench.gate.touch()
    code, out, err = bench.run("run", bench.project, "--json")
    assert code == 0, err
    again = json.loads(out)
    assert again["run_id"] == result["run_id"]
    runs = [line for line in bench.history() if line["dest"] == "RUN"]
    assert runs[0]["session_id"] == runs[1]["session_id"], "the conversation was resumed"
    assert [line["iteration"] for line in runs] == [1, *range(1, again["iterations"] + 1)]


def test_a_second_signal_stops_at_once_and_the_next_start_goes_on(bench: Bench) -> None:
    process = bench.begin("--log-format", "json")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode in (130, 143), "the first one's, and the kernel does not say which that was"
    bench.is_left_alone()
    last = bench.history()[-1]
    if out == "":  # what is expected; the first could have been through already
        assert last["dest"] == "RUN"
        assert [event["event"] for event in events_of(err)][-1] == "failed"
    bench.gate.touch()
    code, out, err = bench.run("run", bench.project, "--json")
    assert code == 0, err
    assert json.loads(out)["run_id"] == last["run_id"]


def test_ctrl_c_in_a_terminal_reaches_the_manager_only(bench: Bench) -> None:
    """The whole foreground group gets it; the agent is not in it, and is stopped by the manager."""
    controller, terminal = pty.openpty()
    become_foreground = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{DEFAULT_SIGNALS}"
    process = bench.begin(
        program=become_foreground,
        stdin=terminal,
        stderr=terminal,
        environment=bench.environment(TERM="xterm"),
        start_new_session=True,
    )
    os.close(terminal)
    with reading(controller) as shown:
        bench.until(lambda: b"iteration 1 (init)" in shown)
        os.write(controller, b"\x03")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, shown.decode()
    assert json.loads(out)["stop_reason"] == "interrupted"
    assert b"stop requested by SIGINT" in shown
    assert b"Traceback" not in shown
    bench.is_left_alone()
    assert [line["dest"] for line in bench.history()][-2:] == ["END", "SHUTDOWN"]


@contextmanager
def reading(descriptor: int) -> Iterator[bytearray]:
    """What comes out of a pseudo-terminal, as it comes, until whoever writes there has gone."""
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                piece = os.read(descriptor, 65536)
            except OSError:  # Linux says EIO when the last writer has gone
                return
            if not piece:
                return
            shown.extend(piece)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield shown
    thread.join(10)
    os.close(descriptor)


def test_a_second_manager_is_refused_and_the_first_can_be_asked_to_stop(bench: Bench) -> None:
    process = bench.begin()
    status = bench.status()
    assert status["state"] == "RUN"
    assert status["session"]["type"] == "init"
    assert status["owner"]["pid"] == process.pid
    requests = len(bench.server.requests)
    code, out, err = bench.run("run", bench.project, "--json")
    assert (code, out) == (6, "")
    assert f"pid {process.pid} on {status['owner']['host']} since {status['owner']['since']}" in err
    assert len(bench.server.requests) == requests
    code, out, err = bench.run("stop", bench.project, "--wait")
    assert (code, err) == (0, "")
    assert f"pid {process.pid}" in out
    result, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    assert json.loads(result)["stop_reason"] == "interrupted"
    bench.is_left_alone()
    assert bench.run("stop", bench.project)[1].startswith("nothing runs")


def test_a_stop_that_comes_in_end_is_honoured_at_once(bench: Bench) -> None:
    """What was being verified does not count; the run is suspended, and can go on."""
    bench.gate.touch()
    seen, enough = bench.directory / "verifying", bench.directory / "enough"
    flags = ("--verify-command", f"touch {seen}; until [ -e {enough} ]; do sleep 0.05; done")
    process = bench.start("run", bench.project, "--spec", bench.spec, "--json", *flags)
    bench.until(seen.exists)
    assert bench.status()["state"] == "END"
    assert bench.run("stop", bench.project, "--wait")[0] == 0
    result, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    assert json.loads(result)["stop_reason"] == "interrupted"
    assert json.loads(result)["features"] == {"passing": 0, "total": FEATURES}
    bench.is_left_alone()
    enough.touch()
    code, out, _ = bench.run("run", bench.project, "--json", *flags)
    assert (code, json.loads(out)["stop_reason"]) == (0, "complete")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_that_nobody_reads_does_not_hold_up_a_run(form: str, bench: Bench) -> None:
    """A pipe, and a terminal that was stopped."""
    bench.gate.touch()
    reader, writer = os.pipe() if form == "json" else pty.openpty()
    if form == "json" and hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    code, out, _ = bench.run(
        "run", bench.project, "--spec", bench.spec, "--json", "--log-format", form, "--log-level", "debug", stderr=writer,
        environment=bench.environment(TERM="xterm"),
    )
    os.close(writer)
    os.close(reader)
    assert code == 0
    assert json.loads(out)["stop_reason"] == "complete"


@pytest.mark.parametrize("to", ["2>&-", "2>/dev/full"])
def test_a_log_that_cannot_be_written_does_not_end_a_run(to: str, bench: Bench) -> None:
    bench.gate.touch()
    command = f"exec {sys.executable} -m lifecycle.cli run project --spec idea.txt --json {to}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=bench.environment(),
        cwd=bench.directory,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["stop_reason"] == "complete"


def test_a_limit_is_3_and_says_which(bench: Bench) -> None:
    bench.gate.touch()
    code, out, err = bench.run("run", bench.project, "--spec", bench.spec, "--json", "--max-iterations", "1")
    assert code == 3, err
    result = json.loads(out)
    assert (result["stop_reason"], result["iterations"]) == ("max_iterations", 1)


def test_the_demo_builds_a_working_program_whatever_the_person_has_set_up(bench: Bench) -> None:
    """Interrupted and taken up again; with another's account, git and limits in the environment, none of it used."""
    home = bench.directory / "home"
    (home / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = /bin/false\n")
    place = bench.directory / "demo"
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "ANTHROPIC_AUTH_TOKEN": "not-to-be-used",
        "ANTHROPIC_BASE_URL": bench.server.url,
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": str(home / "mine"),
        "LIFECYCLE_MAX_ITERATIONS": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    process = bench.start("demo", place, environment=environment)
    bench.until((place / "store.py").exists)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    assert "a script plays the model" in out
    assert f"lifecycle demo {place}" in out
    code, out, err = bench.run("demo", place, environment=environment)
    assert code == 0, err
    assert out.partition("complete: every feature passes")[2]
    for line in HOW_TO_RUN:
        assert line in out
        subprocess.run(line, shell=True, cwd=place, env=environment, check=True, capture_output=True, timeout=30)
    assert not (home / "mine").exists()
    assert not (home / ".claude").exists()
    assert not bench.server.contacts
    history = bench.run("history", place, "--json", environment=environment)[1].splitlines()
    runs = [json.loads(line) for line in history if json.loads(line)["dest"] == "RUN"]
    assert len({run["session_id"] for run in runs}) >= 4
