"""`python -m lifecycle.testing.crash_matrix.life PLAN ...`: the `lifecycle` command, which dies where the plan says.

Owns one life of a manager: which crossing it ends at. What follows PLAN is given to the command; `host DIR` is a small
host's program instead, which asks for a session with a prompt of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from lifecycle.testing.crash_matrix.acts import ACTS
from lifecycle.testing.crash_matrix.crossings import install
from lifecycle.testing.crash_matrix.plan import Happening, Plan

__all__ = ["Life", "main"]


class Life:
    """Told of every crossing, in whichever thread; does what the plan says.

    Attributes:
        has_stopped: whether it asked itself to stop.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.has_stopped = False
        self._marks = Path(plan.marks)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._watched = {each.until for each in plan.happenings} | {each.since for each in plan.happenings}

    def __call__(self, point: str) -> None:
        """The point is crossed now."""
        with self._lock:
            self._counts[point] += 1
        if point in self._watched:
            self.mark(point)
        if self.ends_at(point):
            self.mark(f"died {self._deaths() + 1}")
            self.die()
        for happening in self.plan.happenings:
            if happening.at == point and self._is_due(happening):
                ACTS[happening.act](self, happening)

    def ends_at(self, point: str) -> bool:
        """Whether this life ends at that point."""
        return point == self.plan.die_at and self._deaths() < self.plan.kills

    def mark(self, point: str) -> None:
        """Let later lives know that this was crossed."""
        with open(self._marks / point, "w", encoding="utf-8"):
            pass

    def die(self) -> None:
        """End this process as nothing can prevent, clean up after, or notice."""
        self.write_tally()
        os.kill(os.getpid(), signal.SIGKILL)

    def write_tally(self) -> None:
        """How often each point was crossed."""
        if self.plan.tally:
            with open(self.plan.tally, "w", encoding="utf-8") as file:
                json.dump(self._counts, file)

    def _is_due(self, happening: Happening) -> bool:
        has_begun = not happening.since or (self._marks / happening.since).exists()
        return has_begun and not (self._marks / happening.until).exists()

    def _deaths(self) -> int:
        return sum(name.startswith("died") for name in os.listdir(self._marks))


def main(arguments: list[str]) -> int:
    """Live; return the exit status."""
    from lifecycle.cli.main import main as command

    life = Life(Plan.from_json(arguments[0]))
    install(life)
    try:
        return asyncio.run(_host(arguments[2])) if arguments[1] == "host" else command(arguments[1:])
    finally:
        life.write_tally()


async def _host(project_dir: str) -> int:
    """A host's program: one session, and then one with a prompt of its own. Started anew it knows nothing of before."""
    from lifecycle.manager import SessionManager

    async with SessionManager(project_dir, environment=os.environ) as manager:
        if (await manager.status()).iteration == 0:
            await manager.run()
        await manager.run("Do what is left to do.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
