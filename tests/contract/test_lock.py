"""One manager a project, whatever two of them try, and whoever asks learns who it is."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.errors import JournalUnavailable, ProjectBusy, ProjectInvalid
from lifecycle.journal import kernel_locks
from lifecycle.journal.lock import Owner, acquire, owner
from lifecycle.processes import identity_of, this_process

HOLDER = """
import sys
from pathlib import Path
from lifecycle.journal.lock import acquire
lock = acquire(Path(sys.argv[1]), Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.readline()
"""

Hold = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "project-1"


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Another process that has the project, until its input ends."""
    started: list[subprocess.Popen[str]] = []

    def start(state: Path, project: Path, code: str = HOLDER) -> subprocess.Popen[str]:
        holder = subprocess.Popen(
            [sys.executable, "-c", code, str(state), str(project)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        return holder

    yield start
    for holder in started:
        holder.kill()
        holder.communicate()


def soon(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


# --- taking and letting go -----------------------------------------------------------------------------------


def test_the_owner_is_told_to_whoever_asks(state: Path, project: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with acquire(state, project) as lock:
        found = owner(state)
        assert found == lock.owner
        assert found is not None
        assert found.process == this_process()
        assert (found.pid, found.host) == (os.getpid(), os.uname().nodename)
        assert found.since is not None
        assert before <= datetime.fromisoformat(found.since) <= datetime.now(UTC)
    assert owner(state) is None


def test_release_lets_go_and_may_be_repeated(state: Path, project: Path) -> None:
    lock = acquire(state, project)
    lock.release()
    lock.release()
    acquire(state, project).release()


def test_the_state_directory_is_made_for_this_user_only(state: Path, project: Path) -> None:
    with acquire(state, project):
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert stat.S_IMODE((state / "owner.lock").stat().st_mode) == 0o600


def test_a_state_directory_that_was_open_is_closed_to_others(state: Path, project: Path) -> None:
    state.mkdir(parents=True, mode=0o755)
    with acquire(state, project):
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_nothing_is_inherited_by_programs_that_are_started(state: Path, project: Path) -> None:
    with acquire(state, project) as lock:
        assert lock._files
        assert not any(map(os.get_inheritable, lock._files))


# --- refusals ------------------------------------------------------------------------------------------------


def test_a_second_manager_is_refused_and_told_who_has_it(state: Path, project: Path, hold: Hold) -> None:
    holder = hold(state, project)
    with pytest.raises(ProjectBusy) as caught:
        acquire(state, project)
    busy = caught.value
    assert (busy.pid, busy.host) == (holder.pid, os.uname().nodename)
    assert busy.since is not None
    assert datetime.fromisoformat(busy.since).tzinfo is not None
    for words in (str(holder.pid), os.uname().nodename, busy.since):
        assert words in str(busy)


def test_another_state_directory_does_not_help(state: Path, project: Path, tmp_path: Path, hold: Hold) -> None:
    """The kernel's list of locks tells who has the project, and its start stands for `since`."""
    holder = hold(state, project)
    other = tmp_path / "other"
    with pytest.raises(ProjectBusy) as caught:
        acquire(other, project)
    assert (caught.value.pid, caught.value.host) == (holder.pid, os.uname().nodename)
    assert caught.value.since is not None
    age_s = datetime.now(UTC).timestamp() - datetime.fromisoformat(caught.value.since).timestamp()
    assert -2 < age_s < 60
    assert not other.exists(), "whoever is refused has made nothing"


def test_another_name_of_the_project_does_not_help(state: Path, project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    with acquire(state, project), pytest.raises(ProjectBusy):
        acquire(tmp_path / "other", tmp_path / "link")


def test_two_managers_in_one_process_exclude_each_other(state: Path, project: Path, tmp_path: Path) -> None:
    with acquire(state, project):
        for directory in (state, tmp_path / "other"):
            with pytest.raises(ProjectBusy) as caught:
                acquire(directory, project)
            assert caught.value.pid == os.getpid()
        assert owner(state) is not None, "being refused takes nothing from the one that has it"
    acquire(state, project).release()


def test_threads_of_one_process_exclude_each_other(state: Path, project: Path) -> None:
    results: list[str] = []
    line = threading.Barrier(8)
    done = threading.Barrier(8)

    def compete() -> None:
        line.wait(10)
        try:
            lock = acquire(state, project)
        except ProjectBusy:
            results.append("busy")
            done.wait(10)
        else:
            results.append("held")
            done.wait(10)
            lock.release()

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["busy"] * 7 + ["held"]


def test_the_state_directory_alone_excludes_as_well(state: Path, project: Path, tmp_path: Path) -> None:
    """Where the project's file system has no locks, this one is left."""
    (tmp_path / "elsewhere").mkdir()
    with acquire(state, project), pytest.raises(ProjectBusy) as caught:
        acquire(state, tmp_path / "elsewhere")
    assert caught.value.pid == os.getpid()
    acquire(state, project).release()


RACER = """
import sys, time
from pathlib import Path
from lifecycle.errors import ProjectBusy
from lifecycle.journal.lock import acquire
state, project = map(Path, sys.argv[1:])
print("held", flush=True)
for line in sys.stdin:
    moment = float(line)
    while time.monotonic() < moment:
        pass
    try:
        lock = acquire(state, project)
    except ProjectBusy as busy:
        print("busy", busy.pid, flush=True)
        sys.stdin.readline()
    else:
        print("won", flush=True)
        sys.stdin.readline()
        lock.release()
    print("ready", flush=True)
"""


def ask(racer: subprocess.Popen[str], line: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(line + "\n")
    racer.stdin.flush()


def answer(racer: subprocess.Popen[str]) -> list[str]:
    assert racer.stdout is not None
    return racer.stdout.readline().split()


@pytest.mark.parametrize("where", ["one state directory", "two state directories"])
def test_of_two_that_start_at_once_exactly_one_wins(
    where: str, state: Path, project: Path, tmp_path: Path, hold: Hold
) -> None:
    """Fifty times of fifty; the other one is told the winner's pid, not its own and not the last winner's."""
    racers = [hold(state, project, RACER), hold(state if where[:3] == "one" else tmp_path / "b", project, RACER)]
    winners = set()
    for _ in range(50):
        moment = time.monotonic() + 0.005
        for racer in racers:
            ask(racer, repr(moment))
        answers = [answer(racer) for racer in racers]
        assert sorted(words[0] for words in answers) == ["busy", "won"]
        winner = next(racer for racer, words in zip(racers, answers, strict=True) if words == ["won"])
        assert ["busy", str(winner.pid)] in answers
        winners.add(winner.pid)
        for racer in racers:
            ask(racer, "release")
        assert [answer(racer) for racer in racers] == [["ready"], ["ready"]]


# --- the end of an owner -------------------------------------------------------------------------------------


def test_a_killed_owner_frees_the_project_at_once(state: Path, project: Path, hold: Hold) -> None:
    for _ in range(3):
        holder = hold(state, project)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert owner(state) is None
        acquire(state, project).release()


def test_a_stopped_owner_still_has_the_project(state: Path, project: Path, hold: Hold) -> None:
    holder = hold(state, project)
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(ProjectBusy) as caught:
        acquire(state, project)
    assert caught.value.pid == holder.pid


FORKER = """
import os, signal, sys, time
from pathlib import Path
from lifecycle.journal.lock import acquire
lock = acquire(Path(sys.argv[1]), Path(sys.argv[2]))
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print("held", flush=True)
sys.stdin.readline()
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_forked_child_does_not_keep_the_project(state: Path, project: Path, hold: Hold) -> None:
    """It shares the open files, and with them the locks, as long as it lives."""
    holder = hold(state, project, FORKER)
    ask(holder, "die")
    child = int(answer(holder)[0])
    try:
        holder.wait()
        soon(lambda: owner(state) is None)
        acquire(state, project).release()
        with acquire(state, project) as lock:
            assert owner(state) == lock.owner
        assert identity_of(child) is not None, "the child was to outlive its parent for this test to mean anything"
    finally:
        os.kill(child, signal.SIGKILL)


# --- the lock file -------------------------------------------------------------------------------------------


def test_a_lock_file_that_vanishes_between_opening_and_locking_is_not_taken_for_the_lock(
    state: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would have the project: one by the old file, one by the new."""
    from lifecycle.journal import lock as module

    take, vanished = kernel_locks.try_lock_file, []

    def vanish_first(file: int) -> bool:
        if len(vanished) < 3:
            (state / "owner.lock").unlink()
            vanished.append(os.fstat(file).st_ino)
        return take(file)

    monkeypatch.setattr(module, "try_lock_file", vanish_first)
    with acquire(state, project):
        found = owner(state)
        assert found is not None
        assert found.pid == os.getpid()


@pytest.mark.parametrize("action", ["delete", "replace"])
def test_taking_the_lock_file_away_does_not_let_a_second_manager_in(
    state: Path, project: Path, hold: Hold, action: str
) -> None:
    holder = hold(state, project)
    (state / "owner.lock").unlink()
    if action == "replace":
        (state / "owner.lock").write_text("{}")
    with pytest.raises(ProjectBusy) as caught:
        acquire(state, project)
    assert caught.value.pid == holder.pid


@pytest.mark.parametrize("content", [b"", b"garbage", b"[1]", b"{}", b"\xff\xfe", b'{"pid": "x"}', b"[" * 4000])
def test_what_an_unlocked_file_says_does_not_count(state: Path, project: Path, content: bytes) -> None:
    state.mkdir(parents=True)
    (state / "owner.lock").write_bytes(content)
    assert owner(state) is None
    with acquire(state, project):
        assert owner(state) is not None


@pytest.mark.parametrize("content", [b"", b"garbage", b"[1]", b'{"pid": "x"}'])
def test_a_locked_file_that_says_nothing_has_an_owner_without_a_name(
    state: Path, project: Path, content: bytes
) -> None:
    with acquire(state, project):
        (state / "owner.lock").write_bytes(content)
        assert owner(state) == Owner()


def test_a_file_left_by_a_dead_owner_names_nobody(state: Path, project: Path, hold: Hold) -> None:
    holder = hold(state, project)
    holder.kill()
    holder.wait()
    assert json.loads((state / "owner.lock").read_bytes())["pid"] == holder.pid
    assert owner(state) is None


def test_there_is_no_owner_where_there_is_no_state(state: Path) -> None:
    assert owner(state) is None
    assert not state.exists()


def test_asking_disturbs_nobody(state: Path, project: Path) -> None:
    """While one asks without end another one takes and lets go, and is never refused."""
    state.mkdir(parents=True)
    is_over = threading.Event()

    def pester() -> None:
        while not is_over.is_set():
            owner(state)

    pest = threading.Thread(target=pester)
    pest.start()
    try:
        for _ in range(200):
            acquire(state, project).release()
    finally:
        is_over.set()
        pest.join()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_something_else_in_the_lock_files_place_is_told(
    state: Path, project: Path, make: Callable[[Path], None]
) -> None:
    state.mkdir(parents=True)
    make(state / "owner.lock")
    assert owner(state) is None
    if make is not os.mkfifo:  # a fifo can be locked, and is as good as a file
        with pytest.raises(JournalUnavailable, match=re.escape("owner.lock")):
            acquire(state, project)


# --- directories that will not do ----------------------------------------------------------------------------


def test_a_missing_project_is_told(state: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match="no such directory"):
        acquire(state, tmp_path / "missing")
    assert not state.exists()


def test_a_project_that_is_a_file_is_told(state: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectInvalid, match="cannot be opened as a directory"):
        acquire(state, tmp_path / "file")


def test_a_state_directory_that_cannot_be_made_is_told(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnavailable, match="state directory must be writable"):
        acquire(tmp_path / "file" / "state", project)
    acquire(tmp_path / "state", project).release()


def test_a_read_only_project_can_be_taken(state: Path, project: Path) -> None:
    project.chmod(0o555)
    with acquire(state, project), pytest.raises(ProjectBusy):
        acquire(state, project)


def test_somebody_elses_lock_on_the_project_is_respected(state: Path, project: Path) -> None:
    """Also one that is no manager's, such as flock(1)'s."""
    directory = os.open(project, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    with pytest.raises(ProjectBusy) as caught:
        acquire(state, project)
    assert caught.value.pid == os.getpid()
    os.close(directory)


# --- systems without the kinds of locks we want --------------------------------------------------------------


def test_without_open_file_description_locks_flock_does(
    state: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_locks, "_OFD_SETLK", None)
    monkeypatch.setattr(kernel_locks, "_OFD_GETLK", None)
    assert owner(state) is None
    with acquire(state, project):
        found = owner(state)
        assert found is not None
        assert found.pid == os.getpid()
        (tmp_path / "elsewhere").mkdir()
        with pytest.raises(ProjectBusy):
            acquire(state, tmp_path / "elsewhere")
    assert owner(state) is None


def test_a_file_system_without_locks_on_directories_leaves_the_other_lock(
    state: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(file: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(kernel_locks.fcntl, "flock", unsupported)
    with acquire(state, project), pytest.raises(ProjectBusy):
        acquire(state, project)
