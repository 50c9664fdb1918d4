"""The kit that hosts test with, held against our own fakes, workspace and example; and against mistakes."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from lifecycle import events, ports
from lifecycle.agent.prompt_library import PromptLibrary
from lifecycle.config import Config
from lifecycle.journal.memory import MemoryJournal
from lifecycle.runtime.local import SystemChance, SystemClock, local_verifier, local_workspace
from lifecycle.stopping import LocalStopFlag
from lifecycle.testing import (
    agent_conformance,
    journal_conformance,
    small_ports_conformance,
    verifier_conformance,
    workspace_conformance,
)
from lifecycle.testing.agent_conformance import AgentConformance, RecordingLog, SessionLogConformance
from lifecycle.testing.examples import review
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeVerifier, FakeWorkspace
from lifecycle.testing.simulation.simulate import Simulator
from lifecycle.testing.small_ports_conformance import (
    ChanceConformance,
    ClockConformance,
    ObserverConformance,
    PromptsConformance,
    StopFlagConformance,
    sample_events,
)
from lifecycle.testing.state_machine import LifecycleStateMachine
from lifecycle.testing.strategies import facts, scenarios, transitions
from lifecycle.testing.tables import definition_named
from lifecycle.testing.verifier_conformance import VerifierConformance
from lifecycle.testing.workspace_conformance import WorkspaceConformance
from lifecycle.watching import EventHub
from lifecycle.work.context import WorkContext
from lifecycle.work.run import _Log
from states.facts import Session
from states.guards import GUARDS
from states.promises import always
from states.record import from_data, to_data
from states.vocabulary import SessionType

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
            if features is None:
                path.unlink()
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


class TestFakeClock(ClockConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()


class TestSystemClock(ClockConformance):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestFakeChance(ChanceConformance):
    @pytest.fixture
    def chance(self) -> FakeChance:
        return FakeChance()


class TestSystemChance(ChanceConformance):
    @pytest.fixture
    def chance(self) -> SystemChance:
        return SystemChance()


class TestLocalStopFlag(StopFlagConformance):
    @pytest.fixture
    def flag(self) -> LocalStopFlag:
        return LocalStopFlag()

    @pytest.fixture
    def ask(self, flag: LocalStopFlag):
        return lambda: flag.set("a test")


class TestFakePrompts(PromptsConformance):
    @pytest.fixture
    def prompts(self) -> FakePrompts:
        return FakePrompts()


class TestPromptLibrary(PromptsConformance):
    @pytest.fixture
    def prompts(self) -> PromptLibrary:
        return PromptLibrary()


class TestEventHub(ObserverConformance):
    @pytest.fixture
    def observer(self) -> EventHub:
        return EventHub()


class TestFakeVerifier(VerifierConformance):
    @pytest.fixture
    def passing(self) -> FakeVerifier:
        return FakeVerifier()

    @pytest.fixture
    def failing(self) -> FakeVerifier:
        return FakeVerifier(ports.Verdict(ports.VerdictKind.FAILED, "the tests fail"))


class TestLocalVerifier(VerifierConformance):
    @pytest.fixture
    def passing(self, tmp_path: Path):
        return local_verifier(tmp_path, Config(verify_command="true"))

    @pytest.fixture
    def failing(self, tmp_path: Path):
        return local_verifier(tmp_path, Config(verify_command="echo no; false"))


class TestRecordingLog(SessionLogConformance):
    @pytest.fixture
    def log(self) -> RecordingLog:
        return RecordingLog()


class TestTheLifecyclesLog(SessionLogConformance):
    @pytest.fixture
    async def log(self):
        journal, workspace = MemoryJournal(), FakeWorkspace()
        session = Session(journal_conformance.SESSION, SessionType.INIT, 1, 1)
        await journal.append(journal_conformance.start(), journal_conformance.planned())
        world = ports.Ports(
            FakeClock(), FakeChance(), journal, workspace, FakeAgent(workspace), FakePrompts(), LocalStopFlag()
        )
        context = WorkContext(journal_conformance.facts(session=session), world, seq=1, max_turns=10)
        return _Log(context, session, await journal.session(session.id))


KITS = (agent_conformance, journal_conformance, small_ports_conformance, verifier_conformance, workspace_conformance)


@pytest.mark.parametrize(
    "port",
    [each for each in vars(ports).values() if getattr(each, "_is_protocol", False) and each.__module__ == ports.__name__],
    ids=lambda port: port.__name__,
)
def test_every_port_has_its_cases_and_every_call_of_it_is_made_there(port) -> None:
    """A port that is added, or a call, cannot be forgotten."""
    kit = next(module for module in KITS if hasattr(module, f"{port.__name__}Conformance"))
    source = inspect.getsource(kit)
    calls = {name for name, value in vars(port).items() if not name.startswith("_") and callable(value)}
    assert {call for call in calls if f".{call}(" not in source} == set()


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(event) for event in sample_events()} == set(every_event())


def every_event(kind: type = events.Event):
    for each in kind.__subclasses__():
        if getattr(events, each.__name__, None) is each:
            yield each
        yield from every_event(each)


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
        # Found, not made small: that takes minutes, and the search tells the shortest anyhow.
        seen = settings(QUICK, max_examples=60, stateful_step_count=20, derandomize=True, phases=[Phase.generate])
        run_state_machine_as_test(Mistaken, settings=seen)


# --- the plugin ------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
FOREIGN = """
from lifecycle.testing.examples import review
from lifecycle.testing.simulation.scenario import scenario_of


async def test_mine(lifecycle_manager, lifecycle_journal):
    works = {review.REVIEW: review.reviewing(look)}
    async with lifecycle_manager(definition=review.DEFINITION, works=works) as session:
        assert (await session.run_until_shutdown()).stop_reason == "complete"
    assert "REVIEW" in {record.dest for record in await lifecycle_journal.transitions()}


async def look(context):
    return None


def test_seeded(lifecycle_seed, lifecycle_simulator):
    assert lifecycle_simulator.play(scenario_of(lifecycle_seed)).violation is None


def test_failing(lifecycle_seed):
    assert lifecycle_seed == 12
"""


@pytest.mark.parametrize("runner", ["pytest-asyncio", "none but ours"])
def test_the_plugin_works_in_a_project_that_is_not_ours(tmp_path: Path, runner: str) -> None:
    """Installed it is found by itself; a tree that was never installed names it. A seed that failed is told."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert declared == {"lifecycle": "lifecycle.testing.pytest_plugin"}
    is_found = any(each.value == declared["lifecycle"] for each in entry_points(group="pytest11"))
    (tmp_path / "test_mine.py").write_text(FOREIGN)
    has_another = runner == "pytest-asyncio"
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n" if has_another else "[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--lifecycle-seed", "4711", "-p", "no:cacheprovider"]
    command += [] if has_another else ["-p", "no:asyncio", "-p", "no:anyio"]
    command += [] if is_found else ["-p", declared["lifecycle"]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 passed" in done.stdout and "1 failed" in done.stdout, done.stdout
    assert "lifecycle: seed 4711" in done.stdout
    assert "again: pytest --lifecycle-seed 4711" in done.stdout


@pytest.mark.parametrize("module", ["strategies", "state_machine"])
def test_what_needs_hypothesis_says_how_to_have_it(module: str) -> None:
    program = f"import sys; sys.modules['hypothesis'] = None; import lifecycle.testing.{module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[test]" in done.stderr.splitlines()[-1]


def test_the_plugin_alone_loads_nothing_of_the_lifecycle() -> None:
    program = "import sys, lifecycle.testing.pytest_plugin; print([m for m in sys.modules if m.startswith('lifecycle.j')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
