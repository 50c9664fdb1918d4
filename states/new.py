"""NEW: a run begins, or a suspended one goes on."""

from __future__ import annotations

from dataclasses import replace

from states.facts import Counters, Facts, Limits
from states.observation import Observation
from states.vocabulary import RunId, StopReason, Trigger


def begin(
    run_id: RunId, *, at: float, limits: Limits, sessions: int = 0, prompt: str | None = None
) -> Observation:
    """A new run: every counter is new but the project's session number.

    Args:
        sessions: how many sessions the project has had in earlier runs.
        prompt: an explicit prompt, which is work even when everything passes.
    """
    facts = Facts(
        run_id=run_id, at=at, started_at=at, limits=limits, counters=Counters(sessions=sessions), prompt=prompt
    )
    return Observation(Trigger.START, facts)


def is_suspended(facts: Facts) -> bool:
    """Whether these facts of a run in SHUTDOWN say that the next start takes it up again."""
    return facts.stop_reason is StopReason.INTERRUPTED


def go_on(last: Facts, *, at: float, limits: Limits, prompt: str | None = None) -> Observation:
    """A suspended run goes on under its id, counters and deadline; the time in between is not held against it.

    The newest start's limits apply. A conversation that was cut off stays open, so that it is resumed.
    """
    facts = replace(
        last,
        at=at,
        limits=limits,
        suspended_s=last.suspended_s + max(0.0, at - last.at),
        session=last.session if last.has_open_session else None,
        session_type=last.session_type if last.has_open_session else None,
        prompt=last.prompt if prompt is None else prompt,
        has_run=False,
        outcome=None,
        stop_requested=False,
        save_error=None,
        verify_error=None,
        resume_at=None,
        stop_reason=None,
    )
    return Observation(Trigger.START, facts)
