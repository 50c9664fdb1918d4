"""SIGKILL at named points, with the real command and the real CLI: nothing is lost, nothing is repeated.

A few points of one scenario, which change from run to run; all of them: `pytest tests/e2e/crash/test_matrix.py --matrix full
--timeout 7200 -s`, or `python -m lifecycle.testing.crash_matrix`, which writes the table too.
"""

from __future__ import annotations

import random
from pathlib import Path

from lifecycle.testing.crash_matrix.document import rows_of
from lifecycle.testing.crash_matrix.matrix import Matrix
from lifecycle.testing.crash_matrix.scenarios import SCENARIOS

SAMPLE = 3
TABLE = Path(__file__).parents[3] / "diagrams/crash-matrix.md"


def test_a_manager_killed_at_named_points_loses_and_repeats_nothing(tmp_path: Path, dice: random.Random, request) -> None:
    matrix = Matrix(tmp_path)
    if request.config.getoption("--matrix") == "full":
        assert matrix.prepare() == ()
        asked = list(matrix.assigned().items())
    else:
        by_name = {scenario.name: scenario for scenario in SCENARIOS}
        rows = rows_of(TABLE.read_text())
        scenario = by_name[rows[dice.choice(sorted(rows))][0]]  # the more points, the likelier
        points = sorted(point for point, cells in rows.items() if cells[0] == scenario.name)
        assert matrix.prepare([scenario]) == ()
        asked = [(point, scenario) for point in dice.sample(points, min(SAMPLE, len(points)))]
    for verdict in matrix.judge_all(asked, told=print):
        assert verdict.kills > 0
        assert verdict.is_good, f"{verdict}\n{verdict.stderr}"
