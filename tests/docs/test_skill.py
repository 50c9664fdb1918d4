"""The skill: installed, upgraded, found and used by the real agent CLI, and true to its own words."""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest

from lifecycle.config import SETTINGS
from lifecycle.errors import ProjectInvalid
from lifecycle.offline import ModelRequest, ModelServer, Play, Script, ToolUse
from lifecycle.skill import installing
from lifecycle.skill.installing import FileChange, install_skill, skill_files
from lifecycle.workspace.files import FileUnusable

SEED_FILES = {
    "SKILL.md",
    "scripts/session_manager.py",
    "scripts/session_detector.py",
    "scripts/auto_continue.py",
    "references/SESSION-LIFECYCLE.md",
    "references/CONFIGURATION.md",
}


def snippets(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


# --- what it is ----------------------------------------------------------------------------------------------


def test_it_has_the_files_that_it_names() -> None:
    files = skill_files()
    assert files.keys() >= SEED_FILES
    named = set(re.findall(r"`((?:scripts|references)/[\w.-]+)`", files["SKILL.md"].decode()))
    assert named <= files.keys()
    assert {name for name in files if name.startswith("references/")} <= named


def test_its_front_matter_says_what_it_is_and_when_to_use_it() -> None:
    head = skill_files()["SKILL.md"].decode().split("---\n")[1]
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert fields["name"] == "autonomous-session-manager"
    assert "Use when" in fields["description"]
    assert len(fields["description"]) <= 1024
    assert fields["version"] == version("autonomous-session-manager")


def test_it_names_the_seeds_integration_points_and_where_each_lives() -> None:
    text = skill_files()["SKILL.md"].decode()
    for point in ("context-state-tracker", "security-sandbox", "autonomous-loop"):
        assert re.search(rf"^\| \*\*{point}\*\*.*\| .*`", text, re.MULTILINE), point


def test_the_modules_it_points_at_exist() -> None:
    for name in set(re.findall(r"`(lifecycle(?:\.\w+)+)`", skill_files()["SKILL.md"].decode())):
        assert pkgutil.resolve_name(name) is not None


# --- installing ----------------------------------------------------------------------------------------------


def test_installing_writes_every_file_and_again_changes_nothing(tmp_path: Path) -> None:
    first = install_skill(tmp_path / "skills")
    assert set(first.changes.values()) == {FileChange.ADDED}
    before = {path: path.stat().st_mtime_ns for path in first.directory.rglob("*") if path.is_file()}
    again = install_skill(tmp_path / "skills")
    assert set(again.changes.values()) == {FileChange.UNCHANGED}
    assert {path: path.stat().st_mtime_ns for path in first.directory.rglob("*") if path.is_file()} == before


def test_an_edit_is_kept_and_told_until_it_is_forced(tmp_path: Path) -> None:
    skill = install_skill(tmp_path).directory / "SKILL.md"
    skill.write_text("mine\n")
    kept = install_skill(tmp_path)
    assert kept.kept == ("SKILL.md",)
    assert skill.read_text() == "mine\n"
    forced = install_skill(tmp_path, is_forced=True)
    assert forced.changes["SKILL.md"] is FileChange.REPLACED
    assert skill.read_bytes() == skill_files()["SKILL.md"]
    assert skill.with_name("SKILL.md.orig").read_text() == "mine\n"


def test_an_edit_that_was_kept_beside_is_never_lost_to_the_next(tmp_path: Path) -> None:
    skill = install_skill(tmp_path).directory / "SKILL.md"
    for edit in ("first\n", "second\n", "second\n"):
        skill.write_text(edit)
        install_skill(tmp_path, is_forced=True)
    kept = {path.name: path.read_text() for path in skill.parent.glob("SKILL.md.orig*")}
    assert kept == {"SKILL.md.orig": "first\n", "SKILL.md.orig.2": "second\n"}


def test_a_newer_version_brings_its_files_and_takes_away_what_it_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"SKILL.md": b"old\n", "scripts/gone.py": b"gone\n", "scripts/mine.py": b"theirs\n"}
    with monkeypatch.context() as earlier:
        earlier.setattr(installing, "skill_files", lambda: old)
        earlier.setattr(installing, "version", lambda name: "0.0.1")
        directory = install_skill(tmp_path).directory
    (directory / "scripts" / "mine.py").write_text("mine\n")
    upgraded = install_skill(tmp_path)
    assert (upgraded.previous, upgraded.version) == ("0.0.1", version("autonomous-session-manager"))
    assert upgraded.changes["SKILL.md"] is FileChange.UPDATED
    assert upgraded.changes["scripts/gone.py"] is FileChange.REMOVED
    assert upgraded.changes["scripts/mine.py"] is FileChange.KEPT
    assert not (directory / "scripts" / "gone.py").exists()
    assert (directory / "scripts" / "mine.py").read_text() == "mine\n"


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 1}', '{"version": 1, "files": {"../../x": "y"}}', "[" * 9999])
def test_a_damaged_manifest_loses_no_file(tmp_path: Path, manifest: str) -> None:
    outside = tmp_path.parent / "x"
    directory = install_skill(tmp_path).directory
    (directory / "SKILL.md").write_text("mine\n")
    (directory / ".installed.json").write_text(manifest)
    assert install_skill(tmp_path).kept == ("SKILL.md",)
    assert not outside.exists()


def test_what_stands_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file\n")
    with pytest.raises(ProjectInvalid):
        install_skill(tmp_path / "file")
    directory = install_skill(tmp_path / "skills").directory
    (directory / "SKILL.md").unlink()
    (directory / "SKILL.md").symlink_to(tmp_path / "file")
    with pytest.raises(FileUnusable):
        install_skill(tmp_path / "skills", is_forced=True)
    assert (tmp_path / "file").read_text() == "a file\n"


def test_the_command_says_what_it_did(desk) -> None:
    project = desk.directory / "my app"
    project.mkdir()
    first = desk.lifecycle("skill", "install", project)
    assert first.returncode == 0, first.stderr
    assert "added     SKILL.md" in first.stdout
    document = json.loads(desk.lifecycle("skill", "install", project, "--json").stdout)
    assert set(document["files"].values()) == {"unchanged"}
    user = desk.lifecycle("skill", "install", "--user", CLAUDE_CONFIG_DIR=str(desk.home / "claude"))
    assert (desk.home / "claude/skills/autonomous-session-manager/SKILL.md").is_file(), user.stderr
    assert "started anywhere" in user.stdout
    for wrong in ((), (project, "--user"), (desk.directory / "nowhere",)):
        refused = desk.lifecycle("skill", "install", *wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.count("\n") == 1


# --- using ---------------------------------------------------------------------------------------------------


def test_the_snippets_work_as_written_from_the_skills_folder(desk) -> None:
    """A project goes from nothing to complete by them: one session with a prompt, then on to SHUTDOWN."""
    project = desk.directory / "project"
    project.mkdir()
    (project / "app_spec.txt").write_text("One feature.\n")
    folder = install_skill(project / ".claude" / "skills").directory
    detect, create, go_on, config = snippets((folder / "SKILL.md").read_text())
    program = textwrap.dedent(
        """
        import asyncio

        project_dir, prompt = {project!r}, "Write the feature list."

        async def main():
        {body}
            print(session_type, result.state)

        asyncio.run(main())
        """
    ).format(project=str(project), body=textwrap.indent(f"{detect}\n{create}\n{go_on}\n{config}", "    "))
    done = desk.run(sys.executable, "-c", program, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["init", "CONTINUE"]
    status = json.loads(desk.lifecycle("status", project, "--json").stdout)
    assert (status["state"], status["features"]) == ("SHUTDOWN", {"passing": 1, "total": 1})


def test_the_session_configuration_is_the_seeds_and_the_engines(tmp_path: Path) -> None:
    folder = install_skill(tmp_path).directory
    program = "from scripts.session_manager import SESSION_CONFIG; import json; print(json.dumps(SESSION_CONFIG))"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    config = json.loads(done.stdout)
    assert config == {
        "model": "claude-sonnet-4-5-20250929",
        "max_turns": 1000,
        "continue_delay": 3,
        "max_iterations": None,
    }
    assert config == {name: SETTINGS[name].default for name in config}


def test_the_scripts_are_programs_too(desk) -> None:
    project = desk.directory / "project"
    project.mkdir()
    (project / "app_spec.txt").write_text("One feature.\n")
    scripts = install_skill(project / ".claude" / "skills").directory / "scripts"
    found = desk.run(sys.executable, scripts / "session_detector.py", project, "--json")
    assert json.loads(found.stdout)["session_type"] == "init", found.stderr
    one = desk.run(sys.executable, scripts / "session_manager.py", project, "--max-iterations", "1", "--json")
    assert (one.returncode, json.loads(one.stdout)["stop_reason"]) == (3, "max_iterations"), one.stderr
    rest = desk.run(sys.executable, scripts / "auto_continue.py", "--continue-delay", "0.1", "--json", cwd=project)
    assert (rest.returncode, json.loads(rest.stdout)["stop_reason"]) == (0, "complete"), rest.stderr


@pytest.mark.parametrize("script", ["session_detector", "session_manager", "auto_continue"])
def test_the_wrong_python_is_told_not_traced(tmp_path: Path, script: str) -> None:
    folder = install_skill(tmp_path).directory
    # Isolated and without site-packages: a Python that has never heard of the engine.
    bare = [sys.executable, "-I", "-S", str(folder / "scripts" / f"{script}.py"), "."]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "SKILL.md" in done.stderr


async def test_the_real_cli_finds_the_skill_and_uses_it(tmp_path: Path) -> None:
    """The model's requests name it with its description; the Skill tool hands over SKILL.md; its script answers."""
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage

    project = tmp_path / "project"
    project.mkdir()
    (project / "app_spec.txt").write_text("A garden.\n")
    folder = install_skill(project / ".claude" / "skills").directory
    seen: dict[str, str] = {}

    def play(request: ModelRequest) -> Play:
        seen["offered"] = json.dumps(request.body)
        read = yield ToolUse("Skill", {"skill": "autonomous-session-manager"})
        seen["skill"] = read.text + json.dumps(request.body)
        command = f"cd {folder} && {sys.executable} scripts/session_detector.py {project} --json"
        answer = yield ToolUse("Bash", {"command": command})
        seen["answer"] = answer.text
        return "It needs an INIT session."

    async with ModelServer(Script(play)) as server:
        options = ClaudeAgentOptions(
            cwd=project,
            setting_sources=["project"],
            skills=["autonomous-session-manager"],
            allowed_tools=["Skill", "Bash"],
            permission_mode="dontAsk",
            env={**server.environment(), "HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "claude")},
        )
        async with ClaudeSDKClient(options) as client:
            await client.query("What kind of session does this project need next?")
            results = [message async for message in client.receive_response() if isinstance(message, ResultMessage)]
    assert results[-1].result == "It needs an INIT session."
    assert "Use when starting a new autonomous coding project" in seen["offered"]
    assert "Session workflow" in seen["skill"]
    assert json.loads(seen["answer"])["session_type"] == "init"
