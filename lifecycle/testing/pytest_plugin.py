"""The pytest plugin: fixtures of a lifecycle's test, and a seed that is printed and can be given again.

    pytest --lifecycle-seed 4711
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lifecycle.journal.memory import MemoryJournal
    from lifecycle.testing.fakes import FakeChance, FakeClock, FakeWorkspace
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
def lifecycle_simulator() -> Iterator[Simulator]:
    """Simulates the built-in lifecycle; see `lifecycle.testing.simulation`."""
    from lifecycle.testing.simulation.simulate import Simulator

    with Simulator() as simulator:
        yield simulator
