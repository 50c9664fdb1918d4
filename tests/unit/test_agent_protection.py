"""Some of the project's files the agent may read and never write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.protection import nothing_protected
from lifecycle.agent.rules import ToolCall
from lifecycle.guard.protected import protection


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / ".git" / "hooks").mkdir(parents=True)
    (made / "src").mkdir()
    (made / "link").symlink_to(".git")
    (made / "settings").symlink_to("lifecycle.toml")
    (tmp_path / "alias").symlink_to(made)
    return made


@pytest.mark.parametrize("tool", ["Write", "Edit"])
@pytest.mark.parametrize(
    "path",
    [
        "lifecycle.toml",
        "./lifecycle.toml",
        "src/../lifecycle.toml",
        "LIFECYCLE.TOML",
        ".git/hooks/pre-commit",
        ".git/config",
        ".GIT/config",
        ".git",
        ".claude/settings.json",
        "src/.claude/settings.json",
        "vendor/lib/.git/config",
        "CLAUDE.md",
        "claude.md",
        "docs/CLAUDE.md",
        "CLAUDE.local.md",
        "link/config",
        "settings",
        "{project}/.git/config",
        "{alias}/.git/config",
    ],
)
def test_what_runs_or_says_how_we_run_is_not_written(project: Path, tool: str, path: str) -> None:
    path = path.format(project=project, alias=project.parent / "alias")
    verdict = nothing_protected(project)(ToolCall(tool, {"file_path": path}, project))
    assert not verdict.allowed
    assert verdict.rule == "files.protected"


@pytest.mark.parametrize("path", ["docs/AGENTS.md", "githooks/pre-commit", "docs/../docs/AGENTS.md"])
def test_what_a_protected_name_leads_to_is_not_written(project: Path, path: str) -> None:
    """Who writes it writes the instructions, or the hook, whatever it is called itself."""
    (project / "docs").mkdir()
    (project / "docs" / "AGENTS.md").touch()
    (project / "CLAUDE.md").symlink_to("docs/AGENTS.md")
    (project / "githooks").mkdir()
    (project / ".git" / "hooks").rmdir()
    (project / ".git" / "hooks").symlink_to("../githooks")
    rule = nothing_protected(project)
    assert not rule(ToolCall("Write", {"file_path": path}, project)).allowed
    assert rule(ToolCall("Write", {"file_path": "docs/other.md"}, project)).allowed
    assert rule(ToolCall("Read", {"file_path": path}, project)).allowed


def test_a_path_is_judged_from_where_the_agents_shell_stands(project: Path) -> None:
    rule = nothing_protected(project)
    assert not rule(ToolCall("Write", {"file_path": "../lifecycle.toml"}, project / "src")).allowed
    assert rule(ToolCall("Write", {"file_path": "lifecycle.toml"}, project / "src")).allowed


@pytest.mark.parametrize("path", ["src/main.py", ".gitignore", "feature_list.json", "docs/lifecycle.toml.md", "docs/lifecycle.toml", ".github/x", "MY-CLAUDE.md"])
def test_everything_else_is_written(project: Path, path: str) -> None:
    assert nothing_protected(project)(ToolCall("Write", {"file_path": path}, project)).allowed


def test_reading_is_not_writing(project: Path) -> None:
    assert nothing_protected(project)(ToolCall("Read", {"file_path": ".git/config"}, project)).allowed


def test_a_person_can_leave_the_agents_instructions_to_agents(project: Path) -> None:
    rule = nothing_protected(project, protection(claude_md=False))
    assert rule(ToolCall("Write", {"file_path": "CLAUDE.md"}, project)).allowed
    assert rule(ToolCall("Write", {"file_path": "docs/CLAUDE.local.md"}, project)).allowed
    assert not rule(ToolCall("Write", {"file_path": ".claude/CLAUDE.md"}, project)).allowed


def test_a_refusal_says_what_to_do_instead(project: Path) -> None:
    verdict = nothing_protected(project)(ToolCall("Write", {"file_path": "CLAUDE.md"}, project))
    assert "claude-progress.txt" in verdict.reason
