"""The person's own check of what the agent claims: `verify_command`, run where the agent cannot have prepared the way.

Owns one run of the command: its bounds (time, output), its environment without credentials, and what its end means.
The command comes from the person; what it runs is the project, and so the agent's. So it is put on the agent's leash,
which the caller hands in, and nothing of it is left when the call is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from lifecycle.ports import StopFlag, Verdict, VerdictKind
from lifecycle.redaction import Redactor, secrets_in, without_credentials
from lifecycle.workspace.untrusted import plain_text
from states.vocabulary import SessionId

__all__ = ["CommandVerifier"]


class CommandVerifier:
    """Implements `lifecycle.ports.Verifier` with a line for the shell.

    Args:
        command: a line for `/bin/sh`; its exit status 0 says that the claims hold.
        timeout_s: how long it may take.
        on_leash: makes the argument vector that runs another one on the agent's leash, sandbox included.
        environment: what the command's is made of; credentials are taken out.
        marker: the variable by which leftovers of the session are known.
    """

    def __init__(
        self,
        command: str,
        project_dir: Path,
        *,
        timeout_s: float,
        on_leash: Callable[[Sequence[str]], Sequence[str]],
        environment: Mapping[str, str],
        marker: str,
    ) -> None:
        self._command = command
        self._project_dir = project_dir
        self._timeout_s = timeout_s
        self._on_leash = on_leash
        self._environment = without_credentials(environment)
        self._redact = Redactor(secrets_in(environment))
        self._marker = marker

    async def verify(self, session_id: SessionId, stop: StopFlag) -> Verdict:
        """Run the command; see the port. A cancel ends it too, and goes on when it is gone.

        Raises:
            OSError: the machine's fault: no process could be made.
        """
        if stop.is_set():
            return Verdict(VerdictKind.STOPPED, "the run was being stopped, so nothing was verified")
        process = await asyncio.create_subprocess_exec(
            *self._on_leash(["/bin/sh", "-c", self._command]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self._environment, self._marker: session_id},
            cwd=self._project_dir,
        )
        tail = _Output()
        working = asyncio.ensure_future(self._follow(process, tail))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait(
                {working, stopping}, timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            is_over, was_stopped = working.done(), stopping.done()
        finally:
            stopping.cancel()
            await _end(process, working)
            await asyncio.gather(stopping, return_exceptions=True)
        output = self._redact(tail.text())
        return self._verdict(process.returncode if is_over else None, output, was_stopped=was_stopped)

    async def _follow(self, process: asyncio.subprocess.Process, tail: _Output) -> None:
        assert process.stdout is not None
        while piece := await process.stdout.read(_PIECE_BYTES):
            tail.add(piece)
        await process.wait()

    def _verdict(self, status: int | None, output: str, *, was_stopped: bool) -> Verdict:
        kept = _bounded(output)
        if status is None:
            if was_stopped:
                return Verdict(VerdictKind.STOPPED, "a stop was asked for while the verification ran", kept)
            return Verdict(VerdictKind.TIMED_OUT, f"the verification took more than {self._timeout_s:g} s", kept)
        if status == 0:
            return Verdict(VerdictKind.PASSED, "the verification succeeded", kept)
        if status in _MISSING:
            return Verdict(VerdictKind.MISSING, f"the verification command cannot be run (exit status {status})", kept)
        return Verdict(VerdictKind.FAILED, f"the verification failed ({_words(status)})", kept)


class _Output:
    """The beginning and the end of what was printed; what lies between is dropped."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, piece: bytes) -> None:
        room = _HEAD_BYTES - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:] if room < len(piece) else b""
        if (excess := len(self._tail) - _TAIL_BYTES) > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self) -> str:
        gap = f"\n... {self._dropped} bytes are left out ...\n".encode() if self._dropped else b""
        return plain_text(bytes(self._head + gap + self._tail).decode("utf-8", errors="replace"))


async def _end(process: asyncio.subprocess.Process, working: asyncio.Future[None]) -> None:
    """See the command gone, with all that it started, whoever cancels meanwhile."""
    asked_s, was_cancelled = 0.0, False
    while not working.done():
        # The leash passes the first signal on and cuts after its grace; its own death cuts at once.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL if asked_s > _PATIENCE_S else signal.SIGTERM)
        asked_s += _ASK_EVERY_S
        try:
            await asyncio.wait({working}, timeout=_ASK_EVERY_S)
        except asyncio.CancelledError:
            was_cancelled = True
    working.exception()
    if was_cancelled:
        raise asyncio.CancelledError


def _bounded(text: str) -> str:
    """Redacted first and cut afterwards: a secret must not be cut in two."""
    text = text.strip("\n")
    if len(text) <= OUTPUT_MAX_CHARS:
        return text
    head = OUTPUT_MAX_CHARS // 4
    return f"{text[:head]}\n... {len(text) - OUTPUT_MAX_CHARS} characters are left out ...\n{text[head - OUTPUT_MAX_CHARS:]}"


def _words(status: int) -> str:
    number = -status if status < 0 else status - 128
    if status < 0 or status > 128:
        with contextlib.suppress(ValueError):
            return signal.Signals(number).name
    return f"exit status {status}"


OUTPUT_MAX_CHARS: Final = 8_000
"""How much of the output is kept in the record and told to the next session."""

_HEAD_BYTES: Final = 64 << 10
_TAIL_BYTES: Final = 256 << 10
_PIECE_BYTES: Final = 1 << 16
_MISSING: Final = frozenset({126, 127})
_ASK_EVERY_S: Final = 0.5
_PATIENCE_S: Final = 3.0
