"""Running one command with a bound on everything: time, output, terminal, descendants.

Knows nothing of git. The command gets exactly the environment it is given, no standard input but what it is given, and a
session of its own that is killed when the call ends for any reason.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

__all__ = ["CommandFailed", "abandoned", "run_bounded"]

COMPLAINT_MAX_BYTES = 4_096

abandoned: ContextVar[threading.Event | None] = ContextVar("abandoned", default=None)
"""Set by a caller that works in a thread: once the event is set, a running command is killed and the call fails."""


class CommandFailed(Exception):
    """The command gave no answer: not there, too slow, or it said no.

    Attributes:
        reason: a short human sentence.
        status: the exit status, when it ended by itself.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


def run_bounded(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    output_max_bytes: int,
    timeout_s: float,
    given: bytes = b"",
) -> bytes:
    """What the command prints on standard output; cut, and the command killed, at `output_max_bytes`.

    Args:
        given: what it gets on standard input.

    Raises:
        CommandFailed: it ended with an error, took more than `timeout_s`, or could not be run.
    """
    name = os.path.basename(command[0])
    stdin = None
    try:
        if given:  # a file and no pipe: nobody has to feed it while the output is read
            stdin = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, as soon as the process has it
            stdin.write(given)
            stdin.seek(0)
        process = subprocess.Popen(
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandFailed(f"{name} cannot be run: {error.strerror}") from error
    finally:
        if stdin is not None:
            stdin.close()
    with process:
        try:
            output, complaint, is_cut = _collect(process, output_max_bytes, time.monotonic() + timeout_s)
            status = 0 if is_cut else process.wait(timeout=timeout_s)
        except (subprocess.TimeoutExpired, TimeoutError) as error:
            raise CommandFailed(f"{name} took more than {timeout_s:g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if status != 0:
        lines = complaint.decode("utf-8", errors="replace").strip().splitlines()
        said = f": {lines[0][:200]}" if lines else ""
        raise CommandFailed(f"{name} failed with status {status}{said}", status)
    return output


def _collect(
    process: subprocess.Popen[bytes], output_max_bytes: int, deadline_s: float
) -> tuple[bytes, bytes, bool]:
    """What comes on both streams until they close, the bound is reached (then True) or the time is up."""
    assert process.stdout is not None
    assert process.stderr is not None
    output, complaint = bytearray(), bytearray()
    event = abandoned.get()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, complaint)
        while selector.get_map():
            if event is not None and event.is_set():
                raise CommandFailed("the caller no longer waits")
            if time.monotonic() >= deadline_s:
                raise TimeoutError
            for key, _ in selector.select(timeout=0.1):
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.data is output or len(complaint) < COMPLAINT_MAX_BYTES:
                    key.data.extend(piece)
            if len(output) > output_max_bytes:
                return bytes(output[:output_max_bytes]), bytes(complaint), True
    return bytes(output), bytes(complaint), False
