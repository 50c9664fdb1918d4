"""Saving what a session left: the list by the ledger, the claims by the verification, the work, the entry.

Every step may be cut off and repeated under the same transition: what was judged is noted before it is carried out,
and found again; what is carried out twice is the same. The last note holds the whole result, so that a repetition
after it gives the same without looking at anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.errors import FeatureListInvalid
from lifecycle.events import (
    ClaimsVerified,
    FeatureListSetAside,
    FeaturesAppended,
    RuleBroken,
    SessionSaved,
    WorkSalvaged,
)
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Changes, ListCheck, SessionRecord, SessionStory, Verdict, VerdictKind
from lifecycle.work.context import WorkContext
from lifecycle.work.persons_files import put_persons_files_right
from lifecycle.work.restoring import FEATURE_LIST, restore
from lifecycle.work.telling import to_record
from states.end import Saved
from states.facts import FeatureCount, Session
from states.vocabulary import Cause, SessionType

__all__ = ["PROGRESS", "save", "tell_broken"]

PROGRESS = "claude-progress.txt"

_DAMAGED = frozenset({"deleted", "malformed"})


async def save(context: WorkContext) -> Saved:
    """Save the session of these facts, under the transition of this context.

    Raises:
        OSError: something could not be written; what was judged stays judged.
    """
    session = context.facts.session
    record = await context.ports.journal.session(session.id) if session else None
    if session is None or record is None:
        return Saved(features=context.facts.features)
    if (known := await context.noted(NoteKind.SESSION_SAVED)) is not None:
        return _saved(known.data)
    await _put_list_right(context, session, record)
    await put_persons_files_right(context, session.id)
    verdict = await _verify(context, session, record)
    changes = await context.ports.workspace.changes(record.baseline)
    check = await context.ports.workspace.check_features(record.baseline)
    content = await context.ports.workspace.feature_list_content()
    if content is not None and changes.features is not None and changes.features.total:
        await context.ports.journal.keep(FEATURE_LIST, content)
    await _salvage(context, session, record)
    is_own = await _leave_entry(context, session, record, check)
    data = _summary(changes, check, verdict, is_own=is_own)
    await context.note(NoteKind.SESSION_SAVED, data)
    context.emit(
        SessionSaved(
            at=context.now(),
            run_id=context.facts.run_id,
            session_id=session.id,
            newly_passing=changes.newly_passing,
            regressed=changes.regressed,
            new_commits=changes.new_commits,
        )
    )
    return _saved(data)


def tell_broken(context: WorkContext, session: Session, check: ListCheck) -> None:
    """Tell whoever watches what was undone."""
    for breach in check.broken:
        context.emit(
            RuleBroken(
                at=context.now(),
                run_id=context.facts.run_id,
                session_id=session.id,
                rule=breach.rule,
                features=", ".join(breach.features),
                count=breach.count,
                problem=breach.problem,
            )
        )


async def _put_list_right(context: WorkContext, session: Session, record: SessionRecord) -> None:
    """Undo what breaks the rule. A session that still writes the plan may write it, if what it leaves is a list."""
    workspace = context.ports.workspace
    check = await workspace.check_features(record.baseline)
    is_damaged = any(breach.rule in _DAMAGED for breach in check.broken)
    if check.mended is not None and (is_damaged or session.type is SessionType.CONTINUE):
        if await context.note_once(NoteKind.RULE_BROKEN, {"broken": to_record(check.broken)}):
            tell_broken(context, session, check)
        await workspace.replace_features(check.mended)
    elif check.mended is None:
        await _put_lost_list_right(context, session, await workspace.changes(record.baseline))
    if check.appended and session.type is SessionType.CONTINUE:
        await _note_appended(context, session, check)


async def _put_lost_list_right(context: WorkContext, session: Session, changes: Changes) -> None:
    """Where the ledger knows no list: an INIT session's invalid one is set aside, so that INIT comes again."""
    is_gone = changes.features is None or changes.features.total == 0
    if changes.problem is None and not (is_gone and session.type is SessionType.CONTINUE):
        return
    problem = changes.problem or "the feature list is gone"
    if session.type is SessionType.CONTINUE:
        await restore(context, problem)
        return
    moved_to = await context.ports.workspace.set_aside_feature_list(rehearse=True)
    if moved_to is None:
        return
    is_new = await context.note_once(NoteKind.FEATURE_LIST_SET_ASIDE, {"problem": problem, "moved_to": moved_to})
    await context.ports.workspace.set_aside_feature_list()
    if is_new:
        context.emit(
            FeatureListSetAside(at=context.now(), run_id=context.facts.run_id, problem=problem, moved_to=moved_to)
        )


async def _note_appended(context: WorkContext, session: Session, check: ListCheck) -> None:
    if any(breach.rule == "appended" for breach in check.broken):
        return  # they were not kept
    names, count = check.appended[:_NAMES_MAX], len(check.appended)
    if await context.note_once(NoteKind.FEATURES_APPENDED, {"features": list(names), "count": count}):
        context.emit(
            FeaturesAppended(
                at=context.now(),
                run_id=context.facts.run_id,
                session_id=session.id,
                features=", ".join(names),
                count=count,
            )
        )


async def _verify(context: WorkContext, session: Session, record: SessionRecord) -> Verdict | None:
    """Have the session's claims judged, and take them back unless they hold; None where there is nothing to judge."""
    ports = context.ports
    if ports.verifier is None:
        return None
    known = await context.noted(NoteKind.VERIFIED)
    try:
        reverted = await ports.workspace.without_claims(record.baseline)
    except FeatureListInvalid:
        return None  # a list that could not be put right has no claims that count
    if known is not None:
        verdict = Verdict(VerdictKind(known.data["verdict"]), known.data["detail"])
    elif reverted is None:
        return None
    else:
        verdict = await _judge(context, session, record)
    if verdict.kind is not VerdictKind.PASSED and reverted is not None:
        await ports.workspace.replace_features(reverted)
    return verdict


async def _judge(context: WorkContext, session: Session, record: SessionRecord) -> Verdict:
    ports, workspace = context.ports, context.ports.workspace
    assert ports.verifier is not None
    claims = (await workspace.check_features(record.baseline)).claimed
    count = (await workspace.changes(record.baseline)).newly_passing
    before = await workspace.feature_list_content()
    verdict = await ports.verifier.verify(session.id, ports.stop)
    if before is not None and await workspace.feature_list_content() != before:
        # It runs the agent's program, which is no more allowed to write the list than the agent.
        check = await workspace.compare_features(before)
        broken = {"broken": to_record(check.broken), "by": "the verification command"}
        await context.note(NoteKind.RULE_BROKEN, broken)
        tell_broken(context, session, check)
        await workspace.replace_features(before)
    judged: dict[str, Any] = {
        "verdict": verdict.kind,
        "detail": verdict.detail,
        "output": verdict.output,
        "claims": list(claims[:_NAMES_MAX]),
        "count": count,
    }
    await context.note(NoteKind.VERIFIED, judged)
    context.emit(
        ClaimsVerified(
            at=context.now(),
            run_id=context.facts.run_id,
            session_id=session.id,
            verdict=verdict.kind,
            claims=count,
            detail=verdict.detail,
        )
    )
    return verdict


async def _salvage(context: WorkContext, session: Session, record: SessionRecord) -> None:
    """Keep what is uncommitted, unless the agent ended its turn by itself and so had its chance to commit."""
    outcome = context.facts.outcome
    if outcome is None or outcome.cause is Cause.END_TURN:
        return
    words = f"session {session.number} ended without a commit ({outcome.cause.replace('_', ' ')})"
    kept = await context.ports.workspace.salvage(record.baseline, session.id, at=context.facts.at, words=words)
    if kept is None:
        return
    if not kept.ref:
        await context.note_once(NoteKind.SALVAGED, {"problem": kept.problem})
        return
    # Asked of all notes and not only of this transition's: the same work is kept once, whichever leg left it.
    if any(note.data.get("ref") == kept.ref for note in await context.ports.journal.notes(kind=NoteKind.SALVAGED)):
        return
    data = {"ref": kept.ref, "commit": kept.commit, "files": kept.files, "skipped": list(kept.skipped)}
    await context.note(NoteKind.SALVAGED, data)
    context.emit(
        WorkSalvaged(
            at=context.now(),
            run_id=context.facts.run_id,
            session_id=session.id,
            ref=kept.ref,
            files=kept.files,
            skipped=len(kept.skipped),
        )
    )


async def _leave_entry(
    context: WorkContext, session: Session, record: SessionRecord, check: ListCheck
) -> bool:
    """See to it that the session has its one entry in the progress file; return whether it is its own."""
    ports, outcome = context.ports, context.facts.outcome
    notes = [note for note in await ports.journal.notes(run_id=context.facts.run_id) if note.session_id == session.id]
    words = [note.data["text"] for note in notes if note.kind == NoteKind.LAST_WORDS]
    ending = "" if outcome is None else f"{outcome.cause.replace('_', ' ')} ({outcome.detail})".replace(" ()", "")
    story = SessionStory(
        session_id=session.id,
        number=session.number,
        type=session.type,
        at=context.facts.at,
        ending=ending,
        claimed=check.claimed,
        regressed=check.regressed,
        last_words=words[-1] if words else "",
        wrote_own=any(note.kind == NoteKind.SESSION_SAVED and note.data["wrote_own"] for note in notes),
    )
    kept = await ports.journal.newest(PROGRESS)
    is_own, content = await ports.workspace.leave_entry(record.baseline, story, kept)
    if content:
        await ports.journal.keep(PROGRESS, content)
    return is_own


def _summary(changes: Changes, check: ListCheck, verdict: Verdict | None, *, is_own: bool) -> dict[str, Any]:
    features = changes.features
    return {
        "features": None if features is None else {"passing": features.passing, "total": features.total},
        "newly_passing": changes.newly_passing,
        "claimed": list(check.claimed[:_NAMES_MAX]),
        "regressed": list(check.regressed[:_NAMES_MAX]),
        "new_commits": changes.new_commits,
        "has_progressed": bool(changes.newly_passing or changes.new_commits or changes.has_new_list),
        "verify_error": verdict.detail if verdict is not None and verdict.is_failure else None,
        "wrote_own": is_own,
    }


def _saved(data: Mapping[str, Any]) -> Saved:
    count = data["features"]
    return Saved(
        features=None if count is None else FeatureCount(total=count["total"], passing=count["passing"]),
        has_progressed=data["has_progressed"],
        verify_error=data["verify_error"],
    )


_NAMES_MAX = 50
