"""Sessions of the real SDK and the real CLI against a scripted model: how they end, and that nothing outlives them."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.errors import JournalUnavailable
from lifecycle.events import Said, ToolStarted
from lifecycle.offline import ModelRequest, Stall, Text, ToolUse, Turn, Usage
from lifecycle.offline.scenarios import always, endless, first_then, sequence, steps, text_only
from lifecycle.processes import ProcessIdentity, is_alive
from lifecycle.stopping import LocalStopFlag
from states.vocabulary import Cause, SessionId

TOOL = ToolUse("Bash", {"command": "echo hello"})
LONG_TOOL = ToolUse("Bash", {"command": "touch begun; sleep 60"})


NEVER_ANSWERS = always(Stall("nothing"))


def leash_of(leg: Any) -> ProcessIdentity:
    return leg.log.of("agent_started")[0]


async def test_a_turn_of_several_messages_ends_and_is_accounted(agent_lab: Any) -> None:
    """The process is on record before the prompt, the prompt before any cost; the ledger agrees with the CLI's total."""
    write = ToolUse("Write", {"file_path": "note.txt", "content": "hello"})
    outcome, leg = await agent_lab.run(steps(TOOL, write))

    assert (outcome.cause, outcome.progressed, outcome.until) == (Cause.END_TURN, True, None)
    assert leg.log.names()[:3] == ["agent_started", "prompted", "used"]
    assert leg.log.names()[-1] == "reported_cost"
    assert (agent_lab.project / "note.txt").read_text() == "hello"
    used = leg.log.usage.values()
    assert len(used) == 3
    assert all(message.is_turn and message.is_priced for message in used)
    assert sum(message.cost_usd for message in used) == pytest.approx(leg.log.of("reported_cost")[-1])
    assert [(event.tool, event.summary) for event in leg.log.told(ToolStarted)] == [
        ("Bash", "echo hello"),
        ("Write", "note.txt"),
    ]
    assert [event.text for event in leg.log.told(Said)] == ["Done."]


async def test_input_is_accounted_when_a_message_begins(agent_lab: Any) -> None:
    """A kill in the middle of a message must not lose what its input has cost."""
    big = Turn(Text("word " * 200), usage=Usage(100_000, 500), pace_s=0.2)
    async with agent_lab.leg(always(big)) as leg:
        await leg.server.wait_for(lambda request: True)
        while not leg.log.usage:
            await asyncio.sleep(0.01)
        (message,) = leg.log.usage.values()
        assert (message.input_tokens, message.is_turn) == (100_000, False)
        assert message.cost_usd >= 0.3


@pytest.mark.parametrize(
    "model",
    ["claude-opus-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-5", "claude-opus-5", "claude-fable-5"],
)
async def test_the_price_table_agrees_with_the_cli(agent_lab: Any, model: str) -> None:
    usage = Usage(10_000, 2_000, cache_read_input_tokens=300_000, cache_creation_input_tokens=40_000)
    _, leg = await agent_lab.run(always(Turn(Text("Done."), usage=usage)), model=model)
    (used,) = leg.log.usage.values()
    assert used.is_priced
    assert used.cost_usd == pytest.approx(leg.log.of("reported_cost")[-1])


async def test_turns_run_out(agent_lab: Any) -> None:
    outcome, leg = await agent_lab.run(endless("echo again"), task={"max_turns": 3})
    assert outcome.cause is Cause.MAX_TURNS
    assert sum(message.is_turn for message in leg.log.usage.values()) == 3


@pytest.mark.parametrize("model", ["claude-sonnet-4-5-20250929", "an-unknown-model"])
async def test_the_budget_is_used_up(agent_lab: Any, model: str) -> None:
    """Also with a model that nobody has a price for: it is taken for the dearest."""
    dear = Turn(TOOL, usage=Usage(30_000, 10))
    outcome, leg = await agent_lab.run(always(dear), task={"budget_usd": 0.2}, model=model)
    assert outcome.cause is Cause.BUDGET
    assert 0.2 <= sum(message.cost_usd for message in leg.log.usage.values()) < 1.0


async def test_no_budget_left_costs_nothing(agent_lab: Any) -> None:
    outcome, leg = await agent_lab.run(text_only(), task={"budget_usd": 0.0})
    assert (outcome.cause, outcome.progressed, leg.log.calls) == (Cause.BUDGET, False, [])
    assert leg.server.requests == ()


async def test_a_pipe_that_nobody_reads_any_more_is_closed_with_the_session(agent_lab: Any, eventually: Callable[..., Any]) -> None:
    """As when its reader was full when the process was killed: no end of it is ever seen."""
    async with agent_lab.leg(steps(LONG_TOOL)) as leg:
        await eventually((agent_lab.project / "begun").exists)
        transports = [each for each in gc.get_objects() if isinstance(each, asyncio.SubprocessTransport)]
        [pipe] = [pipe for each in transports if each.get_returncode() is None and (pipe := each.get_pipe_transport(1))]
        pipe.pause_reading()
        leg.stop.set("a test")
        assert (await leg.outcome()).cause is Cause.STOP
        assert pipe.is_closing()


async def test_a_stop_interrupts_a_running_tool(agent_lab: Any, eventually: Callable[..., Any]) -> None:
    async with agent_lab.leg(steps(LONG_TOOL)) as leg:
        await eventually((agent_lab.project / "begun").exists)
        asked_at = time.monotonic()
        leg.stop.set("a test")
        outcome = await leg.outcome()
        assert time.monotonic() - asked_at < 2.0
        assert outcome.cause is Cause.STOP
        assert not is_alive(leash_of(leg))
        assert [message.is_turn for message in leg.log.usage.values()] == [True]
        assert len(leg.server.requests) == 1


async def test_a_stop_interrupts_a_stream(agent_lab: Any) -> None:
    async with agent_lab.leg(always(Turn(Text("a slow sentence " * 20), pace_s=0.1))) as leg:
        while "used" not in leg.log.names():
            await asyncio.sleep(0.01)
        asked_at = time.monotonic()
        leg.stop.set("a test")
        assert (await leg.outcome()).cause is Cause.STOP
        assert time.monotonic() - asked_at < 2.0


async def test_a_stop_before_the_start_starts_nothing(agent_lab: Any) -> None:
    stop = LocalStopFlag()
    stop.set("a test")
    outcome, leg = await agent_lab.run(text_only(), stop=stop)
    assert (outcome.cause, outcome.progressed, leg.log.calls) == (Cause.STOP, False, [])


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3])
async def test_a_stop_while_starting_spends_nothing(agent_lab: Any, after_s: float) -> None:
    async with agent_lab.leg(NEVER_ANSWERS) as leg:
        await asyncio.sleep(after_s)
        leg.stop.set("a test")
        outcome = await leg.outcome()
        assert outcome.cause is Cause.STOP


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("moment", ["starting", "tool", "stream"])
async def test_a_cancel_leaves_nothing(
    agent_lab: Any,
    eventually: Callable[..., Any],
    left_of: Callable[[SessionId], list[str]],
    moment: str,
    times: int,
) -> None:
    """However often, wherever: it goes on as CancelledError, soon, and the process, its tools and requests are over."""
    scenario = {
        "starting": NEVER_ANSWERS,
        "tool": steps(ToolUse("Bash", {"command": "(setsid sleep 300 &); touch begun; sleep 60"})),
        "stream": always(Turn(Text("a slow sentence " * 40), pace_s=0.1)),
    }[moment]
    async with agent_lab.leg(scenario) as leg:
        if moment == "tool":
            await eventually((agent_lab.project / "begun").exists)
        elif moment == "stream":
            await eventually(lambda: "used" in leg.log.names())
        else:
            await eventually(lambda: left_of(leg.session_id) != [])
        cancelled_at = time.monotonic()
        for _ in range(times):
            leg.run.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await leg.run
        assert time.monotonic() - cancelled_at < 2.0
        assert left_of(leg.session_id) == []
        requests = len(leg.server.requests)
        await asyncio.sleep(0.3)
        assert len(leg.server.requests) == requests


async def test_a_cancel_long_after_the_first_one_does_not_cut_the_cleaning_short(
    agent_lab: Any, eventually: Callable[..., Any]
) -> None:
    stubborn = ToolUse("Bash", {"command": "trap '' TERM INT HUP; touch begun; while :; do sleep 1; done"})
    async with agent_lab.leg(steps(stubborn)) as leg:
        await eventually((agent_lab.project / "begun").exists)
        for _ in range(5):
            leg.run.cancel()
            await asyncio.sleep(0.02)
        with pytest.raises(asyncio.CancelledError):
            await leg.run
        assert not is_alive(leash_of(leg))


def cli_processes(leash: ProcessIdentity) -> list[psutil.Process]:
    """The CLI below a leash: the first descendant that is no leash."""
    below = psutil.Process(leash.pid).children(recursive=True)
    return [process for process in below if not any("leash.py" in part for part in process.cmdline())][:1]


async def test_a_killed_cli_is_resumed_where_it_was(agent_lab: Any, eventually: Callable[..., Any]) -> None:
    """SIGKILL of the CLI in the middle of its second tool; the next leg carries the earlier turns.

    The CLI writes its transcript a moment late: the call that was running may be there, without a result, or not.
    """
    once = ToolUse("Bash", {"command": "test -e begun || { touch begun; sleep 60; }"})
    scenario = steps(TOOL, once, ToolUse("Bash", {"command": "touch finished"}))
    async with agent_lab.leg(scenario) as leg:
        await eventually((agent_lab.project / "begun").exists)
        (cli,) = cli_processes(leash_of(leg))
        cli.kill()
        outcome = await leg.outcome()
        assert (outcome.cause, outcome.progressed) == (Cause.PROCESS_KILLED, True)
        assert "SIGKILL" in outcome.detail
        assert sum(message.is_turn for message in leg.log.usage.values()) == 2

    outcome, again = await agent_lab.run(scenario, session_id=leg.session_id, task={"may_resume": True})
    assert outcome.cause is Cause.END_TURN
    first: ModelRequest = again.server.requests[0]
    assert first.first_user_text == "Build it."
    assert first.last_user_text.startswith("You were interrupted")
    assert len(first.tool_results) in (1, 2)
    assert (agent_lab.project / "finished").exists()


async def test_a_resumption_of_what_never_began_begins_it(agent_lab: Any) -> None:
    """Killed after the prompt was announced and before it arrived: same id, the session's own prompt."""
    outcome, leg = await agent_lab.run(text_only(), task={"may_resume": True})
    assert outcome.cause is Cause.END_TURN
    assert leg.server.requests[0].first_user_text == "Build it."
    assert leg.server.requests[0].session_id == leg.session_id
    outcome, again = await agent_lab.run(text_only(), session_id=leg.session_id, task={"may_resume": True})
    assert again.server.requests[0].first_user_text == "Build it."
    assert len(again.server.requests[0].user_texts) == 2


async def test_a_fresh_start_under_a_known_id_resumes_it(agent_lab: Any) -> None:
    _, leg = await agent_lab.run(text_only())
    outcome, again = await agent_lab.run(text_only(), session_id=leg.session_id)
    assert outcome.cause is Cause.END_TURN
    assert len(again.server.requests[0].user_texts) == 2


async def test_silence_is_cut_off(agent_lab: Any) -> None:
    async with agent_lab.leg(always(Stall("text")), idle_timeout_s=2.0) as leg:
        outcome = await leg.outcome()
        assert outcome.cause is Cause.IDLE
        assert "2 s" in outcome.detail
        assert 2.0 <= leg.elapsed_s() < 6.0


async def test_a_tool_at_work_is_no_silence(agent_lab: Any) -> None:
    outcome, _ = await agent_lab.run(steps(ToolUse("Bash", {"command": "sleep 4"})), idle_timeout_s=2.0)
    assert outcome.cause is Cause.END_TURN


async def test_an_announced_pause_is_no_silence(agent_lab: Any) -> None:
    """The CLI waits as long as the service has asked it to."""
    from lifecycle.offline.faults import rate_limited

    outcome, _ = await agent_lab.run(
        first_then(1, rate_limited(3), text_only()), idle_timeout_s=1.5, max_retries=1
    )
    assert outcome.cause is Cause.END_TURN


async def test_a_tool_that_takes_too_long_is_ended_by_the_cli(agent_lab: Any) -> None:
    """And it does not go on in the background."""
    outcome, leg = await agent_lab.run(
        steps(ToolUse("Bash", {"command": "sleep 60; touch late", "timeout": 50_000})), tool_timeout_s=1.0
    )
    assert outcome.cause is Cause.END_TURN
    assert leg.elapsed_s() < 10
    assert leg.server.requests[-1].last_tool_result.is_error


async def test_the_session_has_a_time_limit(agent_lab: Any) -> None:
    async with agent_lab.leg(steps(LONG_TOOL), session_timeout_s=1.5) as leg:
        assert (await leg.outcome()).cause is Cause.SESSION_TIMEOUT
        assert leg.elapsed_s() < 5


async def test_the_deadline_cuts_off(agent_lab: Any) -> None:
    async with agent_lab.leg(steps(LONG_TOOL), task={"deadline": time.time() + 1.5}) as leg:
        assert (await leg.outcome()).cause is Cause.DEADLINE
        assert leg.elapsed_s() < 5


async def test_a_journal_that_fails_ends_the_agent_and_is_told(
    agent_lab: Any, eventually: Callable[..., Any], left_of: Callable[[SessionId], list[str]]
) -> None:
    full = JournalUnavailable(Path("/journal"), "disk full")
    async with agent_lab.leg(endless("sleep 0.1")) as leg:
        await eventually(lambda: "used" in leg.log.names())
        leg.log.broken = full
        with pytest.raises(JournalUnavailable):
            await leg.outcome()
        assert left_of(leg.session_id) == []


async def test_nothing_that_a_tool_started_outlives_the_turn(agent_lab: Any) -> None:
    runaway = ToolUse("Bash", {"command": "setsid nohup sleep 300 > /dev/null 2>&1 & echo $! > pid"})
    await agent_lab.run(steps(runaway))
    pid = int((agent_lab.project / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_several_sessions_at_once_do_not_disturb_each_other(
    agent_lab: Any, eventually: Callable[..., Any]
) -> None:
    async with agent_lab.leg(steps(LONG_TOOL)) as cancelled, agent_lab.leg(steps(TOOL)) as other:
        await eventually((agent_lab.project / "begun").exists)
        cancelled.run.cancel()
        assert (await other.outcome()).cause is Cause.END_TURN


async def test_a_signal_from_outside_is_a_cut_off(agent_lab: Any, eventually: Callable[..., Any]) -> None:
    async with agent_lab.leg(steps(LONG_TOOL)) as leg:
        await eventually((agent_lab.project / "begun").exists)
        os.kill(leash_of(leg).pid, signal.SIGTERM)
        assert (await leg.outcome()).cause is Cause.PROCESS_KILLED


async def test_a_missing_project_is_told(agent_lab: Any) -> None:
    agent_lab.project.rmdir()
    outcome, leg = await agent_lab.run(text_only())
    assert (outcome.cause, leg.log.calls) == (Cause.PROJECT, [])
    agent_lab.project.mkdir()


async def test_a_program_that_cannot_run_is_told(agent_lab: Any, tmp_path: Path) -> None:
    for name, content, mode in (("missing", None, 0), ("text", "no program", 0o755), ("plain", "", 0o644)):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
            path.chmod(mode)
        outcome, _ = await agent_lab.run(text_only(), cli_path=path)
        assert outcome.cause in (Cause.CONFIGURATION, Cause.PROCESS_FAILED), (name, outcome)


async def test_output_beyond_the_default_buffer_is_read(agent_lab: Any) -> None:
    """A file of 3 MB travels in one message."""
    write = ToolUse("Write", {"file_path": "big.txt", "content": "0123456789" * 300_000})
    outcome, _ = await agent_lab.run(steps(write))
    assert outcome.cause is Cause.END_TURN
    assert (agent_lab.project / "big.txt").stat().st_size == 3_000_000


async def test_prompts_are_taken_word_for_word(agent_lab: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not for the model")
    prompt = f"/clear @{tmp_path}/secret"
    _, leg = await agent_lab.run(text_only(), task={"prompt": prompt})
    assert leg.server.requests[0].first_user_text == prompt
    assert "not for the model" not in str(leg.server.requests[0].body)


async def test_exactly_the_six_tools_are_offered(agent_lab: Any) -> None:
    (agent_lab.project / ".mcp.json").write_text('{"mcpServers": {"x": {"command": "touch", "args": ["x"]}}}')
    (agent_lab.project / "CLAUDE.md").write_text("Do something else.")
    _, leg = await agent_lab.run(sequence(Turn(TOOL), Turn(Text("Done."))))
    assert sorted(leg.server.requests[0].tools) == ["Bash", "Edit", "Glob", "Grep", "Read", "Write"]
    assert not (agent_lab.project / "x").exists()


async def test_leftovers_are_reaped(agent_lab: Any) -> None:
    from lifecycle.agent.options import AgentSettings
    from lifecycle.agent.sdk_agent import SdkAgent

    marker = str(uuid.uuid4())
    left = await asyncio.create_subprocess_exec(
        "sleep", "300", env={**os.environ, "LIFECYCLE_SESSION_ID": marker}
    )
    ended = await SdkAgent(AgentSettings(), agent_lab.project).reap([], [SessionId(marker)])
    assert ended == 1
    assert await left.wait() == -signal.SIGKILL
