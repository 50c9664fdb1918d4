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
    left to decide: the run stops as fatal, whatever the cause.
    """
    outcome = Outcome(cause, detail, progressed=False)
    reason = StopReason.FATAL if state in (State.END, State.CONTINUE) else None
    return Observation(Trigger.FAILED, replace(facts, at=at, outcome=outcome, stop_reason=reason))


def stop_requested(facts: Facts, state: str, *, at: float) -> Observation:
    """Somebody asked for a graceful stop while the state was at work.

    CONTINUE stops at once, since nothing is running there; the others go to END, which saves first. A stop during
    END is no trigger but a fact for `decide`, see `states.end`.
    """
    reason = StopReason.INTERRUPTED if state == State.CONTINUE else None
    outcome = facts.outcome if state == State.CONTINUE else Outcome(Cause.STOP, "asked to stop")
    return Observation(
        Trigger.STOP_REQUESTED,
        replace(facts, at=at, outcome=outcome, stop_requested=True, stop_reason=reason, resume_at=None),
    )
