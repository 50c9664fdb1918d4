"""END: save what the session left, then let the pure core count the cycle and decide."""

from __future__ import annotations

from lifecycle.errors import ProjectInvalid
from lifecycle.journal.notes import NoteKind
from lifecycle.work.context import Done, WorkContext
from lifecycle.work.saving import save
from states.end import Saved, ended


async def end(context: WorkContext) -> Done:
    """Save, if a session ran this cycle, and decide. A save that fails is a fact, not an exception."""
    ports, facts = context.ports, context.facts
    saved = Saved(features=facts.features)
    if facts.session is not None and facts.has_run:
        try:
            saved = await save(context)
        except (OSError, ProjectInvalid) as error:
            problem = f"the session could not be saved: {error}"
            await context.note_once(NoteKind.SAVE_FAILED, {"problem": problem})
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
