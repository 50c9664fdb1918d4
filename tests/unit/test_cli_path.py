"""Finding the CLI, without importing the SDK that brings it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from lifecycle.agent.cli_path import find_cli
from lifecycle.errors import AgentFailed


def test_is_the_one_that_the_sdk_would_take() -> None:
    """The SDK's own rule is private; this is where it keeps the program."""
    code = (
        "import sys, lifecycle.agent.cli_path as c; print(c.find_cli()); print('claude_agent_sdk' in sys.modules)\n"
        "import claude_agent_sdk; print(claude_agent_sdk.__file__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, sdk_was_loaded, package = result.stdout.splitlines()
    assert Path(found) == Path(package).parent / "_bundled" / "claude"
    assert sdk_was_loaded == "False"


def test_is_the_one_in_path_when_none_is_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install_sdk_without_cli(tmp_path, monkeypatch)
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_cli() == program


def test_says_what_to_do_when_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install_sdk_without_cli(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AgentFailed, match="install claude-agent-sdk"):
        find_cli()


def _install_sdk_without_cli(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("claude_agent_sdk", None, is_package=True)
    spec.submodule_search_locations = [str(directory)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
