"""The agent's package costs nothing until a session starts."""

from __future__ import annotations

import subprocess
import sys

MODULES = "canary evidence failures faults gate options pricing prompt_library proofs rehearsal rules sdk_agent session stream summary usage watch"
PROGRAM = f"""
import importlib, sys
for name in {MODULES!r}.split():
    importlib.import_module("lifecycle.agent." + name)
from pathlib import Path
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.sdk_agent import SdkAgent
SdkAgent(AgentSettings(), Path("."))
heavy = {{"claude_agent_sdk", "mcp", "anyio", "h11", "psutil", "structlog", "transitions"}} & set(sys.modules)
sys.exit(", ".join(sorted(heavy)) or 0)
"""


def test_making_an_agent_imports_neither_the_sdk_nor_the_server() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
