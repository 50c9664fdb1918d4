"""Ready scenarios, and ways to combine them.

Those that count (`sequence`, `first_then`) count the agent's main requests since they were made; the
CLI's errands get a line of prose. The others keep nothing: any server can serve them in the middle of any
conversation.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable
from typing import cast

from lifecycle.offline.replies import Reply, Scenario, Text, ToolUse, Turn
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.script import ERRAND, Play, Script

__all__ = ["always", "endless", "first_then", "load", "sequence", "steps", "text_only"]

DEMO = "lifecycle.offline.demo:demo_scenario"


def text_only(text: str = "Done.") -> Scenario:
    """Says `text` and ends the turn, whatever is asked."""
    return always(Turn(Text(text)))


def always(reply: Reply) -> Scenario:
    """The same reply to every request, the CLI's errands included."""
    return lambda request: reply


def endless(command: str = "true", *, pace_s: float = 0.0) -> Scenario:
    """Runs `command` with Bash for ever: an agent that never comes to an end by itself."""
    return Script(lambda request: _endlessly(command), pace_s=pace_s)


def steps(*uses: ToolUse | Turn, end: str = "Done.") -> Scenario:
    """These tool calls in order, each once whatever comes of it, then `end`."""
    return Script(lambda request: _in_order(uses, end))


def sequence(*replies: Reply) -> Scenario:
    """These replies to the main requests, in order; the last one for ever.

    Raises:
        ValueError: there are none.
    """
    if not replies:
        raise ValueError("a sequence needs at least one reply")
    left = list(replies)

    def scenario(request: ModelRequest) -> Reply:
        if not request.is_main:
            return Turn(Text(ERRAND))
        return left.pop(0) if len(left) > 1 else left[0]

    return scenario


def first_then(count: int, fault: Reply, scenario: Scenario) -> Scenario:
    """`fault` for the first `count` main requests, then `scenario`."""
    left = count

    def chosen(request: ModelRequest) -> Reply | Awaitable[Reply]:
        nonlocal left
        if request.is_main and left > 0:
            left -= 1
            return fault
        return scenario(request)

    return chosen


def load(name: str) -> Scenario:
    """The scenario of that name: "demo", or "MODULE:NAME" of one or of a factory that needs no argument.

    Raises:
        ValueError: there is no such module or name, or it is no scenario.
    """
    module_name, colon, attribute = (DEMO if name == "demo" else name).partition(":")
    if not colon:
        raise ValueError(f"{name!r} is no scenario: write demo, or MODULE:NAME")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        arguments = inspect.signature(found).parameters
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"{name!r} cannot be loaded: {error}") from error
    required = [one for one in arguments.values() if one.default is one.empty]
    return cast(Scenario, found if required else found())


def _endlessly(command: str) -> Play:
    while True:
        yield ToolUse("Bash", {"command": command})


def _in_order(uses: tuple[ToolUse | Turn, ...], end: str) -> Play:
    for use in uses:  # noqa: UP028  # a tuple's iterator cannot be sent the results
        yield use
    return end
