"""`python -m lifecycle.testing.crash_matrix.life PLAN ...`: the `lifecycle` command, which dies where the plan says.

Owns one life of a manager: what happens at which point in it. What follows PLAN is given to the command; `host DIR` is
a small host's program instead, which asks for a session with a prompt of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

__all__ = ["Act", "Happening", "Plan"]


class Act(StrEnum):
    """What the world does to a manager."""

    STOP = "stop"
    OS_ERROR = "os_error"
    OUR_FAULT = "our_fault"
    CRASH = "crash"
    LEAVE = "leave"
    ASK = "ask"
    DAMAGE = "damage"
    EDIT = "edit"
    PASS = "pass"
    DISPLACE = "displace"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the scenario has in store.

    Attributes:
        at: the point where it happens.
        until: the point whose crossing ends it, in whichever life: what was not yet dealt with happens again.
        since: the point whose crossing begins it; empty: from the beginning.
    """

    act: Act
    at: str
    until: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One life.

    Attributes:
        marks: a directory for what has been crossed; outlives the life.
        project: the project's directory.
        happenings: what the scenario has in store.
        die_at: the point to die at, or empty.
        kills: how many lives end there; later ones go on.
        tally: where to write how often each point was crossed, when the life ends by itself.
    """

    marks: str
    project: str
    happenings: tuple[Happening, ...] = ()
    die_at: str = ""
    kills: int = 2
    tally: str = ""

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave."""
        data = json.loads(text)
        happenings = tuple(Happening(**{**each, "act": Act(each["act"])}) for each in data.pop("happenings"))
        return cls(**data, happenings=happenings)


class Life:
    """Told of every crossing; does what the plan says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._marks = Path(plan.marks)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._has_stopped = False
        self._watched = {each.until for each in plan.happenings} | {each.since for each in plan.happenings}

    def __call__(self, point: str) -> None:
        with self._lock:
            self._counts[point] += 1
        if point in self._watched:
            self._mark(point)
        if self.is_wanted(point):
            self._mark(f"died {self._deaths() + 1}")
            self._die()
        for happening in self._plan.happenings:
            if happening.at == point and self._is_due(happening):
                self._do(happening)

    def is_wanted(self, point: str) -> bool:
        """Whether this life ends at that point."""
        return point == self._plan.die_at and self._deaths() < self._plan.kills

    def write_tally(self) -> None:
        """How often each point was crossed."""
        if self._plan.tally:
            with open(self._plan.tally, "w", encoding="utf-8") as file:
                json.dump(self._counts, file)

    def _die(self) -> None:
        """End this process as nothing can prevent, clean up after, or notice."""
        self.write_tally()
        os.kill(os.getpid(), signal.SIGKILL)

    def _is_due(self, happening: Happening) -> bool:
        has_begun = not happening.since or self._is_marked(happening.since)
        return has_begun and not self._is_marked(happening.until)

    def _do(self, happening: Happening) -> None:
        _ACTS[happening.act](self, happening)

    def _stop(self, happening: Happening) -> None:
        if not self._has_stopped:
            self._has_stopped = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _os_error(self, happening: Happening) -> None:
        raise OSError(5, f"a scripted fault at {happening.at}")

    def _our_fault(self, happening: Happening) -> None:
        raise RuntimeError(f"a scripted fault at {happening.at}")

    def _crash(self, happening: Happening) -> None:
        self._mark(happening.until)
        self._die()

    def _leave(self, happening: Happening) -> None:
        """A process of the session that escaped its leash, as if both links had been killed at once."""
        from lifecycle.agent.leash_control import SESSION_MARKER
        from lifecycle.testing.crash_matrix.record import Record

        with ThreadPoolExecutor(1) as aside:  # this one has the event loop
            record = aside.submit(Record.read, Path(self._plan.project), Path(os.environ["LIFECYCLE_STATE_DIR"])).result()
        session = record.transitions[-1].facts.session
        assert session is not None, "a session runs"
        environment = {**os.environ, SESSION_MARKER: session.id}
        subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True, cwd="/")
        self._crash(happening)

    def _ask(self, happening: Happening) -> None:
        """`lifecycle stop`, which dies where the plan says as we do; a person who was not answered asks again."""
        plan = replace(self._plan, happenings=(), tally=self._plan.tally and f"{self._plan.tally}-stop")
        command = [sys.executable, "-m", __spec__.name, plan.to_json(), "stop", self._plan.project]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)

    def _damage(self, happening: Happening) -> None:
        self._write("feature_list.json", '[{"description": "feat')

    def _edit(self, happening: Happening) -> None:
        path = f"{self._plan.project}/feature_list.json"
        with open(path, encoding="utf-8") as file:
            features = json.load(file)
        if not any(each["description"] == EDITED for each in features):
            features.append({"category": "functional", "description": EDITED, "steps": ["look"], "passes": True})
            self._write("feature_list.json", json.dumps(features, indent=2) + "\n")

    def _pass(self, happening: Happening) -> None:
        path = f"{self._plan.project}/feature_list.json"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self._write("feature_list.json", text.replace("false", "true"))

    def _displace(self, happening: Happening) -> None:
        path = f"{self._plan.project}/claude-progress.txt"
        if not os.path.lexists(path):
            os.mkdir(path)

    def _write(self, name: str, text: str) -> None:
        with open(f"{self._plan.project}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def _mark(self, point: str) -> None:
        with open(self._marks / _file_name(point), "w", encoding="utf-8"):
            pass

    def _is_marked(self, point: str) -> bool:
        return (self._marks / _file_name(point)).exists()

    def _deaths(self) -> int:
        return sum(name.startswith("died") for name in os.listdir(self._marks))


EDITED = "what a person asks for"


def main(arguments: list[str]) -> int:
    """Live; return the command's exit status."""
    from lifecycle.cli.main import main as command
    from lifecycle.testing.crash_matrix.crossings import install

    life = Life(Plan.from_json(arguments[0]))
    install(life)
    try:
        if arguments[1] == "host":
            return asyncio.run(_host(*arguments[2:]))
        return command(arguments[1:])
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


def _file_name(point: str) -> str:
    return point.replace("/", "_")


_ACTS: dict[Act, Callable[[Life, Happening], Any]] = {
    Act.STOP: Life._stop,
    Act.OS_ERROR: Life._os_error,
    Act.OUR_FAULT: Life._our_fault,
    Act.CRASH: Life._crash,
    Act.LEAVE: Life._leave,
    Act.ASK: Life._ask,
    Act.DAMAGE: Life._damage,
    Act.EDIT: Life._edit,
    Act.PASS: Life._pass,
    Act.DISPLACE: Life._displace,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
