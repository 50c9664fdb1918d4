"""The manager for scripts that have no event loop: each function runs one of its own and returns when it is done.

Owns nothing but the loop. Ctrl-C in a script ends the agent at once and raises KeyboardInterrupt; the next call goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from lifecycle.events import Event
from lifecycle.manager import SessionManager
from lifecycle.status import RunResult, Status, status_of

__all__ = ["project_status", "run_session", "run_until_shutdown"]


def run_until_shutdown(
    project_dir: str | os.PathLike[str], *, on_event: Callable[[Event], None] | None = None, **arguments: Any
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
    **arguments: Any,
) -> RunResult:
    """Run one session: as `SessionManager.run`. Arguments and errors as `run_until_shutdown`."""
    return _run(project_dir, on_event, arguments, lambda session: session.run(prompt))


def project_status(project_dir: str | os.PathLike[str], **arguments: Any) -> Status:
    """Where a project stands; takes nothing. Arguments and errors as `lifecycle.status.status_of`."""
    _ensure_no_loop()
    return asyncio.run(status_of(project_dir, **arguments))


def _run(
    project_dir: str | os.PathLike[str],
    on_event: Callable[[Event], None] | None,
    arguments: dict[str, Any],
    work: Callable[[SessionManager], Any],
) -> RunResult:
    _ensure_no_loop()

    async def main() -> RunResult:
        observers = [*arguments.pop("observers", ()), *([] if on_event is None else [on_event])]
        async with SessionManager(project_dir, observers=observers, **arguments) as session:
            result: RunResult = await work(session)
            return result

    return asyncio.run(main())


def _ensure_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop runs in this thread: await `SessionManager` or `status_of` in it instead")
