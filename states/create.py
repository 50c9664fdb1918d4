"""CREATE: which session comes next, and that it is counted exactly once."""

from __future__ import annotations

from dataclasses import replace

from states.facts import Facts, Session
from states.observation import Observation
from states.vocabulary import SessionId, SessionType, Trigger


def plan(facts: Facts, fresh_id: SessionId) -> Session:
    """The session that this cycle runs: the open conversation taken up again, or a new one with `fresh_id`."""
    if facts.session is not None and facts.has_open_session:
        return replace(facts.session, is_resumption=True)
    return Session(
        id=fresh_id,
        type=facts.session_type or SessionType.INIT,
        number=facts.counters.sessions + 1,
        iteration=facts.counters.iterations + 1,
        is_asked=facts.prompt is not None,
    )


def created(facts: Facts, session: Session, *, at: float) -> Observation:
    """The session is durable with this transition, and so is its count: an iteration is a new session in RUN."""
    if session.is_resumption:
        return Observation(Trigger.CREATED, replace(facts, at=at, session=session, has_run=True))
    counters = replace(facts.counters, iterations=session.iteration, sessions=session.number)
    return Observation(
        Trigger.CREATED, replace(facts, at=at, session=session, counters=counters, prompt=None, has_run=True)
    )
