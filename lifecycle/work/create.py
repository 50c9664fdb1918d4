"""CREATE: allot the session, take its baseline, choose its prompt. Nothing is spent before this is durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lifecycle.errors import JournalCorrupt
from lifecycle.ports import Reading, SessionRecord
from lifecycle.work.context import Done, WorkContext
from lifecycle.work.detect import read_or_restore
from lifecycle.work.persons_files import keep_persons_files
from lifecycle.work.telling import news_for_new_session
from states.create import created, plan
from states.facts import Session


async def create(context: WorkContext) -> Done:
    """Plan a new session, or the resumption of the conversation that was cut off."""
    ports, facts = context.ports, context.facts
    session = plan(facts, ports.chance.session_id())
    reading = await read_or_restore(context)  # the list may have broken since DETECT, or while a manager was dead
    baseline = await ports.workspace.baseline()
    await keep_persons_files(context)
    if session.is_resumption:
        record = replace(await _known(context, session), baseline=baseline)
    else:
        if news := await news_for_new_session(ports.journal):
            reading = replace(reading, context=f"{reading.context.rstrip()}\n\n{news}")
        record = _new(context, session, reading, baseline)
    return Done(created(facts, session, at=context.now()), session=record)


async def _known(context: WorkContext, session: Session) -> SessionRecord:
    record = await context.ports.journal.session(session.id)
    if record is None:
        raise JournalCorrupt(context.ports.journal.path, f"session {session.id} is to be resumed and not there")
    return record


def _new(
    context: WorkContext, session: Session, reading: Reading, baseline: Mapping[str, Any]
) -> SessionRecord:
    ports, facts = context.ports, context.facts
    return SessionRecord(
        session_id=session.id,
        run_id=facts.run_id,
        number=session.number,
        iteration=session.iteration,
        type=session.type,
        prompt=ports.prompts.session_prompt(session.type, reading, facts.prompt),
        baseline=baseline,
    )
