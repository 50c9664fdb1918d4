"""CONTINUE: wait until the moment that is in the record, or until somebody asks to stop."""

from __future__ import annotations

from lifecycle.stopping import was_stopped
from lifecycle.work.context import Done, WorkContext
from states.continue_ import delay_elapsed
from states.observation import stop_requested
from states.vocabulary import State


async def continue_(context: WorkContext) -> Done:
    """Wait out what is left of the delay; a restart waits only the rest of it."""
    facts = context.facts
    moment = facts.at if facts.resume_at is None else facts.resume_at
    if facts.deadline is not None:
        moment = min(moment, facts.deadline)  # the newest start may have narrowed it; DETECT then finds no room
    if await was_stopped(context.ports.clock.sleep_until(moment), context.ports.stop):
        return Done(stop_requested(facts, State.CONTINUE, at=context.now()))
    return Done(delay_elapsed(facts, at=context.now()))
