"""What a simulated world does, as plain data: made from a seed, written as JSON, made smaller piece by piece."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from lifecycle import ports
from lifecycle.ports import VerdictKind
from states.vocabulary import Cause

__all__ = ["OPERATIONS", "Fault", "FaultKind", "Leg", "Scenario", "Work", "scenario_of"]


class FaultKind(StrEnum):
    """What goes wrong at a call."""

    ERROR_BEFORE = "error before"
    ERROR_AFTER = "error after"
    OURS = "a fault of ours"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    TORN = "torn write"
    FULL = "disk full from here on"
    CANCEL = "the host cancels"
    STOP = "somebody asks to stop"
    FORWARD = "the clock jumps forward"
    BACK = "the clock jumps back"
    BREAK = "somebody breaks the feature list"


class Work(StrEnum):
    """What the agent does to the project in one leg."""

    NOTHING = "nothing"
    STEP = "writes the list, or makes one more feature pass"
    COMMIT = "commits, and nothing passes newly"
    BREAK = "makes the feature list unreadable"
    LOSE = "deletes the feature list"
    REGRESS = "makes a feature fail again"
    OS_ERROR = "cannot be started"
    RAISE = "hits a fault of ours"


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of the agent: what it does, what it costs, how it ends.

    Attributes:
        cost_usd: of each message.
        reports: how often each message is told of; of several reports the first knows half of what it costs.
        tells_total: whether it ends with the conversation's total, which holds what no message told.
    """

    work: Work = Work.STEP
    cause: Cause = Cause.END_TURN
    messages: int = 1
    cost_usd: float = 0.25
    lasts_s: float = 60.0
    progressed: bool = True
    reports: int = 1
    tells_total: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong at the nth call of an operation, counted over the scenario."""

    operation: str
    nth: int
    kind: FaultKind


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world.

    Attributes:
        features: how many the agent writes down in its first session.
        runs: how many runs are begun, one after the other.
        settings: the manager's.
        legs: what the agent does, leg by leg; after them it does its work well.
        verdicts: what the person's check says of the claims, time by time, the last of them ever after; without any
            there is no check.
        asks: the calls of `run`, counted over the scenario from 1, that come with an explicit prompt; until the last of
            them the host runs session by session.
        restarts: other settings of the second start, the third, and so on; the last of them ever after.
    """

    seed: int = 0
    features: int = 2
    runs: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    legs: tuple[Leg, ...] = ()
    faults: tuple[Fault, ...] = ()
    verdicts: tuple[VerdictKind, ...] = ()
    asks: tuple[int, ...] = ()
    restarts: tuple[Mapping[str, Any], ...] = ()

    def settings_of(self, start: int) -> Mapping[str, Any]:
        """What the manager is given with this start, from 1."""
        if start == 1 or not self.restarts:
            return self.settings
        return self.restarts[min(start - 1, len(self.restarts)) - 1]

    def to_json(self) -> str:
        """One line; `from_json` gives back an equal scenario."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        legs = tuple(Leg(**{**leg, "work": Work(leg["work"]), "cause": Cause(leg["cause"])}) for leg in data["legs"])
        faults = tuple(Fault(**{**fault, "kind": FaultKind(fault["kind"])}) for fault in data["faults"])
        verdicts = tuple(VerdictKind(kind) for kind in data.get("verdicts", ()))
        asks, restarts = tuple(data.get("asks", ())), tuple(data.get("restarts", ()))
        return cls(
            **{**data, "legs": legs, "faults": faults, "verdicts": verdicts, "asks": asks, "restarts": restarts}
        )


def _calls(name: str, protocol: type) -> list[str]:
    return [f"{name}.{call}" for call, value in vars(protocol).items() if callable(value) and not call.startswith("_")]


OPERATIONS: tuple[str, ...] = (
    *_calls("journal", ports.Journal),
    *_calls("workspace", ports.Workspace),
    *_calls("agent", ports.Agent),
    *_calls("clock", ports.Clock),
    *_calls("chance", ports.Chance),
    *_calls("prompts", ports.Prompts),
    *_calls("verifier", ports.Verifier),
    "agent.message",
    "observer.call",
)
"""Every call of every port, read from the protocols themselves, so that a new one cannot be forgotten."""

_OFTEN = ("journal.append", "journal.append", "journal.note", "agent.message", "clock.sleep_until")
_TORN = ("journal.append", "journal.append", "journal.note", "journal.record_usage", "journal.keep")


def scenario_of(seed: int) -> Scenario:
    """The scenario of this seed, today and on any machine."""
    dice = Random(seed)  # noqa: S311  # a simulation's dice
    return Scenario(
        seed=seed,
        features=dice.randint(1, 4),
        runs=dice.choice((1, 1, 2)),
        settings=_settings(dice),
        legs=tuple(_leg(dice) for _ in range(dice.randint(0, 8))),
        faults=tuple(_fault(dice) for _ in range(dice.randint(0, 6))),
        verdicts=_verdicts(dice),
        asks=tuple(sorted(dice.sample(range(1, 6), dice.choice((0, 0, 1, 1, 2))))),
        restarts=tuple(_settings(dice) for _ in range(dice.choice((0, 0, 1, 2)))),
    )


def _settings(dice: Random) -> dict[str, Any]:
    some: dict[str, Any] = {"continue_delay": dice.choice((0, 3))}
    choices = {
        "max_iterations": (1, 2, 5),
        "max_budget_usd": (0.5, 2.0),
        "max_duration": (30, 600, 3600),
        "max_failures": (1, 3),
        "stall_after": (1, 2),
        "max_turns": (1, 3),
    }
    for name, values in choices.items():
        if dice.random() < 0.3:
            some[name] = dice.choice(values)
    return some


def _leg(dice: Random) -> Leg:
    return Leg(
        work=dice.choice((Work.STEP, Work.STEP, *Work)),
        cause=dice.choice((Cause.END_TURN, Cause.END_TURN, Cause.PROCESS_KILLED, Cause.RATE_LIMIT, *Cause)),
        messages=dice.randint(0, 2),
        cost_usd=dice.choice((0.0, 0.25, 1.0)),
        lasts_s=dice.choice((0.0, 60.0, 600.0)),
        progressed=dice.random() < 0.7,
        reports=dice.choice((1, 1, 2, 3)),
        tells_total=dice.random() < 0.3,
    )


def _verdicts(dice: Random) -> tuple[VerdictKind, ...]:
    kinds = (VerdictKind.PASSED, VerdictKind.PASSED, VerdictKind.FAILED, VerdictKind.MISSING, VerdictKind.TIMED_OUT)
    return tuple(dice.choice(kinds) for _ in range(dice.choice((0, 0, 0, 2, 5))))


def _fault(dice: Random) -> Fault:
    kind = dice.choice(list(FaultKind))
    operation = dice.choice(_OFTEN if dice.random() < 0.4 else OPERATIONS)
    if kind is FaultKind.TORN:
        operation = dice.choice(_TORN)
    return Fault(operation, nth=dice.choice((dice.randint(1, 4), dice.randint(1, 25))), kind=kind)
