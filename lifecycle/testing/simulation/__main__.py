"""`python -m lifecycle.testing.simulation`: play scenarios by the thousand, or one again."""

from __future__ import annotations

import argparse
import sys
import time

from lifecycle.testing.simulation.disk import DiskWorld
from lifecycle.testing.simulation.report import simulated
from lifecycle.testing.simulation.scenario import Scenario, scenario_of
from lifecycle.testing.simulation.simulate import Simulator
from lifecycle.testing.simulation.world import World


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when nothing was broken, else 1."""
    parser = argparse.ArgumentParser(prog="python -m lifecycle.testing.simulation", description=__doc__)
    parser.add_argument("--transitions", type=int, default=20_000, help="stop after so many (default: 20000)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first scenario's seed (default: 0)")
    parser.add_argument("--seed", type=int, help="play the scenario of this seed alone, and tell it")
    parser.add_argument("--scenario", help="play this scenario alone, as a report printed it")
    parser.add_argument("--disk", action="store_true", help="with the journal in real files, and torn writes")
    asked = parser.parse_args(arguments)
    with Simulator(world=DiskWorld if asked.disk else World) as simulator:
        if asked.seed is not None or asked.scenario is not None:
            scenario = scenario_of(asked.seed) if asked.scenario is None else Scenario.from_json(asked.scenario)
            played = simulator.play(scenario)
            sys.stdout.write(f"{scenario.to_json()}\n{played}\n")
            return 0 if played.violation is None else 1
        began = time.monotonic()
        report = simulated(simulator, transitions=asked.transitions, first_seed=asked.first_seed)
    sys.stdout.write(f"{report}\n{time.monotonic() - began:.1f} s\n")
    return 0 if report.failed is None else 1


if __name__ == "__main__":
    sys.exit(main())
