"""Being told of each point as it is crossed, in this process, without a line in the code that is watched.

Puts itself around the local runtime's adapters, the journal's transactions, the driver's moves, and the functions of
`os` and of git that the sites of `points` call. Knows no crash: `reach` may kill, raise, count or do nothing.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from lifecycle.testing.crash_matrix.points import (
    CHANGING,
    WRITING,
    Moment,
    methods,
    note_name,
    protocols,
    sites,
)

__all__ = ["ADAPTERS", "Reach", "adapter_of", "install"]


class Reach(Protocol):
    """Who is told."""

    def __call__(self, point: str) -> None:
        """The point is crossed now."""

    def ends_at(self, point: str) -> bool:
        """Whether nothing will come after that point, so that half of it must be done before."""


ADAPTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Clock": "lifecycle.runtime.local:SystemClock",
        "Chance": "lifecycle.runtime.local:SystemChance",
        "StopFlag": "lifecycle.stopping:LocalStopFlag",
        "Journal": "lifecycle.journal.sqlite:SqliteJournal",
        "Workspace": "lifecycle.workspace.project:ProjectWorkspace",
        "SessionLog": "lifecycle.work.run:_Log",
        "Agent": "lifecycle.agent.sdk_agent:SdkAgent",
        "Verifier": "lifecycle.workspace.verification:CommandVerifier",
        "Prompts": "lifecycle.agent.prompt_library:PromptLibrary",
        "Observer": "lifecycle.observe.log:EventLog",
    }
)
"""Port -> what the command binds it to."""


def adapter_of(port: str) -> type:
    """The class that the command binds this port to."""
    module, _, name = ADAPTERS[port].partition(":")
    found: type = getattr(import_module(module), name)
    return found


def install(reach: Reach) -> None:
    """Let `reach` be called with each point's name as it is crossed, from whichever thread that is. For good."""
    for port, protocol in protocols().items():
        adapter = adapter_of(port)
        for method, _ in methods(protocol):
            _surround(adapter, method, port, reach)
    _watch_transactions(reach)
    _watch_moves(reach)
    _watch_disk(reach)
    _watch_git(reach)


# --- ports ------------------------------------------------------------------------------------------------------

_writing: ContextVar[str] = ContextVar("crash_matrix_writing", default="")
"""Which call of a port this task is in: the innermost."""


def _surround(adapter: type, method: str, port: str, reach: Reach) -> None:
    inner = getattr(adapter, method)
    place = _place_of(port, method)
    if not inspect.iscoroutinefunction(inner):

        @wraps(inner)
        def at_once(*arguments: Any, **named: Any) -> Any:
            reach(f"{place(arguments)}: {Moment.BEFORE}")
            return inner(*arguments, **named)

        setattr(adapter, method, at_once)
        return

    @wraps(inner)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if named.get("rehearse"):
            return await inner(*arguments, **named)  # a look: the call that counts comes after it
        name = place(arguments)
        reach(f"{name}: {Moment.BEFORE}")
        token = _writing.set(name)
        try:
            result = await inner(*arguments, **named)
        finally:
            _writing.reset(token)
        reach(f"{name}: {Moment.AFTER}")
        return result

    setattr(adapter, method, awaited)


def _place_of(port: str, method: str) -> Callable[[tuple[Any, ...]], str]:
    """The point's place, told by what the call is given: the adapter itself, then its arguments."""
    if (port, method) == ("Journal", "append"):
        return lambda given: f"{given[1].source} {given[1].trigger} {given[1].dest}"
    if (port, method) == ("Journal", "note"):
        return lambda given: note_name(given[1].kind)
    return lambda given: f"{port}.{method}"


def _watch_transactions(reach: Reach) -> None:
    journal: Any = adapter_of("Journal")
    inner = journal._write  # noqa: SLF001  # inside the transaction there is no other door

    async def write(self: Any, work: Callable[[Any], Any]) -> Any:
        name = _writing.get()

        def told(connection: Any) -> Any:
            result = work(connection)
            reach(f"{name}: {Moment.UNCOMMITTED}")
            return result

        return await inner(self, told)

    journal._write = write  # noqa: SLF001  # the one way to every write


def _watch_moves(reach: Reach) -> None:
    driver: Any = import_module("lifecycle.driver").Driver
    before_move, entered = driver.before_move, driver.entered
    last: list[str] = []

    async def moving(self: Any, source: str, trigger: str, dest: str, facts: Any) -> None:
        last[:] = [f"{source} {trigger} {dest}"]
        await before_move(self, source, trigger, dest, facts)

    async def moved(self: Any, state: str) -> None:
        reach(f"{last[0]}: {Moment.MOVED}")
        await entered(self, state)

    driver.before_move, driver.entered = moving, moved


# --- the disk and git -------------------------------------------------------------------------------------------


def _watch_disk(reach: Reach) -> None:
    for call in CHANGING:
        if hasattr(os, call):
            setattr(os, call, _told(getattr(os, call), call, reach))
    for call in ("write_text", "write_bytes"):
        setattr(Path, call, _told(getattr(Path, call), call, reach))


def _told(inner: Callable[..., Any], call: str, reach: Reach) -> Callable[..., Any]:
    @wraps(inner)
    def called(*arguments: Any, **named: Any) -> Any:
        place = _caller(call)
        if place is None:
            return inner(*arguments, **named)
        reach(f"{place}: {Moment.BEFORE}")
        if call in WRITING:  # the file, and what is to be in it
            half = f"{place}: {Moment.HALF}"
            if reach.ends_at(half):
                inner(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:], **named)
            reach(half)
        return inner(*arguments, **named)

    return called


def _watch_git(reach: Reach) -> None:
    bounded: Any = import_module("lifecycle.workspace.bounded_command")
    inner = bounded._collect  # noqa: SLF001  # called when the command was started

    def collect(*arguments: Any) -> Any:
        """The command has been started, and nothing of what it prints was read."""
        place = _caller("git")
        if place is not None:
            reach(f"{place}: {Moment.UNDER_WAY}")
        return inner(*arguments)

    bounded._collect = collect  # noqa: SLF001  # as above


_DEPTH_MAX: Final = 12

_SITES: Final = MappingProxyType(
    {str(site.file): tuple(each for each in sites() if each.file == site.file) for site in sites()}
)


def _caller(call: str) -> str | None:
    """The place of the innermost site that this call comes from."""
    frame = sys._getframe(2)  # noqa: SLF001  # documented, and a stack of summaries is 100 times slower
    for _ in range(_DEPTH_MAX):
        for site in _SITES.get(frame.f_code.co_filename, ()):
            named = site.is_git if call == "git" else site.call == call
            if named and site.first <= frame.f_lineno <= site.last:
                return site.place
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
