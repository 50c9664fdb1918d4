"""The leash under the real SDK and the real CLI, which talk to a scripted model on loopback.

Whatever dies while the agent is at work, all of it is gone within two seconds and it asks the model nothing any more;
and a session on a leash is like one without.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ProcessError,
    ResultMessage,
    TextBlock,
)

from lifecycle.agent import cli_path, leash_control, leftovers
from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.offline import ModelServer, ToolUse
from lifecycle.offline.replies import Scenario
from lifecycle.offline.scenarios import endless, steps
from lifecycle.processes import ProcessIdentity, identity_of, is_alive
from states.vocabulary import SessionId

GONE_WITHIN_S = 2.0
SILENT_WITHIN_S = 0.3
"""Requests under way still arrive: in 20 runs of each, until 11 ms after a death, until 96 ms where there is grace."""

# Leaves behind, at every call: a background job, one in a session of its own, a daemon, one without the marker.
LITTER = """
exec >/dev/null 2>&1 </dev/null
sleep 60 &
setsid sleep 60 &
(setsid sh -c 'sleep 60 &' &)
env -i setsid /bin/sh -c 'trap "" TERM; sleep 60; :' &
"""

MANAGER = """
import asyncio, json, sys
from pathlib import Path
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient
from lifecycle.agent import cli_path, leash_control

state_dir, session_id, options = sys.argv[1:]

async def main():
    wrapper = leash_control.write_wrapper(Path(state_dir), cli_path.find_cli())
    async with ClaudeSDKClient(ClaudeAgentOptions(cli_path=wrapper, **json.loads(options))) as client:
        print(json.dumps(leash_control.find_leash(session_id).to_record()), flush=True)
        await client.query("Go.")
        async for message in client.receive_response():
            pass

try:
    asyncio.run(main())
except Exception as error:
    print(type(error).__name__, getattr(error, "exit_code", None), flush=True)
"""


@dataclass(frozen=True)
class Run:
    """A manager process that runs the real CLI on a leash."""

    manager: subprocess.Popen[str]
    server: ModelServer
    session_id: SessionId
    leash: ProcessIdentity

    def links(self) -> tuple[ProcessIdentity, ProcessIdentity]:
        """The upper and the lower link of the leash."""
        (lower,) = psutil.Process(self.leash.pid).children()
        return self.leash, _identity(lower.pid)

    def agent(self) -> ProcessIdentity:
        """The CLI itself: the lower link's first child; the others are orphans that it has adopted."""
        children = psutil.Process(self.links()[1].pid).children()
        return min(
            (identity for child in children if (identity := identity_of(child.pid))), key=lambda i: i.start
        )

    def everything(self) -> set[ProcessIdentity]:
        """All that runs below the manager now."""
        below = psutil.Process(self.manager.pid).children(recursive=True)
        return {identity for process in below if (identity := identity_of(process.pid))}

    def said(self) -> str:
        """What the manager said last, once it has ended."""
        assert self.manager.stdout is not None
        return self.manager.stdout.read().strip()


Start = Callable[[Scenario], Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a run and waits until the agent is busy; after the test nothing of it is left."""
    session_id = SessionId(str(uuid.uuid4()))
    with ExitStack() as stack:

        def start(scenario: Scenario) -> Run:
            server = stack.enter_context(ModelServer(scenario))
            manager = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    MANAGER,
                    tmp_path / "state",
                    session_id,
                    options(tmp_path, server, session_id),
                ],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "HOME": str(tmp_path)},
            )
            stack.callback(end, manager)
            assert manager.stdout is not None
            leash = ProcessIdentity.from_record(json.loads(manager.stdout.readline()))
            wait_until(lambda: bool(server.requests), 20, "the agent is at work")
            return Run(manager, server, session_id, leash)

        yield start
    leftovers.reap_leftovers([], [session_id])


class TestGoneAndSilent:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
    def test_when_the_manager_dies_between_two_requests(self, start: Start, number: signal.Signals) -> None:
        run = start(endless(LITTER))
        wait_until(lambda: len(run.server.requests) > 3, 20, "the agent has littered")
        assert_gone_and_silent(run, lambda: run.manager.send_signal(number))

    def test_when_the_manager_dies_while_a_tool_runs(self, start: Start) -> None:
        run = start(endless(LITTER + "exec sleep 61"))
        wait_until(lambda: any("61" in _command(p) for p in run.everything()), 20, "the tool runs")
        assert_gone_and_silent(run, run.manager.kill)

    def test_when_the_manager_dies_while_the_model_speaks(self, start: Start) -> None:
        run = start(endless("true", pace_s=0.5))
        assert_gone_and_silent(run, run.manager.kill)

    def test_when_the_agent_is_killed(self, start: Start) -> None:
        """The SDK sees what it would see without a leash."""
        run = start(endless(LITTER))
        wait_until(lambda: len(run.server.requests) > 3, 20, "the agent has littered")
        agent = run.agent()
        assert_gone_and_silent(run, lambda: os.kill(agent.pid, signal.SIGKILL))
        assert run.said() == f"ProcessError {-signal.SIGKILL}"

    @pytest.mark.parametrize("link", [0, 1], ids=["upper", "lower"])
    def test_when_a_link_of_the_leash_is_killed(self, start: Start, link: int) -> None:
        run = start(endless(LITTER))
        wait_until(lambda: len(run.server.requests) > 3, 20, "the agent has littered")
        pid = run.links()[link].pid
        assert_gone_and_silent(run, lambda: os.kill(pid, signal.SIGKILL))
        assert run.said() == f"ProcessError {-signal.SIGKILL}"

    def test_when_the_leash_is_told(self, start: Start) -> None:
        run = start(endless(LITTER))
        wait_until(lambda: len(run.server.requests) > 3, 20, "the agent has littered")
        assert_gone_and_silent(run, lambda: leash_control.kill(run.leash))
        assert run.said() == f"ProcessError {128 + signal.SIGTERM}"

    def test_when_the_session_has_ended_and_left_children(self, start: Start) -> None:
        run = start(steps(ToolUse("Bash", {"command": LITTER})))
        run.manager.wait(20)
        wait_until(lambda: not marked(run.session_id), GONE_WITHIN_S, "everything is gone")
        assert not is_alive(run.leash)


class TestASessionOnALeash:
    async def test_runs_as_it_would_without(self, tmp_path: Path) -> None:
        session_id = SessionId(str(uuid.uuid4()))
        scenario = steps(ToolUse("Bash", {"command": "echo written > file"}), end="Well done.")
        async with (
            ModelServer(scenario) as server,
            ClaudeSDKClient(leashed_options(tmp_path, server, session_id)) as client,
        ):
            leash = leash_control.find_leash(session_id)
            await client.query("Go.")
            messages = [message async for message in client.receive_response()]
        said = [
            b.text
            for m in messages
            if isinstance(m, AssistantMessage)
            for b in m.content
            if isinstance(b, TextBlock)
        ]
        assert said == ["Well done."]
        assert isinstance(messages[-1], ResultMessage)
        assert (messages[-1].subtype, messages[-1].session_id) == ("success", session_id)
        assert (tmp_path / "project" / "file").read_text() == "written\n"
        assert leash is not None
        assert not is_alive(leash)

    async def test_can_be_interrupted_and_goes_on(self, tmp_path: Path) -> None:
        session_id = SessionId(str(uuid.uuid4()))
        async with (
            ModelServer(endless("touch started; sleep 60")) as server,
            ClaudeSDKClient(leashed_options(tmp_path, server, session_id)) as client,
        ):
            leash = leash_control.find_leash(session_id)
            assert leash is not None
            await client.query("Go.")
            async for message in client.receive_response():
                if isinstance(message, AssistantMessage):
                    wait_until((tmp_path / "project" / "started").exists, 10, "the tool runs")
                    await client.interrupt()
            assert isinstance(message, ResultMessage)
            assert message.subtype == "error_during_execution"
            assert is_alive(leash)
        assert not marked(session_id)

    async def test_passes_the_clis_own_exit_status(self, tmp_path: Path) -> None:
        """Here: an option that it doesn't know."""
        async with ModelServer(steps()) as server:
            leashed = leashed_options(tmp_path, server, SessionId(str(uuid.uuid4())))
            leashed.extra_args = {"no-such-option": None}
            with pytest.raises(ProcessError) as raised:
                async with ClaudeSDKClient(leashed):
                    pass
            assert raised.value.exit_code == 1


def options(tmp_path: Path, server: ModelServer, session_id: SessionId) -> str:
    """Keyword arguments for ClaudeAgentOptions, as JSON: Bash without asking, nothing of this machine's."""
    (tmp_path / "project").mkdir(exist_ok=True)
    environment = {SESSION_MARKER: session_id, "CLAUDE_CONFIG_DIR": str(tmp_path / "config")}
    return json.dumps(
        {
            "cwd": str(tmp_path / "project"),
            "env": server.environment() | environment,
            "session_id": session_id,
            "tools": ["Bash"],
            "allowed_tools": ["Bash"],
            "permission_mode": "dontAsk",
            "setting_sources": [],
        }
    )


def leashed_options(tmp_path: Path, server: ModelServer, session_id: SessionId) -> ClaudeAgentOptions:
    """The same for a client in this process."""
    wrapper = leash_control.write_wrapper(tmp_path / "state", cli_path.find_cli())
    return ClaudeAgentOptions(cli_path=wrapper, **json.loads(options(tmp_path, server, session_id)))


def assert_gone_and_silent(run: Run, die: Callable[[], object]) -> float:
    """Lets something die; returns how long it took until all was gone, in seconds."""
    before = run.everything()
    assert run.leash in before
    died_at = time.monotonic()
    die()
    wait_until(lambda: not any(map(is_alive, before)), GONE_WITHIN_S, "everything is gone")
    took_s = time.monotonic() - died_at
    run.manager.wait(GONE_WITHIN_S)
    assert not marked(run.session_id)
    late = [contact for contact in run.server.contacts if contact.at > died_at + SILENT_WITHIN_S]
    assert not late
    return took_s


def end(manager: subprocess.Popen[str]) -> None:
    manager.kill()
    manager.communicate()


def marked(session_id: SessionId) -> list[str]:
    """Everything alive that carries the session's marker."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(SESSION_MARKER) == session_id:
                found.append(f"{process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.002)


def _identity(pid: int) -> ProcessIdentity:
    identity = identity_of(pid)
    assert identity is not None, pid
    return identity


def _command(process: ProcessIdentity) -> list[str]:
    try:
        return psutil.Process(process.pid).cmdline()
    except psutil.Error:
        return []
