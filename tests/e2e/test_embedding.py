"""A host's program: the manager in its event loop, the real CLI, and a host that cancels."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from lifecycle import SessionManager, StopReason
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.prompt_library import PromptLibrary
from lifecycle.agent.sdk_agent import SdkAgent
from lifecycle.events import AgentStarted, ToolStarted
from lifecycle.offline import ModelServer
from lifecycle.offline.demo import DEMO_SPEC, demo_scenario


def manager_of(directory: Path, server: ModelServer, **arguments) -> SessionManager:
    project = directory / "project"
    project.mkdir(exist_ok=True, parents=True)
    settings = AgentSettings(
        env={**server.environment(), "CLAUDE_CONFIG_DIR": str(directory / "claude")}, state_dir=directory / "gate"
    )
    agent = SdkAgent(settings, project, prompts=PromptLibrary(None))
    return SessionManager(
        project, spec=DEMO_SPEC, agent=agent, state_dir=directory / "state", continue_delay=0.1, **arguments
    )


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


async def gone() -> bool:
    until = time.monotonic() + 2.0
    while children() and time.monotonic() < until:
        await asyncio.sleep(0.02)
    return not children()


@pytest.mark.parametrize("cancels", [1, 2])
@pytest.mark.parametrize("moment", ["agent_started", "first_tool", "fifth_tool"])
async def test_a_hosts_cancel_leaves_no_process_and_the_run_goes_on(tmp_path: Path, cancels: int, moment: str) -> None:
    tools = 0
    reached = asyncio.Event()

    def watch(event) -> None:
        nonlocal tools
        tools += isinstance(event, ToolStarted)
        if isinstance(event, AgentStarted) and moment == "agent_started":
            reached.set()
        if tools >= {"agent_started": 99, "first_tool": 1, "fifth_tool": 5}[moment]:
            reached.set()

    async with ModelServer(demo_scenario()) as server:
        async with manager_of(tmp_path, server, observers=[watch]) as session:
            driving = asyncio.create_task(session.run_until_shutdown())
            await asyncio.wait_for(reached.wait(), 60)
            driving.cancel()
            if cancels == 2:
                await asyncio.sleep(0)
                driving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await driving
            assert await gone(), children()
            status = await session.status()
            requests = len(server.requests)
            await asyncio.sleep(0.3)
            assert len(server.requests) == requests, "no request after the cancel"
            assert status.state == session._open.driver.state == "RUN"
            result = await session.run_until_shutdown()
        assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 4)
    assert await gone()


async def test_three_managers_in_one_loop(tmp_path: Path) -> None:
    async with ModelServer(demo_scenario()) as server:

        async def whole(name: str) -> StopReason | None:
            async with manager_of(tmp_path / name, server) as session:
                return (await session.run_until_shutdown()).stop_reason

        assert await asyncio.gather(*map(whole, "abc")) == [StopReason.COMPLETE] * 3
    assert await gone()
