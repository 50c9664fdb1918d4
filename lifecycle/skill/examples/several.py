"""Several projects in one event loop, and a host that has had enough.

Run it: python -m lifecycle.skill.examples.several SECONDS DIR [DIR ...]
"""

import asyncio
import sys

from lifecycle import SessionManager
from lifecycle.errors import ProjectBusy


async def main(seconds: float, project_dirs: list[str]) -> None:
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for project_dir in project_dirs:
                group.create_task(one(project_dir))
    except TimeoutError:
        # A cancel ends every agent at once. Nothing is lost: the next start goes on from the journals.
        print("time is up")


async def one(project_dir: str) -> None:
    try:
        async with SessionManager(project_dir, continue_delay=1) as session:
            result = await session.run_until_shutdown()
            print(f"{project_dir}: {result.stop_reason}")
    except ProjectBusy as busy:
        print(f"{project_dir}: pid {busy.pid} has it")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
