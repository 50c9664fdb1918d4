"""The process within the sandbox's walls that runs commands there. A stand-alone script.

    sandbox_inside.py LISTENING_FD CONTROL_FD PROXY_PORT

It is started within the walls with a listening socket that was made outside, so nothing within can take its place. Each
connection is one command: its descriptors, arguments, environment and directory come in, its wait status goes out.
When a connection ends before its command does, the command's process group is killed. What a command leaves in the
background stays, until the walls fall.

First of all it opens 127.0.0.1:PROXY_PORT on the loopback of this world and hands that socket out through CONTROL_FD:
whoever accepts on it outside is the only way to the network. Knows nothing of what commands and hosts are allowed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False  # as in typing, whose import alone would double the start-up time
if TYPE_CHECKING:
    from typing import Any, NoReturn

REQUEST_MAX_BYTES = 64 << 20
REQUEST_TIMEOUT_S = 10.0
HEAD = struct.Struct("!Q")
STATUS = struct.Struct("!i")


def main() -> NoReturn:
    """Serves commands until it is killed with everything within the walls."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    with socket.socket(fileno=int(sys.argv[2])) as control, socket.create_server(("127.0.0.1", int(sys.argv[3]))) as proxy:
        socket.send_fds(control, [b"ready"], [proxy.fileno()])
    wake_fd = catch_deaths()
    poller = select.poll()
    poller.register(listening, select.POLLIN)
    poller.register(wake_fd, select.POLLIN)
    running: dict[int, socket.socket] = {}
    while True:
        for fd, _ in poller.poll():
            if fd == listening.fileno():
                connection = listening.accept()[0]
                if pid := begin(connection, listening):
                    running[pid] = connection
                    poller.register(connection, select.POLLIN)
            elif fd == wake_fd:
                os.read(wake_fd, 4096)
                for pid, status in the_dead():
                    if pid in running:
                        poller.unregister(running[pid])
                        tell(running.pop(pid), status)
            else:
                heed(fd, running)


def begin(connection: socket.socket, listening: socket.socket) -> int:
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
        become(request, descriptors, (connection.fileno(), listening.fileno()))
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
    """(pid, wait status) of every child that ended; orphans of the commands are the init process's."""
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
