"""The offline model with the real bundled CLI: the demo, session by session; kills; what faults look like."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from lifecycle.offline import Drop, ModelRequest, ModelServer, Reply, Scenario, Stall, Text, ToolUse, Turn
from lifecycle.offline.demo import DEMO_SPEC, HOW_TO_RUN, demo_scenario
from lifecycle.offline.faults import FAULTS
from lifecycle.offline.scenarios import always, first_then, steps, text_only

sdk = pytest.importorskip("claude_agent_sdk")


@dataclass
class Seen:
    """What one session showed."""

    result: Any = None
    errors: list[str] = field(default_factory=list)
    retries: list[int | None] = field(default_factory=list)
    killed: bool = False


@dataclass
class Desk:
    """A project directory, with a HOME and a configuration directory that nobody else has."""

    root: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for directory in (self.project, self.root / "home", self.root / "config"):
            directory.mkdir()

    @property
    def project(self) -> Path:
        return self.root / "project"

    def options(self, server: ModelServer, **more: Any) -> Any:
        async def allow(hook_input: Any, tool_use_id: Any, context: Any) -> Any:
            decision = {"hookEventName": "PreToolUse", "permissionDecision": "allow"}
            return {"hookSpecificOutput": decision}

        own = {"HOME": str(self.root / "home"), "CLAUDE_CONFIG_DIR": str(self.root / "config")}
        bounds = {"CLAUDE_CODE_MAX_RETRIES": "1", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"}
        return sdk.ClaudeAgentOptions(
            cwd=self.project,
            model="claude-sonnet-4-5-20250929",
            tools=["Read", "Write", "Edit", "Glob", "Grep", "Bash"],
            allowed_tools=["Bash"],
            permission_mode="dontAsk",
            settings=json.dumps({"permissions": {"allow": ["Read(./**)", "Edit(./**)"]}}),
            extra_args={"restricted": None, "disable-slash-commands": None},
            setting_sources=[],
            strict_mcp_config=True,
            skills=[],
            hooks={"PreToolUse": [sdk.HookMatcher(hooks=[allow], timeout=30)]},
            env={**server.environment(), **own, **bounds, "CLAUDE_CODE_SIMPLE": "", **self.extra},
            **more,
        )

    async def session(self, server: ModelServer, *prompts: str, **more: Any) -> Seen:
        """One conversation to its end, or to the death of its CLI."""
        seen = Seen()
        with noting_death(seen):
            async with sdk.ClaudeSDKClient(self.options(server, **more)) as client:
                for prompt in prompts or ("Go on with the project.",):
                    await client.query(prompt)
                    await self._read(client.receive_response(), seen)
        for _ in range(5):
            await asyncio.sleep(0)  # the loop hears that the pipes' other ends are closed
        return seen

    async def _read(self, messages: AsyncIterator[Any], seen: Seen) -> None:
        async for message in messages:
            if isinstance(message, sdk.ResultMessage):
                seen.result = message
            elif isinstance(message, sdk.AssistantMessage) and message.error:
                seen.errors.append(message.error)
            elif isinstance(message, sdk.SystemMessage) and message.subtype == "api_retry":
                seen.retries.append(message.data.get("error_status"))

    def features(self) -> list[dict[str, Any]]:
        path = self.project / "feature_list.json"
        found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        return found

    def is_complete(self) -> bool:
        return bool(self.features()) and all(feature["passes"] for feature in self.features())

    def commits(self) -> list[str]:
        return self.run("git", "log", "--format=%s", "--reverse").splitlines()

    def run(self, *command: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root / "home")}
        done = subprocess.run(command, cwd=self.project, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def noting_death(seen: Seen) -> Iterator[None]:
    """Notes that the CLI was killed, instead of raising."""
    try:
        yield
    except (sdk.ProcessError, sdk.CLIConnectionError):
        seen.killed = True


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def demo_desk(desk: Desk) -> Desk:
    (desk.project / "app_spec.txt").write_text(DEMO_SPEC)
    return desk


def assert_finished(desk: Desk) -> None:
    """The program is there, whole, tested, committed, and works as the demo says."""
    assert desk.is_complete()
    assert len(desk.features()) == 6
    assert desk.run("git", "status", "--porcelain") == ""
    ours = [f"Add the feature {feature['id']}" for feature in desk.features()]
    assert desk.commits() == ["Set up the project and its feature list", *ours]
    notes = (desk.project / "claude-progress.txt").read_text()
    assert [notes.count(f"feature {feature['id']!r}") for feature in desk.features()] == [1] * 6
    desk.run("./init.sh")
    printed = [desk.run(*command.split()) for command in HOW_TO_RUN]
    assert "water" in printed[-1]
    assert "🌱" in printed[-1]


async def test_the_demo_is_built_in_four_sessions(demo_desk: Desk) -> None:
    """INIT and three coding sessions, each with a cost, none with anything to do after them."""
    passing = []
    async with ModelServer(demo_scenario()) as server:
        for _ in range(4):
            seen = await demo_desk.session(server)
            assert (seen.result.subtype, seen.result.is_error) == ("success", False)
            assert seen.result.total_cost_usd > 0
            passing.append(sum(feature["passes"] for feature in demo_desk.features()))
        assert all(request.is_main and request.stream for request in server.requests)
        assert_finished(demo_desk)
        again = await demo_desk.session(server)
    assert passing == [0, 2, 4, 6]
    assert "Every feature passes" in again.result.result
    assert len(demo_desk.commits()) == 7


async def test_the_demo_says_first_that_it_is_a_script(demo_desk: Desk) -> None:
    async with ModelServer(demo_scenario()) as server:
        await demo_desk.session(server, max_turns=2)
        second = await server.wait_for(lambda request: len(request.assistant_turns) == 1)
    assert "I am a script" in json.dumps(second.assistant_turns[0])


async def test_the_demo_builds_nothing_that_it_does_not_know(desk: Desk) -> None:
    (desk.project / "app_spec.txt").write_text("# A flight simulator\n")
    async with ModelServer(demo_scenario()) as server:
        seen = await desk.session(server)
    assert "nothing" in seen.result.result or "only" in seen.result.result
    assert desk.features() == []


async def test_a_nudge_after_the_end_of_a_session_gets_its_closing_words_again(demo_desk: Desk) -> None:
    async with ModelServer(demo_scenario()) as server:
        seen = await demo_desk.session(server, "Begin.", "And now?", "Are you sure?")
    assert "The project is set up" in seen.result.result
    assert len(demo_desk.commits()) == 1


async def test_sessions_that_are_cut_short_by_max_turns_lead_to_the_same_end(demo_desk: Desk) -> None:
    """Each starts in a conversation that never saw the half-made files; ten turns are promised to do."""
    sessions = 0
    async with ModelServer(demo_scenario()) as server:
        while not demo_desk.is_complete() and sessions < 20:
            await demo_desk.session(server, max_turns=10)
            sessions += 1
        await demo_desk.session(server)
    assert_finished_tree(demo_desk)


def assert_finished_tree(desk: Desk) -> None:
    """As `assert_finished`, but a cut may have put two features into one commit."""
    assert desk.is_complete()
    assert desk.run("git", "status", "--porcelain") == ""
    desk.run("./init.sh")


@pytest.mark.parametrize("when", ["stream", "tool"])
async def test_a_killed_session_is_resumed_where_it_was(demo_desk: Desk, when: str) -> None:
    """Killed again and again, and resumed with the same conversation: nothing is lost and nothing done twice.

    Each resumption has a new server, which knows only what the conversation tells it.
    """
    kills, sessions = 0, 0
    while not demo_desk.is_complete() and sessions < 10:
        session_id = str(uuid4())
        begin = {"session_id": session_id}
        while await killed_once(demo_desk, when, **begin):
            kills += 1
            begin = {"resume": session_id}
        sessions += 1
    assert kills >= 4
    # The CLI writes its transcript a moment late: on a busy machine a kill can cost it the closing words of a
    # session, and what is left of the work is done in one more.
    assert sessions in (4, 5), "a kill cost more than a session"
    assert_finished(demo_desk)


async def killed_once(desk: Desk, when: str, **begin: str) -> bool:
    """A session that is killed when it reaches its trap; whether it was, or ended before."""
    trap = Trap(demo_scenario(), desk.root / f"trap-{uuid4()}" if when == "tool" else None)
    async with ModelServer(trap) as server:
        killer = asyncio.create_task(trap.kill_when_sprung())
        seen = await desk.session(server, "Go on.", **begin)
        killer.cancel()
        with suppress(asyncio.CancelledError):
            await killer
        if "resume" in begin:
            assert server.requests[0].tool_results, "the resumed conversation has its earlier turns"
    return seen.killed


class Trap:
    """From the ninth request on: the middle of a reply, or of the next Bash call, never ends."""

    def __init__(self, scenario: Scenario, token: Path | None) -> None:
        self.scenario = scenario
        self.token = token
        self.count = 0
        self.sprung = False

    def __call__(self, request: ModelRequest) -> Reply:
        reply = self.scenario(request)
        assert isinstance(reply, Turn)
        self.count += 1
        if self.sprung or self.count < 9:
            return reply
        if self.token is None:
            self.sprung = True
            return Stall("text", turn=reply)
        if reply.tool_uses and reply.tool_uses[0].name == "Bash":
            use = reply.tool_uses[0]
            command = f"{use.input['command']} && touch '{self.token}' && sleep 60"
            return Turn(ToolUse("Bash", {"command": command}, use.id))
        return reply

    async def kill_when_sprung(self) -> None:
        """SIGKILL to this process's CLI and all that it started."""
        while not self.sprung:
            self.sprung = self.token is not None and self.token.exists()
            await asyncio.sleep(0.01)
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()


ROWS = [
    # fault, terminal reason, api_error_status, AssistantMessage.error, retried
    ("rate_limited_shortly", "api_error", 429, "rate_limit", True),
    ("rate_limited_for_long", "api_error", 429, "rate_limit", False),
    ("overloaded", "api_error", 529, "server_error", True),
    ("internal_error", "api_error", 500, "server_error", True),
    ("dropped_before_headers", "api_error", None, "server_error", True),
    ("unauthorized", "api_error", 401, "authentication_failed", True),
    ("forbidden", "api_error", 403, "authentication_failed", False),
    ("credit_too_low", "api_error", 400, "billing_error", False),
    ("payment_required", "api_error", 402, "unknown", False),
    ("prompt_too_long", "prompt_too_long", 400, "invalid_request", False),
    ("lost_tool_use", "api_error", 400, "invalid_request", False),
    ("model_not_found", "api_error", 404, "model_not_found", False),
    ("html", "api_error", None, "unknown", False),
    ("broken_events", "api_error", None, "unknown", False),
]


@pytest.mark.parametrize(
    ("name", "terminal", "status", "error", "retried"), ROWS, ids=[row[0] for row in ROWS]
)
async def test_a_fault_looks_to_the_sdk_as_a_real_one_does(
    desk: Desk, name: str, terminal: str, status: int | None, error: str, retried: bool
) -> None:
    async with ModelServer(always(FAULTS[name])) as server:
        seen = await desk.session(server)
    assert (seen.result.is_error, seen.result.terminal_reason) == (True, terminal)
    assert seen.result.api_error_status == status
    assert seen.errors[-1] == error
    assert bool(seen.retries) == retried


@pytest.mark.parametrize(
    "name", ["overloaded", "overloaded_in_stream", "dropped_before_headers", "dropped_mid_stream"]
)
async def test_a_fault_that_passes_is_survived(desk: Desk, name: str) -> None:
    async with ModelServer(first_then(1, FAULTS[name], text_only("Recovered."))) as server:
        seen = await desk.session(server)
    assert (seen.result.is_error, seen.result.result) == (False, "Recovered.")
    assert len(server.requests) == 2


async def test_the_fallback_without_a_stream_is_served(desk: Desk) -> None:
    """After a stream that broke twice the CLI asks for a whole message."""

    def scenario(request: ModelRequest) -> Reply:
        return Turn(Text("Whole.")) if not request.stream else Drop("mid_stream")

    async with ModelServer(scenario) as server:
        seen = await desk.session(server)
    assert seen.result.result == "Whole."
    assert [request.stream for request in server.requests][-1] is False


async def test_steps_run_with_the_real_tools(desk: Desk) -> None:
    scenario = steps(
        ToolUse("Write", {"file_path": str(desk.project / "a.txt"), "content": "one\n"}),
        ToolUse("Edit", {"file_path": str(desk.project / "a.txt"), "old_string": "one", "new_string": "two"}),
        ToolUse("Bash", {"command": "cat a.txt; exit 3"}),
        ToolUse("Read", {"file_path": str(desk.project / "a.txt")}),
    )
    async with ModelServer(scenario) as server:
        await desk.session(server)
    results = list(server.requests[-1].tool_results.values())
    assert [result.name for result in results] == ["Write", "Edit", "Bash", "Read"]
    assert [result.is_error for result in results] == [False, False, True, False]
    assert results[3].text.startswith("1\ttwo")


async def test_the_cli_sends_its_requests_with_its_conversations_id(desk: Desk) -> None:
    session_id = str(uuid4())
    async with ModelServer(text_only()) as server:
        await desk.session(server, session_id=session_id)
    (request,) = server.requests
    assert request.session_id == session_id
    assert request.first_user_text == "Go on with the project."
    assert set(request.tools) == {"Read", "Write", "Edit", "Glob", "Grep", "Bash"}
    assert request.system_text
