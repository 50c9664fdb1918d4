"""The matrix: each point, the scenario that it is met in, and what a kill there costs.

Owns which scenario a point is played in, and the comparison with the same scenario undisturbed. Plays several at once.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lifecycle.agent.proofs import GATE_PROOF_NAME
from lifecycle.testing.crash_matrix.laboratory import Played, play
from lifecycle.testing.crash_matrix.points import Point, points
from lifecycle.testing.crash_matrix.scenarios import SCENARIOS, Scenario

__all__ = ["NOT_PLAYED", "Matrix", "Verdict", "killable"]

NOT_PLAYED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "note fault": "reserved: nothing writes it",
        "note warning": "reserved: nothing writes it",
        "agent.leash_control._write_executable unlink": "only after an error of the machine",
        "agent.proofs.Proof.keep unlink": "only after an error of the machine",
        "agent.seals.Seals.mend symlink": "only after code within the walls took a sealed link away; FENCE.md says what a kill costs",
        "agent.seals._set_aside mkdir": "only after code within the walls made what may not be there",
        "agent.seals._set_aside rename": "only after code within the walls made what may not be there",
        "journal.database._put_in_place rename": "only on a file system without hard links",
        "workspace.aside.set_aside rmdir": "only after an error of the machine",
        "workspace.aside.set_aside unlink": "only after an error of the machine",
        "workspace.files._keep_owner fchown": "only for a file that another user owns",
    }
)
"""Places that no scenario crosses, and why. A test holds this list down to places that there are."""


def killable() -> tuple[Point, ...]:
    """The points that are played: every one but those of `NOT_PLAYED`."""
    return tuple(point for point in points() if point.place not in NOT_PLAYED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What dying at a point cost.

    Attributes:
        kills: how often a manager died there before one could end in peace.
        lost: lines of the undisturbed account that are missing.
        repeated: lines that are there too often, or should not be.
        asked_again: requests to the model beyond those of the undisturbed scenario.
        unbooked: how many of all requests the journal knows no cost of, beyond those of the undisturbed scenario.
        wrong: what must never be.
    """

    point: str
    scenario: str
    kills: int
    lost: tuple[str, ...]
    repeated: tuple[str, ...]
    asked_again: int
    unbooked: int
    wrong: tuple[str, ...] = ()
    stderr: str = field(default="", repr=False)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost or repeated, and the point was met."""
        return not (self.lost or self.repeated or self.wrong)


class Matrix:
    """Plays points in a directory of its own.

    Args:
        jobs: how many are played at once.
    """

    def __init__(self, directory: Path, *, jobs: int = 2) -> None:
        self._directory = directory
        self._jobs = jobs
        self._proof: Path | None = None
        self._undisturbed: dict[str, Played] = {}
        self._crossed: dict[str, set[str]] = {}

    def prepare(self, scenarios: Iterable[Scenario]) -> tuple[str, ...]:
        """Play these undisturbed; return what went wrong, in words."""
        first, *others = sorted(scenarios, key=lambda scenario: not scenario.is_first)
        self._prepare(first)  # proves the agent's gate for all
        with ThreadPoolExecutor(self._jobs) as pool:
            list(pool.map(self._prepare, others))
        return tuple(f"{name}: {wrong}" for name, played in self._undisturbed.items() for wrong in played.wrong)

    def assigned(self) -> Mapping[str, Scenario | None]:
        """Point -> the scenario that it is played in: the one that claims it, else the first that crosses it."""
        by_claim = sorted(self._undisturbed, key=lambda name: (_ORDER[name], name))

        def chosen(point: Point) -> Scenario | None:
            crossing = [SCENARIOS[_ORDER[name]] for name in by_claim if point.name in self._crossed[name]]
            claiming = [scenario for scenario in crossing if point.place in scenario.claims]
            return next(iter([*claiming, *crossing]), None)

        return {point.name: chosen(point) for point in killable()}

    def judge_all(
        self, asked: Sequence[tuple[str, Scenario]], told: Callable[[Verdict], None] = lambda verdict: None
    ) -> list[Verdict]:
        """What each of these points costs in that scenario, which was prepared, in the same order."""

        def one(each: tuple[str, Scenario]) -> Verdict:
            verdict = self.judge(*each)
            told(verdict)
            return verdict

        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(one, asked))

    def judge(self, point: str, scenario: Scenario) -> Verdict:
        """What dying there costs: the first manager dies there, and the next one too, if it comes there."""
        undisturbed = self._undisturbed[scenario.name]
        directory = self._directory / "killed" / "".join(each if each.isalnum() else "-" for each in point)
        played = play(scenario, directory, die_at=point, proof=self._proof)
        verdict = Verdict(
            point=point,
            scenario=scenario.name,
            kills=played.kills,
            lost=_lines(undisturbed.account - played.account),
            repeated=_lines(played.account - undisturbed.account),
            asked_again=played.requests - undisturbed.requests,
            unbooked=played.unbooked - undisturbed.unbooked,
            wrong=(*played.wrong, *(() if played.kills else ("the point was not met",))),
            stderr=played.stderr,
        )
        if verdict.is_good:
            shutil.rmtree(directory, ignore_errors=True)
        return verdict

    def _prepare(self, scenario: Scenario) -> None:
        directory = self._directory / "undisturbed" / scenario.name.replace(" ", "-")
        tally = self._directory / f"{scenario.name}.tally"
        played = play(scenario, directory, proof=self._proof, tally=tally)
        proof = directory / "state" / GATE_PROOF_NAME
        if self._proof is None and proof.exists():
            self._proof = proof
        counted = (json.loads(path.read_text()) for path in self._directory.glob(f"{tally.name}-*"))
        self._undisturbed[scenario.name] = played
        self._crossed[scenario.name] = {point for counts in counted for point in counts}


def _lines(difference: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(difference.elements()))


_ORDER: Final = MappingProxyType({scenario.name: number for number, scenario in enumerate(SCENARIOS)})
