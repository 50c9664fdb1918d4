"""RUN: let the agent work, and keep what it uses as it uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.errors import JournalCorrupt
from lifecycle.events import AgentStarted, Event, ModelUnpriced, Said, TurnUsed
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import AgentTask, MessageUsage, SessionRecord, Spent
from lifecycle.processes import ProcessIdentity
from lifecycle.work.context import Done, WorkContext, emit
from lifecycle.work.saving import tell_broken
from lifecycle.work.telling import news_for_resumption, to_record, undone_words
from states.facts import Outcome, Session
from states.run import finished
from states.vocabulary import Cause, SessionType


async def run(context: WorkContext) -> Done:
    """Run one leg of the session: its beginning, or the rest of it after whatever cut it off."""
    ports, facts = context.ports, context.facts
    session = facts.session
    record = await ports.journal.session(session.id) if session else None
    if session is None or record is None:
        raise JournalCorrupt(ports.journal.path, f"transition {context.seq} entered RUN without a session")
    begun = context.now()
    log = _Log(context, session, record)
    outcome = await _leg(context, session, record, log)
    if log.last_words:
        await context.note(NoteKind.LAST_WORDS, {"text": log.last_words})
    spent = await ports.journal.spent(facts.run_id)
    now = context.now()
    # From where this manager took it up: what came before a crash is not known, and the time in between does not count.
    ran_s = max(0.0, now - begun)
    return Done(finished(facts, outcome, at=now, cost_usd=spent.cost_usd, ran_s=ran_s))


async def _leg(context: WorkContext, session: Session, record: SessionRecord, log: _Log) -> Outcome:
    ports, facts = context.ports, context.facts
    turns_left = context.max_turns - record.turns
    if turns_left < 1:
        return Outcome(Cause.MAX_TURNS, f"the session has used its {context.max_turns} turns")
    time_left_s = None
    if context.session_timeout_s is not None:
        time_left_s = context.session_timeout_s - session.ran_s
        if time_left_s <= 0:
            return Outcome(Cause.SESSION_TIMEOUT, f"the session has used its {context.session_timeout_s:g} s")
    if facts.deadline is not None and context.now() >= facts.deadline:
        return Outcome(Cause.DEADLINE, "the run's time was up before the agent could start", progressed=False)
    budget_usd = None
    if facts.limits.max_budget_usd is not None:
        spent = await ports.journal.spent(facts.run_id)
        budget_usd = facts.limits.max_budget_usd - spent.cost_usd
        if budget_usd <= 0:
            return Outcome(Cause.BUDGET, "the run's budget was used up before the agent could start")
    # What a leg broke that was cut off is put right before the agent goes on, and not after its next tool.
    undone = await log.tool_finished() if record.prompted else None
    news = await news_for_resumption(ports.journal, session.id) if record.prompted else ""
    task = AgentTask(
        session_id=session.id,
        type=session.type,
        prompt=record.prompt,
        may_resume=record.prompted,
        max_turns=turns_left,
        budget_usd=budget_usd,
        deadline=facts.deadline,
        time_left_s=time_left_s,
        news="\n\n".join(words for words in (news, undone) if words),
        run_id=facts.run_id,
    )
    return await ports.agent.run(task, log, ports.stop)


class _Log:
    """Makes durable what the agent tells, before it goes on, and puts right what it breaks, as soon as it does.

    Attributes:
        last_words: the last that the agent said.
    """

    def __init__(self, context: WorkContext, session: Session, record: SessionRecord) -> None:
        self._context = context
        self._session = session
        self._record = record
        self._checking = asyncio.Lock()
        self._has_mended = False
        self._unpriced: set[str] = set()
        self.last_words = ""

    async def agent_started(self, process: ProcessIdentity | None) -> None:
        if process is not None:
            await self._context.note(NoteKind.AGENT_STARTED, {"process": process.to_record()})
        self.happened(
            AgentStarted(
                at=self._context.now(),
                run_id=self._context.facts.run_id,
                session_id=self._session.id,
                pid=process.pid if process else None,
                is_resumption=self._record.prompted,
            )
        )

    async def prompted(self) -> None:
        await self._context.ports.journal.mark_prompted(self._session.id)

    async def used(self, usage: Sequence[MessageUsage]) -> Spent:
        spent = await self._context.ports.journal.record_usage(self._session.id, usage)
        if any(message.is_turn for message in usage):
            self.happened(self._turn_used(usage, spent))
        self._tell_unpriced(usage)
        return spent

    def _tell_unpriced(self, usage: Sequence[MessageUsage]) -> None:
        now, run_id, session_id = self._context.now(), self._context.facts.run_id, self._session.id
        for model in sorted({message.model for message in usage if not message.is_priced} - self._unpriced):
            self._unpriced.add(model)
            self.happened(ModelUnpriced(at=now, run_id=run_id, session_id=session_id, model=model))

    def _turn_used(self, usage: Sequence[MessageUsage], spent: Spent) -> TurnUsed:
        return TurnUsed(
            at=self._context.now(),
            run_id=self._context.facts.run_id,
            session_id=self._session.id,
            turns=spent.turns,
            cost_usd=spent.cost_usd,
            is_priced=all(message.is_priced for message in usage),
        )

    async def reported_cost(self, cost_usd: float) -> Spent:
        return await self._context.ports.journal.raise_cost(self._session.id, cost_usd)

    async def tool_finished(self) -> str | None:
        if self._session.type is not SessionType.CONTINUE:
            return None
        async with self._checking:
            try:
                return await self._mend()
            except OSError:
                return None  # END checks again, and tells

    async def _mend(self) -> str | None:
        workspace = self._context.ports.workspace
        check = await workspace.check_features(self._record.baseline)
        if check.mended is None:
            return None
        broken = {"broken": to_record(check.broken)}
        if not await self._is_noted(broken):
            await self._context.note(NoteKind.RULE_BROKEN, broken)
        self._has_mended = True
        await workspace.replace_features(check.mended)
        tell_broken(self._context, self._session, check)
        return undone_words(check.broken)

    async def _is_noted(self, broken: Mapping[str, Any]) -> bool:
        """Whether a manager that died before it could put this right has noted it."""
        last = None if self._has_mended else await self._context.noted(NoteKind.RULE_BROKEN)
        return last is not None and last.data == broken

    def happened(self, event: Event) -> None:
        if isinstance(event, Said):
            self.last_words = event.text
        emit(self._context.ports, event)
