"""Options of the long forms, and a quiet machine for the tests that measure time.

Every test has a bounded profile without the options.
"""

from __future__ import annotations

import fcntl
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# The same tree gives the same answer; `pytest --hypothesis-profile=search` draws other examples each time, and keeps what failed.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lifecycle", "long forms of the tests")
    group.addoption("--kills", type=int, default=None, help="kills in each crash test (default: a handful)")
    group.addoption("--all-mutants", action="store_true", help="mutate all of the code, not every twelfth place")
    group.addoption("--matrix", choices=["sample", "full"], default="sample", help="points of the crash matrix")
    group.addoption("--crash-seed", type=int, default=None, help="seed of the moments to kill at (default: random)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What wants to be alone comes first, while nothing has begun yet."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is None)


class GateProof:
    """The agent's gate is proven with the real CLI in the first home that needs it; others can be given that proof.

    It is kept where the states of all of a person's projects are. One that does not fit is made again.
    """

    def __init__(self) -> None:
        self._content: bytes | None = None

    def give(self, states: Path) -> None:
        if self._content is not None and not (states / "gate-proof.json").exists():
            states.mkdir(parents=True, exist_ok=True)
            (states / "gate-proof.json").write_bytes(self._content)

    def take(self, states: Path) -> None:
        if self._content is None and (states / "gate-proof.json").is_file():
            self._content = (states / "gate-proof.json").read_bytes()


@pytest.fixture(scope="session")
def gate_proof() -> GateProof:
    return GateProof()


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance whose seed is printed when the test fails."""
    seed = request.config.getoption("--crash-seed")
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    print(f"the seed is {seed}: --crash-seed {seed}")
    return random.Random(seed)


@pytest.fixture(autouse=True)
def _company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests that are marked `alone` run while the other workers of pytest-xdist wait between two tests."""
    if not hasattr(request.config, "workerinput"):
        yield
        return
    directory = tmp_path_factory.getbasetemp().parent
    how = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    with _locked(directory / "machine", how, turnstile=directory / "turnstile"):
        yield


@contextmanager
def _locked(path: Path, how: int, *, turnstile: Path) -> Iterator[None]:
    """The lock on `path`. Who wants it for itself holds the turnstile meanwhile, so that nobody new gets in first."""
    with path.open("a") as machine, turnstile.open("a") as entrance:
        fcntl.flock(entrance, fcntl.LOCK_EX)
        fcntl.flock(machine, how)
        fcntl.flock(entrance, fcntl.LOCK_UN)
        yield
