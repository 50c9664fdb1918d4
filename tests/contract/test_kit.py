"""The kit that hosts test with, held against our own fakes, workspace and example; and against mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import run_state_machine_as_test

from lifecycle.config import Config
from lifecycle.runtime.local import local_workspace
from lifecycle.testing.agent_conformance import AgentConformance
from lifecycle.testing.examples import review
from lifecycle.testing.fakes import FakeAgent, FakeWorkspace
from lifecycle.testing.simulation.simulate import Simulator
from lifecycle.testing.state_machine import LifecycleStateMachine
from lifecycle.testing.strategies import facts, scenarios, transitions
from lifecycle.testing.tables import definition_named
from lifecycle.testing.workspace_conformance import WorkspaceConformance
from states.guards import GUARDS
from states.promises import always
from states.record import from_data, to_data

pytest_plugins = ["lifecycle.testing.pytest_plugin"]

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


class TestFakeAgent(AgentConformance):
    @pytest.fixture
    def agent(self) -> FakeAgent:
        return FakeAgent(FakeWorkspace())


class TestFakeWorkspace(WorkspaceConformance):
    @pytest.fixture
    def workspace(self) -> FakeWorkspace:
        return FakeWorkspace()

    @pytest.fixture
    def write(self, workspace):
        def put(features) -> None:
            is_invalid = isinstance(features, str)
            workspace.features, workspace.invalid = (None if is_invalid else features), (features if is_invalid else None)

        return put


class TestLocalWorkspace(WorkspaceConformance):
    @pytest.fixture
    def workspace(self, tmp_path: Path):
        return local_workspace(tmp_path, Config())

    @pytest.fixture
    def write(self, tmp_path: Path):
        path = tmp_path / "feature_list.json"

        def put(features) -> None:
            if isinstance(features, str):
                path.write_text('[{"description": ')
                return
            path.write_text(
                json.dumps(
                    [
                        {"category": "functional", "description": f"feature {at}", "steps": ["try it"], "passes": passes}
                        for at, passes in enumerate(features)
                    ]
                )
            )

        return put


@QUICK
@given(facts())
def test_guards_answer_any_facts_and_exactly_one_of_each_pair_holds(any_facts) -> None:
    held = {name: guard(any_facts) for name, guard in GUARDS.items()}
    assert held["has_work"] != held["has_nothing_to_do"]
    assert held["may_continue"] != held["must_stop"]
    assert from_data(to_data(any_facts)) == any_facts


@QUICK
@given(transitions(review.DEFINITION))
def test_random_lifecycles_of_a_hosts_table_keep_every_promise(steps) -> None:
    promised = always(review.DEFINITION)
    assert all(promise.holds(step) for step in steps for promise in promised)


@QUICK
@given(scenario=scenarios())
def test_drawn_scenarios_break_no_promise(scenario) -> None:
    with Simulator() as simulator:
        assert simulator.play(scenario).violation is None


class Reviewed(LifecycleStateMachine):
    definition = review.DEFINITION


class Mistaken(LifecycleStateMachine):
    definition = definition_named("lifecycle.testing.examples.review:BROKEN")


def test_the_state_machine_agrees_with_the_table_of_a_host() -> None:
    run_state_machine_as_test(Reviewed, settings=settings(QUICK, stateful_step_count=30))


def test_the_state_machine_finds_the_deliberate_mistake() -> None:
    with pytest.raises(AssertionError, match="RUN is entered only from CREATE"):
        run_state_machine_as_test(Mistaken, settings=settings(QUICK, max_examples=60, stateful_step_count=20))


def test_the_plugin_gives_a_seed_and_a_simulator(lifecycle_seed: int, lifecycle_simulator, lifecycle_clock) -> None:
    from lifecycle.testing.simulation.scenario import scenario_of

    assert lifecycle_simulator.play(scenario_of(lifecycle_seed)).violation is None
    assert lifecycle_clock.now() > 0
