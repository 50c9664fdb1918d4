"""What is in store for one life of a manager, as plain data that goes from one process to another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

__all__ = ["Act", "Happening", "Plan"]


class Act(StrEnum):
    """What the world does to a manager; `acts` has how."""

    STOP = "stop"
    """SIGTERM, once a life."""

    ASK = "ask"
    """`lifecycle stop`."""

    OS_ERROR = "os_error"
    """The machine's fault comes out of the call."""

    OUR_FAULT = "our_fault"
    """A fault of ours comes out of the call."""

    CRASH = "crash"
    """SIGKILL, as part of the scenario."""

    LEAVE = "leave"
    """SIGKILL beside a process of the session that escaped its leash."""

    DAMAGE = "damage"
    """The feature list is cut in the middle."""

    EDIT = "edit"
    """A person adds a feature to the list."""

    FULFIL = "fulfil"
    """A person makes every feature pass."""

    DISPLACE = "displace"
    """A directory stands where the progress notes should."""

    REMOVE = "remove"
    """The settings file goes, as by a program that the agent runs."""

    FILL = "fill"
    """The audit log is full, and others can read it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the scenario has in store.

    Attributes:
        at: the point where it happens.
        until: the point whose crossing ends it, in whichever life: what was not yet dealt with happens again. For a
            crash a name of its own.
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
        tally: where to write how often each point was crossed, or empty.
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
