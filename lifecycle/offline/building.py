"""The smallest whole project: a scripted agent that writes a list of features, then makes one pass a session.

For tests of what drives the agent: every session is two tool calls, and what it leaves is a real repository.
"""

from __future__ import annotations

import json
import shlex

from lifecycle.offline.replies import ToolUse
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.script import Play, Script

__all__ = ["building"]

_IDENTITY = "git config user.name Script; git config user.email script@localhost"
_FLIP = "sed -i '0,/\"passes\": false/s//\"passes\": true/' feature_list.json; git commit -qam 'One more feature'"


def building(features: int = 2, *, wait_s: float = 0.0) -> Script:
    """The scenario: INIT writes that many features and commits; each later session makes one pass and commits.

    Args:
        wait_s: how long each session's first command takes.
    """
    listed = [
        {"category": "functional", "description": f"feature {number}", "steps": ["look"], "passes": False}
        for number in range(1, features + 1)
    ]
    # Printed anew after an interruption, so never half there; committed only when there is something to commit.
    write = (
        f"git init -q; {_IDENTITY}; printf '%s\\n' {shlex.quote(json.dumps(listed))} > feature_list.json; "
        "git add -A; git commit -qm 'The features'"
    )

    def play(request: ModelRequest) -> Play:
        look = yield ToolUse("Bash", {"command": f"sleep {wait_s:g}; cat feature_list.json"})
        yield ToolUse("Bash", {"command": write if look.is_error else _FLIP})
        return "Done."

    return Script(play)
