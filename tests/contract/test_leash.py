"""The leash on a fake agent that does everything to get away: whatever dies, all of it is gone within two seconds.

Managers, leashes and agents are real processes that are really killed; `test_leash_real_cli.py` does the same to the
real CLI. Processes are followed by their identity and by the session's marker in their environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lifecycle.agent import leash_control, leftovers
from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.processes import ProcessIdentity, identity_of, is_alive
from states.vocabulary import SessionId

GONE_WITHIN_S = 2.0

# Notes the pids of everything it starts as files, then reads its stdin to the end as the CLI does, or waits for ever.
# It does not get away with forking for more than 30 s, should the leash fail.
FAKE_AGENT = r"""
import os, signal, subprocess, sys, time

directory, how_it_ends = sys.argv[1:]
doomsday = time.monotonic() + 30

def note(name):
    with open(f"{directory}/.{name}", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{directory}/.{name}", f"{directory}/{name}")

def sleep():
    time.sleep(max(0, doomsday - time.monotonic()))

def plain():
    note("plain"); sleep()

def stopped():
    note("stopped"); os.kill(os.getpid(), signal.SIGSTOP); sleep()

def in_session():
    os.setsid(); note("in_session"); sleep()

def daemon():
    os.setsid()
    if os.fork() == 0:
        note("daemon"); sleep()

def stubborn():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    note("stubborn"); sleep()

def unmarked():
    code = f"import os, time; open({directory!r} + '/unmarked', 'w').write(str(os.getpid())); time.sleep(30)"
    os.setsid(); os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", code], {})

def forker():
    note("forker")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while time.monotonic() < doomsday:
        if os.fork() == 0:
            os.setsid(); time.sleep(0.2); os._exit(0)
        time.sleep(0.005)

def comet():
    note("comet")
    while time.monotonic() < doomsday:
        if os.fork(): os._exit(0)
        os.setsid(); time.sleep(0.001)

children = [plain, stopped, in_session, daemon, stubborn, unmarked, forker]
for child in children if how_it_ends == "any way" else [*children, comet]:
    if os.fork() == 0:
        child(); os._exit(0)
note("agent")
if how_it_ends == "by itself":
    sys.stdin.read()
    sys.exit(7)
if how_it_ends == "saving":
    signal.signal(signal.SIGTERM, lambda *_: (note("saved"), sys.exit(143)))
if how_it_ends == "never":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    sleep()
"""

STEADY = frozenset({"plain", "stopped", "in_session", "daemon", "stubborn", "unmarked", "forker", "agent"})
"""What keeps its pid."""

# Starts the agent by the wrapper, as the SDK would: in its own group and session, with pipes.
MANAGER = """
import os, subprocess, sys
from pathlib import Path
from lifecycle.agent import leash_control

state_dir, agent, directory, how_it_ends, session_id = sys.argv[1:]
wrapper = leash_control.write_wrapper(Path(state_dir), Path(agent))
leash = subprocess.Popen(
    [str(wrapper), directory, how_it_ends],
    stdin=subprocess.PIPE,
    env={**os.environ, leash_control.SESSION_MARKER: session_id},
)
sys.stdin.read()
leash.stdin.close()
sys.exit(leash.wait())
"""


@dataclass(frozen=True)
class Run:
    """A manager process with a fake agent on its leash."""

    manager: subprocess.Popen[bytes]
    session_id: SessionId
    directory: Path

    def identity(self, name: str) -> ProcessIdentity:
        until = time.monotonic() + 10
        while not (text := (self.directory / name).read_text()) and time.monotonic() < until:
            time.sleep(0.01)  # the file is there before its content is
        pid = int(text)
        found = identity_of(pid)
        assert found is not None, name
        return found

    def links(self) -> tuple[ProcessIdentity, ProcessIdentity]:
        """The upper and the lower link of the leash."""
        (upper,) = psutil.Process(self.manager.pid).children()
        lower = psutil.Process(psutil.Process(self.identity("agent").pid).ppid())
        assert lower.ppid() == upper.pid
        return _identity(upper.pid), _identity(lower.pid)

    def everything(self) -> set[ProcessIdentity]:
        """All that runs below the manager now, whoever its parent has become."""
        below = psutil.Process(self.manager.pid).children(recursive=True)
        identities = {identity_of(process.pid) for process in below} | marked(self.session_id)
        identities |= {self.identity(name) for name in STEADY}
        return {identity for identity in identities if identity}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    """Starts a run; after the test nothing of it is left, even if the leash failed."""
    session_id = SessionId(str(uuid.uuid4()))
    runs: list[Run] = []

    def start(how_it_ends: str) -> Run:
        directory = tmp_path / "pids"
        directory.mkdir()
        agent = executable(tmp_path / "agent dir" / 'it\'s "fake"\n agent', FAKE_AGENT)
        arguments = [str(tmp_path / "state dir"), str(agent), str(directory), how_it_ends, session_id]
        manager = subprocess.Popen([sys.executable, "-c", MANAGER, *arguments], stdin=subprocess.PIPE)
        runs.append(Run(manager, session_id, directory))
        noted = STEADY if how_it_ends == "any way" else STEADY | {"comet"}
        wait_until(lambda: noted <= set(os.listdir(directory)), 10, "the fake agent has started everything")
        return runs[-1]

    yield start
    for run in runs:
        run.manager.kill()
        run.manager.communicate()
    leftovers.reap_leftovers([], [session_id])


class TestEverythingIsGoneWithinTwoSeconds:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_after_the_manager_has_died(self, start: Callable[[str], Run], number: int) -> None:
        """Whether it could do something about it or not."""
        run = start("never")
        before = run.everything()
        run.manager.send_signal(number)
        run.manager.wait()
        assert_gone(run, before)

    def test_after_the_agent_has_been_killed(self, start: Callable[[str], Run]) -> None:
        run = start("never")
        before = run.everything()
        os.kill(run.identity("agent").pid, signal.SIGKILL)
        assert_gone(run, before)

    @pytest.mark.parametrize("link", [0, 1], ids=["upper", "lower"])
    def test_after_one_link_of_the_leash_has_been_killed(
        self, start: Callable[[str], Run], link: int
    ) -> None:
        """The other link does it, so not even this needs the manager."""
        run = start("never")
        before = run.everything()
        os.kill(run.links()[link].pid, signal.SIGKILL)
        assert_gone(run, before)

    def test_after_the_agent_has_ended_by_itself_and_left_children(self, start: Callable[[str], Run]) -> None:
        run = start("by itself")
        before = run.everything()
        assert run.manager.stdin is not None
        run.manager.stdin.close()
        assert run.manager.wait(GONE_WITHIN_S) == 7
        assert_gone(run, before)

    @pytest.mark.parametrize("how_it_ends", ["by itself", "saving", "never"])
    def test_after_the_leash_has_been_told(self, start: Callable[[str], Run], how_it_ends: str) -> None:
        run = start(how_it_ends)
        before = run.everything()
        assert leash_control.kill(run.links()[0])
        assert_gone(run, before)

    def test_after_a_stopped_leash_has_been_told(self, start: Callable[[str], Run]) -> None:
        run = start("saving")
        before, links = run.everything(), run.links()
        for link in links:
            os.kill(link.pid, signal.SIGSTOP)
        assert leash_control.kill(links[0])
        assert_gone(run, before)

    def test_by_the_next_manager_when_manager_and_leash_were_killed_at_once(
        self, start: Callable[[str], Run]
    ) -> None:
        """Nobody is left to cut the tree down; the agent itself dies with the lower link all the same.

        What has thrown away the marker and lost its parents as well is beyond finding.
        """
        run = start("any way")
        before, (upper, lower) = run.everything(), run.links()
        marked_ones = {run.identity(name) for name in ("forker", "stubborn", "daemon")}
        unmarked, agent = run.identity("unmarked"), run.identity("agent")
        for link in (upper, lower):
            os.kill(link.pid, signal.SIGSTOP)  # or it would be quicker than the next lines
        for pid in (run.manager.pid, upper.pid, lower.pid):
            os.kill(pid, signal.SIGKILL)
        run.manager.wait()
        wait_until(lambda: not is_alive(agent), GONE_WITHIN_S, "the agent died with its leash")
        os.kill(unmarked.pid, signal.SIGKILL)
        reaped = leftovers.reap_leftovers([upper], [run.session_id])
        assert reaped.left == ()
        assert marked_ones <= set(reaped.gone)
        assert_gone(run, before)


def test_the_agent_may_save_what_it_has_when_the_leash_is_told(start: Callable[[str], Run]) -> None:
    run = start("saving")
    leash_control.kill(run.links()[0])
    wait_until(
        (run.directory / "saved").exists, GONE_WITHIN_S, "the agent got its SIGTERM and time to act on it"
    )


async def test_waiting_for_the_leash_means_waiting_for_everything(start: Callable[[str], Run]) -> None:
    run = start("never")
    before, (upper, _) = run.everything(), run.links()
    assert not await leash_control.wait_gone(upper, timeout_s=0.05)
    leash_control.kill(upper)
    assert await leash_control.wait_gone(upper, GONE_WITHIN_S)
    assert not {process for process in before if is_alive(process)}


def executable(path: Path, code: str) -> Path:
    """A Python program with the execute bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n''':'\nexec '{sys.executable}' -I -S \"$0\" \"$@\"\n'''\n{code}")
    path.chmod(0o755)
    return path


def marked(session_id: SessionId) -> set[ProcessIdentity]:
    """Everything alive that carries the session's marker."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get(SESSION_MARKER) == session_id:
                found.add(identity_of(process.pid))
        except psutil.Error:
            continue
    return {identity for identity in found if identity}


def assert_gone(run: Run, before: set[ProcessIdentity]) -> None:
    """Everything that ran before, and everything that it has started since."""

    def gone() -> bool:
        return not any(map(is_alive, before)) and not marked(run.session_id)

    wait_until(gone, GONE_WITHIN_S, "everything is gone")


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)


def _identity(pid: int) -> ProcessIdentity:
    identity = identity_of(pid)
    assert identity is not None, pid
    return identity
