"""Options of the long forms; every test has a bounded profile without them."""

from __future__ import annotations

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lifecycle", "long forms of the tests")
    group.addoption("--kills", type=int, default=None, help="kills in each crash test (default: a handful)")
    group.addoption("--all-mutants", action="store_true", help="mutate all of the code, not every sixth place")
    group.addoption("--matrix", choices=["sample", "full"], default="sample", help="points of the crash matrix")
    group.addoption("--crash-seed", type=int, default=None, help="seed of the moments to kill at (default: random)")


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance whose seed is printed when the test fails."""
    seed = request.config.getoption("--crash-seed")
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    print(f"the seed is {seed}: --crash-seed {seed}")
    return random.Random(seed)
