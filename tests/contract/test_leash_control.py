"""The manager's end: the wrapper it writes, the leash it finds, the leftovers it reaps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.agent import leash_control, leftovers
from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.errors import AgentFailed
from lifecycle.processes import ProcessIdentity, identity_of, this_process
from states.vocabulary import SessionId


class TestWrapper:
    def test_is_the_owners_alone_and_replaces_the_last_managers(self, tmp_path: Path) -> None:
        agent = executable(tmp_path / "agent", "print('started')")
        first = leash_control.write_wrapper(tmp_path / "new" / "state", agent)
        first.write_text("something else")
        wrapper = leash_control.write_wrapper(tmp_path / "new" / "state", agent)
        assert wrapper == first
        assert wrapper.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in wrapper.parent.iterdir()] == [wrapper.name]
        assert subprocess.run([wrapper], capture_output=True, check=False, timeout=10).stdout == b"started\n"

    def test_a_cli_that_is_not_there_or_not_executable_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no program")
        for path in (tmp_path / "text", tmp_path / "missing", tmp_path):
            with pytest.raises(AgentFailed, match="not an executable file"):
                leash_control.write_wrapper(tmp_path / "state", path)
        assert not (tmp_path / "state").exists()

    def test_a_state_directory_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        agent = executable(tmp_path / "agent", "")
        (tmp_path / "state").write_text("a file in its place")
        with pytest.raises(AgentFailed, match=r"state/claude-on-leash: cannot be written"):
            leash_control.write_wrapper(tmp_path / "state", agent)


class TestFindLeash:
    def test_finds_the_own_child_that_holds_the_session(self) -> None:
        mine, other = SessionId(str(uuid.uuid4())), SessionId(str(uuid.uuid4()))
        with leashed_shell(mine) as leash, leashed_shell(other):
            assert leash_control.find_leash(mine) == identity_of(leash.pid)
            assert leash_control.find_leash(SessionId(str(uuid.uuid4()))) is None

    def test_is_not_taken_in_by_a_child_without_a_leash(self) -> None:
        session_id = SessionId(str(uuid.uuid4()))
        environment = {**os.environ, SESSION_MARKER: session_id}
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment):
            assert leash_control.find_leash(session_id) is None


class TestReapLeftovers:
    def test_finds_nothing_when_nothing_is_left(self) -> None:
        dead = ProcessIdentity(
            pid=2**22 - 7, start=1, boot_id=this_process().boot_id, host=this_process().host
        )
        assert leftovers.reap_leftovers([dead], [SessionId(str(uuid.uuid4()))]) == leftovers.Reaped()
        assert leftovers.reap_leftovers([], []) == leftovers.Reaped()

    def test_ends_a_leash_by_its_identity(self) -> None:
        with leashed_shell(SessionId(str(uuid.uuid4()))) as leash:
            identity = _identity(leash.pid)
            assert leftovers.reap_leftovers([identity], []) == leftovers.Reaped(gone=(identity,))

    def test_ends_marked_processes_and_their_unmarked_descendants_and_nobody_else(
        self, tmp_path: Path
    ) -> None:
        session_id, other = SessionId(str(uuid.uuid4())), SessionId(str(uuid.uuid4()))
        script = f"env -i setsid sh -c 'echo $$ > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; sleep 20' & wait"
        with bystander(other) as spared, bystander(session_id, script) as marked_one:
            wait_until((tmp_path / "pid").exists, 10, "the unmarked descendant runs")
            unmarked = _identity(int((tmp_path / "pid").read_text()))
            expected = {_identity(marked_one.pid), unmarked}
            reaped = leftovers.reap_leftovers([], [session_id])
            assert expected <= set(reaped.gone)
            assert reaped.left == ()
            assert spared.poll() is None

    def test_never_ends_a_process_that_merely_got_the_pid(self) -> None:
        with bystander(SessionId(str(uuid.uuid4()))) as process:
            now = _identity(process.pid)
            then = ProcessIdentity(now.pid, now.start - 1, now.boot_id, now.host)
            assert leftovers.reap_leftovers([then], []) == leftovers.Reaped()
            assert process.poll() is None

    def test_never_ends_itself_or_its_ancestors(self) -> None:
        """A manager that was started from inside such a session carries the marker, and so does its shell."""
        session_id = str(uuid.uuid4())
        code = "import sys; from lifecycle.agent import leftovers; print(leftovers.reap_leftovers([], sys.argv[1:]))"
        result = subprocess.run(
            [
                "sh",
                "-c",
                'sh -c \'"$@"; echo "still there"\' sh "$@"',
                "sh",
                sys.executable,
                "-c",
                code,
                session_id,
            ],
            env={**os.environ, SESSION_MARKER: session_id},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert result.stdout == "Reaped(gone=(), left=())\nstill there\n", result.stderr


def bystander(session_id: SessionId, script: str = "read line") -> subprocess.Popen[bytes]:
    environment = {**os.environ, SESSION_MARKER: session_id}
    return subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, env=environment)


def leashed_shell(session_id: SessionId) -> subprocess.Popen[bytes]:
    """A leash on a shell that ends with its stdin; returns when the leash is up."""
    run = subprocess.Popen(
        leash_control.leashed(["sh", "-c", "echo ready; read line"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, SESSION_MARKER: session_id},
    )
    assert run.stdout is not None
    assert run.stdout.readline() == b"ready\n"
    return run


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
