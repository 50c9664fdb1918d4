"""The gate and its rules: what is let through, and that anything unclear is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent import gate as gate_module
from lifecycle.agent import on_record
from lifecycle.agent.command_rule import commands_by
from lifecycle.agent.gate import Gate
from lifecycle.agent.protection import nothing_protected
from lifecycle.agent.rules import ALLOWED, TOOLS, ToolCall, Verdict, files_inside, only_our_tools


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (tmp_path / "project-of-others").mkdir()
    (project / "out").symlink_to(tmp_path)
    (project / "in").symlink_to("src")
    (project / "nowhere").symlink_to(tmp_path / "not-there-yet")
    return project


def hook(tool: str, arguments: Any, cwd: Path | str = "/") -> dict[str, Any]:
    return {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": arguments, "cwd": str(cwd)}


def is_denied(output: dict[str, Any]) -> bool:
    return output.get("hookSpecificOutput", {}).get("permissionDecision") == "deny"


INSIDE = [
    ("Read", {"file_path": "a.py"}),
    ("Read", {"file_path": "src/../a.py"}),
    ("Write", {"file_path": "new/deep/a.py"}),
    ("Write", {"file_path": "in/a.py"}),
    ("Edit", {"file_path": "PROJECT/a.py"}),
    ("Glob", {"pattern": "**/*.py"}),
    ("Glob", {"pattern": "PROJECT/src/*.py"}),
    ("Glob", {"pattern": "*.{js,ts}", "path": "src"}),
    ("Grep", {"pattern": r"\.\./|/etc", "glob": "*.py"}),
    ("Grep", {"pattern": "x", "path": "src"}),
    ("Bash", {"command": "cat /etc/passwd"}),
]
OUTSIDE = [
    ("Read", {"file_path": "/etc/passwd"}),
    ("Read", {"file_path": "../secret"}),
    ("Read", {"file_path": "src/../../secret"}),
    ("Read", {"file_path": "PROJECT-of-others/a"}),
    ("Read", {"file_path": "out/secret"}),
    ("Read", {"file_path": "in/../../secret"}),
    ("Write", {"file_path": "nowhere"}),
    ("Write", {"file_path": "out/new/file"}),
    ("Write", {"file_path": "~/file"}),
    ("Write", {"file_path": "~root/file"}),
    ("Edit", {"file_path": "PROJECT/../x"}),
    ("Glob", {"pattern": "/etc/*"}),
    ("Glob", {"pattern": "../*"}),
    ("Glob", {"pattern": "src/../../*"}),
    ("Glob", {"pattern": "{/etc,src}/*"}),
    ("Glob", {"pattern": "{..,src}/*"}),
    ("Glob", {"pattern": "~/*"}),
    ("Glob", {"pattern": "*", "path": ".."}),
    ("Glob", {"pattern": "out/*"}),
    ("Grep", {"pattern": "x", "path": "/etc"}),
    ("Grep", {"pattern": "x", "path": "out"}),
    ("Read", {"file_path": ""}),
    ("Read", {"file_path": "a\0b"}),
    ("Read", {"file_path": None}),
    ("Read", {"file_path": ["a"]}),
    ("Read", {}),
    ("Glob", {"pattern": 7}),
    ("WebFetch", {"url": "http://127.0.0.1"}),
    ("Agent", {"prompt": "do it for me"}),
    ("mcp__x__y", {}),
    ("read", {"file_path": "a.py"}),
]


def placed(arguments: dict[str, Any], project: Path) -> dict[str, Any]:
    return {
        name: value.replace("PROJECT", str(project)) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


@pytest.mark.parametrize(("tool", "arguments"), INSIDE)
async def test_what_stays_in_the_project_passes(project: Path, tool: str, arguments: dict[str, Any]) -> None:
    """With no opinion: the CLI's own permissions still have their say."""
    gate = Gate([only_our_tools, files_inside(project)])
    assert await gate.before_tool(hook(tool, placed(arguments, project), project), "id", None) == {}


@pytest.mark.parametrize(("tool", "arguments"), OUTSIDE)
async def test_what_leaves_the_project_is_refused(
    project: Path, tool: str, arguments: dict[str, Any]
) -> None:
    gate = Gate([only_our_tools, files_inside(project)])
    assert is_denied(await gate.before_tool(hook(tool, placed(arguments, project), project), "id", None))


async def test_relative_paths_are_relative_to_the_agents_directory(project: Path) -> None:
    gate = Gate([files_inside(project)])
    call = {"file_path": "../a.py"}
    assert await gate.before_tool(hook("Read", call, project / "src"), "1", None) == {}
    assert is_denied(await gate.before_tool(hook("Read", call, project), "2", None))


async def test_a_project_behind_a_link_is_the_same_project(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    gate = Gate([files_inside(tmp_path / "link")])
    for root in (project, tmp_path / "link"):
        assert (
            await gate.before_tool(hook("Read", {"file_path": str(root / "a.py")}, project), "1", None) == {}
        )


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        {},
        {"tool_name": "Bash"},
        {"tool_name": "Bash", "tool_input": "ls", "cwd": "/"},
        {"tool_name": 3, "tool_input": {}, "cwd": "/"},
        {"tool_name": "Bash", "tool_input": {"command": "ls"}},
        {"tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": ""},
    ],
)
async def test_a_call_that_is_not_understood_is_refused(data: Any) -> None:
    assert is_denied(await Gate([only_our_tools]).before_tool(data, "id", None))


async def test_a_rule_that_raises_refuses() -> None:
    def broken(call: ToolCall) -> Verdict:
        raise RuntimeError("no idea")

    output = await Gate([broken]).before_tool(hook("Bash", {"command": "ls"}), "id", None)
    assert is_denied(output)
    assert "no idea" in output["hookSpecificOutput"]["permissionDecisionReason"]


async def test_a_rule_that_takes_too_long_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_JUDGE_TIMEOUT_S", 0.05)

    def slow(call: ToolCall) -> Verdict:
        time.sleep(0.3)
        return ALLOWED

    assert is_denied(await Gate([slow]).before_tool(hook("Bash", {"command": "ls"}), "id", None))


@pytest.mark.parametrize("answer", [None, True, "yes", {}])
async def test_a_rule_that_answers_nonsense_refuses(answer: Any) -> None:
    assert is_denied(
        await Gate([lambda call: answer]).before_tool(hook("Bash", {"command": "ls"}), "id", None)
    )


async def test_a_gate_without_rules_refuses() -> None:
    assert is_denied(await Gate([]).before_tool(hook("Bash", {"command": "ls"}), "id", None))


async def test_one_refusal_is_enough() -> None:
    asked = []

    def allow(call: ToolCall) -> Verdict:
        asked.append("allow")
        return ALLOWED

    gate = Gate([allow, lambda call: Verdict(False, "never"), allow])
    output = await gate.before_tool(hook("Bash", {"command": "ls"}), "id", None)
    assert output["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "never",
    }
    assert asked == ["allow"]


async def test_the_books_are_kept() -> None:
    """Which calls were seen, and which run: a refused one was seen and never runs."""
    told: list[str] = []
    gate = Gate(
        [lambda call: Verdict(call.tool == "Bash", "no")],
        on_allowed=lambda call: told.append(f"started {call.tool}"),
        on_denied=lambda call, reason: told.append(f"denied {call.tool}: {reason}"),
    )
    await gate.before_tool(hook("Bash", {}), "1", None)
    await gate.before_tool(hook("Read", {}), "2", None)
    assert gate.has_seen("1")
    assert gate.has_seen("2")
    assert not gate.has_seen("3")
    assert list(gate.running) == ["1"]
    assert told == ["started Bash", "denied Read: no"]
    await gate.after_tool({}, "1", None)
    assert gate.running == {}


async def test_the_prompt_is_noted() -> None:
    gate = Gate([only_our_tools])
    assert gate.prompt_seen is False
    assert await gate.on_prompt({}, None, None) == {}
    assert gate.prompt_seen is True


def test_there_are_six_tools() -> None:
    assert sorted(TOOLS) == ["Bash", "Edit", "Glob", "Grep", "Read", "Write"]


async def test_what_a_finished_tool_broke_is_told_beside_its_result_once_nothing_runs(project: Path) -> None:
    async def mended() -> str | None:
        return "it was put right"

    gate = Gate([lambda call: ALLOWED], on_finished=mended)
    for number in ("1", "2"):
        await gate.before_tool(hook("Bash", {"command": "true"}, project), number)
    done = {"hook_event_name": "PostToolUseFailure", "tool_name": "Bash"}
    assert await gate.after_tool(done, "1") == {}, "the other call may be in the middle of writing"
    assert await gate.after_tool(done, "2") == {
        "hookSpecificOutput": {"hookEventName": "PostToolUseFailure", "additionalContext": "it was put right"}
    }


class TestOnRecord:
    """Every decision is on record before it takes effect."""

    @pytest.mark.parametrize(
        ("tool", "arguments", "rule"),
        [
            ("Read", {"file_path": "a.py"}, "allowed"),
            ("WebFetch", {}, "tools.unknown"),
            ("Read", {"file_path": "/etc/passwd"}, "files.outside"),
            ("Read", {"file_path": 3}, "files.input"),
            ("Glob", {"pattern": "../*"}, "files.pattern"),
            ("Glob", {"pattern": 3}, "files.input"),
            ("Edit", {"file_path": ".git/config"}, "files.protected"),
            ("Edit", {"file_path": "sub/CLAUDE.md"}, "files.protected"),
            ("Bash", {"command": "rm -rf /"}, "command.program.rm"),
            ("Bash", {"command": "x; ("}, "command.syntax"),
            ("Bash", {}, "command.input"),
            ("Grep", {"pattern": "x"}, "host.no_search"),
        ],
    )
    async def test_with_the_rule_that_decided(self, project: Path, tool: str, arguments: dict[str, Any], rule: str) -> None:
        def no_search(call: ToolCall) -> Verdict:
            return Verdict(call.tool != "Grep", "no searching")

        kept: list[tuple[ToolCall, Verdict]] = []
        rules = [only_our_tools, files_inside(project), nothing_protected(project), commands_by("standard", project), no_search]
        gate = Gate(rules, record=lambda call, verdict: kept.append((call, verdict)))
        answer = await gate.before_tool(hook(tool, arguments, project), "id", None)
        ((call, verdict),) = kept
        assert (call.tool, call.input) == (tool, arguments)
        assert verdict.rule.startswith(rule)
        assert is_denied(answer) != verdict.allowed
        assert bool(verdict.reason) != verdict.allowed

    @pytest.mark.parametrize(("data", "rule"), [(None, "gate.input"), ({"tool_name": "Bash"}, "gate.input")])
    async def test_also_what_is_not_understood(self, data: Any, rule: str) -> None:
        kept: list[Verdict] = []
        assert is_denied(await Gate([only_our_tools], record=lambda call, verdict: kept.append(verdict)).before_tool(data, "id", None))
        assert [verdict.rule for verdict in kept] == [rule]

    async def test_also_faults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(call: ToolCall) -> Verdict:
            raise RuntimeError

        def slow(call: ToolCall) -> Verdict:
            time.sleep(0.3)
            return ALLOWED

        monkeypatch.setattr(gate_module, "_JUDGE_TIMEOUT_S", 0.05)
        kept: list[str] = []
        for rules in ([], [broken], [slow]):
            gate = Gate(rules, record=lambda call, verdict: kept.append(verdict.rule))
            assert is_denied(await gate.before_tool(hook("Bash", {"command": "ls"}), "id", None))
        assert kept == ["gate.no-rules", "gate.fault", "gate.timeout"]

    @pytest.mark.parametrize("is_allowed", [True, False])
    async def test_what_cannot_be_recorded_is_refused_and_says_so(self, is_allowed: bool) -> None:
        def full(call: ToolCall, verdict: Verdict) -> None:
            raise OSError(28, "No space left on device")

        started: list[ToolCall] = []
        gate = Gate([lambda call: Verdict(is_allowed, "" if is_allowed else "never")], on_allowed=started.append, record=full)
        answer = await gate.before_tool(hook("Bash", {"command": "ls"}), "id", None)
        reason = answer["hookSpecificOutput"]["permissionDecisionReason"]
        assert is_denied(answer)
        assert "No space left on device" in reason
        assert "audit log" in reason
        assert ("never" in reason) != is_allowed
        assert (started, gate.running) == ([], {})

    async def test_a_record_that_takes_too_long_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(on_record, "TIMEOUT_S", 0.05)
        gate = Gate([lambda call: ALLOWED], record=lambda call, verdict: time.sleep(0.3))
        assert is_denied(await gate.before_tool(hook("Bash", {"command": "ls"}), "id", None))
