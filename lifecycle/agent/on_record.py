"""A gate's decisions, put on record in time; and the record never ends on a call let through that was not.

A write can hang, and come to its end when the gate has long given up on it and refused the call. Nothing can take back
what it wrote then, so a line follows that says the call was refused. Owns the time limit, that line, and the thread that
may hang; what a record is, and what becomes of a call that is not on it, is others'.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from lifecycle.agent.rules import ToolCall, Verdict

__all__ = ["DecisionRecord"]


class DecisionRecord:
    """Keeps one decision after the other, in a thread that is there while there is one to keep.

    It is nobody else's, and nobody waits for it at the end: a write that hangs holds up what is to be kept, and no more.
    """

    def __init__(self, keep: Callable[[ToolCall, Verdict], None]) -> None:
        """Args:
        keep: writes a decision down, or raises.
        """
        self._keep = keep
        self._waiting: deque[Callable[[], None]] = deque()
        self._changing = threading.Lock()
        self._is_writing = False
        self._untrue: deque[ToolCall] = deque()

    async def put(self, call: ToolCall, verdict: Verdict) -> None:
        """Put the decision on record. When this raises, the call is to be refused, and the record will say so.

        Raises:
            TimeoutError: it took too long.
            Exception: whatever `keep` raises.
        """
        # Whoever takes this first decides: the writer that it was in time, or we that it was not.
        decided = threading.Lock()
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        written.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits any more
        self._begin(partial(self._write_and_tell, call, verdict, decided, loop, written))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(written)  # what was refused in the meantime comes on record as well
        except TimeoutError:
            if decided.acquire(blocking=False):
                raise
            # It came on record in the last moment, and so it holds.
        except asyncio.CancelledError:
            decided.acquire(blocking=False)
            raise

    def _begin(self, writing: Callable[[], None]) -> None:
        with self._changing:
            self._waiting.append(writing)
            if self._is_writing:
                return
            self._is_writing = True
        threading.Thread(target=self._work, name="lifecycle-audit", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changing:
                if not self._waiting:
                    self._is_writing = False
                    return
                writing = self._waiting.popleft()
            writing()

    def _write_and_tell(
        self,
        call: ToolCall,
        verdict: Verdict,
        decided: threading.Lock,
        loop: asyncio.AbstractEventLoop,
        written: asyncio.Future[None],
    ) -> None:
        try:
            self._write(call, verdict, decided)
        except BaseException as failure:  # noqa: BLE001  # whatever it is, it is raised where the call is judged
            tell = partial(written.set_exception, failure)
        else:
            tell = partial(written.set_result, None)
        try:
            loop.call_soon_threadsafe(lambda: written.done() or tell())
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _write(self, call: ToolCall, verdict: Verdict, decided: threading.Lock) -> None:
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
