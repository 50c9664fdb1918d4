"""A host's own states at every place where one is wished for: what is right is proved, what is wrong is told with its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from states.definition import Definition, extended
from states.facts import Facts, Limits
from states.observation import Observation
from states.promises import always, eventually, promises, sometimes
from states.properties import Verdict, check
from states.table import TABLE, Transition
from states.vocabulary import State, StopReason, Trigger
from states.world import LONG_S, SMALL

TINY = Limits(0.0, max_iterations=1, max_budget_usd=1.0, max_duration_s=100.0, max_failures=1, stall_after=1)

S, T = State, Trigger
Rows = tuple[Transition, ...]


def between(source: str, trigger: str, own: str, *, then: str, otherwise: str, guard: str | None = None, rows: Rows = TABLE) -> Rows:
    """`own` in the middle of a row: `then` leads on, trouble and stops lead to `otherwise`."""
    [row] = [row for row in rows if (row.source, row.trigger, row.guard) == (source, trigger, guard)]
    return (
        *(replace(row, dest=own) if each is row else each for each in rows),
        Transition(own, then, None, row.dest, "it is done"),
        Transition(own, T.FAILED, None, otherwise, "it could not be done"),
        Transition(own, T.STOP_REQUESTED, None, otherwise, "somebody asked for a stop"),
    )


def led(rows: Rows, source: str, trigger: str, dest: str) -> Rows:
    """One row leads elsewhere."""
    return tuple(replace(row, dest=dest) if (row.source, row.trigger) == (source, trigger) else row for row in rows)


def also(rows: Rows, source: str, dest: str, guard: str | None = None) -> Rows:
    return (*rows, Transition(source, "also", guard, dest, "a mistake"))


PREPARED = between(S.NEW, T.START, "PREPARE", then="prepared", otherwise=S.END)
ASKED_EARLY = between(S.DETECT, T.DETECTED, "APPROVAL", then="approved", otherwise=S.END, guard="has_work")
APPROVED = between(S.CREATE, T.CREATED, "APPROVAL", then="approved", otherwise=S.END)
UPLOADED = between(S.END, T.ENDED, "UPLOAD", then="uploaded", otherwise=S.SHUTDOWN, guard="may_continue")
# In place of the way that leads past CREATE, and on to it as if there were work.
ASKED_IN_VAIN = between(S.DETECT, T.DETECTED, "APPROVAL", then="approved", otherwise=S.END, guard="has_nothing_to_do")
PUBLISHED = between(S.END, T.ENDED, "PUBLISH", then="published", otherwise=S.SHUTDOWN, guard="must_stop")

def everything() -> Rows:
    """All of them in one table, two of them one behind the other."""
    rows = between(S.NEW, T.START, "PREPARE", then="prepared", otherwise=S.END)
    rows = between(S.DETECT, T.DETECTED, "ASK", then="answered", otherwise=S.END, guard="has_work", rows=rows)
    rows = between(S.CREATE, T.CREATED, "APPROVAL", then="approved", otherwise=S.END, rows=rows)
    rows = between(S.END, T.ENDED, "UPLOAD", then="uploaded", otherwise=S.SHUTDOWN, guard="may_continue", rows=rows)
    rows = between("UPLOAD", "uploaded", "ANNOUNCE", then="announced", otherwise=S.SHUTDOWN, rows=rows)
    rows = between(S.END, T.ENDED, "PUBLISH", then="published", otherwise=S.SHUTDOWN, guard="must_stop", rows=rows)
    return between(S.CONTINUE, T.DELAY_ELAPSED, "WARM_UP", then="warm", otherwise=S.END, rows=rows)


def defined(rows: Rows, **observations) -> Definition:
    return extended(rows, observations=observations).validated()


def broken(definition: Definition) -> Verdict | None:
    found = check(always(definition), definition, TINY, is_hasty=True)
    return next((each for each in found if not each.holds), None)


def test_all_of_them_at_once_keep_every_promise() -> None:
    definition = defined(everything())
    found = check(promises(definition, SMALL), definition, SMALL)
    assert [verdict.claim.name for verdict in found if not verdict.holds] == []
    assert len(found) == len(always()) + len(sometimes(definition)) + len(eventually())


WRONG = {
    "an approval that leaves CREATE out": (also(ASKED_EARLY, "APPROVAL", S.RUN), "RUN is entered only from CREATE"),
    "an approval that goes back for another session": (also(APPROVED, "APPROVAL", S.CREATE), "a state is left for another one"),
    "an approval that ends the run over END's head": (
        led(APPROVED, "APPROVAL", T.STOP_REQUESTED, S.SHUTDOWN), "what a session did is saved before anything else begins or ends"
    ),
    "an approval that goes on after a stop": (
        led(ASKED_EARLY, "APPROVAL", T.STOP_REQUESTED, S.CREATE), "a stop request is honoured from every state"
    ),
    "an approval that could not be had and is taken for given": (
        led(APPROVED, "APPROVAL", T.FAILED, S.RUN), "work that cannot be done is judged by END, or ends the run"
    ),
    "an approval that sets about what was decided against": (
        led(ASKED_IN_VAIN, "APPROVAL", "approved", S.CREATE), "a session is begun only for work, and within the limits"
    ),
    "a preparation that leaves DETECT out": (also(PREPARED, "PREPARE", S.CREATE), "every cycle begins by reading the project"),
    "an upload that runs past the decision": (also(UPLOADED, "UPLOAD", S.RUN), "RUN is entered only from CREATE"),
    "an upload that does not wait": (also(UPLOADED, "UPLOAD", S.DETECT), "a new cycle begins with nothing left of the last one"),
    "an upload that is judged twice": (also(UPLOADED, "UPLOAD", S.END), "a state is left for another one"),
    "an upload that swallows the stop": (
        led(UPLOADED, "UPLOAD", T.STOP_REQUESTED, S.CONTINUE), "a stop request is honoured from every state"
    ),
    "an upload that overrules END's decision to stop": (
        led(PUBLISHED, "PUBLISH", "published", S.CONTINUE), "SHUTDOWN has exactly one reason, and no other state has one"
    ),
    "an upload that overrules END's decision to go on": (
        also(UPLOADED, "UPLOAD", S.SHUTDOWN), "SHUTDOWN has exactly one reason, and no other state has one"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_place_that_is_wrong_is_told_with_the_way_there(mistake: str) -> None:
    rows, promise = WRONG[mistake]
    found = broken(defined(rows))
    assert found is not None
    assert found.claim.name == promise
    own = {step.source for step in found.path} - set(State)
    assert own == {found.path[-1].source}, "it is the host's own state that breaks it"


def test_a_row_that_is_forgotten_is_told() -> None:
    rows = tuple(row for row in UPLOADED if (row.source, row.trigger) != ("UPLOAD", T.STOP_REQUESTED))
    found = broken(defined(rows))
    assert found is not None
    assert str(found.path[-1]) == "UPLOAD --stop_requested--> nowhere: 0 rows apply"


# --- mistakes that are in the work, and not in the table -----------------------------------------------------


def observing(trigger: str, **changes):
    def observed(facts: Facts) -> Iterator[Observation]:
        yield Observation(trigger, facts)
        yield Observation(trigger, replace(facts, **changes))

    return observed


WRONG_WORK = {
    "a stop that is taken back": (PUBLISHED, "PUBLISH", observing("published", stop_requested=False)),
    "a reason of one's own": (PUBLISHED, "PUBLISH", observing("published", stop_reason=StopReason.COMPLETE)),
    "a wait that is cut short": (UPLOADED, "UPLOAD", observing("uploaded", resume_at=0.0)),
    "a wait that is forgotten": (UPLOADED, "UPLOAD", observing("uploaded", resume_at=None)),
    "a session that is let go": (APPROVED, "APPROVAL", observing("approved", session=None)),
    "a session that begins although the time is up by now": (
        ASKED_EARLY, "APPROVAL", lambda facts: [Observation("approved", replace(facts, at=facts.at + LONG_S))]
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG_WORK)
def test_work_that_is_wrong_is_told_too(mistake: str) -> None:
    rows, own, observe = WRONG_WORK[mistake]
    found = broken(defined(rows, **{own: observe}))
    assert found is not None
    assert found.path[-1].source == own


def test_time_that_an_approval_takes_is_asked_about_again() -> None:
    """The built-in guard answers a second time: what was worth a session may no longer be."""
    rows = tuple(row for row in ASKED_EARLY if row.trigger != "approved")
    rows = (
        *rows,
        Transition("APPROVAL", "approved", "has_work", S.CREATE, "there is still time"),
        Transition("APPROVAL", "approved", "has_nothing_to_do", S.END, "it took too long"),
    )

    def late(facts: Facts) -> Iterator[Observation]:
        yield Observation("approved", facts)
        yield Observation("approved", replace(facts, at=facts.at + LONG_S))

    assert broken(defined(rows, APPROVAL=late)) is None


def test_an_upload_may_ask_again_what_was_decided() -> None:
    """One state behind both of END's rows, with END's own guards behind it."""
    rows = tuple(row for row in TABLE if (row.source, row.trigger) != (S.END, T.ENDED))
    rows = (
        *rows,
        Transition(S.END, T.ENDED, None, "UPLOAD", "whatever follows"),
        Transition("UPLOAD", "uploaded", "may_continue", S.CONTINUE, "go on"),
        Transition("UPLOAD", "uploaded", "must_stop", S.SHUTDOWN, "stop"),
        Transition("UPLOAD", T.FAILED, None, S.SHUTDOWN, "it could not be done"),
        Transition("UPLOAD", T.STOP_REQUESTED, None, S.SHUTDOWN, "somebody asked for a stop"),
    )
    assert broken(defined(rows)) is None
