"""The leash on a fake agent that does everything to get away: whatever dies, all of it is gone within two seconds.

Managers, leashes and agents are real processes that are really killed; `test_leash_real_cli.py` does the same to the
real CLI. Processes are followed by their identity and by the session's marker in their environment.
"""

from __future__ import annotations

import os
import pty
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
from lifecycle.errors import AgentFailed
from lifecycle.processes import ProcessIdentity, identity_of, is_alive, this_process
from states.vocabulary import SessionId

GONE_WITHIN_S = 2.0
LEASH = Path(leash_control.__file__).with_name("leash.py")

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

for child in (plain, stopped, in_session, daemon, stubborn, unmarked, forker, comet):
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

NOTED = frozenset({"plain", "stopped", "in_session", "daemon", "stubborn", "unmarked", "forker", "comet", "agent"})

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
        pid = int((self.directory / name).read_text())
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
        identities |= {self.identity(name) for name in NOTED - {"comet"}}
        return {identity for identity in identities if identity}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    """Starts a run; after the test nothing of it is left, even if the leash failed."""
    session_id = SessionId(str(uuid.uuid4()))
    runs: list[Run] = []

    def start(how_it_ends: str) -> Run:
        directory = tmp_path / "pids"
        directory.mkdir()
        agent = executable(tmp_path / "agent dir" / "it's \"fake\"\n agent", FAKE_AGENT)
        arguments = [str(tmp_path / "state dir"), str(agent), str(directory), how_it_ends, session_id]
        manager = subprocess.Popen([sys.executable, "-c", MANAGER, *arguments], stdin=subprocess.PIPE)
        runs.append(Run(manager, session_id, directory))
        wait_until(lambda: NOTED <= set(os.listdir(directory)), 10, "the fake agent has started everything")
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
    def test_after_one_link_of_the_leash_has_been_killed(self, start: Callable[[str], Run], link: int) -> None:
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
        """Nobody is left to cut the tree down, except for the agent itself, which dies with the lower link."""
        run = start("never")
        before, (upper, lower) = run.everything(), run.links()
        unmarked, agent = run.identity("unmarked"), run.identity("agent")
        for pid in (run.manager.pid, upper.pid, lower.pid):
            os.kill(pid, signal.SIGKILL)
        run.manager.wait()
        wait_until(lambda: not is_alive(agent), GONE_WITHIN_S, "the agent died with its leash")
        reaped = leftovers.reap_leftovers([upper], [run.session_id])
        assert reaped.left == ()
        assert {process for process in reaped.gone if process in before}
        os.kill(unmarked.pid, signal.SIGKILL)  # threw the marker away and lost its parents: the one that gets through
        assert_gone(run, before)


def test_the_agent_may_save_what_it_has_when_the_leash_is_told(start: Callable[[str], Run]) -> None:
    run = start("saving")
    leash_control.kill(run.links()[0])
    wait_until((run.directory / "saved").exists, GONE_WITHIN_S, "the agent got its SIGTERM and time to act on it")


async def test_waiting_for_the_leash_means_waiting_for_everything(start: Callable[[str], Run]) -> None:
    run = start("never")
    before, (upper, _) = run.everything(), run.links()
    assert not await leash_control.wait_gone(upper, timeout_s=0.05)
    leash_control.kill(upper)
    assert await leash_control.wait_gone(upper, GONE_WITHIN_S)
    assert not {process for process in before if is_alive(process)}


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
        assert subprocess.run(leash_control.leashed(["sh", "-c", script]), timeout=10).returncode == status

    def test_its_input_output_arguments_environment_and_directory_pass(self, tmp_path: Path) -> None:
        script = 'pwd; echo "$GIVEN"; printf "<%s>" "$@"; cat; echo to stderr >&2'
        result = subprocess.run(
            leash_control.leashed(["sh", "-c", script, "sh", "", "two words", "--", "*", "it's\n"]),
            input=b"from stdin",
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "GIVEN": "a value"},
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
            leash_control.leashed(["sh", "-c", "(yes; echo $? >&2) | head -1"]), capture_output=True, timeout=10
        )
        assert result.stderr == f"{128 + signal.SIGPIPE}\n".encode()

    @pytest.mark.parametrize(("command", "status"), [("/not/there", 127), ("/etc/passwd", 126)])
    def test_a_command_that_cannot_run_says_so_like_a_shell(self, command: str, status: int) -> None:
        result = subprocess.run(leash_control.leashed([command]), capture_output=True, timeout=10)
        assert result.returncode == status
        assert command.encode() in result.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_leash_that_was_told_says_by_what(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(leash_control.leashed(["sh", "-c", "echo ready; sleep 20"]), stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        assert run.wait(GONE_WITHIN_S) == status


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
        result = subprocess.run(["sh", "-c", '"$0"; echo $?', wrapper], capture_output=True, timeout=10)
        assert result.stdout == b"69\n"

    def test_for_another_process_with_the_managers_pid(self) -> None:
        command = leash_control.leashed(["echo", "started"])
        place = command.index("--manager-start") + 1
        command[place] = str(int(command[place]) - 1)
        result = subprocess.run(command, capture_output=True, timeout=10)
        assert (result.returncode, result.stdout) == (69, b"")


def test_ctrl_c_in_the_managers_terminal_does_not_reach_the_agent(tmp_path: Path) -> None:
    manager, terminal = pty.fork()
    if manager == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupted = tmp_path / "interrupted"
        script = f"trap 'touch {interrupted}' INT; touch {tmp_path}/ready; while :; do sleep 0.02; done"
        subprocess.run(leash_control.leashed([sys.executable, "-c", SH_WITH_SIGINT, script]))
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
        before = {_identity(process.pid) for process in psutil.Process(manager.pid).children(recursive=True)}
        before.add(_identity(int((tmp_path / "child").read_text())))
        manager.kill()
        manager.wait()
        wait_until(lambda: not any(map(is_alive, before)), GONE_WITHIN_S, "everything is gone")


class TestWrapper:
    def test_is_the_owners_alone_and_replaces_the_last_managers(self, tmp_path: Path) -> None:
        agent = executable(tmp_path / "agent", "print('started')")
        first = leash_control.write_wrapper(tmp_path / "new" / "state", agent)
        first.write_text("something else")
        wrapper = leash_control.write_wrapper(tmp_path / "new" / "state", agent)
        assert wrapper == first
        assert wrapper.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in wrapper.parent.iterdir()] == [wrapper.name]
        assert subprocess.run([wrapper], capture_output=True, timeout=10).stdout == b"started\n"

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
        dead = ProcessIdentity(pid=2**22 - 7, start=1, boot_id=this_process().boot_id, host=this_process().host)
        assert leftovers.reap_leftovers([dead], [SessionId(str(uuid.uuid4()))]) == leftovers.Reaped()
        assert leftovers.reap_leftovers([], []) == leftovers.Reaped()

    def test_ends_a_leash_by_its_identity(self) -> None:
        with leashed_shell(SessionId(str(uuid.uuid4()))) as leash:
            identity = _identity(leash.pid)
            assert leftovers.reap_leftovers([identity], []) == leftovers.Reaped(gone=(identity,))

    def test_ends_marked_processes_and_their_unmarked_descendants_and_nobody_else(self, tmp_path: Path) -> None:
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
            ["sh", "-c", 'sh -c \'"$@"; echo "still there"\' sh "$@"', "sh", sys.executable, "-c", code, session_id],
            env={**os.environ, SESSION_MARKER: session_id},
            capture_output=True,
            text=True,
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
