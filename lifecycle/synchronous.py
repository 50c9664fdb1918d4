"""The manager for scripts that have no event loop: each function runs one of its own and returns when it is done.

Owns nothing but the loop. Ctrl-C in a script ends the agent at once and raises KeyboardInterrupt; the next call goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack, cast

from lifecycle.config import Settings
from lifecycle.events import Event
from lifecycle.manager import SessionManager
from lifecycle.ports import Agent, Chance, Clock, Journal, Observer, Prompts, Verifier, Workspace
from lifecycle.status import RunResult, Status, status_of
from lifecycle.work.context import Work
from states.definition import Definition

__all__ = ["Arguments", "project_status", "run_session", "run_until_shutdown"]


class Arguments(Settings, total=False):
    """Any argument of `SessionManager`; one that is left out is what it is there."""

    spec: str | None
    environment: Mapping[str, str] | None
    config_file: str | os.PathLike[str] | None
    observers: Sequence[Observer]
    clock: Clock | None
    chance: Chance | None
    journal: Journal | None
    workspace: Workspace | None
    agent: Agent | None
    prompts: Prompts | None
    verifier: Verifier | None
    definition: Definition
    works: Mapping[str, Work]


def run_until_shutdown(
    project_dir: str | os.PathLike[str],
    *,
    on_event: Callable[[Event], None] | None = None,
    **arguments: Unpack[Arguments],
) -> RunResult:
    """Run, or go on, session after session, until SHUTDOWN.

    Args:
        project_dir: the project.
        on_event: called with every event as it happens.
        arguments: any argument of `SessionManager`.

    Raises:
        RuntimeError: an event loop runs in this thread already; await a `SessionManager` there.
        LifecycleError: what `SessionManager` raises.
    """
    return _run(project_dir, on_event, arguments, lambda session: session.run_until_shutdown())


def run_session(
    project_dir: str | os.PathLike[str],
    prompt: str | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    **arguments: Unpack[Arguments],
) -> RunResult:
    """Run one session: as `SessionManager.run`. Arguments and errors as `run_until_shutdown`."""
    return _run(project_dir, on_event, arguments, lambda session: session.run(prompt))


def project_status(
    project_dir: str | os.PathLike[str],
    *,
    state_dir: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Status:
    """Where a project stands; takes nothing. Arguments and errors as `lifecycle.status.status_of`."""
    _ensure_no_loop()
    return asyncio.run(status_of(project_dir, state_dir=state_dir, environment=environment))


def _run(
    project_dir: str | os.PathLike[str],
    on_event: Callable[[Event], None] | None,
    arguments: Arguments,
    work: Callable[[SessionManager], Any],
) -> RunResult:
    _ensure_no_loop()

    async def main() -> RunResult:
        observers: list[Observer] = list(arguments.get("observers", ()))
        if on_event is not None:
            observers.append(cast("Observer", on_event))  # whatever it calls its argument
        arguments["observers"] = observers
        async with SessionManager(project_dir, **arguments) as session:
            result: RunResult = await work(session)
            return result

    return asyncio.run(main())


def _ensure_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop runs in this thread: await `SessionManager` or `status_of` in it instead")
