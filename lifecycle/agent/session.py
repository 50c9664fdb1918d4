"""One process of the agent: started, prompted, followed to the end of its turn, and left behind by nothing.

Owns the SDK's client and the order of things: nothing is spent before the process is on record, and what was used
is durable before the next message is read. Every wait on the SDK has a bound. What the end means is `faults`'.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.failures import with_failure
from lifecycle.agent.gate import Gate
from lifecycle.agent.leash_control import find_leash, kill, wait_gone
from lifecycle.agent.options import AgentSettings, Errand, session_options
from lifecycle.agent.stream import Step, StreamReader
from lifecycle.agent.watch import Watch
from lifecycle.ports import SessionLog, StopFlag
from lifecycle.processes import ProcessIdentity
from states.vocabulary import Cause

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, Message

__all__ = ["AgentProcess"]

# The SDK's connect(), query() and stream raise anything from ClaudeSDKError to a bare Exception, so the places that
# call them take any Exception, and `failures` reads what it can from it.


class AgentProcess:
    """Runs one errand, once."""

    def __init__(
        self,
        settings: AgentSettings,
        errand: Errand,
        gate: Gate,
        log: SessionLog,
        *,
        now: Callable[[], float],
        redact: Callable[[str], str],
    ) -> None:
        self._errand = errand
        self._gate = gate
        self._log = log
        self._redact = redact
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES_MAX)
        self._leash: ProcessIdentity | None = None
        self._tasks: list[asyncio.Future[Any]] = []
        self._connecting: asyncio.Future[Any] | None = None
        loop = asyncio.get_running_loop()
        self._alarm: asyncio.Future[Cut] = loop.create_future()
        self.reader = StreamReader(
            errand.session_id, gate, now=now, redact=redact, budget_usd=errand.budget_usd
        )
        self._watch = Watch(
            gate,
            idle_timeout_s=settings.idle_timeout_s,
            tool_timeout_s=settings.tool_timeout_s,
            time_left_s=_shorter(settings.session_timeout_s, errand.time_left_s),
            deadline=errand.deadline,
            now=now,
            monotonic=loop.time,
        )
        self._client = _client(session_options(settings, errand, gate, self._on_stderr))

    async def run(self, stop: StopFlag) -> Evidence:
        """Start, prompt, follow and leave the agent. When this returns or raises, its process is gone.

        Whatever the log raises passes through, after the agent was ended.
        """
        stopper = self._task(stop.wait())
        try:
            return await self._connect(stopper) or await self._converse(stopper)
        finally:
            await self._leave()

    async def _connect(self, stopper: asyncio.Future[Any]) -> Evidence | None:
        """Start the process; None when it is ready for its prompt."""
        connecting = self._connecting = self._task(self._client.connect())
        await asyncio.wait(
            {connecting, stopper}, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if connecting.done():
            error = connecting.exception()
            return None if error is None else self._evidence(error)
        if stopper.done():
            return Evidence(cut=_STOPPED)
        return self._evidence(TimeoutError(f"the agent did not get ready within {CONNECT_TIMEOUT_S:g} s"))

    async def _converse(self, stopper: asyncio.Future[Any]) -> Evidence:
        self._leash = find_leash(self._errand.session_id)
        await self._log.agent_started(self._leash)
        if stopper.done():
            return Evidence(cut=_STOPPED)
        await self._log.prompted()
        try:
            async with asyncio.timeout(PROMPT_TIMEOUT_S):
                await self._client.query(self._errand.prompt)
        except Exception as error:  # noqa: BLE001  # see above
            return self._evidence(error)
        self._watch.sign_of_life()
        following = self._task(self._follow())
        cut = await self._supervise(following, stopper)
        if cut is not None:
            await self._cut_off(cut, following)
        if rest := self.reader.usage.rest():
            await self._log.used(rest)
        failure = following.result() if following.done() and not following.cancelled() else None
        evidence = self._evidence(failure)
        return replace(evidence, cut=cut or evidence.cut)

    async def _supervise(self, following: asyncio.Future[Any], stopper: asyncio.Future[Any]) -> Cut | None:
        """Wait for the end of the turn, or for a reason to cut it off."""
        waiting = {following, stopper, self._alarm}
        while True:
            await asyncio.wait(
                waiting, timeout=self._watch.next_check_s(), return_when=asyncio.FIRST_COMPLETED
            )
            if self._alarm.done():
                return self._alarm.result()
            if following.done():
                return None
            cut = _STOPPED if stopper.done() else self._watch.due()
            if cut is not None:
                return cut

    async def _follow(self) -> Exception | None:
        """Read messages to the end of the turn; returns what broke the stream, if something did."""
        stream = cast("AsyncGenerator[Message, None]", self._client.receive_messages())
        async with aclosing(stream) as messages:
            while True:
                try:
                    message = await anext(messages)
                except StopAsyncIteration:
                    return None
                except Exception as error:  # noqa: BLE001  # see above
                    return error
                step = self.reader.read(message)
                await self._act(step)
                if step.is_final:
                    return None

    async def _act(self, step: Step) -> None:
        if step.is_sign_of_life:
            self._watch.sign_of_life(step.quiet_s)
        if step.cut is not None and not self._alarm.done():
            self._alarm.set_result(step.cut)
            if step.cut.cause is Cause.GATE:
                self._kill()  # before anything is awaited: the next tool may be on its way
        if step.usage:
            await self._log.used(step.usage)
        if step.total_cost_usd is not None:
            await self._log.reported_cost(step.total_cost_usd)
        for event in step.events:
            self._log.happened(event)

    async def _cut_off(self, cut: Cut, following: asyncio.Future[Any]) -> None:
        """Interrupt the turn, and hear it out: the result that follows tells what was used."""
        if cut.cause is Cause.GATE:
            self._kill()
            return
        interrupting = self._task(self._client.interrupt())
        await asyncio.wait({interrupting, following}, timeout=INTERRUPT_TIMEOUT_S)
        await asyncio.wait({following}, timeout=LAST_WORDS_TIMEOUT_S)

    async def _leave(self) -> None:
        """End the process, in good order if it lets us; and every task of ours, in any case."""
        for task in self._tasks:
            task.cancel()
        while self._connecting is not None and not self._connecting.done():
            # Asked again and again: a process that is only just being started cannot be found yet.
            self._kill()
            await asyncio.wait({self._connecting}, timeout=KILL_INTERVAL_S)
        # What they raised was read where it mattered.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # The SDK lets go of it without closing it: a pipe whose reader was full when the other end died stays open.
        process = getattr(getattr(self._client, "_transport", None), "_process", None)
        leaving = asyncio.ensure_future(self._client.disconnect())
        await asyncio.wait({leaving}, timeout=LEAVE_TIMEOUT_S)
        if not leaving.done():
            self._kill()
            await asyncio.wait({leaving}, timeout=KILL_TIMEOUT_S)
        self._kill()
        if self._leash is not None:
            await wait_gone(self._leash, KILL_TIMEOUT_S)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        if process is not None:
            await asyncio.wait({asyncio.ensure_future(process.aclose())}, timeout=KILL_TIMEOUT_S)
        for _ in range(LOOP_TURNS):
            # Nobody holds the other ends of its pipes any more: once the loop has heard so, it closes ours.
            await asyncio.sleep(0)

    def _kill(self) -> None:
        leash = self._leash or find_leash(self._errand.session_id)
        if leash is not None:
            self._leash = leash
            kill(leash)

    def _evidence(self, error: BaseException | None) -> Evidence:
        reader = self.reader
        evidence = Evidence(
            result=reader.result,
            error=reader.error,
            resets_at=reader.resets_at,
            stderr=self._redact("\n".join(self._stderr)),
            progressed=reader.usage.turns > 0,
        )
        return evidence if error is None else with_failure(evidence, error)

    def _on_stderr(self, line: str) -> None:
        self._stderr.append(line[:STDERR_CHARS_MAX])

    def _task(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task


def _client(options: ClaudeAgentOptions) -> ClaudeSDKClient:
    from claude_agent_sdk import ClaudeSDKClient

    # Without any handler Python prints a library's errors on stderr. What failed is in our outcome.
    logging.getLogger("claude_agent_sdk").addHandler(_QUIET)  # once, however often it is said
    return ClaudeSDKClient(options)


_QUIET: Final = logging.NullHandler()
_STOPPED: Final = Cut(Cause.STOP, "asked to stop")

CONNECT_TIMEOUT_S: Final = 60.0
PROMPT_TIMEOUT_S: Final = 10.0
INTERRUPT_TIMEOUT_S: Final = 1.0
LAST_WORDS_TIMEOUT_S: Final = 1.0
LEAVE_TIMEOUT_S: Final = 1.0
KILL_TIMEOUT_S: Final = 2.0
KILL_INTERVAL_S: Final = 0.02
LOOP_TURNS: Final = 5
STDERR_LINES_MAX: Final = 20
STDERR_CHARS_MAX: Final = 500


def _shorter(*times_s: float | None) -> float | None:
    return min((time_s for time_s in times_s if time_s is not None), default=None)
