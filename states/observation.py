"""What a state leaves behind when its work is done: the next trigger, and the facts as they are now.

Owns the two triggers that several states share, `failed` and `stop_requested`. What the others mean is in
the module named after the state that fires them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from states.facts import Facts, Outcome
from states.vocabulary import Cause, State, StopReason, Trigger


@dataclass(frozen=True, slots=True)
class Observation:
    """The pending trigger and the facts that its guards will see. A host's own triggers are plain strings."""

    trigger: str
    facts: Facts


def failed(facts: Facts, state: str, *, at: float, cause: Cause, detail: str) -> Observation:
    """The state's work could not be done at all.

    In DETECT, CREATE and RUN the fault is this cycle's outcome, and END decides. In END and CONTINUE nobody is
    left to decide: the run stops as fatal, whatever the cause. So it is in a host's state that stands behind END's decision.
    """
    outcome = Outcome(cause, detail, progressed=False)
    reason = StopReason.FATAL if state == State.END or _is_decided(facts, state) else None
    return Observation(Trigger.FAILED, replace(facts, at=at, outcome=outcome, stop_reason=reason))


def stop_requested(facts: Facts, state: str, *, at: float) -> Observation:
    """Somebody asked for a graceful stop while the state was at work.

    CONTINUE stops at once, since nothing is running there; the others go to END, which saves first. A stop during
    END is no trigger but a fact for `decide`, see `states.end`. A host's state that stands behind END's decision stops at
    once too, and its work is done by the next start: whatever was decided, the run is not over before that.
    """
    is_decided = _is_decided(facts, state)
    reason = StopReason.INTERRUPTED if is_decided else None
    outcome = facts.outcome if is_decided else Outcome(Cause.STOP, "asked to stop")
    return Observation(
        Trigger.STOP_REQUESTED,
        replace(facts, at=at, outcome=outcome, stop_requested=True, stop_reason=reason, resume_at=None),
    )


def _is_decided(facts: Facts, state: str) -> bool:
    """Whether END has decided how this cycle goes on, and its answer is still to be carried out."""
    return state == State.CONTINUE or facts.resume_at is not None or facts.stop_reason is not None
