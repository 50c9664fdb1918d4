"""A lifecycle with a REVIEW between RUN and END: what a session did is looked at before it counts.

Check it, look at it, run it:

    lifecycle verify --table lifecycle.testing.examples.review:TABLE
    lifecycle diagram --table lifecycle.testing.examples.review:TABLE

    SessionManager("my-app", definition=DEFINITION, works={REVIEW: reviewing(my_review)})

A reviewer says what is wrong, or None. A session that is sent back counts as a failure, and a fresh one follows;
END decides, as ever. `BROKEN` has a mistake in it that is easily made: it sends the session straight back to RUN.
`lifecycle verify --table lifecycle.testing.examples.review:BROKEN` says what is wrong with that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from lifecycle.work.context import Done, Work, WorkContext
from states.definition import extended
from states.facts import Facts, Outcome
from states.observation import Observation
from states.table import TABLE as BUILT_IN_TABLE
from states.table import Transition
from states.vocabulary import Cause, State, Trigger

__all__ = ["BROKEN", "DEFINITION", "OBSERVATIONS", "REVIEW", "TABLE", "WORKS", "reviewing"]

REVIEW = "REVIEW"
APPROVED = "approved"
REJECTED = "rejected"

TABLE: tuple[Transition, ...] = (
    *(row for row in BUILT_IN_TABLE if (row.source, row.trigger) != (State.RUN, Trigger.FINISHED)),
    Transition(State.RUN, Trigger.FINISHED, None, REVIEW, "the agent's turn is over: somebody looks at it"),
    Transition(REVIEW, APPROVED, None, State.END, "nothing is wrong with it"),
    Transition(REVIEW, REJECTED, None, State.END, "the session counts as a failure, and a fresh one follows"),
    Transition(REVIEW, Trigger.FAILED, None, State.END, "nobody could look at it"),
    Transition(REVIEW, Trigger.STOP_REQUESTED, None, State.END, "graceful shutdown saves state first"),
)

BROKEN = (
    *(row for row in TABLE if row.trigger != REJECTED),
    Transition(REVIEW, REJECTED, None, State.RUN, "let it try again"),
)

Reviewer = Callable[[WorkContext], Awaitable[str | None]]
"""Looks at what the session did, and says what is wrong, or None."""


def reviewing(reviewer: Reviewer) -> Work:
    """REVIEW's work. It may be done again after a crash; a stop request cuts it short."""

    async def review(context: WorkContext) -> Done:
        problem = await reviewer(context)
        facts = replace(context.facts, at=context.now())
        return Done(approved(facts) if problem is None else rejected(facts, problem))

    return review


def approved(facts: Facts) -> Observation:
    """Nothing is wrong: the outcome stays what it was."""
    return Observation(APPROVED, facts)


def rejected(facts: Facts, problem: str) -> Observation:
    """Something is wrong: the conversation is over, and it counts as a failure."""
    session = None if facts.session is None else replace(facts.session, is_over=True)
    return Observation(REJECTED, replace(facts, session=session, outcome=Outcome(Cause.REFUSED, problem)))


def _observations(facts: Facts) -> Iterator[Observation]:
    yield approved(facts)
    yield rejected(facts, "the tests were deleted")


async def _approve(context: WorkContext) -> str | None:
    return None


OBSERVATIONS = MappingProxyType({REVIEW: _observations})
WORKS: Mapping[str, Work] = MappingProxyType({REVIEW: reviewing(_approve)})
GROUPS = MappingProxyType({REVIEW: "looked at by somebody"})
DEFINITION = extended(TABLE, observations=OBSERVATIONS)
