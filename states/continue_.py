"""CONTINUE: the wait is over, and a new cycle begins with nothing left of the last one but what lasts."""

from __future__ import annotations

from dataclasses import replace

from states.decide import next_cycle
from states.facts import Facts, Limits
from states.observation import Observation
from states.vocabulary import Trigger


def delay_elapsed(facts: Facts, *, at: float) -> Observation:
    """The moment `resume_at` has come. A conversation that was cut off stays open; one that is over is let go."""
    return Observation(
        Trigger.DELAY_ELAPSED,
        replace(
            facts,
            at=at,
            session=facts.session if facts.has_open_session else None,
            session_type=facts.session_type if facts.has_open_session else None,
            has_run=False,
            outcome=None,
            save_error=None,
            verify_error=None,
            resume_at=None,
        ),
    )


def rescheduled(facts: Facts, limits: Limits) -> Facts:
    """The wait under the newest start's limits, reckoned from when it began: a reset or a backoff stays."""
    under_new = replace(facts, limits=limits)
    return replace(under_new, resume_at=next_cycle(under_new).resume_at)
