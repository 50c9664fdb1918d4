"""A gate's decisions, put on record in time; and the record never ends on a call let through that was not.

A write can hang, and come to its end when the gate has long given up on it and refused the call. Nothing can take back
what it wrote then, so a line follows that says the call was refused. Owns the time limit and that line; what a record
is, and what becomes of a call that is not on it, is others'.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from lifecycle.agent.rules import ToolCall, Verdict

__all__ = ["DecisionRecord"]


class DecisionRecord:
    """Keeps one decision after the other, in threads."""

    def __init__(self, keep: Callable[[ToolCall, Verdict], None]) -> None:
        """Args:
        keep: writes a decision down, or raises.
        """
        self._keep = keep
        self._one_at_a_time = threading.Lock()
        self._untrue: deque[ToolCall] = deque()

    async def put(self, call: ToolCall, verdict: Verdict) -> None:
        """Put the decision on record. When this raises, the call is to be refused, and the record will say so.

        Raises:
            TimeoutError: it took too long.
            Exception: whatever `keep` raises.
        """
        # Whoever takes this first decides: the writer that it was in time, or we that it was not.
        decided = threading.Lock()
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, call, verdict, decided)
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits any more
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(writing)  # what was refused in the meantime comes on record as well
        except TimeoutError:
            if decided.acquire(blocking=False):
                raise
            # It came on record in the last moment, and so it holds.
        except asyncio.CancelledError:
            decided.acquire(blocking=False)
            raise

    def _write(self, call: ToolCall, verdict: Verdict, decided: threading.Lock) -> None:
        with self._one_at_a_time:
            # First of all what is untrue up to now: while that cannot be put right, nothing more is let through.
            self._put_right()
            if verdict.allowed and decided.locked():
                self._keep(call, _REFUSED)
                return
            try:
                self._keep(call, verdict)
            except BaseException:
                self._note_untrue(call, verdict)  # as far as anybody knows, the line stands there
                raise
            if not decided.acquire(blocking=False):
                self._note_untrue(call, verdict)
                self._put_right()

    def _note_untrue(self, call: ToolCall, verdict: Verdict) -> None:
        if verdict.allowed:
            self._untrue.append(call)

    def _put_right(self) -> None:
        while self._untrue:
            self._keep(self._untrue[0], _REFUSED)
            self._untrue.popleft()


_REFUSED: Final = Verdict(
    False,
    "it was refused: letting it through could not be written to the audit log in time, and a line that does so is void",
    "gate.audit",
)

TIMEOUT_S: Final = 5.0
