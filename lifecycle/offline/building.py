"""The smallest whole project: a scripted agent that writes a list of features, then makes one pass a session.

For tests of what drives the agent: a session is three tool calls, it may be cut off anywhere, and what it leaves is a
real repository. It goes on with any valid feature list that it finds.
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
_LOOK = """\
import json, os
features = json.load(open("{list}", encoding="utf-8-sig")) if os.path.exists("{list}") else []
failing = [index for index, each in enumerate(features) if not each["passes"]]
print(f"features={{len(features)}} next={{failing[0] if failing else None}}")
"""
_MARK = """\
import json, os
features = json.load(open("{list}", encoding="utf-8-sig"))
features[{index}]["passes"] = True
json.dump(features, open("{list}.new", "w"), indent=2)
os.replace("{list}.new", "{list}")
"""


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
        look = yield from insist("", _python(_LOOK.format(list=_LIST), before=f"sleep {wait_s:g}; "))
        told = re.search(r"features=(\d+) next=(\d+|None)", look.text)  # a shell may say things of its own before
        if look.is_error or told is None:
            return f"I could not even look around: {look.text}"
        total, index = told.groups()
        if total == "0":
            text = shlex.quote(json.dumps(listed, indent=2))
            yield from insist("", _bash(f"{REPOSITORY} && printf '%s' {text} > {_LIST}.new && mv {_LIST}.new {_LIST}"))
            yield from commit("The features")
            return "The list is written."
        if index != "None":
            yield from insist("", _python(_MARK.format(list=_LIST, index=index)))
        yield from commit("One more feature")
        return "One more feature passes."

    return Script(play)


def _python(program: str, before: str = "") -> ToolUse:
    return _bash(f"{before}python3 -c {shlex.quote(program)}")


def _bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command})
