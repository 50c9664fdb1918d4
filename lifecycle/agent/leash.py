"""The leash: runs one command so that nothing of it outlives its manager, or itself. A stand-alone script.

    leash.py --manager-pid PID --manager-start TICKS -- COMMAND [ARGUMENT...]

The command gets the leash's stdin, stdout, stderr, environment and directory, and a session of its own, so
that Ctrl-C in the manager's terminal does not reach it. The leash ends when the command ends, with the same
status, a death by signal included. Before it ends, it has killed everything that the command ever started:
background jobs, setsid children, daemons that forked twice.

It cuts the tree down at once when the manager dies, by whatever means, and when the command has ended. A SIGTERM,
SIGINT or SIGHUP is first passed on to the command, which has `GRACE_S` to save what it has; a second signal ends the
grace. The status is then the command's own exit status, or 128 + signal.

How, on Linux:

- The leash is two links, parent and child, that do the same. Each is a *subreaper*: every orphan below it becomes
  its child, so that `wait` saying "no children" proves that the tree is gone. When one link is killed, even by
  SIGKILL, the other one cuts the tree down. The command itself dies with the lower link, by PR_SET_PDEATHSIG.
- Deaths are seen through pidfds: at once, and never those of another process that got the same pid.

Elsewhere (macOS) there are neither subreapers nor pidfds: parents are polled every `POLL_S`, and what had left the
tree before the cut is not found here; the manager finds that later, by its environment marker.

No leash holds work that was handed to another service (cron, systemd, docker) or that runs as another user.
Knows nothing of what the command is. Imports little: every session pays for it once.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # as in typing, whose import alone would double the start-up time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

GRACE_S = 0.2  # for the command to end by itself after a stop signal
JOIN_S = 0.3  # on top of it, until the upper link cuts as well
SWEEP_S = 10.0  # killing is retried so long; what is left then cannot be killed, and is named
PAUSE_MIN_S, PAUSE_MAX_S = 0.001, 0.05  # between two sweeps, doubling; a death below ends the pause
POLL_S = 0.02  # between two looks at the parent where there are no pidfds
HEARTBEAT_S = 1.0  # and where there are: a second opinion

EXIT_NO_MANAGER = 69  # the named manager is gone, or that pid is another process by now
EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND = 126, 127  # as a shell says it

LINUX = sys.platform == "linux"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
STAT_PARENT, STAT_GROUP, STAT_START = 1, 2, 19  # fields 4, 5, 22 of proc(5), counted from behind the name


def main() -> NoReturn:
    """Does what the command line says; see the module."""
    cut = sys.argv.index("--")
    options = dict(zip(sys.argv[1:cut:2], sys.argv[2:cut:2], strict=True))
    manager, manager_start = int(options["--manager-pid"]), int(options["--manager-start"])

    manager_fd = open_pidfd(manager)
    # Looked at after the pidfd is open: it can mean no other process from here on.
    if os.getppid() != manager or (LINUX and start_ticks(manager) != manager_start):
        say(f"the manager (pid {manager}) is gone; nothing was started")
        os._exit(EXIT_NO_MANAGER)

    take_charge()
    upper = os.getpid()
    upper_fd = open_pidfd(upper)
    lower = os.fork()
    if lower == 0:
        take_charge()
        command = start(sys.argv[cut + 1 :])
        end_like(*hold(command, upper, [manager_fd, upper_fd], GRACE_S))
    end_like(*hold(lower, manager, [manager_fd], GRACE_S + JOIN_S))


def hold(child: int, parent: int, pidfds: list[int | None], grace_s: float) -> tuple[int | None, int]:
    """Waits until the child ends, the parent or a process behind a pidfd dies, or a stop is due; then cuts.

    Returns:
        The child's wait status, None when it had to be cut, and the stop signal, 0 when none came.
    """
    release_stdio()
    received, wake_fd = catch_signals()
    deaths = [fd for fd in pidfds if fd is not None]
    interval_s = HEARTBEAT_S if len(deaths) == len(pidfds) else POLL_S
    poller = select.poll()
    for fd in (wake_fd, *deaths):
        poller.register(fd, select.POLLIN)

    stopping, deadline = 0, float("inf")
    while (status := reap(child)[0]) is None:
        if received and not stopping:
            stopping, deadline = received[0], time.monotonic() + grace_s
            os.kill(child, stopping)
            os.kill(child, signal.SIGCONT)
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0 or len(received) > 1 or os.getppid() != parent:
            break
        ready = poller.poll(1000 * min(interval_s, remaining_s) + 1)
        if any(fd in deaths for fd, _ in ready):
            break
        drain(wake_fd)
    if status is None and LINUX:
        os.kill(child, signal.SIGKILL)  # before any search: no further request goes out
    cut_down(wake_fd)
    return status, stopping


def cut_down(wake_fd: int) -> None:
    """Kills every descendant, again until there is none, since they may be forking meanwhile."""
    deadline, pause_s = time.monotonic() + SWEEP_S, PAUSE_MIN_S
    listed: set[int] = set()
    found: set[int] = set()
    while True:
        listed, before, found = *sweep(listed), found
        if not reap(0)[1] and (LINUX or not found):
            return
        if time.monotonic() > deadline:
            say(f"cannot kill {sorted(found)}: another user's, or stuck in the kernel")
            return
        if found <= before:  # nobody new: only the kernel has still work to do
            select.select([wake_fd], [], [], pause_s)
            drain(wake_fd)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)


def sweep(listed: set[int]) -> tuple[set[int], set[int]]:
    """Sends SIGKILL to every descendant there is to see, each as soon as it is seen.

    Args:
        listed: the pids that the last sweep went through. Those that are not among them come first and the newest first
            of all: a process that forks and exits, over and over, has to be met before its next step.

    Returns:
        The pids gone through, and the descendants among them.
    """
    below: set[int] = {os.getpid()}
    groups: set[int] = {os.getpgrp()}
    others: dict[int, tuple[int, int]] = {}
    for pid, parent, group in process_table(listed):
        if parent in below:
            below.add(pid)
            kill(pid, group, groups)
        else:
            others[pid] = (parent, group)
    listed = below | others.keys()
    # A child may have come before its parent.
    while late := [pid for pid, (parent, _) in others.items() if parent in below]:
        for pid in late:
            below.add(pid)
            kill(pid, others.pop(pid)[1], groups)
    return listed, below - {os.getpid()}


def kill(pid: int, group: int, done: set[int]) -> None:
    """Kills one process, and its whole group when that is not in `done` yet.

    A group is killed by the kernel in one step that no fork can slip through, so a loop that forks faster than it
    can be listed is caught as well. Every group below is ours alone: groups never leave their session, and each link
    and the command have begun one.
    """
    if group not in done:
        done.add(group)
        send(-group, signal.SIGKILL)
    send(pid, signal.SIGKILL)


def send(target: int, number: int) -> None:
    """Signals a process, or a group by its negated id, if it is still there and ours."""
    try:
        os.kill(target, number)
    except (ProcessLookupError, PermissionError):
        pass  # `cut_down` looks again, and says in the end what it could not kill


def reap(child: int) -> tuple[int | None, bool]:
    """Buries the dead among our children; returns the wait status of `child` if dead, and whether any live on."""
    status = None
    while True:
        try:
            pid, died_of = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, False
        if pid == 0:
            return status, True
        if pid == child:
            status = died_of


def process_table(listed: set[int]) -> Iterator[tuple[int, int, int]]:
    """(pid, parent, group) of every process, read while it is iterated.

    First those that are not in `listed`, descending; then the others, ascending, which is parents before children.
    """
    if not LINUX:
        yield from table_by_ps()
        return
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    fresh = pids - listed if listed else set()
    for pid in (*sorted(fresh, reverse=True), *sorted(pids - fresh)):
        if fields := stat_fields(pid):
            yield pid, int(fields[STAT_PARENT]), int(fields[STAT_GROUP])


def table_by_ps() -> list[tuple[int, int, int]]:
    """The same from ps(1), less ps itself; complete before the first kill, so that no descent is lost."""
    import subprocess  # 15 ms that Linux need not pay

    with subprocess.Popen(["/bin/ps", "-axo", "pid=,ppid=,pgid="], stdout=subprocess.PIPE) as ps:
        rows = [tuple(map(int, line.split())) for line in ps.stdout or ()]
    return sorted((pid, parent, group) for pid, parent, group in rows if pid != ps.pid)


def stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the command's name, which may hold anything; empty when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return []
    try:
        stat = os.read(fd, 4096)
    except OSError:
        return []
    finally:
        os.close(fd)
    return stat[stat.rindex(b")") + 2 :].split()


def start_ticks(pid: int) -> int:
    """When it started, in clock ticks since boot; 0 when it is gone."""
    fields = stat_fields(pid)
    return int(fields[STAT_START]) if fields else 0


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process dies; None where there is no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # the parent is polled then


def take_charge() -> None:
    """Begins a session and becomes the parent of every orphan below."""
    if LINUX:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        os.setsid()
    except PermissionError:
        pass  # the spawner has made it a leader already


def start(command: list[str]) -> int:
    """Starts the command in a session of its own; it dies with its parent. Returns its pid."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if LINUX:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # died before the line above
                os._exit(128 + signal.SIGKILL)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and an exec keeps what is ignored
            signal.signal(ignored, signal.SIG_DFL)
        os.execvp(command[0], command)
    except FileNotFoundError:
        say(f"{command[0]}: not found")
        os._exit(EXIT_NOT_FOUND)
    except OSError as error:
        say(f"{command[0]}: {error.strerror}")
    finally:
        os._exit(EXIT_NOT_EXECUTABLE)


def prctl(option: int, value: int) -> None:
    """Sets an attribute of this process; Linux only."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")


def catch_signals() -> tuple[list[int], int]:
    """Returns the list that stop signals are put into, and a descriptor that every signal makes readable."""
    received: list[int] = []
    wake_fd, write_fd = os.pipe()
    os.set_blocking(wake_fd, False)
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _frame: received.append(number))
    return received, wake_fd


def drain(wake_fd: int) -> None:
    """Empties the descriptor."""
    try:
        os.read(wake_fd, 4096)
    except BlockingIOError:
        pass


def release_stdio() -> None:
    """Lets go of the command's stdin and stdout, so that their other ends see its end as if unleashed."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def end_like(status: int | None, stopping: int) -> NoReturn:
    """Ends as the child did: same exit status, or death by the same signal."""
    if status is not None and os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    if stopping or status is None:
        os._exit(128 + (stopping or signal.SIGKILL))
    die_by(os.WTERMSIG(status))


def die_by(number: int) -> NoReturn:
    """Dies by the signal, without a second core dump."""
    import resource  # rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def say(problem: str) -> None:
    """One line on stderr, if anybody still listens."""
    try:
        os.write(2, f"leash: {problem}\n".encode(errors="surrogateescape"))
    except OSError:
        pass


if __name__ == "__main__":
    main()
