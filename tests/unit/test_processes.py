"""Process identity: the same process compares equal for ever, and no other process ever does."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle import processes
from lifecycle.processes import ProcessIdentity, identity_of, is_alive, send_signal, this_process
from states.errors import RecordInvalid


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until its stdin ends."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_process_keeps_its_identity_while_it_lives(child: subprocess.Popen[bytes]) -> None:
    identity = identity_of(child.pid)
    assert identity is not None
    assert identity == identity_of(child.pid)
    assert is_alive(identity)


def test_this_process_is_itself_and_the_same_to_its_children() -> None:
    code = (
        "import os; from lifecycle.processes import identity_of; print(identity_of(os.getppid()).to_record())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(this_process().to_record())
    assert this_process().pid == os.getpid()


def test_the_start_is_the_kernels_to_the_tick(child: subprocess.Popen[bytes]) -> None:
    """Compared with what psutil computes from the same field."""
    identity = identity_of(child.pid)
    assert identity is not None
    boot_at = psutil.boot_time()
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    assert boot_at + identity.start / ticks_per_s == pytest.approx(
        psutil.Process(child.pid).create_time(), abs=1.5
    )


@pytest.mark.parametrize("name", ["with space", "((", ")) Z 1 (", "a) R 1 1 1"])
def test_a_name_made_to_mislead_does_not(tmp_path: Path, name: str) -> None:
    """The kernel's line holds the name in parentheses and escapes nothing."""
    program = tmp_path / name
    shutil.copy(shutil.which("cat") or "", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        identity = identity_of(process.pid)
        assert identity is not None
        assert identity.start >= this_process().start
        assert is_alive(identity)
        process.kill()


class TestNotAlive:
    def test_after_its_end(self, child: subprocess.Popen[bytes]) -> None:
        identity = identity_of(child.pid)
        assert identity is not None
        child.kill()
        child.wait()
        assert not is_alive(identity)
        assert identity_of(child.pid) is None

    def test_as_a_zombie(self, child: subprocess.Popen[bytes]) -> None:
        """It has ended, though nobody has asked for its status yet."""
        identity = identity_of(child.pid)
        assert identity is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        assert not is_alive(identity)
        assert identity_of(child.pid) is None

    @pytest.mark.parametrize(
        "other",
        [{"start": 1}, {"boot_id": "another boot"}, {"host": "another host"}],
        ids=lambda other: next(iter(other)),
    )
    def test_with_the_pid_of_a_living_process(self, other: dict[str, Any]) -> None:
        assert not is_alive(dataclasses.replace(this_process(), **other))

    @pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**40])
    def test_with_a_pid_that_is_none(self, pid: int) -> None:
        assert identity_of(pid) is None


class TestSendSignal:
    def test_reaches_the_process(self, child: subprocess.Popen[bytes]) -> None:
        identity = identity_of(child.pid)
        assert identity is not None
        assert send_signal(identity, signal.SIGTERM, signal.SIGCONT)
        assert child.wait(5) == -signal.SIGTERM

    def test_never_reaches_another_with_its_pid(self, child: subprocess.Popen[bytes]) -> None:
        identity = identity_of(child.pid)
        assert identity is not None
        assert not send_signal(dataclasses.replace(identity, start=identity.start - 1), signal.SIGKILL)
        assert child.poll() is None

    def test_says_when_it_is_gone(self, child: subprocess.Popen[bytes]) -> None:
        identity = identity_of(child.pid)
        assert identity is not None
        child.kill()
        child.wait()
        assert not send_signal(identity, signal.SIGTERM)

    def test_works_without_pidfds(
        self, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Old kernels and macOS: compared directly before the signal instead."""
        monkeypatch.delattr(os, "pidfd_open")
        identity = identity_of(child.pid)
        assert identity is not None
        assert not send_signal(dataclasses.replace(identity, start=identity.start - 1), signal.SIGKILL)
        assert send_signal(identity, signal.SIGTERM)
        assert child.wait(5) == -signal.SIGTERM


class TestWithoutProc:
    """macOS has no /proc; psutil answers instead."""

    @pytest.fixture(autouse=True)
    def _no_proc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "_LINUX", False)

    def test_the_living_and_the_dead_are_told_apart(self, child: subprocess.Popen[bytes]) -> None:
        identity = identity_of(child.pid)
        assert identity is not None
        assert identity.start == pytest.approx(time.time() * 1_000_000, abs=60_000_000)
        assert is_alive(identity)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(identity)
        child.wait()
        assert identity_of(child.pid) is None


class TestRecord:
    def test_survives_the_journal(self) -> None:
        identity = this_process()
        assert ProcessIdentity.from_record(json.loads(json.dumps(identity.to_record()))) == identity

    @pytest.mark.parametrize("field", ["pid", "start", "boot_id", "host"])
    @pytest.mark.parametrize("value", [None, [], 1.5, True, "missing"])
    def test_with_a_missing_or_mistyped_field_is_refused_by_name(self, field: str, value: object) -> None:
        record: dict[str, object] = {**this_process().to_record(), field: value}
        if value == "missing":
            del record[field]
        with pytest.raises(RecordInvalid, match=repr(field)):
            ProcessIdentity.from_record(record)

    @pytest.mark.parametrize("pid", [0, -1])
    def test_never_means_a_group_or_everybody(self, pid: int) -> None:
        """kill(0) and kill(-1) do."""
        with pytest.raises(RecordInvalid, match="'pid'"):
            ProcessIdentity.from_record({**this_process().to_record(), "pid": pid})


def test_importing_it_does_not_import_psutil() -> None:
    code = "import sys, lifecycle.processes; print('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
