"""The table and its reading: the contract's edges, what the compiler refuses, and what the interpreter says."""

from __future__ import annotations

import pytest

from lifecycle.machine import LifecycleMachine
from states.definition import validate
from states.errors import DefinitionError, IllegalTransition
from states.facts import Facts
from states.guards import GUARDS
from states.outcomes import OUTCOMES
from states.step import step
from states.table import TABLE, Transition
from states.vocabulary import Cause, RunId, State, StopReason

FACTS = Facts(run_id=RunId("r"), at=0.0, started_at=0.0)

CONTRACT = """
NEW start DETECT
DETECT detected CREATE has_work
DETECT detected END has_nothing_to_do
CREATE created RUN
RUN finished END
DETECT failed END
CREATE failed END
RUN failed END
DETECT stop_requested END
CREATE stop_requested END
RUN stop_requested END
END ended CONTINUE may_continue
END ended SHUTDOWN must_stop
CONTINUE delay_elapsed DETECT
CONTINUE stop_requested SHUTDOWN
END failed SHUTDOWN
CONTINUE failed SHUTDOWN
"""


def test_the_table_has_the_contracts_edges_and_no_other() -> None:
    rows = {(row.source, row.trigger, row.dest, row.guard) for row in TABLE}
    contract = set()
    for line in CONTRACT.split("\n"):
        if line:
            source, trigger, dest, *guard = line.split()
            contract.add((source, trigger, dest, guard[0] if guard else None))
    assert rows == contract
    assert len(TABLE) == len(contract)


def test_every_cause_has_exactly_one_meaning() -> None:
    assert set(OUTCOMES) == set(Cause)


def test_stop_reasons_stand_in_their_order_of_precedence() -> None:
    from states.decide import REASONS

    assert list(dict.fromkeys(reason for reason, _ in REASONS)) == list(StopReason)


def row(source: str, trigger: str, guard: str | None, dest: str) -> Transition:
    return Transition(source, trigger, guard, dest, "a test's")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ((*TABLE, row("END", "ended", "may_continue", "LIMBO")), "unknown state 'LIMBO'"),
        ((*TABLE, row("END", "wished", None, "CONTINUE")), "unknown trigger 'wished'"),
        ((*TABLE, row("END", "finished", "feels_like_it", "CONTINUE")), "unknown guard 'feels_like_it'"),
        ((*TABLE, row("SHUTDOWN", "start", None, "DETECT")), "SHUTDOWN is final"),
        ((*TABLE, row("END", "start", None, "NEW")), "NEW is the pseudo-state"),
        (tuple(r for r in TABLE if r.dest != "CREATE"), "CREATE cannot be reached"),
        (tuple(r for r in TABLE if r.dest != "SHUTDOWN"), "SHUTDOWN cannot be reached"),
        (tuple(r for r in TABLE if r.source != "CREATE"), "cannot be reached"),
        ((*TABLE, row("END", "ended", None, "CONTINUE")), "ambiguous"),
        ((*TABLE, row("RUN", "finished", None, "CONTINUE")), "ambiguous"),
        ((*TABLE, row("DETECT", "detected", "has_work", "END")), "ambiguous with has_work"),
        (tuple(r for r in TABLE if r.guard != "has_nothing_to_do"), "not exhaustive"),
    ],
)
def test_a_table_that_is_no_lifecycle_is_refused_by_row(rows: tuple[Transition, ...], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        validate(rows)


def test_a_dead_end_is_refused() -> None:
    rows = (*TABLE, row("RUN", "ended", None, "LIMBO"))
    with pytest.raises(DefinitionError, match="LIMBO is a dead end"):
        validate(rows, states=(*State, "LIMBO"))


def test_a_definition_error_names_the_row() -> None:
    with pytest.raises(DefinitionError) as caught:
        validate((*TABLE, row("END", "ended", "maybe", "CONTINUE")))
    assert caught.value.row == "END --ended [maybe]--> CONTINUE"


def test_guards_that_overlap_or_leave_a_gap_are_found() -> None:
    with pytest.raises(DefinitionError, match="not exhaustive"):
        validate(guards={**GUARDS, "may_continue": lambda facts: False, "must_stop": lambda facts: False})
    with pytest.raises(DefinitionError, match="ambiguous"):
        validate(guards={**GUARDS, "may_continue": lambda facts: True})


def test_the_interpreter_refuses_what_the_table_does_not_have() -> None:
    with pytest.raises(IllegalTransition) as caught:
        step(State.CREATE, "finished", FACTS)
    assert (caught.value.state, caught.value.trigger, caught.value.candidates) == ("CREATE", "finished", ())


class Quiet:
    """A host that lets every move happen and does no work."""

    async def before_move(self, source: str, trigger: str, dest: str, facts: Facts) -> None:
        return

    async def entered(self, state: str) -> None:
        return


async def test_the_machine_refuses_what_the_interpreter_refuses_and_stays() -> None:
    machine = LifecycleMachine(Quiet())
    for trigger in ("finished", "wished", "to_SHUTDOWN"):
        with pytest.raises(IllegalTransition):
            await machine.fire(trigger, FACTS)
    assert machine.state == State.NEW


async def test_a_refusal_by_guards_names_them() -> None:
    """Guards that change their mind after they were validated are refused, not obeyed."""
    moody = {"says": True}
    guards = {
        **GUARDS,
        "has_work": lambda facts: moody["says"],
        "has_nothing_to_do": lambda facts: False,
    }
    machine = LifecycleMachine(Quiet(), guards=guards)
    machine.rebase(State.DETECT)
    moody["says"] = False
    with pytest.raises(IllegalTransition) as caught:
        await machine.fire("detected", FACTS)
    assert caught.value.candidates == ("has_work", "has_nothing_to_do")
    assert machine.state == State.DETECT
