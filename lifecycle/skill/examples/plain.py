"""Run a project to its end and tell what happens, in plain asyncio.

Run it: python -m lifecycle.skill.examples.plain DIR
"""

import asyncio
import sys

from lifecycle import LifecycleError, SessionManager
from lifecycle.events import Transitioned


async def main(project_dir: str) -> int:
    async with SessionManager(project_dir, max_budget_usd=20, continue_delay=1) as session:
        watching = asyncio.create_task(tell(session))
        result = await session.run_until_shutdown()
    await watching
    print(f"{result.stop_reason}: {result.features}, ${result.cost_usd:.2f}")
    return 0 if result.stop_reason == "complete" else 1


async def tell(session: SessionManager) -> None:
    # From the first event on, however late this begins, until the manager's context is left.
    async for event in session.events():
        if isinstance(event, Transitioned):
            print(f"{event.source} -> {event.dest}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        sys.exit(asyncio.run(main(sys.argv[1])))
    except LifecycleError as error:
        sys.exit(str(error))  # what cannot be done, why, and what to do
