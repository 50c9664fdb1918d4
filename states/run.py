"""RUN: what the end of the agent's turn means for the conversation."""

from __future__ import annotations

from dataclasses import replace

from states.facts import Facts, Outcome
from states.observation import Observation
from states.vocabulary import Cause, OutcomeKind, Trigger

_OVER = frozenset({OutcomeKind.COMPLETED_TURN, OutcomeKind.NEEDS_FRESH_CONVERSATION, OutcomeKind.FATAL})


def finished(
    facts: Facts, outcome: Outcome, *, at: float, cost_usd: float, ran_s: float = 0.0
) -> Observation:
    """The turn is over. A cut-off or retryable one leaves its conversation open; any other ends it.

    An agent that was stopped because somebody asked is told by `stop_requested`, so that the record shows it.

    Args:
        cost_usd: of the run so far; never taken back.
        ran_s: how long the agent was at it in this cycle.
    """
    session = facts.session
    if session is not None:
        session = replace(session, is_over=outcome.kind in _OVER, ran_s=session.ran_s + ran_s)
    stopped = outcome.cause is Cause.STOP
    return Observation(
        Trigger.STOP_REQUESTED if stopped else Trigger.FINISHED,
        replace(
            facts,
            at=at,
            session=session,
            outcome=outcome,
            cost_usd=max(facts.cost_usd, cost_usd),
            stop_requested=facts.stop_requested or stopped,
        ),
    )
