"""What a start costs: importing the package is next to nothing, and a look at a project is there before one wonders.

Seconds of processor time, each at its best of several, so that a busy machine does not decide.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

IMPORT_LIMIT_S = 0.15
HEAVY = {"claude_agent_sdk", "mcp", "anyio", "pydantic", "starlette", "structlog", "rich", "psutil", "h11", "click"}


def loaded_by(code: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {code}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def cost_s(code: str) -> float:
    spent = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(spent)


def test_importing_the_package_loads_nothing_but_itself() -> None:
    loaded = loaded_by("import lifecycle")
    assert {name for name in loaded if name.split(".")[0] in ("lifecycle", "states")} == {"lifecycle"}
    assert not loaded & {"asyncio", "sqlite3"}


def test_the_names_that_a_host_uses_load_no_library_that_is_slow() -> None:
    loaded = loaded_by("from lifecycle import SessionManager, SessionType, auto_continue, detect_session_type, run_until_shutdown")
    assert "lifecycle.manager" in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY


@pytest.mark.alone
def test_importing_costs_less_than_what_every_program_of_this_kind_imports() -> None:
    nothing = cost_s("pass")
    own = cost_s("import lifecycle") - nothing
    assert own < IMPORT_LIMIT_S
    assert own < cost_s("import asyncio, sqlite3") - nothing, "a host that has both notices nothing"
