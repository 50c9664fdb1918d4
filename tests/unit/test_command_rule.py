"""The command policy as a rule of the agent's gate, and its settings."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from lifecycle.agent.command_rule import command_fence, commands_by
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.rules import ToolCall
from lifecycle.agent.sdk_agent import SdkAgent
from lifecycle.config import (
    Config,
    from_environment,
    from_file,
    from_flags,
    from_host,
    layer,
    resolve,
    to_record,
)
from lifecycle.errors import ConfigurationError
from lifecycle.guard import profile_from
from lifecycle.guard.profiles import fence_of

TABLE = """
profile = "minimal"

[guard]
allow = ["jq", "./check.sh"]
deny = ["pkill"]

[guard.programs.git]
subcommands = ["status", "commit"]
"""


def bash(command: object, cwd: Path) -> ToolCall:
    return ToolCall("Bash", {"command": command}, cwd)


def test_commands_are_judged_where_the_shell_stands(tmp_path: Path) -> None:
    rule = commands_by("minimal", tmp_path)
    assert rule(bash("cat ../a > ../b", tmp_path / "deep")).allowed
    refused = rule(bash("cat a > ../b", tmp_path))
    assert not refused.allowed
    assert refused.reason
    assert refused.rule.startswith("command.")


def test_other_tools_are_not_this_rules(tmp_path: Path) -> None:
    assert commands_by("minimal", tmp_path)(ToolCall("Read", {"file_path": "/etc/passwd"}, tmp_path)).allowed


@pytest.mark.parametrize("arguments", [{}, {"command": None}, {"command": ["ls"]}])
def test_a_call_without_a_command_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    assert not commands_by("standard", tmp_path)(ToolCall("Bash", MappingProxyType(arguments), tmp_path)).allowed


def test_the_table_is_read_from_the_file_and_changes_the_profile(tmp_path: Path) -> None:
    (tmp_path / "lifecycle.toml").write_text(TABLE)
    config = resolve(from_file(tmp_path / "lifecycle.toml", must_exist=False))
    rule = commands_by(profile_from({"profile": config.profile, **config.guard}), tmp_path)
    for command, is_allowed in {
        "jq . a.json": True,
        "./check.sh": True,
        "git status": True,
        "git push": False,
        "pkill node": False,
        "python3 x.py": False,
    }.items():
        assert rule(bash(command, tmp_path)).allowed == is_allowed, command


def test_the_table_survives_the_journal(tmp_path: Path) -> None:
    (tmp_path / "lifecycle.toml").write_text(TABLE)
    written = from_file(tmp_path / "lifecycle.toml", must_exist=False)
    again = layer(to_record(written.values), lambda setting: setting.name, place="the journal")
    assert again.values == written.values


def test_the_profile_has_a_flag_and_a_variable() -> None:
    assert Config().profile == "standard", "every command is judged unless a person says otherwise"
    assert resolve(from_flags({"profile": "none"})).profile is None
    assert resolve(from_flags({"profile": "minimal"})).profile == "minimal"
    assert resolve(from_environment({"LIFECYCLE_PROFILE": "Minimal"})).profile == "minimal"
    assert resolve(from_host({"guard": {"allow": ["jq"]}})).guard == {"allow": ["jq"]}
    with pytest.raises(ConfigurationError, match="--profile.*minimal or standard"):
        from_flags({"profile": "lax"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("guard = 3", "give a table"),
        ("[guard]\nallowed = ['ls']", "unknown key 'allowed'"),
        ("[guard]\nallow = 'ls'", "allow must be a list"),
        ("[guard]\nallow = ['../x']", "no program name"),
        ("[guard]\nprofile = 'minimal'", "outside of the table"),
        ("[guard.programs]\ngit = 3", "must be a table"),
        ("[guard.programs.git]\ndeny_arguments = ['(']", "deny_arguments"),
        ("[guard.programs.git]\nsubcommand = ['x']", "unknown key 'subcommand'"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "lifecycle.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        from_file(tmp_path / "lifecycle.toml", must_exist=False)
    assert "lifecycle.toml" in caught.value.source
    assert "guard" in caught.value.source
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "is_allowed"), [("", False), ("protect_claude_md = false", True), ("profile = 'minimal'\nprotect_claude_md = false", True)])
def test_the_agents_instructions_are_protected_unless_a_person_says_otherwise(tmp_path: Path, text: str, is_allowed: bool) -> None:
    (tmp_path / "lifecycle.toml").write_text(text)
    fence = fence_of(resolve(from_file(tmp_path / "lifecycle.toml", must_exist=False)))
    assert fence is not None
    assert commands_by(fence, tmp_path)(bash("cat x > docs/CLAUDE.md", tmp_path)).allowed == is_allowed
    assert not commands_by(fence, tmp_path)(bash("cat x > lifecycle.toml", tmp_path)).allowed


def test_without_a_profile_there_is_no_fence_unless_there_is_a_table() -> None:
    assert fence_of(resolve(from_flags({"profile": "none"}))) is None
    fence = fence_of(resolve(from_flags({"profile": "none"}), from_host({"guard": {"deny": ["curl"]}})))
    assert fence is not None
    assert "curl" not in fence.programs


def test_an_agents_fence_is_named_and_only_none_is_no_fence(tmp_path: Path) -> None:
    """What `SdkAgent` is given; a name that is misspelt must not open it."""
    assert command_fence("none", tmp_path, protect_claude_md=True) == ()
    for protects in (True, False):
        (rule,) = command_fence("standard", tmp_path, protect_claude_md=protects)
        assert rule(bash("python3 x.py", tmp_path)).allowed
        assert not rule(bash("nc -l 8080", tmp_path)).allowed
        assert rule(bash("cat x > CLAUDE.md", tmp_path)).allowed != protects
    (own,) = command_fence(profile_from({"profile": "minimal", "allow": ["jq"]}), tmp_path, protect_claude_md=True)
    assert own(bash("jq . x", tmp_path)).allowed
    assert not own(bash("python3 x.py", tmp_path)).allowed
    for name in ("None", "", "lax"):
        with pytest.raises(ConfigurationError, match="minimal, standard and none are accepted"):
            SdkAgent(AgentSettings(), tmp_path, profile=name)
