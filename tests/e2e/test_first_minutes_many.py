"""Twenty managers in one process, and a host that cancels them at random moments: nothing leaks, nothing is lost."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path

import psutil
import pytest

from lifecycle import RunResult, SessionManager, StopReason
from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.sdk_agent import SdkAgent
from lifecycle.events import Event
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.offline import ModelServer
from lifecycle.offline.building import building
from lifecycle.ports import Observer

MANAGERS = 20
AT_ONCE = 5
"""How many go on at once afterwards: an agent is a process of 200 MB."""

FEATURES = 1

EVENTS = 30
"""A little more than a run has, so that some come to their end."""


class Host:
    """A program that embeds many managers."""

    def __init__(self, directory: Path, server: ModelServer) -> None:
        self._directory = directory
        self._server = server

    def manager(self, number: int, *observers: Observer) -> SessionManager:
        home = self._directory / str(number)
        project = home / "app"
        project.mkdir(parents=True, exist_ok=True)
        (project / "app_spec.txt").write_text("One feature.\n")
        environment = {**self._server.environment(), "HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / "claude")}
        # The gate is proven once, for all of them.
        agent = SdkAgent(AgentSettings(env=environment, state_dir=self._directory / "gate"), project)
        return SessionManager(project, agent=agent, state_dir=home / "state", continue_delay=0.1, observers=observers)

    async def whole(self, number: int, *observers: Observer) -> RunResult:
        async with self.manager(number, *observers) as session:
            return await session.run_until_shutdown()

    async def cut_off(self, number: int, events: int, after_s: float, *, twice: bool) -> str:
        """Start, cancel a moment after that many events, tell what became of it.

        Counted in events, so that a busy machine moves the moments as it moves everything else.
        """
        told, reached = count(1), asyncio.Event()

        def watch(_event: Event) -> None:
            if next(told) >= events:
                reached.set()

        driving = asyncio.create_task(self.whole(number, watch))
        waiting = asyncio.create_task(reached.wait())
        if events:
            await asyncio.wait({driving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.wait({driving}, timeout=after_s)
        for _ in range(1 + twice):
            driving.cancel()
            await asyncio.sleep(0)
        try:
            return str((await driving).stop_reason)
        except asyncio.CancelledError:
            return "cancelled"


def held() -> dict[str, int]:
    """What this process holds, apart from the event loop's own pool of threads."""
    gc.collect()
    threads = [each for each in threading.enumerate() if not each.name.startswith("asyncio_")]
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": len(threads),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "children": len(psutil.Process().children(recursive=True)),
    }


async def settled(before: dict[str, int]) -> dict[str, int]:
    """What is held once what was ended has had the time that it is promised to need."""
    until = time.monotonic() + 2.0
    while (now := held()) != before and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return now


def marked() -> list[int]:
    """Every process on this machine that belongs to a session of this one, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(SESSION_MARKER)
            if marker in _SESSIONS:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


_SESSIONS: set[str] = set()


@pytest.mark.timeout(600)
async def test_twenty_managers_cancelled_at_random_moments_leak_nothing_and_can_all_go_on(
    tmp_path: Path, dice: random.Random
) -> None:
    async with ModelServer(building(FEATURES)) as server:
        host = Host(tmp_path, server)
        await host.cut_off(0, 0, 0.0, twice=False)  # what is loaded once and stays: executors, sockets, modules
        await host.whole(0)
        before = await settled(held())

        ends = await asyncio.gather(
            *(
                host.cut_off(number, dice.randrange(EVENTS), dice.uniform(0.0, 0.5), twice=dice.random() < 0.3)
                for number in range(1, MANAGERS + 1)
            )
        )
        print(Counter(ends))
        assert "cancelled" in ends
        assert await settled(before) == before
        requests = len(server.requests)
        await asyncio.sleep(0.5)
        assert len(server.requests) == requests, "no request after the cancels"

        room = asyncio.Semaphore(AT_ONCE)

        async def rest(number: int) -> RunResult:
            async with room:
                return await host.whole(number)

        results = await asyncio.gather(*map(rest, range(1, MANAGERS + 1)))
        assert [result.stop_reason for result in results] == [StopReason.COMPLETE] * MANAGERS
        assert await settled(before) == before

    for number in range(1, MANAGERS + 1):
        (state,) = (tmp_path / str(number) / "state").iterdir()
        journal = await SqliteJournal.open(state / "journal.sqlite3", read_only=True)
        records = await journal.transitions()
        await journal.close()
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        _SESSIONS.update(record.facts.session.id for record in records if record.facts.session)
        runs = {record.facts.counters.iterations for record in records if record.dest == "RUN"}
        assert runs <= {1, 2}, "an INIT session and one that builds, each counted once"
    assert marked() == []
