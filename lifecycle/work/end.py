"""END: save what the session left, then let the pure core count the cycle and decide."""

from __future__ import annotations

from lifecycle.journal.notes import NoteKind
from lifecycle.work.context import Done, WorkContext
from lifecycle.work.saving import save
from states.end import Saved, ended
from states.vocabulary import State


async def end(context: WorkContext) -> Done:
    """Save, if a session ran this cycle, and decide. A save that fails is a fact, not an exception."""
    ports, facts = context.ports, context.facts
    saved = Saved(features=facts.features)
    if await _has_run(context):
        try:
            saved = await save(context)
        except OSError as error:
            problem = f"the session could not be saved: {error}"
            await context.note(NoteKind.SAVE_FAILED, {"problem": problem})
            saved = Saved(features=facts.features, error=problem)
    spent = await ports.journal.spent(facts.run_id)
    observation = ended(
        facts,
        saved,
        at=context.now(),
        cost_usd=spent.cost_usd,
        jitter=ports.chance.jitter(),
        stop_requested=ports.stop.is_set(),
    )
    return Done(observation)


async def _has_run(context: WorkContext) -> bool:
    """Whether the session ran in this cycle, and did not only wait to be resumed while something else failed."""
    if context.facts.session is None or context.facts.outcome is None:
        return False
    last = await context.ports.journal.last()
    return last is not None and last.source not in (State.DETECT, State.CREATE)
