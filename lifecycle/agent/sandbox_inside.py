"""The process within the sandbox's walls that runs commands there. A stand-alone script.

    sandbox_inside.py LISTENING_FD CONTROL_FD PROXY_PORT WATCHED
    sandbox_inside.py WATCHED COMMAND [ARGUMENT...]

It is the first process within the walls, so that no other can stop it, and is started with a listening socket that was
made outside, so nothing within can take its place. Each connection is one command: its descriptors, arguments,
environment and directory come in, its wait status goes out. When a connection ends before its command does, the
command's process group is killed. What a command leaves in the background stays, until the walls fall.

The kernel takes a mount away when, outside, another file is renamed into its place, and a symbolic link cannot be
mounted on at all. So `WATCHED` (see `Confinement.watched`) is looked at before and after each command, whenever the
kernel says that a mount went, and every `LOOK_S` otherwise: when something is not as it was, everything within is killed
at once, whoever waits is told why, and so is the manager, through CONTROL_FD. In the second form there is one command
and no manager to tell.

First of all it opens 127.0.0.1:PROXY_PORT on the loopback of this world and hands that socket out through CONTROL_FD:
whoever accepts on it outside is the only way to the network. Knows nothing of what commands and hosts are allowed.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import signal
import socket
import stat
import struct
import sys

TYPE_CHECKING = False  # as in typing, whose import alone would double the start-up time
if TYPE_CHECKING:
    from typing import Any, NoReturn

REQUEST_MAX_BYTES = 64 << 20
REQUEST_TIMEOUT_S = 10.0
LOOK_S = 0.25
PR_SET_DUMPABLE = 4
HEAD = struct.Struct("!Q")
STATUS = struct.Struct("!i")
FALLEN = -1
"""In place of a wait status: the walls fell, and the words behind it say why."""
NOT_WHOLE = 125


def main() -> NoReturn:
    """Serves commands until it is killed with everything within the walls; or runs one."""
    withdraw()
    if not sys.argv[1].isdigit():
        alone(Watch(json.loads(sys.argv[1])), sys.argv[2:])
    listening = socket.socket(fileno=int(sys.argv[1]))
    control = socket.socket(fileno=int(sys.argv[2]))
    watch = Watch(json.loads(sys.argv[4]))
    wake_fd = catch_deaths()
    with socket.create_server(("127.0.0.1", int(sys.argv[3]))) as proxy:
        socket.send_fds(control, [b"ready"], [proxy.fileno()])
    serve(listening, control, watch, wake_fd)


def withdraw() -> None:
    """Keeps commands, which are the same user, from tracing this process; they can neither stop nor kill it anyway."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or os.getpid() != 1:
        os.write(2, b"the process within the walls cannot be protected from its commands\n")
        os._exit(NOT_WHOLE)


def serve(listening: socket.socket, control: socket.socket, watch: Watch, wake_fd: int) -> NoReturn:
    """Runs what it is asked to run, as long as the walls are whole."""
    poller = select.poll()
    poller.register(listening, select.POLLIN)
    poller.register(wake_fd, select.POLLIN)
    poller.register(watch.fileno(), select.POLLPRI)
    ours = (listening.fileno(), control.fileno(), watch.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        events = poller.poll(LOOK_S * 1000)
        if problem := watch.problem():
            fall(problem, running, control)
        for fd, _ in events:
            if fd == listening.fileno():
                connection = listening.accept()[0]
                if pid := begin(connection, ours):
                    running[pid] = connection
                    poller.register(connection, select.POLLIN)
            elif fd == wake_fd:
                os.read(wake_fd, 4096)
                for pid, status in the_dead():
                    if pid in running:
                        poller.unregister(running[pid])
                        tell(running.pop(pid), status)
            elif fd != watch.fileno():
                heed(fd, running)


class Watch:
    """Whether the walls are whole.

    A mount is known by what lies there and by being read-only: with the mount, at least one of them goes.
    """

    def __init__(self, watched: dict[str, Any]) -> None:
        self._mounts: dict[str, Any] = {place: look(place) for place in watched["mounts"]}
        self._links: dict[str, str] = watched["links"]
        self._absent: list[str] = watched["absent"]
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._missing = set(self._mounts) - mount_points(self._fd)

    def fileno(self) -> int:
        """The descriptor by which the kernel says that a mount came or went."""
        return self._fd

    def problem(self) -> str:
        """What is not as it was; empty when all is. Takes microseconds."""
        for place, was in self._mounts.items():
            if place in self._missing or look(place) != was:
                return f"{place} was replaced from outside, and nothing protected it any more"
        for place, target in self._links.items():
            if look(place) != target:
                return f"{place} was changed, which is a link that nobody may change; it is put back"
        for place in self._absent:
            if os.path.lexists(place):
                return f"{place} was made, which may not be there; it is taken away"
        return ""


def look(place: str) -> Any:
    """What tells a place with a mount on it from the same without; a link's target; None where nothing is."""
    try:
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(place)
        return status.st_dev, status.st_ino, os.statvfs(place).f_flag & os.ST_RDONLY
    except OSError:
        return None


def mount_points(fd: int) -> set[str]:
    """Where anything is mounted."""
    content = bytearray()
    while piece := os.read(fd, 1 << 16):
        content += piece
    fields = (line.split(b" ", 5)[4] for line in content.splitlines())
    return {os.fsdecode(re.sub(rb"\\(\d{3})", lambda match: bytes([int(match[1], 8)]), each)) for each in fields}


def fall(problem: str, running: dict[int, socket.socket], control: socket.socket) -> NoReturn:
    """Kills everything within, tells why, and ends, and the walls with it."""
    kill_all()
    words = problem.encode(errors="surrogateescape")
    for connection in running.values():
        try:
            connection.sendall(STATUS.pack(FALLEN) + words)
        except OSError:
            pass
    control.sendall(words)
    os._exit(NOT_WHOLE)


def kill_all() -> None:
    """Kills everything within but this process."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nothing ran


def alone(watch: Watch, command: list[str]) -> NoReturn:
    """Runs one command, and ends as it ends, or before it when the walls are not whole."""
    wake_fd = catch_deaths()
    poller = select.poll()
    poller.register(wake_fd, select.POLLIN)
    poller.register(watch.fileno(), select.POLLPRI)
    pid = 0
    while True:
        if problem := watch.problem():
            kill_all()
            os.write(2, f"the sandbox: {problem}\n".encode(errors="surrogateescape"))
            os._exit(NOT_WHOLE)
        if pid == 0 and (pid := os.fork()) == 0:
            become({"argv": command, "cwd": os.getcwd(), "env": dict(os.environ)}, [0, 1, 2], (watch.fileno(),))
        for fd, _ in poller.poll(LOOK_S * 1000):
            if fd == wake_fd:
                os.read(wake_fd, 4096)
        for dead, status in the_dead():
            if dead == pid:
                os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def begin(connection: socket.socket, ours: tuple[int, ...]) -> int:
    """Starts the command that the connection asks for; returns its pid, or 0 when it asked for none."""
    connection.settimeout(REQUEST_TIMEOUT_S)
    try:
        request, descriptors = received(connection)
    except (OSError, ValueError):
        connection.close()
        return 0
    connection.settimeout(None)
    pid = os.fork()
    if pid == 0:
        become(request, descriptors, (connection.fileno(), *ours))
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def become(request: Any, descriptors: list[int], ours: tuple[int, ...]) -> NoReturn:
    """Becomes the command. Whatever is wrong with it, it says so in its own stderr."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
        for open_fd in (*descriptors, *ours):
            if open_fd > 2:
                os.close(open_fd)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and an exec keeps what is ignored
            signal.signal(ignored, signal.SIG_DFL)
        os.chdir(request["cwd"])
        os.execve(request["argv"][0], request["argv"], request["env"])
    except OSError as error:
        os.write(2, f"sandbox: {error}\n".encode(errors="surrogateescape"))
    finally:
        os._exit(126)


def received(connection: socket.socket) -> tuple[Any, list[int]]:
    """One request: its length with three descriptors, then that many bytes of JSON.

    Raises:
        OSError, ValueError: it is none, or ended too early.
    """
    head, descriptors, _, _ = socket.recv_fds(connection, HEAD.size, 3)
    length = HEAD.unpack(head)[0] if len(head) == HEAD.size else 0
    if not 0 < length <= REQUEST_MAX_BYTES or len(descriptors) != 3:
        raise OSError("the request cannot be understood")
    pieces = bytearray()
    while len(pieces) < length:
        piece = connection.recv(min(1 << 20, length - len(pieces)))
        if not piece:
            raise OSError("the request ended too early")
        pieces += piece
    return json.loads(pieces.decode(errors="surrogateescape")), descriptors


def heed(fd: int, running: dict[int, socket.socket]) -> None:
    """A connection says something: bytes are signals for its command; its end is the end of the command's."""
    for pid, connection in running.items():
        if connection.fileno() == fd:
            try:
                numbers = connection.recv(64) or [signal.SIGKILL]
            except ConnectionError:
                numbers = [signal.SIGKILL]
            for number in numbers:
                for kill in (os.killpg, os.kill):
                    try:
                        kill(pid, number)
                    except (ProcessLookupError, PermissionError):
                        pass  # it has no group yet, or is dead and will be buried
            return


def tell(connection: socket.socket, status: int) -> None:
    """Answers with the wait status, if anybody still listens."""
    try:
        connection.sendall(STATUS.pack(status))
    except OSError:
        pass
    connection.close()


def the_dead() -> list[tuple[int, int]]:
    """(pid, wait status) of every child that ended, and of every orphan of theirs."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, status))


def catch_deaths() -> int:
    """Returns a descriptor that becomes readable when a child ends."""
    wake_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return wake_fd


if __name__ == "__main__":
    main()
