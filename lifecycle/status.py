"""Where a project stands, told from the record alone: it asks the lock without taking it and starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lifecycle.journal.lock import Owner
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

    def to_json(self) -> dict[str, Any]:
        """The document that `lifecycle status --json` prints."""
        session = None if self.session_id is None else {"id": self.session_id, "type": self.session_type}
        owner = self.owner
        return {
            "state": self.state,
            "run_id": self.run_id,
            "stop_reason": self.stop_reason,
            "iteration": self.iteration,
            "session": session,
            "features": features_to_json(self.features),
            "cost_usd": self.cost_usd,
            "owner": None if owner is None else {"pid": owner.pid, "host": owner.host, "since": owner.since},
            "resume_at": None if self.resume_at is None else to_iso(self.resume_at),
            "salvages": list(self.salvages),
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


async def read_status(journal: Journal, owner: Owner | None) -> Status:
    """Tell where the project stands.

    Raises:
        JournalUnavailable, JournalCorrupt: the record cannot be read.
    """
    last = await journal.last()
    if last is None:
        return Status(state=State.NEW, owner=owner)
    facts = last.facts
    session = facts.session if facts.session and _is_meant(last) else None
    spent = await journal.spent(facts.run_id)
    salvaged = await journal.notes(kind=NoteKind.SALVAGED)
    return Status(
        state=last.dest,
        run_id=facts.run_id,
        stop_reason=facts.stop_reason,
        iteration=facts.counters.iterations,
        session_id=session.id if session else None,
        session_type=session.type if session else None,
        features=facts.features,
        cost_usd=round(max(facts.cost_usd, spent.cost_usd), 6),
        owner=owner,
        resume_at=facts.resume_at,
        detail=describe(facts),
        salvages=tuple(dict.fromkeys(str(note.data["ref"]) for note in salvaged if note.data.get("ref"))),
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
    StopReason.INTERRUPTED: "interrupted; the next start goes on from here",
    StopReason.FATAL: "a fault that will not mend by itself",
    StopReason.MAX_FAILURES: "too many failures in a row",
    StopReason.STALLED: "too many sessions in a row without a newly passing feature or a commit",
    StopReason.MAX_BUDGET: "the budget is used up",
    StopReason.MAX_DURATION: "the time is used up",
    StopReason.MAX_ITERATIONS: "the iterations are used up",
}
