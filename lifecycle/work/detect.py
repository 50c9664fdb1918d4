"""DETECT: read the project; first finish what an END could not save, and put an unreadable list right."""

from __future__ import annotations

from dataclasses import replace

from lifecycle.errors import FeatureListInvalid
from lifecycle.events import FeaturesChanged
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Reading
from lifecycle.work.context import Done, WorkContext
from lifecycle.work.restoring import FEATURE_LIST, restore
from lifecycle.work.saving import save
from lifecycle.work.telling import list_words
from states.detect import detected


async def detect(context: WorkContext) -> Done:
    """Find out whether the project says INIT or CONTINUE.

    Raises:
        FeatureListInvalid: the list is unreadable and no good copy of it is known.
    """
    await _finish_saving(context)
    reading = await read_or_restore(context)
    await _accept_changes(context, reading)
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


async def _finish_saving(context: WorkContext) -> None:
    """Save the session that this run's last END could not.

    Until that is done, what the agent made of the list would pass for what a person made of it.
    """
    journal, run_id = context.ports.journal, context.facts.run_id
    failed = await journal.notes(kind=NoteKind.SAVE_FAILED, run_id=run_id)
    if not failed:
        return
    seq = failed[-1].seq
    if any(note.seq == seq for note in await journal.notes(kind=NoteKind.SESSION_SAVED, run_id=run_id)):
        return
    entered = (await journal.transitions(after=seq - 1))[0]
    await save(replace(context, facts=entered.facts, seq=seq))


async def _accept_changes(context: WorkContext, reading: Reading) -> None:
    """Record what somebody made of the list since the last session; it is accepted as it is."""
    kept = await context.ports.journal.newest(FEATURE_LIST)
    content = await context.ports.workspace.feature_list_content()
    if kept is None or kept == content:
        return
    notes = await context.ports.journal.notes(kind=NoteKind.FEATURES_CHANGED, run_id=context.facts.run_id)
    if any(note.seq == context.seq for note in notes):
        return
    changes = list_words(await context.ports.workspace.compare_features(kept))
    if changes:
        total = reading.features.total
        await context.note(NoteKind.FEATURES_CHANGED, {"changes": changes, "total": total})
        context.emit(FeaturesChanged(at=context.now(), run_id=context.facts.run_id, changes=changes))
