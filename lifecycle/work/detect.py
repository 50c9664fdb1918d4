"""DETECT: read the project; put an unreadable feature list right where a good copy of it is known."""

from __future__ import annotations

from lifecycle.errors import FeatureListInvalid
from lifecycle.events import FeatureListRestored
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Reading
from lifecycle.work.context import Done, WorkContext
from states.detect import detected

FEATURE_LIST = "feature_list.json"


async def detect(context: WorkContext) -> Done:
    """Find out whether the project says INIT or CONTINUE.

    Raises:
        FeatureListInvalid: the list is unreadable and no good copy of it is known.
    """
    reading = await read_or_restore(context)
    content = await context.ports.workspace.feature_list_content()
    if content is not None and reading.features.total:
        await context.ports.journal.keep(FEATURE_LIST, content)
    return Done(detected(context.facts, at=context.now(), features=reading.features))


async def read_or_restore(context: WorkContext) -> Reading:
    """Read the project, after restoring the newest good feature list if the present one is unreadable."""
    try:
        return await context.ports.workspace.read()
    except FeatureListInvalid as invalid:
        if not await restore(context, str(invalid)):
            raise
        return await context.ports.workspace.read()


async def restore(context: WorkContext, problem: str) -> bool:
    """Put the newest good copy back, the journal's before git's. Return whether there was one."""
    kept = await context.ports.journal.newest(FEATURE_LIST)
    source = await context.ports.workspace.restore_feature_list(kept)
    if source is None:
        return False
    await context.note(NoteKind.FEATURE_LIST_RESTORED, {"problem": problem, "source": source})
    context.emit(
        FeatureListRestored(
            at=context.now(), run_id=context.facts.run_id, problem=problem, source=source
        )
    )
    return True
