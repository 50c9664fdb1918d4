"""A stop policy of your own: here, no new session once one has broken what worked before.

The lifecycle's own limits are settings. Whatever else should stop a run watches the events and asks for a stop; the
run is saved, suspended, and goes on with the next start.

Run it: python -m lifecycle.skill.examples.stop_policy DIR
"""

import asyncio
import sys

from lifecycle import SessionManager
from lifecycle.events import SessionSaved


async def main(project_dir: str) -> None:
    async with SessionManager(project_dir, continue_delay=1) as session:
        watching = asyncio.create_task(stop_on_regressions(session))
        result = await session.run_until_shutdown()
    await watching
    print(result.stop_reason, session.stopped_by or "")


async def stop_on_regressions(session: SessionManager) -> None:
    async for event in session.events():
        if isinstance(event, SessionSaved) and event.regressed:
            session.stop(by=f"{event.regressed} features that no longer pass")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
