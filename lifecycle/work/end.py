"""END: save what the session left, then let the pure core count the cycle and decide."""

from __future__ import annotations

from lifecycle.errors import ProjectInvalid
from lifecycle.events import FeatureListSetAside, SessionSaved
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Changes, SessionRecord
from lifecycle.work.context import Done, WorkContext
from lifecycle.work.detect import FEATURE_LIST, restore
from states.end import Saved, ended
from states.facts import Session
from states.vocabulary import SessionType


async def end(context: WorkContext) -> Done:
    """Save, if a session ran this cycle, and decide. A save that fails is a fact, not an exception."""
    ports, facts = context.ports, context.facts
    saved = Saved(features=facts.features)
    if facts.session is not None and facts.has_run:
        try:
            saved = await _save(context, facts.session)
        except (OSError, ProjectInvalid) as error:
            saved = Saved(features=facts.features, error=f"the session could not be saved: {error}")
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


async def _save(context: WorkContext, session: Session) -> Saved:
    ports = context.ports
    record = await ports.journal.session(session.id)
    if record is None:
        return Saved(features=context.facts.features)
    changes = await ports.workspace.changes(record.baseline)
    if _is_list_lost(session, changes):
        changes = await _mend(context, session, record, changes)
    content = await ports.workspace.feature_list_content()
    if content is not None and changes.features is not None and changes.features.total:
        await ports.journal.keep(FEATURE_LIST, content)
    summary = {
        "newly_passing": changes.newly_passing,
        "regressed": changes.regressed,
        "new_commits": changes.new_commits,
    }
    context.emit(
        SessionSaved(at=context.now(), run_id=context.facts.run_id, session_id=session.id, **summary)
    )
    return Saved(
        features=changes.features,
        has_progressed=bool(changes.newly_passing or changes.new_commits or changes.has_new_list),
    )


def _is_list_lost(session: Session, changes: Changes) -> bool:
    if changes.problem is not None:
        return True
    is_gone = changes.features is None or changes.features.total == 0
    return is_gone and session.type is SessionType.CONTINUE


async def _mend(
    context: WorkContext, session: Session, record: SessionRecord, changes: Changes
) -> Changes:
    """An INIT session's invalid list is set aside, so that INIT comes again; a lost one is put back."""
    problem = changes.problem or "the feature list is gone"
    if session.type is SessionType.CONTINUE:
        restored = await restore(context, problem)
        return await context.ports.workspace.changes(record.baseline) if restored else changes
    moved_to = await context.ports.workspace.set_aside_feature_list()
    if moved_to is None:
        return changes
    await context.note(NoteKind.FEATURE_LIST_SET_ASIDE, {"problem": problem, "moved_to": moved_to})
    context.emit(
        FeatureListSetAside(
            at=context.now(), run_id=context.facts.run_id, problem=problem, moved_to=moved_to
        )
    )
    return await context.ports.workspace.changes(record.baseline)
