"""A scripted Messages API on loopback: the real agent, its real tools and hooks, and no model behind them.

A *scenario* is any callable from a `ModelRequest` to a `Reply`, sync or async. `ModelServer` serves it on
127.0.0.1; point ANTHROPIC_BASE_URL at `server.url` (with any ANTHROPIC_API_KEY) and the bundled CLI talks
to it::

    from lifecycle.offline import ModelRequest, ModelServer, Reply, Text, ToolUse, Turn

    def scenario(request: ModelRequest) -> Reply:
        if not request.tool_results:
            return Turn(Text("Looking around."), ToolUse("Bash", {"command": "ls -A"}))
        return Turn(Text(f"I saw: {request.last_tool_result.text}"))

    async with ModelServer(scenario) as server:      # or `with`, from code without an event loop
        env = server.environment()                   # ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, ...
        ...
    assert [r for r in server.requests if r.is_main and r.at > stopped_at] == []

The server keeps no conversation: each reply is derived from the conversation that the request carries, so
a conversation that is resumed after a crash goes on where it was, also with a new server. `Script` turns
an ordinary generator into such a scenario; `lifecycle.offline.scenarios` has ready ones, and
`lifecycle.offline.faults` every way in which a real endpoint fails. `python -m lifecycle.offline --help`
serves a scenario from a process of its own.

This package owns HTTP and the Messages API's wire format. It knows nothing of the lifecycle.
"""

from __future__ import annotations

from lifecycle.offline.replies import (
    Drop,
    Fault,
    Malformed,
    Reply,
    Scenario,
    Stall,
    Text,
    ToolUse,
    Turn,
    Usage,
)
from lifecycle.offline.request import ModelRequest, ToolResult
from lifecycle.offline.script import Play, Script
from lifecycle.offline.server import ModelServer, ScenarioFailed

__all__ = [
    "Drop",
    "Fault",
    "Malformed",
    "ModelRequest",
    "ModelServer",
    "Play",
    "Reply",
    "Scenario",
    "ScenarioFailed",
    "Script",
    "Stall",
    "Text",
    "ToolResult",
    "ToolUse",
    "Turn",
    "Usage",
]
