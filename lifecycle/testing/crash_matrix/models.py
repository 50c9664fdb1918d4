"""What the scripted model of each scenario does.

Each finds out what is there before it changes it: any of its turns may have been lost to a kill, or come again.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Sequence
from typing import Final

from lifecycle.offline.building import building
from lifecycle.offline.faults import rate_limited
from lifecycle.offline.handiwork import commit, insist
from lifecycle.offline.replies import Reply, ToolUse, Turn
from lifecycle.offline.replies import Scenario as Model
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.scenarios import first_then
from lifecycle.offline.script import Play, Script

__all__ = [
    "LIST",
    "THINKING_S",
    "Model",
    "bad_plan",
    "interrupted_work",
    "mischief",
    "one_feature",
    "plan",
    "refused_at_first",
    "unhurried",
    "work_inside",
]

LIST: Final = "feature_list.json"

THINKING_S: Final = 0.15
"""A turn of the model."""


def unhurried(model: Model) -> Model:
    """The same model, which takes its time as real ones do.

    Between the manager's death and its own the CLI can still refuse a call that waits for the manager, and ask what now.
    Nothing comes of it but that question, unless a model answers within milliseconds: one that does can give up then.
    """

    def reply(request: ModelRequest) -> Reply | Awaitable[Reply]:
        answer = model(request)
        if not isinstance(answer, Turn):
            return answer
        return Turn(*answer.blocks, usage=answer.usage, stop_reason=answer.stop_reason, delay_s=THINKING_S)

    return reply


def plan(*passes: bool, more: Sequence[str] = ()) -> str:
    """A feature list: that many features, and further ones that pass."""
    described = [(f"feature {number}", is_passing) for number, is_passing in enumerate(passes, 1)]
    described += [(each, True) for each in more]
    listed = [
        {"category": "functional", "description": each, "steps": ["look"], "passes": is_passing}
        for each, is_passing in described
    ]
    return json.dumps(listed, indent=2) + "\n"


def _bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command})


def _written(text: str) -> str:
    return f"printf '%s' {shlex.quote(text)} > {LIST}"


def one_feature() -> Model:
    return building(1)


def interrupted_work() -> Model:
    """Work that is staged, changed again and not committed; then some looking around; then a feature."""

    def play(request: ModelRequest) -> Play:
        yield from insist("", _bash("echo begun > draft.txt && git add draft.txt && echo more >> draft.txt"))
        for _ in range(3):
            yield _bash("sleep 0.5")
        yield from insist("", _bash(_written(plan(True))))
        yield from commit("One more feature")
        return "Done."

    return Script(play)


def work_inside() -> Model:
    """Work in a submodule that is not committed; then some looking around; then all is done."""

    def play(request: ModelRequest) -> Play:
        yield from insist("", _bash("echo begun > inner/draft.txt"))
        for _ in range(3):
            yield _bash("sleep 0.5")
        inside = "(cd inner && git add -A && { git diff --cached --quiet || git commit -qm 'More inside'; })"
        yield from insist("", _bash(f"{inside} && {_written(plan(True))}"))
        yield from commit("One more feature")
        return "Done."

    return Script(play)


def mischief() -> Model:
    """A session that drops a feature and adds another; then one that does as it should."""

    def play(request: ModelRequest) -> Play:
        look = yield from insist("", _bash(f"""grep -c '"passes": true' {LIST}; echo looked"""))
        if look.text.startswith("0"):
            # Once: a turn that a kill took out of the conversation is asked for again, and would be a second breach.
            yield _bash(f"test -e dropped || {{ touch dropped && {_written(plan(False))}; }}")
            yield from insist("", _bash(_written(plan(True, False, more=["one more"]))))
            yield from commit("Half of it")
            return "Half of it."
        yield from insist("", _bash(f"""sed -i 's/"passes": false/"passes": true/' {LIST}"""))
        yield from commit("The rest")
        return "The rest."

    return Script(play)


def bad_plan() -> Model:
    """An INIT session that writes no list, and another that does."""

    def play(request: ModelRequest) -> Play:
        look = yield from insist("", _bash("ls -A"))
        if "invalid-1" not in look.text:
            yield _bash(f"echo '[1,' > {LIST}")
            return "That is the list."
        yield from insist("", _bash(f"git init -q && {_written(plan(True))}"))
        yield from commit("The features")
        return "That is the list."

    return Script(play)


def refused_at_first(then: Model | None = None) -> Model:
    """The first request is; what comes then is one more feature, or as said."""
    return first_then(1, rate_limited(3600), then or building(1))
