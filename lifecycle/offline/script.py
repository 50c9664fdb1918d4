"""A scripted conversation as an ordinary generator, replayed against the conversation that a request carries.

A play yields a tool call and is sent its result; what it returns is the closing text::

    def play(request: ModelRequest) -> Play:
        listing = yield ToolUse("Bash", {"command": "ls -A"})
        if listing.is_error:
            return "I could not even look around."
        yield Turn(Text("Noted."), ToolUse("Write", {"file_path": "note.txt", "content": listing.text}))
        return "Done."

    ModelServer(Script(play))

For each request the play runs from its beginning, fed with the results that the conversation already
holds; the first step without one is the reply. The step's number travels in the tool call's id, which the
agent keeps, so nothing is remembered between requests and any server can go on with any conversation. A
play must therefore decide by the results it is sent and by nothing else. After its return every further
prompt gets the closing text again; the CLI's errands get a line of prose.

Owns the replay. Knows no particular play.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import TypeAlias

from lifecycle.offline.replies import Text, ToolUse, Turn
from lifecycle.offline.request import ModelRequest, ToolResult

__all__ = ["Play", "Script"]

Play: TypeAlias = Generator["ToolUse | Turn", ToolResult, str]
"""Yields a tool call, or a turn with exactly one; is sent that call's result; returns the closing text."""

STEP_ID = re.compile(r"toolu_step(?P<step>\d{4,})_[0-9a-f]+")
STEPS_MAX = 5000
ERRAND = "A scripted conversation."


class Script:
    """A scenario made of a play."""

    def __init__(self, play: Callable[[ModelRequest], Play], *, pace_s: float = 0.0) -> None:
        """Args:
        play: makes a fresh generator; called for every request.
        pace_s: silence between two pieces of each turn's stream.
        """
        self._play = play
        self._pace_s = pace_s

    def __call__(self, request: ModelRequest) -> Turn:
        """The first step that the conversation has no result for, or the closing text.

        Raises:
            RuntimeError: the play never ends, or yields something that is no step.
        """
        if not request.is_main:
            return Turn(Text(ERRAND))
        turn = self._next_turn(self._play(request), _results_by_step(request))
        return Turn(
            *turn.blocks, usage=turn.usage, stop_reason=turn.stop_reason, pace_s=turn.pace_s or self._pace_s
        )

    def _next_turn(self, play: Play, results: Mapping[int, ToolResult]) -> Turn:
        try:
            step = next(play)
            for number in range(STEPS_MAX):
                turn = step if isinstance(step, Turn) else Turn(step)
                if len(turn.tool_uses) != 1:
                    raise RuntimeError(
                        f"step {number} of the play has {len(turn.tool_uses)} tool calls, not one"
                    )
                result = results.get(number)
                if result is None or result.name != turn.tool_uses[0].name:
                    return _numbered(turn, number)
                step = play.send(result)
        except StopIteration as end:
            return Turn(Text(end.value))
        finally:
            play.close()
        raise RuntimeError(f"the play has not ended after {STEPS_MAX} steps")


def _results_by_step(request: ModelRequest) -> dict[int, ToolResult]:
    """The newest result of each step."""
    results: dict[int, ToolResult] = {}
    for id_, result in request.tool_results.items():
        if found := STEP_ID.fullmatch(id_):
            results[int(found["step"])] = result
    return results


def _numbered(turn: Turn, number: int) -> Turn:
    id_ = f"toolu_step{number:04d}_{secrets.token_hex(6)}"
    blocks = (replace(block, id=id_) if isinstance(block, ToolUse) else block for block in turn.blocks)
    return Turn(*blocks, usage=turn.usage, stop_reason=turn.stop_reason, pace_s=turn.pace_s)
