"""A whole lifecycle in memory: the real machine, driver and policies on fakes of everything outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle import SessionManager
from lifecycle.journal.memory import MemoryJournal
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace


class World:
    """What outlives a manager: the project, its journal, the clock; and the means to start one."""

    def __init__(self, directory: Path) -> None:
        self.project_dir = directory / "project"
        self.project_dir.mkdir()
        (self.project_dir / "app_spec.txt").write_text("Build it.\n")
        self.state_dir = directory / "state"
        self.clock = FakeClock()
        self.chance = FakeChance()
        self.journal = MemoryJournal()
        self.workspace = FakeWorkspace()
        self.agent = FakeAgent(self.workspace)

    def behaving(self, *behaviours: Any, cost_usd: float = 0.01) -> None:
        """Give the agent other behaviours."""
        self.agent = FakeAgent(self.workspace, behaviours, cost_usd=cost_usd)

    def manager(self, **arguments: Any) -> SessionManager:
        """A new manager, as a new process would make one."""
        ports = {
            "clock": self.clock,
            "chance": self.chance,
            "journal": self.journal,
            "workspace": self.workspace,
            "agent": self.agent,
            "prompts": FakePrompts(),
        }
        return SessionManager(self.project_dir, state_dir=self.state_dir, **{**ports, **arguments})

    async def edges(self) -> list[str]:
        """The transitions so far, as "SOURCE trigger DEST"."""
        return [f"{r.source} {r.trigger} {r.dest}" for r in await self.journal.transitions()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path)


@pytest.fixture
def new_world(tmp_path: Path) -> Callable[[], World]:
    """Worlds by the dozen, for tests that need more than one."""
    count = iter(range(1_000_000))

    def make() -> World:
        directory = tmp_path / str(next(count))
        directory.mkdir()
        return World(directory)

    return make
