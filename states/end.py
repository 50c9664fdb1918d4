"""END: what was saved, how the cycle counts, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from states.decide import Continue, decide, needs_backoff
from states.facts import Counters, Facts, FeatureCount, Session
from states.observation import Observation
from states.vocabulary import OutcomeKind, Trigger


@dataclass(frozen=True, slots=True)
class Saved:
    """What END found and kept.

    Attributes:
        features: as they stand now; None where it cannot be told.
        has_progressed: a feature passes newly, a commit was made, or an INIT session left a valid list.
        error: why something could not be saved, or None. It is a fact for `decide`, not an exception.
        verify_error: why nobody could say whether the session's claims hold (the verification is missing, or took
            too long), or None. A verification that ran and failed is none: it has said that they do not.
    """

    features: FeatureCount | None
    has_progressed: bool = False
    error: str | None = None
    verify_error: str | None = None


def ended(
    facts: Facts,
    saved: Saved,
    *,
    at: float,
    jitter: float,
    stop_requested: bool = False,
    cost_usd: float = 0.0,
) -> Observation:
    """Count the cycle, then ask `decide`; its answer is in the facts, so the record says why.

    Args:
        jitter: injected chance in [0, 1) for a backoff.
        stop_requested: somebody asked for a stop while END was at work.
        cost_usd: of the run by now, also of a session that failed before it could tell; never taken back.
    """
    session = facts.session
    if session is not None:
        session = replace(session, has_progressed=session.has_progressed or saved.has_progressed)
    judged = replace(
        facts,
        at=at,
        features=saved.features,
        session=session,
        save_error=saved.error,
        verify_error=saved.verify_error,
        stop_requested=facts.stop_requested or stop_requested,
        cost_usd=max(facts.cost_usd, cost_usd),
        jitter=jitter,
    )
    judged = replace(judged, counters=_count(judged))
    decision = decide(judged)
    if isinstance(decision, Continue):
        return Observation(Trigger.ENDED, replace(judged, resume_at=decision.resume_at))
    return Observation(Trigger.ENDED, replace(judged, stop_reason=decision.reason))


def _count(facts: Facts) -> Counters:
    counters = facts.counters
    return replace(
        counters,
        failures=_failures(counters.failures, facts),
        stalled=_stalled(counters.stalled, facts.session),
        retries=_retries(counters.retries, facts),
    )


def _failures(before: int, facts: Facts) -> int:
    """In a row: a failure adds one, a normal end starts again, and what is neither leaves it."""
    outcome = facts.outcome
    is_unsure = facts.save_error is not None or facts.verify_error is not None
    if is_unsure or (outcome is not None and outcome.is_failure):
        return before + 1
    if outcome is not None and outcome.kind is OutcomeKind.COMPLETED_TURN:
        return 0
    return before


def _stalled(before: int, session: Session | None) -> int:
    """Only a session that is over can have stalled: one that will be resumed still has its chance."""
    if session is None or not session.is_over:
        return before
    return 0 if session.has_progressed else before + 1


def _retries(before: int, facts: Facts) -> int:
    """A cycle that got something done starts the backoff from its first step again."""
    if not needs_backoff(facts):
        return 0
    has_progressed = facts.outcome is not None and facts.outcome.progressed and facts.save_error is None
    return 1 if has_progressed else before + 1
