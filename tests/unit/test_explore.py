"""The whole lifecycle within small limits, counted exactly: a change of its shape must be meant."""

from __future__ import annotations

from collections import Counter

import pytest

from states.explore import Exploration, explore
from states.vocabulary import State, StopReason


@pytest.fixture(scope="module")
def explored() -> Exploration:
    return explore()


def test_the_reachable_pairs_of_state_and_facts_class_are_counted_exactly(explored: Exploration) -> None:
    assert dict(Counter(state for state, _ in explored.pairs)) == {
        State.NEW: 1,
        State.DETECT: 10,
        State.CREATE: 2,
        State.RUN: 1,
        State.END: 41,
        State.CONTINUE: 7,
        State.SHUTDOWN: 11,
    }


def test_the_configurations_and_edges_are_counted_exactly(explored: Exploration) -> None:
    assert (len(explored.configurations), explored.edges) == (19_367, 698_410)


def test_every_stop_reason_can_be_reached(explored: Exploration) -> None:
    assert {f.stop_reason for s, f in explored.configurations if s is State.SHUTDOWN} == set(StopReason)


def test_shutdown_has_a_reason_and_nothing_else_does(explored: Exploration) -> None:
    for state, facts in explored.configurations:
        assert (facts.stop_reason is not None) == (state is State.SHUTDOWN)


def test_no_iteration_begins_beyond_the_limit(explored: Exploration) -> None:
    assert max(facts.counters.iterations for _, facts in explored.configurations) == 2
