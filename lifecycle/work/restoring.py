"""Putting the newest good feature list back, where one is known."""

from __future__ import annotations

from lifecycle.events import FeatureListRestored
from lifecycle.journal.notes import NoteKind
from lifecycle.work.context import WorkContext

__all__ = ["FEATURE_LIST", "restore"]

FEATURE_LIST = "feature_list.json"


async def restore(context: WorkContext, problem: str) -> bool:
    """Put the newest good copy back, the journal's before git's. Return whether there was one.

    Noted first: after a crash in between it is found to be done still, and afterwards nothing would tell of it.
    """
    workspace = context.ports.workspace
    kept = await context.ports.journal.newest(FEATURE_LIST)
    source = await workspace.restore_feature_list(kept, rehearse=True)
    if source is None:
        return False
    is_new = await context.note_once(NoteKind.FEATURE_LIST_RESTORED, {"problem": problem, "source": source})
    await workspace.restore_feature_list(kept)
    if is_new:
        context.emit(
            FeatureListRestored(at=context.now(), run_id=context.facts.run_id, problem=problem, source=source)
        )
    return True
