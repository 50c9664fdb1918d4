"""Work that may hang on a file system, done beside the event loop and given up after a while.

Its threads are daemons of their own: one that hangs keeps neither the program from ending nor others from being worked.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_time"]

T = TypeVar("T")


async def in_time(work: Callable[[], T], limit_s: float) -> T:
    """Its result. What is given up, or cancelled, may still come to its end later.

    Raises:
        TimeoutError: it took longer. Besides, whatever `work` raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is one

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  # raised again where it is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name="lifecycle-in-time", daemon=True).start()
    try:
        return await asyncio.wait_for(done, limit_s)
    except TimeoutError as error:
        if done.done() and not done.cancelled():
            raise
        raise TimeoutError(f"the file system did not answer within {limit_s:g} s") from error
