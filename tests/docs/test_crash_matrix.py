"""The committed crash matrix is of the points that the code has now."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.testing.crash_matrix.crossings import ADAPTERS, adapter_of
from lifecycle.testing.crash_matrix.document import rows_of
from lifecycle.testing.crash_matrix.matrix import NOT_PLAYED, killable
from lifecycle.testing.crash_matrix.points import Group, methods, points, protocols, sites
from lifecycle.testing.crash_matrix.scenarios import SCENARIOS
from states.table import TABLE

DOCUMENT = Path(__file__).parents[2] / "diagrams/crash-matrix.md"
ROWS = rows_of(DOCUMENT.read_text())
SCENARIO, KILLS, LOST, REPEATED = range(4)


def test_every_point_of_the_code_has_its_row_and_every_row_its_point() -> None:
    """What is new is played by `python -m lifecycle.testing.crash_matrix --write diagrams/crash-matrix.md`."""
    wanted = {point.name for point in killable()}
    assert sorted(wanted - ROWS.keys()) == [], "new: play them"
    assert sorted(ROWS.keys() - wanted) == [], "gone"


def test_nothing_was_lost_and_nothing_repeated_anywhere() -> None:
    told = {point: cells for point, cells in ROWS.items() if (cells[LOST], cells[REPEATED]) != ("nothing", "nothing")}
    assert told == {}
    assert all(int(cells[KILLS]) >= 1 for cells in ROWS.values())
    assert {cells[SCENARIO] for cells in ROWS.values()} <= {scenario.name for scenario in SCENARIOS}


def test_every_row_of_the_table_is_met_at_four_moments() -> None:
    names = [f"{row.source} {row.trigger} {row.dest}" for row in TABLE]
    assert len(set(names)) == len(TABLE), "a row is told by what it joins"
    places = [point.place for point in points() if point.group is Group.TRANSITION]
    assert all(places.count(name) == 4 for name in names)


@pytest.mark.parametrize("port", protocols())
def test_every_call_of_a_port_is_one_of_the_adapter_that_is_watched(port: str) -> None:
    assert ADAPTERS.keys() == protocols().keys()
    assert all(callable(getattr(adapter_of(port), method)) for method, _ in methods(protocols()[port]))


def test_what_is_not_played_is_there() -> None:
    """A place that is gone, or renamed, has nothing to be excused."""
    assert NOT_PLAYED.keys() <= {point.place for point in points()}


def test_a_step_of_the_atomic_write_cannot_be_forgotten() -> None:
    """Found by reading the source: each call that changes the disk, where it stands."""
    found = {site.place for site in sites()}
    assert {f"workspace.files.{step}" for step in ("_write_synced write", "_write_synced fsync", "write_atomic rename")} <= found
    assert {"workspace.salvage._refer git update-ref", "workspace.salvage._commit git hash-object"} <= found
    assert not any(place.startswith("agent.leash ") for place in found)
