"""The manager's end of the leash: putting a command on it, finding it, pulling it, seeing it gone.

Owns the wrapper script that the SDK starts in place of the CLI, and the one way to end an agent from outside.
Refuses to know the SDK, sessions' contents, and what a dead manager has left (`leftovers`).
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lifecycle.errors import AgentFailed
from lifecycle.processes import ProcessIdentity, identity_of, is_alive, send_signal, this_process
from states.vocabulary import SessionId

__all__ = ["SESSION_MARKER", "find_leash", "kill", "leashed", "wait_gone", "write_wrapper"]

SESSION_MARKER: Final = "LIFECYCLE_SESSION_ID"
"""The environment variable that the CLI and all it starts carry, with the session's id: how leftovers are known."""


def leashed(command: Sequence[str]) -> list[str]:
    """The argument vector that runs `command` on a leash held by this process.

    It must be started by this process itself; anywhere else it refuses to run and exits with 69.

    Raises:
        AgentFailed: this Python does not know its own interpreter.
    """
    if not sys.executable:
        raise AgentFailed(
            "Python's interpreter is unknown (sys.executable is empty); start it by its full path"
        )
    manager = this_process()
    holder = ["--manager-pid", str(manager.pid), "--manager-start", str(manager.start)]
    return [sys.executable, "-I", "-S", str(_LEASH), *holder, "--", *command]


def write_wrapper(directory: Path, cli_path: Path) -> Path:
    """Writes the executable that runs the CLI on a leash of this process; give it to the SDK as `cli_path`.

    Replaces an older wrapper in one step, readable and executable for the owner only.

    Args:
        directory: the manager's state directory; made when it is missing.
        cli_path: the real CLI.

    Raises:
        AgentFailed: the CLI cannot be executed, or the wrapper cannot be written or executed there.
    """
    if not (cli_path.is_file() and os.access(cli_path, os.X_OK)):
        raise AgentFailed(
            f"{cli_path}: not an executable file; install claude-agent-sdk again, or name another CLI"
        )
    script = f'#!/bin/sh\nexec {shlex.join(leashed([str(cli_path.absolute())]))} "$@"\n'
    wrapper = directory.absolute() / "claude-on-leash"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write_executable(wrapper, os.fsencode(script))
    except OSError as error:
        raise AgentFailed(f"{wrapper}: cannot be written ({error.strerror}); nothing was started") from error
    if not os.access(wrapper, os.X_OK):  # a file system mounted noexec says it here
        raise AgentFailed(
            f"{wrapper}: this file system does not let programs run; move the state directory (LIFECYCLE_STATE_DIR)"
        )
    return wrapper


def find_leash(session_id: SessionId) -> ProcessIdentity | None:
    """The leash that holds this session, among the children of this process; None when there is none.

    Once the SDK is connected it is there: call this before the first query, and journal the answer.
    """
    import psutil  # 20 ms, only where a session runs

    for child in psutil.Process().children():
        try:
            if child.environ().get(SESSION_MARKER) == session_id and str(_LEASH) in child.cmdline():
                return identity_of(child.pid)
        except psutil.Error:
            continue  # it ended meanwhile, or is somebody else's
    return None


def kill(leash: ProcessIdentity) -> bool:
    """Tells the leash to end the agent now: all of it is gone within `leash.GRACE_S` and a few milliseconds.

    Does not wait and does not await, so it may be called from a task that is being cancelled, from a signal handler,
    and twice (the second time ends the grace). A reused pid is never hit.

    Returns:
        False when it was gone already.
    """
    return send_signal(leash, signal.SIGTERM, signal.SIGCONT)


async def wait_gone(process: ProcessIdentity, timeout_s: float) -> bool:
    """Waits until the process is gone; False when time ran out.

    A leash goes last, after the whole agent; only one that was itself killed by SIGKILL goes some milliseconds before.
    """
    deadline = time.monotonic() + timeout_s
    while is_alive(process):
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            return False
        await asyncio.sleep(min(_POLL_S, remaining_s))
    return True


_LEASH: Final = Path(__file__).with_name("leash.py").absolute()
_POLL_S: Final = 0.01


def _write_executable(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o700)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink()
        raise
