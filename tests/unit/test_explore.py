"""The whole lifecycle within small limits, counted exactly: a change of its shape must be meant."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.testing.proof import DOCUMENT, proof_blocks, with_proof
from states.definition import extended
from states.explore import Search
from states.facts import Limits
from states.promises import PRECEDENCE, always, eventually, promises, sometimes
from states.properties import Always, Eventually, Sometimes, Verdict, check
from states.table import TABLE, Transition
from states.vocabulary import State, StopReason

SMALL = Limits(0.0, max_iterations=1, max_budget_usd=1.0, max_duration_s=100.0, max_failures=1, stall_after=1)


@pytest.fixture(scope="module")
def search() -> Search:
    return Search()


@pytest.fixture(scope="module")
def verdicts(search: Search) -> dict[str, Verdict]:
    """All of the promises, over everything there is."""
    return {verdict.claim.name: verdict for verdict in check(promises(), search=search)}


def test_every_promise_holds(verdicts: dict[str, Verdict]) -> None:
    assert [name for name, verdict in verdicts.items() if not verdict.holds] == []
    assert Counter(verdict.kind for verdict in verdicts.values()) == {
        "always": len(always()),
        "sometimes": len(sometimes()),
        "eventually": len(eventually()),
    }


def test_every_sometimes_has_a_shortest_witness_from_the_start_on(verdicts: dict[str, Verdict]) -> None:
    for verdict in verdicts.values():
        if verdict.kind == "sometimes":
            assert verdict.path[0].source == State.NEW
            assert all(step.dest == following.source for step, following in zip(verdict.path, verdict.path[1:]))
            assert verdict.claim.holds(verdict.path[-1])
    path = verdicts["a conversation that was cut off is resumed"].path
    assert [f"{step.source} {step.trigger}" for step in path] == [
        "NEW start", "DETECT detected", "CREATE created", "RUN stop_requested", "END ended", "SHUTDOWN start",
        "DETECT detected", "CREATE created",
    ]  # fmt: skip


def test_the_configurations_and_steps_are_counted_exactly(search: Search, verdicts: dict[str, Verdict]) -> None:
    assert (len(search.graph), search.edges) == (30_928, 489_044)
    assert dict(Counter(str(state) for state, *_ in search.graph)) == {
        "NEW": 1, "DETECT": 1_422, "CREATE": 764, "RUN": 448, "END": 26_694, "CONTINUE": 170, "SHUTDOWN": 1_429,
    }  # fmt: skip


def test_the_reachable_pairs_of_state_and_facts_class_are_counted_exactly(
    search: Search, verdicts: dict[str, Verdict]
) -> None:
    assert dict(Counter(str(state) for state, _ in search.pairs)) == {
        "NEW": 1, "DETECT": 12, "CREATE": 4, "RUN": 2, "END": 49, "CONTINUE": 2, "SHUTDOWN": 11,
    }  # fmt: skip


def test_the_documents_tell_what_was_found(search: Search, verdicts: dict[str, Verdict]) -> None:
    """When this fails: `python -m lifecycle.testing.proof` in the repository's root."""
    document = (Path(__file__).parents[2] / DOCUMENT).read_text()
    blocks = proof_blocks(search, list(verdicts.values()))
    assert with_proof(document, blocks) == document
    assert all(f"<!-- proof:{marker} -->" in document for marker in blocks)


def test_the_contracts_precedence_is_the_order_of_the_reasons() -> None:
    assert list(PRECEDENCE) == list(StopReason)


def test_a_broken_promise_is_told_with_the_shortest_lifecycle_that_breaks_it() -> None:
    rows = (*TABLE, Transition("RUN", "wished", None, "CREATE", "a mistake"))
    definition = extended(rows, observations={})
    never = Always("CREATE is never entered", lambda step: step.dest != State.CREATE)
    [verdict] = check([never], definition, SMALL)
    assert not verdict.holds
    assert [str(step.dest) for step in verdict.path] == ["DETECT", "CREATE"]


def test_what_never_happens_is_no_sometimes() -> None:
    [verdict] = check([Sometimes("NEW is entered", lambda step: step.dest == State.NEW)], limits=SMALL)
    assert not verdict.holds


def test_a_lifecycle_without_end_is_told_with_the_way_round() -> None:
    endless = Eventually("with no limit at all", Limits(0.0, None, None, None, None, None))
    [verdict] = check([endless])
    assert not verdict.holds
    assert verdict.cycle[0].source == verdict.cycle[-1].dest
    assert State.SHUTDOWN not in {step.dest for step in verdict.cycle}


def test_without_fairness_a_limit_on_time_does_not_end_a_run() -> None:
    """The proof is not empty: it is the world's fairness that ends the run, and it is said."""
    timed = next(each for each in eventually() if "max_duration" in each.name)
    assert not check([replace(timed, fair=())])[0].holds


@pytest.mark.parametrize("missing", ["DETECT", "CREATE", "RUN", "CONTINUE"])
def test_a_state_that_does_not_answer_a_stop_request_is_found(missing: str) -> None:
    rows = tuple(row for row in TABLE if (row.source, row.trigger) != (missing, "stop_requested"))
    found = check(promises(extended(rows)), extended(rows), SMALL, is_hasty=True)
    assert not found[0].holds
    assert (str(found[0].path[-1].source), str(found[0].path[-1].trigger)) == (missing, "stop_requested")
