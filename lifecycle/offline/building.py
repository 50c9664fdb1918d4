"""The smallest whole project: a scripted agent that writes a list of features, then makes one pass a session.

For tests of what drives the agent: a session is three tool calls, it may be cut off anywhere, and what it leaves is a
real repository. It goes on with any feature list that it finds which has one `passes` a line, and uses only commands
that the fence's standard profile accepts.
"""

from __future__ import annotations

import json
import re
import shlex

from lifecycle.offline.handiwork import REPOSITORY, commit, insist
from lifecycle.offline.replies import ToolUse
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.script import Play, Script

__all__ = ["building"]

_LIST = "feature_list.json"
_LOOK = f"""grep -n -m1 '"passes": *false' {_LIST}; grep -c '"passes"' {_LIST}; echo looked"""
_FAILING = re.compile(r'^(\d+):.*"passes"', re.MULTILINE)
_TOTAL = re.compile(r"^[1-9]\d*$", re.MULTILINE)


def building(features: int = 2, *, wait_s: float = 0.0) -> Script:
    """The scenario, for an agent on this machine.

    INIT writes that many features and commits; each later session makes one pass and commits.

    Args:
        wait_s: how long each session's first command takes.
    """
    listed = [
        {"category": "functional", "description": f"feature {number}", "steps": ["look"], "passes": False}
        for number in range(1, features + 1)
    ]

    def play(request: ModelRequest) -> Play:
        look = yield from insist("", _bash(f"sleep {wait_s:g}; {_LOOK}"))
        if look.is_error:
            return f"I could not even look around: {look.text}"
        if not _TOTAL.search(look.text):
            text = shlex.quote(json.dumps(listed, indent=2) + "\n")
            yield from insist("", _bash(f"{REPOSITORY} && printf '%s' {text} > {_LIST}"))
            yield from commit("The features")
            return "The list is written."
        if failing := _FAILING.search(look.text):
            # By its line, so that doing it again changes nothing.
            yield from insist("", _bash(f"""sed -i '{failing[1]}s/"passes": *false/"passes": true/' {_LIST}"""))
        yield from commit("One more feature")
        return "One more feature passes."

    return Script(play)


def _bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command})
