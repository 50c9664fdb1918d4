"""SIGKILL at named points, with the real command and the real CLI: nothing is lost, nothing is repeated.

A few points of one scenario, which change from run to run; all of them: `pytest tests/e2e/crash/test_matrix.py --matrix full
--timeout 7200 -s`, or `python -m lifecycle.testing.crash_matrix`, which writes the table too.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lifecycle.testing.crash_matrix.document import rows_of
from lifecycle.testing.crash_matrix.laboratory import PLAY_MAX_S
from lifecycle.testing.crash_matrix.matrix import Matrix
from lifecycle.testing.crash_matrix.scenarios import playable

SAMPLE = 3
PLAYS = 3  # one after the other: the undisturbed one, and the sample two at once
TABLE = Path(__file__).parents[3] / "diagrams/crash-matrix.md"


@pytest.mark.timeout(PLAYS * PLAY_MAX_S + 60)  # each play ends by itself before, and says why
def test_a_manager_killed_at_named_points_loses_and_repeats_nothing(tmp_path: Path, dice: random.Random, request) -> None:
    matrix = Matrix(tmp_path)
    by_name = {scenario.name: scenario for scenario in playable()}
    rows = {point: cells for point, cells in rows_of(TABLE.read_text()).items() if cells[0] in by_name}
    if request.config.getoption("--matrix") == "full":
        assert matrix.prepare(by_name.values()) == ()
        asked = [(point, scenario) for point, scenario in matrix.assigned().items() if point in rows and scenario is not None]
        assert [point for point in rows if point not in dict(asked)] == []
    else:
        scenario = by_name[rows[dice.choice(sorted(rows))][0]]  # the more points, the likelier
        points = sorted(point for point, cells in rows.items() if cells[0] == scenario.name)
        assert matrix.prepare([scenario]) == ()
        asked = [(point, scenario) for point in dice.sample(points, min(SAMPLE, len(points)))]
    for verdict in matrix.judge_all(asked, told=print):
        assert verdict.kills > 0
        assert verdict.is_good, f"{verdict}\n{verdict.stderr}"
