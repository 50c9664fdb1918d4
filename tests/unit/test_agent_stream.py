"""What single messages call for. The real stream is in the contract tests; these are its odd ones."""

from __future__ import annotations

from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    UserMessage,
)

from lifecycle.agent.gate import Gate
from lifecycle.agent.stream import StreamReader
from lifecycle.events import Said
from lifecycle.redaction import Redactor
from states.vocabulary import Cause, SessionId


@pytest.fixture
def gate() -> Gate:
    gate = Gate([])
    gate.prompt_seen = True
    return gate


@pytest.fixture
def reader(gate: Gate) -> StreamReader:
    return StreamReader(SessionId("s"), gate, now=lambda: 7.0, redact=Redactor())


def result(**changes: Any) -> ResultMessage:
    fields: dict[str, Any] = {
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": False,
        "num_turns": 1,
        "session_id": "s",
    }
    return ResultMessage(**(fields | changes))


def tool_result(content: Any, *, is_error: bool | None) -> UserMessage:
    return UserMessage(content=[ToolResultBlock("toolu_1", content, is_error)])


def refused(attempt: int) -> SystemMessage:
    return SystemMessage(
        "api_retry", {"attempt": attempt, "retry_delay_ms": 500, "error_status": 401, "error": "x"}
    )


def event(kind: str, **more: Any) -> StreamEvent:
    return StreamEvent("u", "s", {"type": kind, **more})


@pytest.mark.parametrize(
    ("content", "is_error"),
    [
        ("done", False),
        ("done", None),
        ("Exit code 1\n<tool_use_error>", True),
        ([{"type": "text"}], True),
        (None, None),
    ],
)
def test_a_result_of_a_call_that_passed_no_gate_is_fatal(
    reader: StreamReader, content: Any, is_error: bool
) -> None:
    cut = reader.read(tool_result(content, is_error=is_error)).cut
    assert cut is not None
    assert cut.cause is Cause.GATE


async def test_a_result_of_a_call_that_passed_is_fine(reader: StreamReader, gate: Gate) -> None:
    await gate.before_tool({"tool_name": "Bash"}, "toolu_1", None)
    assert reader.read(tool_result("done", is_error=False)).cut is None


def test_a_call_that_the_cli_turned_down_itself_is_fine(reader: StreamReader) -> None:
    """An unknown tool, or wrong arguments: nothing ran, and no hook was due."""
    turned_down = tool_result(
        "<tool_use_error>Error: No such tool available: X</tool_use_error>", is_error=True
    )
    assert reader.read(turned_down).cut is None


@pytest.mark.parametrize(
    "message",
    [
        event("message_start", message={"id": "m", "model": "claude-opus-5", "usage": {}}),
        AssistantMessage([TextBlock("hello")], "claude-opus-5", message_id="m"),
    ],
)
def test_an_answer_before_the_prompt_was_announced_is_fatal(
    reader: StreamReader, gate: Gate, message: Any
) -> None:
    gate.prompt_seen = False
    cut = reader.read(message).cut
    assert cut is not None
    assert cut.cause is Cause.GATE


def test_the_clis_own_words_need_no_prompt(reader: StreamReader, gate: Gate) -> None:
    gate.prompt_seen = False
    assert (
        reader.read(AssistantMessage([TextBlock("Not logged in")], "<synthetic>", error="unknown")).cut
        is None
    )
    assert reader.error == "unknown"


def test_a_fixed_key_is_refused_once(reader: StreamReader) -> None:
    reader.read(
        SystemMessage("init", {"apiKeySource": "ANTHROPIC_API_KEY", "claude_code_version": "2.1.330"})
    )
    cut = reader.read(refused(1)).cut
    assert cut is not None
    assert cut.cause is Cause.AUTHENTICATION
    assert reader.cli_version == "2.1.330"


def test_a_login_may_be_renewed_once(reader: StreamReader) -> None:
    """The CLI renews an expired login between two attempts; only a second refusal in a row is final."""
    reader.read(SystemMessage("init", {"apiKeySource": "none"}))
    assert reader.read(refused(1)).cut is None
    reader.read(event("message_start", message={"id": "m", "model": "claude-opus-5", "usage": {}}))
    assert reader.read(refused(1)).cut is None
    assert reader.read(refused(2)).cut is not None


def test_a_retry_announces_its_pause(reader: StreamReader) -> None:
    retry = SystemMessage(
        "api_retry", {"attempt": 2, "retry_delay_ms": 1500, "error_status": None, "error": "unknown"}
    )
    step = reader.read(retry)
    assert (step.quiet_s, step.cut) == (1.5, None)


def test_a_ping_is_no_sign_of_life(reader: StreamReader) -> None:
    """A service can ping for ever while nothing comes."""
    assert reader.read(event("ping")).is_sign_of_life is False
    assert reader.read(event("content_block_delta")).is_sign_of_life is True


def test_a_result_is_final_unless_work_goes_on_behind_it(reader: StreamReader) -> None:
    started = {"task_id": "t", "description": "d"}
    reader.read(SystemMessage("task_started", started))
    assert reader.read(result()).is_final is False
    reader.read(SystemMessage("task_updated", {"task_id": "t", "patch": {"status": "completed"}}))
    assert reader.read(result(total_cost_usd=1.5)).is_final is True


def test_the_total_is_handed_on(reader: StreamReader) -> None:
    assert reader.read(result(total_cost_usd=1.5)).total_cost_usd == 1.5


def test_words_are_shortened_and_redacted(reader: StreamReader) -> None:
    text = "I found sk-ant-api03-abcdefghijkl in the file\nand more\n" + "x" * 10_000
    (said,) = reader.read(AssistantMessage([TextBlock(text)], "claude-opus-5", message_id="m")).events
    assert isinstance(said, Said)
    assert said.text == "I found [redacted] in the file"


def test_unknown_messages_are_signs_of_life(reader: StreamReader) -> None:
    step = reader.read(SystemMessage("something_new", {"x": 1}))
    assert (step.is_sign_of_life, step.usage, step.events, step.cut) == (True, [], [], None)
