"""What the world does to a manager, from inside it: signals, faults, crashes, and hands in the project's directory.

Each may happen again in the next life, and does no more then than it did before.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from lifecycle.config import FILE_NAME as SETTINGS_NAME
from lifecycle.guard.audit import AUDIT_NAME, SIZE_MAX_BYTES
from lifecycle.journal.location import state_directory
from lifecycle.testing.crash_matrix.plan import Act, Happening, Plan
from lifecycle.testing.crash_matrix.record import Record

__all__ = ["ACTS", "Doomed"]


class Doomed(Protocol):
    """The life that this happens in."""

    plan: Plan
    has_stopped: bool

    def mark(self, point: str) -> None:
        """Let later lives know that this was crossed."""

    def die(self) -> None:
        """End this process as nothing can prevent, clean up after, or notice."""


def _stop(life: Doomed, happening: Happening) -> None:
    if not life.has_stopped:
        life.has_stopped = True  # a second signal would stop at once
        os.kill(os.getpid(), signal.SIGTERM)


def _ask(life: Doomed, happening: Happening) -> None:
    """It dies where the plan says, as we do; a person who was not answered asks again."""
    tally = life.plan.tally and f"{life.plan.tally}-stop"
    plan = replace(life.plan, happenings=(), tally=tally)
    command = [sys.executable, "-m", "lifecycle.testing.crash_matrix.life", plan.to_json(), "stop", plan.project]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=ASK_MAX_S)


def _os_error(life: Doomed, happening: Happening) -> None:
    raise OSError(5, f"a scripted fault at {happening.at}")


def _our_fault(life: Doomed, happening: Happening) -> None:
    raise RuntimeError(f"a scripted fault at {happening.at}")


def _crash(life: Doomed, happening: Happening) -> None:
    life.mark(happening.until)
    life.die()


def _leave(life: Doomed, happening: Happening) -> None:
    """As if both links of the leash had been killed at once."""
    from lifecycle.agent.leash_control import SESSION_MARKER

    with ThreadPoolExecutor(1) as aside:  # this thread has an event loop already
        root = Path(os.environ["LIFECYCLE_STATE_DIR"])
        record = aside.submit(Record.read, Path(life.plan.project), root).result()
    session = record.transitions[-1].facts.session
    assert session is not None, "a session runs"
    environment = {**os.environ, SESSION_MARKER: session.id}
    subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True, cwd="/")
    _crash(life, happening)


def _damage(life: Doomed, happening: Happening) -> None:
    life.mark(happening.until)  # once: what is not put right then, or not told, is not done again for us
    _list(life).write_text('[{"description": "feat', encoding="utf-8")


def _edit(life: Doomed, happening: Happening) -> None:
    features = json.loads(_list(life).read_text(encoding="utf-8"))
    if not any(each["description"] == _ASKED for each in features):
        features.append({"category": "functional", "description": _ASKED, "steps": ["look"], "passes": True})
        _list(life).write_text(json.dumps(features, indent=2) + "\n", encoding="utf-8")


def _fulfil(life: Doomed, happening: Happening) -> None:
    text = _list(life).read_text(encoding="utf-8")
    _list(life).write_text(text.replace("false", "true"), encoding="utf-8")


def _displace(life: Doomed, happening: Happening) -> None:
    path = Path(life.plan.project, "claude-progress.txt")
    if not os.path.lexists(path):
        path.mkdir()


def _remove(life: Doomed, happening: Happening) -> None:
    life.mark(happening.until)  # once, as `_damage`
    Path(life.plan.project, SETTINGS_NAME).unlink()


def _fill(life: Doomed, happening: Happening) -> None:
    life.mark(happening.until)
    path = state_directory(Path(life.plan.project), Path(os.environ["LIFECYCLE_STATE_DIR"]), {}) / AUDIT_NAME
    with path.open("ab") as log:
        log.truncate(SIZE_MAX_BYTES)
    path.chmod(0o644)


def _list(life: Doomed) -> Path:
    return Path(life.plan.project, "feature_list.json")


_ASKED: Final = "what a person asks for"

ASK_MAX_S: Final = 60.0
"""How long `lifecycle stop` may take to answer."""

ACTS: Final[Mapping[Act, Callable[[Doomed, Happening], None]]] = MappingProxyType(
    {
        Act.STOP: _stop,
        Act.ASK: _ask,
        Act.OS_ERROR: _os_error,
        Act.OUR_FAULT: _our_fault,
        Act.CRASH: _crash,
        Act.LEAVE: _leave,
        Act.DAMAGE: _damage,
        Act.EDIT: _edit,
        Act.FULFIL: _fulfil,
        Act.DISPLACE: _displace,
        Act.REMOVE: _remove,
        Act.FILL: _fill,
    }
)
