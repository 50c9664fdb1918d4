"""Many scenarios, one after the other, until enough was seen or something broke; and what to say of them."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field

from lifecycle.testing.simulation.scenario import scenario_of
from lifecycle.testing.simulation.shrinking import shrunk
from lifecycle.testing.simulation.simulate import Played, Simulator

__all__ = ["Report", "simulated"]


@dataclass(slots=True)
class Report:
    """What was simulated.

    Attributes:
        rows: how often each transition was made, by its "SOURCE trigger DEST".
        failed: the first scenario that broke something.
        small: the same, shrunk.
    """

    first_seed: int
    seeds: int = 0
    transitions: int = 0
    faults: int = 0
    managers: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    failed: Played | None = None
    small: Played | None = None

    def __str__(self) -> str:
        words = (
            f"{self.transitions} transitions in {self.seeds} scenarios from seed {self.first_seed}, "
            f"{self.managers} managers, {self.faults} faults"
        )
        if self.failed is None or self.small is None:
            return f"{words}: no violation"
        command = "python -m lifecycle.testing.simulation"
        return (
            f"{words}: seed {self.failed.scenario.seed} breaks a promise: {self.failed.violation}\n"
            f"again: {command} --seed {self.failed.scenario.seed}\n"
            f"shrunk to {len(self.small.transitions)} transitions:\n{self.small}\n"
            f"again: {command} --scenario {shlex.quote(self.small.scenario.to_json())}"
        )


def simulated(simulator: Simulator, *, transitions: int, first_seed: int = 0) -> Report:
    """Play the scenarios of one seed after the other until `transitions` were made, or one breaks something."""
    report = Report(first_seed)
    while report.transitions < transitions:
        played = simulator.play(scenario_of(first_seed + report.seeds))
        report.seeds += 1
        report.transitions += len(played.transitions)
        report.faults += len(played.faults)
        report.managers += played.lives
        report.rows.update(f"{record.source} {record.trigger} {record.dest}" for record in played.transitions)
        if played.violation is not None:
            report.failed = played
            report.small = shrunk(played, simulator.play)
            break
    return report
