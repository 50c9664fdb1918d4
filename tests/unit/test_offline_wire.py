"""The pure parts of the offline model: reading conversations, wording turns, replaying plays, editing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.offline import ModelRequest, Play, Script, Text, ToolUse, Turn, Usage
from lifecycle.offline.editing import edits, without_line_numbers
from lifecycle.offline.request import redacted
from lifecycle.offline.scenarios import first_then, load, sequence, steps, text_only
from lifecycle.offline.wire import message, stream_events, with_ids

TOOLS = [{"name": "Bash"}, {"name": "Read"}]


def asked(*messages: dict[str, Any], tools: list[dict[str, Any]] = TOOLS) -> ModelRequest:
    body = {"model": "claude-sonnet-4-5", "messages": list(messages), "tools": tools, "stream": True}
    return ModelRequest(1, 0.0, datetime(2026, 1, 1, tzinfo=UTC), "/v1/messages", {}, body)


def user(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    return {"role": "user", "content": content}


def called(turn: Turn) -> dict[str, Any]:
    """The assistant's message as the agent sends it back."""
    return {"role": "assistant", "content": message(turn, asked(), "msg_1")["content"]}


def result(turn: Turn, text: str, is_error: bool = False) -> dict[str, Any]:
    block = {
        "type": "tool_result",
        "tool_use_id": turn.tool_uses[0].id,
        "content": text,
        "is_error": is_error,
    }
    return user(block)


def test_reminders_that_the_agent_adds_are_no_part_of_what_was_said() -> None:
    request = asked(user("<system-reminder>\nToday is Monday.\n</system-reminder>\n", "Build it."))
    assert request.first_user_text == request.last_user_text == "Build it."


def test_tool_results_are_read_with_the_name_of_their_tool() -> None:
    turn = Turn(ToolUse("Read", {"file_path": "a"}, id="toolu_1"))
    reply = result(
        turn, "1\tone\n\n<system-reminder>\n<total_tokens>9</total_tokens>\n</system-reminder>", True
    )
    request = asked(user("Go."), called(turn), reply)
    assert request.last_tool_result == request.tool_results["toolu_1"]
    assert (request.last_tool_result.name, request.last_tool_result.text) == ("Read", "1\tone")
    assert request.last_tool_result.is_error


def test_a_conversation_without_tool_results_says_so() -> None:
    with pytest.raises(LookupError):
        _ = asked(user("Go.")).last_tool_result


def test_errands_of_the_cli_are_not_main() -> None:
    """A title's request offers no tools; a compaction asks for text only."""
    assert asked(user("Go.")).is_main
    assert not asked(user("Go."), tools=[]).is_main
    assert not asked(user("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.")).is_main


def test_credentials_are_redacted_whatever_the_case_of_their_header() -> None:
    kept = redacted({"X-Api-Key": "sk-1", "Authorization": "Bearer 2", "X-App": "cli"})
    assert kept == {"x-api-key": "[redacted]", "authorization": "[redacted]", "x-app": "cli"}


def test_a_stream_carries_what_the_whole_message_carries() -> None:
    turn = with_ids(Turn(Text("Hello ☂ " * 40), ToolUse("Bash", {"command": "ls"}), usage=Usage(3, 5)), "abc")
    events = [json.loads(event.split("data: ")[1]) for event in stream_events(turn, asked(), "msg_1")]
    whole = message(turn, asked(), "msg_1")
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == whole["content"][0]["text"]
    arguments = "".join(delta.get("partial_json", "") for delta in deltas)
    assert json.loads(arguments) == whole["content"][1]["input"]
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"] == "tool_use"
    assert events[-2]["usage"] == whole["usage"]


def test_usage_is_estimated_so_that_costs_show() -> None:
    usage = message(Turn(Text("word " * 100)), asked(user("x" * 4000)), "msg_1")["usage"]
    assert usage["output_tokens"] == 125
    assert usage["cache_creation_input_tokens"] > 1000


def two_steps(request: ModelRequest) -> Play:
    first = yield ToolUse("Bash", {"command": "one"})
    if first.is_error:
        first = yield ToolUse("Bash", {"command": "one again"})
    yield Turn(Text(f"It said {first.text}."), ToolUse("Bash", {"command": "two"}))
    return "Over."


def command(turn: Turn) -> str:
    return str(turn.tool_uses[0].input["command"])


def test_a_play_goes_on_from_the_results_that_the_conversation_holds() -> None:
    script = Script(two_steps)
    one = script(asked(user("Go.")))
    two = script(asked(user("Go."), called(one), result(one, "eins")))
    over = script(asked(user("Go."), called(one), result(one, "eins"), called(two), result(two, "zwei")))
    assert (command(one), command(two)) == ("one", "two")
    assert two.blocks[0] == Text("It said eins.")
    assert over.blocks == (Text("Over."),)


def test_another_prompt_in_the_middle_changes_nothing() -> None:
    """After a crash there is an error for the dangling call, then words of the agent's own and a prompt."""
    script = Script(two_steps)
    one = script(asked(user("Go.")))
    lost = result(one, "outcome unknown", is_error=True)
    aside = {"role": "assistant", "content": [{"type": "text", "text": "Interrupted."}]}
    again = script(asked(user("Go."), called(one), lost, aside, user("Continue.")))
    assert command(again) == "one again"
    assert again.tool_uses[0].id != one.tool_uses[0].id


def test_a_play_that_is_over_repeats_its_closing_text() -> None:
    nudged = asked(user("Go."), called(Turn(Text("Over."))), user("Go on."))
    assert Script(lambda request: over())(nudged).blocks == (Text("Over."),)


def over() -> Play:
    return "Over."
    yield  # makes it a generator


def test_a_play_answers_the_clis_errands_with_prose() -> None:
    assert Script(two_steps)(asked(user("Give it a title."), tools=[])).tool_uses == ()


def test_steps_go_on_whatever_comes_of_them() -> None:
    scenario = steps(ToolUse("Bash", {"command": "one"}), ToolUse("Bash", {"command": "two"}), end="End.")
    one = scenario(asked(user("Go.")))
    assert isinstance(one, Turn)
    two = scenario(asked(user("Go."), called(one), result(one, "no", is_error=True)))
    assert isinstance(two, Turn)
    assert command(two) == "two"


def test_a_sequence_counts_main_requests_and_repeats_its_end() -> None:
    first, last = Turn(Text("1")), Turn(Text("2"))
    scenario = sequence(first, last)
    scenario(asked(user("Give it a title."), tools=[]))
    assert [scenario(asked(user("Go."))) for _ in range(3)] == [first, last, last]


def test_faults_come_first_and_then_the_scenario() -> None:
    scenario = first_then(2, Turn(Text("fault")), text_only("fine"))
    replies = [scenario(asked(user("Go."))) for _ in range(3)]
    assert replies == [Turn(Text("fault")), Turn(Text("fault")), Turn(Text("fine"))]


def test_scenarios_are_loaded_by_name_whether_made_or_ready() -> None:
    assert isinstance(load("demo"), Script)
    ready = load("lifecycle.offline.scenarios:text_only")  # its argument has a default: a factory
    assert ready(asked(user("Go."))) == Turn(Text("Done."))


@pytest.mark.parametrize("name", ["nonsense", "no.such.module:x", "json:no_such_name", "json:__name__"])
def test_a_name_that_is_no_scenario_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name.partition(":")[0]):
        load(name)


LINES = st.lists(st.sampled_from(["a", "b", "", "  c", "d d"]), max_size=12).map("\n".join)


@given(LINES, LINES)
def test_edits_lead_from_any_text_to_any_other(before: str, after: str) -> None:
    """Each replaces a text that occurs exactly once when its turn comes, as the Edit tool wants it, and never again."""
    replacements = edits(before, after)
    current = before
    for old, new in replacements:
        assert current.count(old) == 1
        current = current.replace(old, new)
        assert old not in current
    assert current == after or not replacements


def test_what_is_inserted_is_held_at_both_sides_and_what_is_appended_is_no_edit() -> None:
    """An agent whose last result was lost makes its last edit again: that must not insert the lines twice."""
    assert edits("a\nc\n", "a\nb\nc\n") == [("a\nc", "a\nb\nc")]
    assert edits("a\n", "a\nb\n") == []


@given(st.lists(st.sampled_from(["a", "", "\tb", "7\tc"]), max_size=6).map("\n".join))
def test_line_numbers_are_taken_off_as_read_puts_them_on(text: str) -> None:
    shown = "\n".join(f"{number}\t{line}" for number, line in enumerate(text.split("\n"), 1))
    assert without_line_numbers(shown) == text
