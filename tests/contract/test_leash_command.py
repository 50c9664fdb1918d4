"""What a command on a leash notices of it: nothing, but that it cannot get away; and when the leash starts none."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lifecycle.agent import leash_control
from lifecycle.processes import ProcessIdentity, identity_of, is_alive

GONE_WITHIN_S = 2.0


class TestTheCommandDoesNotNoticeTheLeash:
    @pytest.mark.parametrize(
        ("script", "status"),
        [
            ("exit 0", 0),
            ("exit 7", 7),
            ("exit 255", 255),
            ("kill -KILL $$", -signal.SIGKILL),
            ("kill -TERM $$", -signal.SIGTERM),
            ("kill -SEGV $$", -signal.SIGSEGV),
            ("kill -INT $$", -signal.SIGINT),
        ],
    )
    def test_its_status_passes(self, script: str, status: int) -> None:
        assert (
            subprocess.run(leash_control.leashed(["sh", "-c", script]), check=False, timeout=10).returncode
            == status
        )

    def test_its_input_output_arguments_environment_and_directory_pass(self, tmp_path: Path) -> None:
        script = 'pwd; echo "$GIVEN"; printf "<%s>" "$@"; cat; echo to stderr >&2'
        result = subprocess.run(
            leash_control.leashed(["sh", "-c", script, "sh", "", "two words", "--", "*", "it's\n"]),
            input=b"from stdin",
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "GIVEN": "a value"},
            check=False,
            timeout=10,
        )
        assert result.stdout == f"{tmp_path}\na value\n<><two words><--><*><it's\n>from stdin".encode()
        assert result.stderr == b"to stderr\n"

    def test_its_output_ends_when_it_closes_it(self) -> None:
        """The leash holds no copy that would keep the pipe open."""
        command = leash_control.leashed(["sh", "-c", "echo last words; exec >&-; read line"])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.read() == b"last words\n"
            assert process.poll() is None

    def test_a_broken_pipe_kills_it_as_it_should(self) -> None:
        """Python ignores SIGPIPE, and an ignored signal would stay ignored in the command."""
        result = subprocess.run(
            leash_control.leashed(["sh", "-c", "(yes; echo $? >&2) | head -1"]),
            capture_output=True,
            check=False,
            timeout=10,
        )
        assert result.stderr == f"{128 + signal.SIGPIPE}\n".encode()

    @pytest.mark.parametrize(("command", "status"), [("/not/there", 127), ("/etc/passwd", 126)])
    def test_a_command_that_cannot_run_says_so_like_a_shell(self, command: str, status: int) -> None:
        result = subprocess.run(
            leash_control.leashed([command]), capture_output=True, check=False, timeout=10
        )
        assert result.returncode == status
        assert command.encode() in result.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_leash_that_was_told_says_by_what(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        leash_control.leashed(["sh", "-c", "echo ready; sleep 20"]), stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        assert run.wait(GONE_WITHIN_S) == status


@pytest.mark.alone
def test_a_second_signal_ends_the_grace() -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(leash_control.leashed(["sh", "-c", script]), stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        started = time.monotonic()
        run.send_signal(signal.SIGTERM)
        run.send_signal(signal.SIGINT)
        assert run.wait(GONE_WITHIN_S) in (143, 130)  # two signals at once come in no order
        assert time.monotonic() - started < 0.2


class TestTheLeashStartsNothing:
    def test_for_a_manager_that_is_gone(self, tmp_path: Path) -> None:
        """The wrapper stays behind when a manager dies; started by anybody else it does nothing."""
        wrapper = leash_control.write_wrapper(tmp_path, executable(tmp_path / "agent", "print('started')"))
        result = subprocess.run(
            ["sh", "-c", '"$0"; echo $?', wrapper], capture_output=True, check=False, timeout=10
        )
        assert result.stdout == b"69\n"

    def test_for_another_process_with_the_managers_pid(self) -> None:
        command = leash_control.leashed(["echo", "started"])
        place = command.index("--manager-start") + 1
        command[place] = str(int(command[place]) - 1)
        result = subprocess.run(command, capture_output=True, check=False, timeout=10)
        assert (result.returncode, result.stdout) == (69, b"")


def test_ctrl_c_in_the_managers_terminal_does_not_reach_the_agent(tmp_path: Path) -> None:
    manager, terminal = pty.fork()
    if manager == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupted = tmp_path / "interrupted"
        script = f"trap 'touch {interrupted}' INT; touch {tmp_path}/ready; while :; do sleep 0.02; done"
        subprocess.run(leash_control.leashed([sys.executable, "-c", SH_WITH_SIGINT, script]), check=False)
        os._exit(0)
    try:
        wait_until((tmp_path / "ready").exists, 10, "the agent runs")
        (leash,) = psutil.Process(manager).children()
        agent = max(leash.children(recursive=True), key=lambda process: process.create_time())
        assert os.getsid(agent.pid) != os.getsid(manager)
        os.write(terminal, b"\x03")
        time.sleep(0.2)  # for something not to happen there is no event to wait for
        assert not (tmp_path / "interrupted").exists()
        assert leash.is_running()
    finally:
        os.kill(manager, signal.SIGKILL)
        os.waitpid(manager, 0)
        os.close(terminal)
    wait_until(lambda: not leash.is_running(), GONE_WITHIN_S, "the leash has followed its manager")


# A shell keeps a SIGINT that was ignored when it started ignored, trap or not.
SH_WITH_SIGINT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("sh", ["sh", "-c", sys.argv[1]])
"""


class TestWithoutPidfdsAndSubreapers:
    """As on macOS, or under an old kernel: less, but the deaths that matter are still seen by polling."""

    LESS = "import os, runpy, sys\n{loss}\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"

    @pytest.mark.parametrize("loss", ["del os.pidfd_open", "sys.platform = 'darwin'; del os.pidfd_open"])
    def test_a_managers_death_and_the_commands_end_are_seen(self, tmp_path: Path, loss: str) -> None:
        script = f"(sleep 20 & echo $! > {tmp_path}/child.part; mv {tmp_path}/child.part {tmp_path}/child); sleep 20"
        code = (
            "import subprocess, sys\nfrom lifecycle.agent import leash_control\n"
            "command = leash_control.leashed(['sh', '-c', sys.argv[1]])\n"
            "place = command.index(str(leash_control._LEASH))\n"
            "command[place:place] = ['-c', sys.argv[2]]\n"
            "subprocess.run(command)\n"
        )
        manager = subprocess.Popen([sys.executable, "-c", code, script, self.LESS.format(loss=loss)])
        wait_until((tmp_path / "child").exists, 10, "the command runs")
        below = psutil.Process(manager.pid).children(recursive=True)
        before = {identity for process in below if (identity := identity_of(process.pid))}
        before.add(_identity(int((tmp_path / "child").read_text())))
        manager.kill()
        manager.wait()
        wait_until(lambda: not any(map(is_alive, before)), GONE_WITHIN_S, "everything is gone")


def executable(path: Path, code: str) -> Path:
    """A Python program with the execute bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n''':'\nexec '{sys.executable}' -I -S \"$0\" \"$@\"\n'''\n{code}")
    path.chmod(0o755)
    return path


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)


def _identity(pid: int) -> ProcessIdentity:
    identity = identity_of(pid)
    assert identity is not None, pid
    return identity
