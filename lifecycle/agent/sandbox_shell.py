"""What the CLI takes for its shell while there is a sandbox: runs a real one within the walls. A stand-alone script.

    sandbox_shell.py SOCKET SHELL ADDITIONS [ARGUMENT...]

Its descriptors, directory and environment, with `ADDITIONS` (a JSON object) over it, go to the process within
(`sandbox_inside`), which runs `SHELL ARGUMENT...` with them; it ends as that ended. Signals are passed on, and when
this process dies, the command dies. Without an answer from within nothing is run at all; and when the walls fell while
it ran, it says why.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False  # as in typing, whose import alone would double the start-up time
if TYPE_CHECKING:
    from typing import NoReturn

HEAD = struct.Struct("!Q")
STATUS = struct.Struct("!i")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
FALLEN = -1  # in place of a wait status; as in `sandbox_inside`
NOTHING_RAN, CUT_OFF = 126, 125


def main() -> NoReturn:
    """Does what the command line says; see the module."""
    path, shell, additions, *arguments = sys.argv[1:]
    request = {
        "argv": [shell, *without_login(arguments)],
        "cwd": os.getcwd(),
        "env": {**os.environ, **json.loads(additions)},
    }
    body = json.dumps(request).encode(errors="surrogateescape")
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        socket.send_fds(connection, [HEAD.pack(len(body))], [0, 1, 2])
        connection.sendall(body)
        status = awaited(connection)
    except OSError as error:
        os.write(2, f"the sandbox is gone, and nothing runs without it ({error.strerror or error})\n".encode())
        os._exit(NOTHING_RAN)
    if status == FALLEN:
        os.write(2, b"the sandbox is made anew, and whatever ran in it was ended: " + rest(connection) + b"\n")
        os._exit(CUT_OFF)
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    die_by(os.WTERMSIG(status))


def without_login(arguments: list[str]) -> list[str]:
    """The arguments without `-l`: a login shell would put PATH back to the system's own."""
    head = arguments[:3]
    return [*(each for each in head if each not in ("-l", "--login")), *arguments[3:]]


def awaited(connection: socket.socket) -> int:
    """The command's wait status. Signals that come meanwhile are passed on.

    Raises:
        OSError: the connection ended without one.
    """
    wake_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    poller.register(wake_fd, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd == wake_fd:
                connection.sendall(os.read(wake_fd, 64))
            else:
                answer = connection.recv(STATUS.size)
                if len(answer) < STATUS.size:
                    raise OSError("it ended while the command ran")
                return int(STATUS.unpack(answer)[0])


def rest(connection: socket.socket) -> bytes:
    """What else is said, to its end."""
    pieces = bytearray()
    try:
        while piece := connection.recv(4096):
            pieces += piece
    except OSError:
        pass
    return bytes(pieces)


def die_by(number: int) -> NoReturn:
    """Dies by the signal, without a core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


if __name__ == "__main__":
    main()
