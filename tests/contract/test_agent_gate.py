"""The gate in front of the real CLI's tools: what it refuses, and that a CLI which does not ask is found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.canary import prove_gate
from lifecycle.agent.cli_path import find_cli
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.proofs import gate_proof
from lifecycle.agent.rules import ALLOWED, ToolCall, Verdict
from lifecycle.events import ToolDenied
from lifecycle.offline import ModelServer, ToolUse
from lifecycle.offline.scenarios import steps, text_only
from lifecycle.stopping import LocalStopFlag
from states.vocabulary import Cause


def outside_calls(root: Path) -> dict[str, ToolUse]:
    secret = str(root / "secret.txt")
    return {
        "write absolute": ToolUse("Write", {"file_path": str(root / "new.txt"), "content": "x"}),
        "write upwards": ToolUse("Write", {"file_path": "../new.txt", "content": "x"}),
        "write through a link": ToolUse("Write", {"file_path": "link/new.txt", "content": "x"}),
        "read absolute": ToolUse("Read", {"file_path": secret}),
        "read upwards": ToolUse("Read", {"file_path": "sub/../../secret.txt"}),
        "read a link": ToolUse("Read", {"file_path": "secret-link"}),
        "read home": ToolUse("Read", {"file_path": "~/secret.txt"}),
        "edit": ToolUse("Edit", {"file_path": secret, "old_string": "s", "new_string": "t"}),
        "glob": ToolUse("Glob", {"pattern": str(root / "*.txt")}),
        "glob upwards": ToolUse("Glob", {"pattern": "../*.txt"}),
        "glob path": ToolUse("Glob", {"pattern": "*.txt", "path": str(root)}),
        "grep": ToolUse("Grep", {"pattern": "swordfish", "path": ".."}),
    }


async def test_file_tools_are_held_to_the_project(agent_lab: Any) -> None:
    root, project = agent_lab.root, agent_lab.project
    (root / "secret.txt").write_text("swordfish")
    (project / "link").symlink_to(root)
    (project / "secret-link").symlink_to(root / "secret.txt")
    (project / "sub").mkdir()
    calls = outside_calls(root)
    outcome, leg = await agent_lab.run(steps(*calls.values()))

    assert outcome.cause is Cause.END_TURN
    results = leg.server.requests[-1].tool_results
    assert len(results) == len(calls)
    assert all(result.is_error for result in results.values())
    assert "swordfish" not in str([result.text for result in results.values()])
    assert (root / "secret.txt").read_text() == "swordfish"
    assert not (root / "new.txt").exists()
    # All but the edit of a file that was never read: that one the CLI turns down before it asks.
    assert len(leg.log.told(ToolDenied)) == len(calls) - 1
    assert all("outside the project" in e.reason or "leads out" in e.reason for e in leg.log.told(ToolDenied))


async def test_file_tools_work_inside_the_project(agent_lab: Any) -> None:
    project = agent_lab.project
    (project / "deep").mkdir()
    (project / "inner").symlink_to(project / "deep")
    outcome, leg = await agent_lab.run(
        steps(
            ToolUse("Write", {"file_path": "deep/a.txt", "content": "alpha"}),
            ToolUse("Read", {"file_path": str(project / "inner" / "a.txt")}),
            ToolUse("Edit", {"file_path": "deep/a.txt", "old_string": "alpha", "new_string": "beta"}),
            ToolUse("Bash", {"command": "cd deep"}),
            ToolUse("Write", {"file_path": "b.txt", "content": "gamma"}),
            ToolUse("Glob", {"pattern": "**/*.txt", "path": str(project)}),
            ToolUse("Grep", {"pattern": "beta", "path": str(project), "output_mode": "files_with_matches"}),
        )
    )
    assert outcome.cause is Cause.END_TURN
    assert leg.log.told(ToolDenied) == []
    assert [result.text for result in leg.server.requests[-1].tool_results.values() if result.is_error] == []
    assert (project / "deep" / "a.txt").read_text() == "beta"


@pytest.mark.parametrize("name", ["CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE"])
@pytest.mark.parametrize("value", ["1", "true"])
async def test_an_inherited_switch_does_not_open_the_gate(
    agent_lab: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    outside = ToolUse("Write", {"file_path": str(agent_lab.root / "new.txt"), "content": "x"})
    outcome, leg = await agent_lab.run(steps(outside))
    assert outcome.cause is Cause.END_TURN
    assert len(leg.log.told(ToolDenied)) == 1


@pytest.fixture
def deaf_cli(tmp_path: Path) -> Path:
    """The real CLI, but one that asks no hook."""
    path = tmp_path / "deaf-claude"
    path.write_text(f'#!/bin/sh\nCLAUDE_CODE_SIMPLE=1 exec {find_cli()} "$@"\n')
    path.chmod(0o755)
    return path


async def test_the_canary_finds_a_cli_that_does_not_ask(agent_lab: Any, deaf_cli: Path) -> None:
    """Nothing is paid for with it, and nothing is kept as proven."""
    outcome, leg = await agent_lab.run(text_only(), cli_path=deaf_cli, state_dir=agent_lab.root / "state")
    assert outcome.cause is Cause.GATE
    assert "tested version" in outcome.detail
    assert leg.log.calls == []
    assert leg.server.requests == ()
    assert not (agent_lab.root / "state" / "gate-proof.json").exists()


async def test_a_session_with_a_cli_that_does_not_ask_is_cut_off(agent_lab: Any, deaf_cli: Path) -> None:
    """Also with a proof at hand: the program could have changed its mind."""
    state_dir = agent_lab.root / "state"
    state_dir.mkdir()
    gate_proof(deaf_cli).keep(state_dir)
    scenario = steps(ToolUse("Bash", {"command": "sleep 0.3; touch done"}))
    outcome, leg = await agent_lab.run(scenario, cli_path=deaf_cli, state_dir=state_dir)
    assert outcome.cause is Cause.GATE
    assert not (agent_lab.project / "done").exists()


async def test_the_proof_is_made_once(agent_lab: Any) -> None:
    state_dir = agent_lab.root / "state"
    await agent_lab.run(text_only(), state_dir=state_dir)
    proof = state_dir / "gate-proof.json"
    made = proof.stat().st_mtime_ns
    await agent_lab.run(text_only(), state_dir=state_dir)
    assert proof.stat().st_mtime_ns == made
    proof.write_text("{")  # what cannot be read is made again
    outcome, _ = await agent_lab.run(text_only(), state_dir=state_dir)
    assert outcome.cause is Cause.END_TURN
    assert proof.stat().st_mtime_ns != made


async def test_the_canary_keeps_the_credentials_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It talks to its own model, whatever the environment says."""
    async with ModelServer(text_only()) as elsewhere:
        for name, value in {
            **elsewhere.environment(),
            "ANTHROPIC_AUTH_TOKEN": "sk-ant-a-real-token",
            "CLAUDE_CODE_USE_BEDROCK": "1",
            "CLAUDE_CONFIG_DIR": str(tmp_path / "config"),
        }.items():
            monkeypatch.setenv(name, value)
        assert await prove_gate(AgentSettings(), find_cli(), LocalStopFlag()) is None
        assert elsewhere.contacts == ()
        assert not (tmp_path / "config").exists()


async def test_a_stop_ends_the_canary(agent_lab: Any) -> None:
    stop = LocalStopFlag()
    stop.set("a test")
    evidence = await prove_gate(AgentSettings(), find_cli(), stop)
    assert evidence is not None
    assert evidence.cut is not None
    assert evidence.cut.cause is Cause.STOP


async def test_the_command_policy_is_there_unasked_and_further_rules_are_asked_too(agent_lab: Any) -> None:
    def no_rm(call: ToolCall) -> Verdict:
        return Verdict(False, "no rm here") if "rm " in str(call.input.get("command")) else ALLOWED

    (agent_lab.project / "precious").write_text("x")
    commands = ["rm precious", "touch ../unheard-of", "nc -l 8080", "touch fine"]
    _, leg = await agent_lab.run(steps(*(ToolUse("Bash", {"command": command}) for command in commands)), rules=[no_rm], profile=None)
    results = leg.server.requests[-1].tool_results.values()
    assert [result.is_error for result in results] == [True, True, True, False], "a host that says nothing has the fence"
    assert not (agent_lab.root / "unheard-of").exists()
    assert "no rm here" in next(iter(results)).text
    assert (agent_lab.project / "precious").exists()
    assert (agent_lab.project / "fine").exists()
