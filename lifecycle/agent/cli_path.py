"""Where the coding agent's command-line program is. Asks the file system only; never imports the SDK."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from lifecycle.errors import AgentFailed

__all__ = ["find_cli"]


def find_cli() -> Path:
    """The CLI that came with claude-agent-sdk, or else the `claude` in PATH.

    Raises:
        AgentFailed: there is neither.
    """
    bundled = _bundled()
    if bundled is not None:
        return bundled
    installed = shutil.which("claude")
    if installed is not None:
        return Path(installed).absolute()
    raise AgentFailed(
        "the agent's program is missing: claude-agent-sdk is installed without its bundled CLI and there is no "
        "`claude` in PATH; install claude-agent-sdk from a wheel for this platform, or Claude Code itself"
    )


def _bundled() -> Path | None:
    package = importlib.util.find_spec("claude_agent_sdk")
    for directory in (package and package.submodule_search_locations) or ():
        candidate = Path(directory) / "_bundled" / "claude"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None
