"""`python -m lifecycle.testing.crash_matrix`: play every point, or some, and write the table.

Exit status 0 when nothing was lost and nothing repeated, else 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lifecycle.testing.crash_matrix.document import cells_of, measured_in, rendered, rows_of
from lifecycle.testing.crash_matrix.matrix import Matrix, Verdict
from lifecycle.testing.crash_matrix.points import points
from lifecycle.testing.crash_matrix.scenarios import SCENARIOS, Scenario, playable

COMMAND = "python -m lifecycle.testing.crash_matrix --write diagrams/crash-matrix.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play; return the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.list:
        print("\n".join(point.name for point in points()))
        return 0
    directory = Path(tempfile.mkdtemp(prefix="lifecycle-crash-matrix-"))
    begun = time.monotonic()
    matrix = Matrix(directory, jobs=chosen.jobs)
    problems = matrix.prepare(playable())
    assigned = matrix.assigned()
    problems += tuple(f"no scenario crosses {point}" for point, scenario in assigned.items() if scenario is None)
    for problem in problems:
        print(problem, file=sys.stderr)
    asked = [(point, each) for point, each in assigned.items() if each is not None and _is_wanted(point, each, chosen.only)]
    print(f"{len(asked)} points in {directory}", file=sys.stderr, flush=True)
    verdicts = matrix.judge_all(asked, told=lambda verdict: _tell(verdict, directory))
    took_s = time.monotonic() - begun
    bad = [verdict for verdict in verdicts if not verdict.is_good]
    print(f"{len(verdicts)} points, {sum(each.kills for each in verdicts)} kills, {took_s:.0f} s, {len(bad)} not good")
    if chosen.write is not None:
        _write(chosen.write, verdicts, "" if chosen.only else _measured(verdicts, took_s, chosen.jobs))
    return 1 if bad or problems else 0


def _is_wanted(point: str, scenario: Scenario, words: Sequence[str]) -> bool:
    return not words or any(word in point or word == scenario.name for word in words)


def _tell(verdict: Verdict, directory: Path) -> None:
    """One line for each; everything of what is not good."""
    with (directory / "verdicts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(verdict)) + "\n")
    sign = "ok " if verdict.is_good else "BAD"
    print(f"{sign} {verdict.point} [{verdict.scenario}] {verdict.kills} kills", file=sys.stderr, flush=True)
    for kind in ("lost", "repeated", "wrong"):
        for line in getattr(verdict, kind):
            print(f"    {kind}: {line}", file=sys.stderr, flush=True)


def _write(path: Path, verdicts: Sequence[Verdict], measured: str) -> None:
    """Write the table. What was not played now stays as it stood there, and so does what the whole play took."""
    before = path.read_text(encoding="utf-8") if path.exists() and not measured else ""
    rows = {**rows_of(before), **{verdict.point: cells_of(verdict) for verdict in verdicts}}
    text = rendered(rows, command=COMMAND, measured=measured or measured_in(before))
    path.write_text(text, encoding="utf-8")


def _measured(verdicts: Sequence[Verdict], took_s: float, jobs: int) -> str:
    kills = sum(verdict.kills for verdict in verdicts)
    again = sum(max(0, verdict.asked_again) for verdict in verdicts)
    load = os.getloadavg()[1]
    return (
        f"Measured: {len(verdicts)} points, {kills} kills, {again} requests asked again, in {took_s / 60:.0f} min: {jobs} at once "
        f"on {os.cpu_count()} cores with a load of {load:.0f}, Python {platform.python_version()}. There is no seed: every kill "
        "is at a named point."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lifecycle.testing.crash_matrix",
        description="Kill a manager at every named point, and tell what that cost.",
    )
    names = ", ".join(scenario.name for scenario in SCENARIOS)
    parser.add_argument("only", nargs="*", help=f"points whose name has this in it, or a scenario: {names}")
    parser.add_argument("--list", action="store_true", help="print the points and do nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="how many at once (default: cores)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table; rows of points that were not played stay as they are")
    return parser


if __name__ == "__main__":
    sys.exit(main())
