"""Where a project stands, told from the record alone: it asks the lock without taking it and starts nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.journal.location import JOURNAL_NAME, has_journal, state_directory, state_environment
from lifecycle.journal.lock import Owner, owner
from lifecycle.journal.notes import NoteKind
from lifecycle.moments import to_iso
from lifecycle.ports import Journal, TransitionRecord
from states.facts import Facts, FeatureCount
from states.outcomes import OUTCOMES
from states.vocabulary import OutcomeKind, RunId, SessionId, SessionType, State, StopReason


@dataclass(frozen=True, slots=True)
class Status:
    """Where a project stands.

    Attributes:
        run_id: the newest run, or None before the first.
        iteration: of that run.
        session_id: the session under way or waiting to be resumed, or None.
        features: as of the last time they were read, or None.
        cost_usd: of that run, up to now.
        owner: who runs it now, or None.
        resume_at: when the wait ends, in CONTINUE.
        detail: why it stopped or waits, for people.
        salvages: the git references that keep uncommitted work of sessions, oldest first.
        sandbox: what the newest start decided: `{"mode", "on", "problem"}`; None where nobody asked for one.
    """

    state: str
    run_id: RunId | None = None
    stop_reason: StopReason | None = None
    iteration: int = 0
    session_id: SessionId | None = None
    session_type: SessionType | None = None
    features: FeatureCount | None = None
    cost_usd: float = 0.0
    owner: Owner | None = None
    resume_at: float | None = None
    detail: str = ""
    salvages: tuple[str, ...] = ()
    sandbox: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The document that `lifecycle status --json` prints."""
        session = None if self.session_id is None else {"id": self.session_id, "type": self.session_type}
        owned_by = self.owner
        return {
            "state": self.state,
            "run_id": self.run_id,
            "stop_reason": self.stop_reason,
            "iteration": self.iteration,
            "session": session,
            "features": features_to_json(self.features),
            "cost_usd": self.cost_usd,
            "owner": None
            if owned_by is None
            else {"pid": owned_by.pid, "host": owned_by.host, "since": owned_by.since},
            "resume_at": None if self.resume_at is None else to_iso(self.resume_at),
            "salvages": list(self.salvages),
            "sandbox": None if self.sandbox is None else dict(self.sandbox),
        }


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run stands after it was driven: to SHUTDOWN, or to CONTINUE by `SessionManager.run`.

    Attributes:
        state: SHUTDOWN, or CONTINUE when there is more to do.
        stop_reason: None in CONTINUE.
        iterations: new sessions that entered RUN, of this run.
        sessions: sessions of this run.
        session_id: the last session, or None when none was needed.
        detail: why, for people.
    """

    run_id: RunId
    state: str
    stop_reason: StopReason | None
    iterations: int
    sessions: int
    features: FeatureCount | None
    cost_usd: float
    session_id: SessionId | None = None
    session_type: SessionType | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """The document that `lifecycle run --json` prints."""
        return {
            "run_id": self.run_id,
            "stop_reason": self.stop_reason,
            "iterations": self.iterations,
            "sessions": self.sessions,
            "features": features_to_json(self.features),
            "cost_usd": self.cost_usd,
            "detail": self.detail,
        }


async def status_of(
    project_dir: str | os.PathLike[str],
    *,
    state_dir: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Status:
    """Where a project stands, whoever runs it or nobody: a look that takes nothing.

    Args:
        project_dir: the project.
        state_dir: where the records are, if elsewhere than usual.
        environment: where `LIFECYCLE_STATE_DIR`, `XDG_STATE_HOME` and `HOME` are looked up; None takes the process's
            own for the last two.

    Raises:
        ProjectInvalid: the directory is none.
        ConfigurationError: the record cannot be where it is said to be.
        JournalUnavailable, JournalCorrupt, JournalForeign: the record cannot be read.
    """
    from lifecycle.workspace.spec import ensure_project_dir

    project = Path(project_dir)
    ensure_project_dir(project)
    asked = None if state_dir is None else Path(state_dir)
    return await status_in(state_directory(project, asked, state_environment(environment)))


async def status_in(state_dir: Path) -> Status:
    """As `status_of`, by the project's own state directory."""
    from lifecycle.journal.sqlite import SqliteJournal

    if not has_journal(state_dir):
        return Status(state=State.NEW, owner=owner(state_dir))
    journal = await SqliteJournal.open(state_dir / JOURNAL_NAME, read_only=True)
    try:
        return await read_status(journal, owner(state_dir))
    finally:
        await journal.close()


async def read_status(journal: Journal, owned_by: Owner | None) -> Status:
    """Tell where the project stands.

    Raises:
        JournalUnavailable, JournalCorrupt: the record cannot be read.
    """
    last = await journal.last()
    if last is None:
        return Status(state=State.NEW, owner=owned_by)
    facts = last.facts
    session = facts.session if facts.session and _is_meant(last) else None
    spent = await journal.spent(facts.run_id)
    salvaged = await journal.notes(kind=NoteKind.SALVAGED)
    starts = await journal.notes(kind=NoteKind.STARTED, run_id=facts.run_id)
    return Status(
        state=last.dest,
        run_id=facts.run_id,
        stop_reason=facts.stop_reason if last.dest == State.SHUTDOWN else None,
        iteration=facts.counters.iterations,
        session_id=session.id if session else None,
        session_type=session.type if session else None,
        features=facts.features,
        cost_usd=round(max(facts.cost_usd, spent.cost_usd), 6),
        owner=owned_by,
        resume_at=facts.resume_at,
        detail=describe(facts),
        salvages=tuple(dict.fromkeys(str(note.data["ref"]) for note in salvaged if note.data.get("ref"))),
        sandbox=starts[-1].data.get("sandbox") if starts else None,
    )


def result_of(state: str, facts: Facts) -> RunResult:
    """The result of driving a run to where `facts` say it stands."""
    session = facts.session
    return RunResult(
        run_id=facts.run_id,
        state=state,
        stop_reason=facts.stop_reason,
        iterations=facts.counters.iterations,
        sessions=facts.counters.iterations,
        features=facts.features,
        cost_usd=round(facts.cost_usd, 6),
        session_id=session.id if session else None,
        session_type=session.type if session else None,
        detail=describe(facts),
    )


def describe(facts: Facts) -> str:
    """Why a run stopped or waits, in words for people, with what to do about it."""
    outcome = facts.outcome
    words = [_STOPPED[facts.stop_reason]] if facts.stop_reason else []
    has_trouble = outcome is not None and outcome.kind not in (OutcomeKind.COMPLETED_TURN, OutcomeKind.CUT_OFF)
    if outcome is not None and outcome.detail and (has_trouble or facts.save_error):
        words.append(outcome.detail)
    words += [error for error in (facts.save_error, facts.verify_error) if error]
    if outcome is not None and facts.stop_reason is StopReason.FATAL:
        advice = OUTCOMES[outcome.cause].advice
        if advice and advice not in outcome.detail:
            words.append(advice)
    return "; ".join(words)


def features_to_json(features: FeatureCount | None) -> dict[str, int] | None:
    """`{"passing", "total"}`, or None where it cannot be told."""
    return None if features is None else {"passing": features.passing, "total": features.total}


def _is_meant(last: TransitionRecord) -> bool:
    return last.dest in (State.RUN, State.END) or last.facts.has_open_session


_STOPPED = {
    StopReason.COMPLETE: "every feature passes",
    StopReason.INTERRUPTED: "suspended; the next start goes on from here",
    StopReason.FATAL: "a fault that will not mend by itself",
    StopReason.MAX_FAILURES: "too many failures in a row",
    StopReason.STALLED: "too many sessions in a row without a newly passing feature or a commit",
    StopReason.MAX_BUDGET: "the budget is used up",
    StopReason.MAX_DURATION: "the time is used up",
    StopReason.MAX_ITERATIONS: "the iterations are used up",
}
