"""The pytest plugin: fixtures for tests of a lifecycle, and a seed that is printed and can be given again.

It is there wherever autonomous-session-manager is installed, and loads nothing of it until a fixture is asked for. An
`async def test_...` that asks for one of its fixtures runs without pytest-asyncio, and without a setting of it.

    pytest --lifecycle-seed 4711

    async def test_my_review(lifecycle_manager):
        async with lifecycle_manager(definition=DEFINITION, works=WORKS) as session:
            assert (await session.run_until_shutdown()).stop_reason == "complete"
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lifecycle import SessionManager
    from lifecycle.journal.memory import MemoryJournal
    from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakeWorkspace
    from lifecycle.testing.simulation.simulate import Simulator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--lifecycle-seed`."""
    parser.getgroup("lifecycle").addoption(
        "--lifecycle-seed", type=int, default=None, metavar="N", help="seed of simulated lifecycles (default: random)"
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell the seed that was given."""
    seed = config.getoption("--lifecycle-seed")
    return None if seed is None else f"lifecycle: seed {seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function that uses a fixture of ours, unless a plugin for those has made it its own."""
    is_ours = any(name.startswith("lifecycle_") for name in pyfuncitem.fixturenames)
    if not is_ours or not inspect.iscoroutinefunction(pyfuncitem.obj) or _has_own_runner(pyfuncitem):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def _has_own_runner(pyfuncitem: pytest.Function) -> bool:
    return type(pyfuncitem) is not pytest.Function or any(map(pyfuncitem.get_closest_marker, ("asyncio", "anyio", "trio")))


@pytest.fixture
def lifecycle_seed(request: pytest.FixtureRequest) -> int:
    """The seed that was given, or a random one, which is printed when the test fails."""
    given: int | None = request.config.getoption("--lifecycle-seed")
    seed = random.SystemRandom().randrange(2**32) if given is None else given
    print(f"again: pytest --lifecycle-seed {seed}")  # pytest shows it with a failure
    return seed


@pytest.fixture
def lifecycle_clock() -> FakeClock:
    """A clock that stands still until somebody sleeps."""
    from lifecycle.testing.fakes import FakeClock

    return FakeClock()


@pytest.fixture
def lifecycle_chance() -> FakeChance:
    """Ids that count up."""
    from lifecycle.testing.fakes import FakeChance

    return FakeChance()


@pytest.fixture
def lifecycle_journal() -> MemoryJournal:
    """A journal in memory."""
    from lifecycle.journal.memory import MemoryJournal

    return MemoryJournal()


@pytest.fixture
def lifecycle_workspace() -> FakeWorkspace:
    """A project in memory."""
    from lifecycle.testing.fakes import FakeWorkspace

    return FakeWorkspace()


@pytest.fixture
def lifecycle_agent(lifecycle_workspace: FakeWorkspace) -> FakeAgent:
    """An agent that works on `lifecycle_workspace`: a list of three features first, then one of them a session."""
    from lifecycle.testing.fakes import FakeAgent

    return FakeAgent(lifecycle_workspace)


@pytest.fixture
def lifecycle_manager(
    tmp_path: Path,
    lifecycle_clock: FakeClock,
    lifecycle_chance: FakeChance,
    lifecycle_journal: MemoryJournal,
    lifecycle_workspace: FakeWorkspace,
    lifecycle_agent: FakeAgent,
) -> Callable[..., SessionManager]:
    """Makes real managers in a world of the other fixtures; arguments take the place of any of them."""
    from lifecycle import SessionManager
    from lifecycle.testing.fakes import FakePrompts

    project_dir = tmp_path / "lifecycle-project"
    project_dir.mkdir()
    (project_dir / "app_spec.txt").write_text("Build it.\n")
    world = {
        "clock": lifecycle_clock, "chance": lifecycle_chance, "journal": lifecycle_journal,
        "workspace": lifecycle_workspace, "agent": lifecycle_agent, "prompts": FakePrompts(),
        "state_dir": tmp_path / "lifecycle-state",
    }  # fmt: skip

    def make(**arguments: Any) -> SessionManager:
        return SessionManager(project_dir, **{**world, **arguments})

    return make


@pytest.fixture
def lifecycle_simulator() -> Iterator[Simulator]:
    """Simulates the built-in lifecycle; see `lifecycle.testing.simulation`."""
    from lifecycle.testing.simulation.simulate import Simulator

    with Simulator() as simulator:
        yield simulator
