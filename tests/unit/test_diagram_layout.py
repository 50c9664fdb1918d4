"""Where things go: whatever the table, words and states are overlapped by nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.diagram.layout import Layout, Link, Measures, Rect, lay_out

MEASURES = {
    "pixels": Measures(gap=36, lane=22, port=18, ends=36, pad_x=10, pad_y=11),
    "letters": Measures(gap=2, lane=2, port=1, ends=3, pad_x=2, pad_y=0),
}


@st.composite
def graphs(draw):
    rows = draw(st.integers(1, 9))
    sizes = draw(st.lists(st.tuples(st.integers(4, 300), st.integers(3, 90)), min_size=rows, max_size=rows))
    row = st.integers(0, rows - 1)
    pairs = draw(st.lists(st.tuples(row, row), unique=True, max_size=24))
    size = st.integers(1, 200)
    trunk = st.sampled_from([None, "solid", "dashed"])
    return sizes, [Link(a, b, draw(size), draw(st.integers(1, 80)), draw(trunk)) for a, b in pairs if a != b]


@pytest.mark.parametrize("unit", MEASURES)
@given(graph=graphs())
def test_nothing_overlaps_a_label_or_a_state(unit: str, graph) -> None:
    sizes, links = graph
    layout = lay_out(sizes, links, MEASURES[unit])
    labels = [wire.label for wire in layout.wires]
    for one, other in combinations([*labels, *layout.boxes], 2):
        assert not overlap(one, other)
    for wire in layout.wires:
        for start, end in pairwise(wire.points):
            line = covered(start, end)
            assert not any(overlap(line, label) for label in labels)
            assert not any(overlap(line, inside(box)) for box in layout.boxes)


@pytest.mark.parametrize("unit", MEASURES)
@given(graph=graphs())
def test_two_ways_cross_but_never_run_along_each_other(unit: str, graph) -> None:
    """But for those that share a trunk."""
    sizes, links = graph
    layout = lay_out(sizes, links, MEASURES[unit])
    trunks = [trunk_of(links[number], wire.side, number) for number, wire in enumerate(layout.wires)]
    segments = [
        (number, covered(start, end))
        for number, wire in enumerate(layout.wires)
        for start, end in pairwise(wire.points)
    ]
    for (one, first), (other, second) in combinations(segments, 2):
        if trunks[one] != trunks[other]:
            shared = common(first, second)
            assert shared[0] <= 1 or shared[1] <= 1, "they share more than a crossing"
            assert shared[0] * shared[1] <= 1, "they share more than a crossing"


@pytest.mark.parametrize("unit", MEASURES)
@given(graph=graphs())
def test_every_way_leaves_its_source_and_ends_at_its_destination(unit: str, graph) -> None:
    sizes, links = graph
    layout = lay_out(sizes, links, MEASURES[unit])
    for link, wire in zip(links, layout.wires, strict=True):
        assert on_border(wire.points[0], layout.boxes[link.source])
        assert on_border(wire.points[-1], layout.boxes[link.dest])


@given(graph=graphs())
def test_what_joins_a_trunk_has_one_line_to_join_that_begins_before_it(graph) -> None:
    sizes, links = graph
    layout = lay_out(sizes, links, MEASURES["pixels"])
    found = {}
    for number, (link, wire) in enumerate(zip(links, layout.wires, strict=True)):
        found.setdefault(trunk_of(link, wire.side, number), []).append((abs(link.source - link.dest), wire))
    for members in found.values():
        (length, trunk), *others = sorted(members, key=lambda member: member[1].joins)
        assert not trunk.joins
        for shorter, wire in others:
            assert wire.joins and shorter < length
            assert wire.points[1][0] == trunk.points[1][0] and wire.points[2:] == trunk.points[2:]


def test_two_hundred_ways_to_one_state_are_one_line_and_its_branches() -> None:
    links = [Link(row, 200, 90, 18, trunk="dashed") for row in range(199)]
    narrow = lay_out([(150, 46)] * 201, links, MEASURES["pixels"])
    wide = lay_out([(150, 46)] * 201, [replace(link, trunk=None) for link in links], MEASURES["pixels"])
    assert narrow.extent.width < 300 and wide.extent.width > 4_000
    assert narrow.boxes[200].height == 46, "one line arrives"
    assert [wire.joins for wire in narrow.wires] == [False, *[True] * 198]


def test_ways_that_look_different_share_no_lane() -> None:
    links = [Link(0, 3, 90, 18, trunk="solid"), Link(1, 3, 90, 18, trunk="dashed")]
    layout = lay_out([(150, 46)] * 4, links, MEASURES["pixels"])
    assert [wire.joins for wire in layout.wires] == [False, False]
    assert layout.wires[0].points[1][0] != layout.wires[1].points[1][0]


@given(graph=graphs())
def test_everything_is_within_the_extent(graph) -> None:
    layout = lay_out(*graph, MEASURES["pixels"])
    for rect in (*layout.boxes, *(wire.label for wire in layout.wires)):
        assert layout.extent.x <= rect.x and rect.right <= layout.extent.right
        assert 0 <= rect.y and rect.bottom <= layout.extent.bottom


def test_nothing_to_place_takes_no_room() -> None:
    assert lay_out([], [], MEASURES["pixels"]) == Layout((), (), Rect(0, 0, 0, 0))


def trunk_of(link: Link, side: int, number: int) -> object:
    return (link.dest, side, link.trunk) if side and link.trunk is not None else number


def covered(start, end) -> Rect:
    """The cells of a line, its ends included."""
    (x1, x2), (y1, y2) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return Rect(x1, y1, x2 - x1 + 1, y2 - y1 + 1)


def inside(box: Rect) -> Rect:
    """A box without its border: lines end on that."""
    return Rect(box.x + 1, box.y + 1, box.width - 2, box.height - 2)


def common(one: Rect, other: Rect) -> tuple[int, int]:
    return (
        max(0, min(one.right, other.right) - max(one.x, other.x)),
        max(0, min(one.bottom, other.bottom) - max(one.y, other.y)),
    )


def overlap(one: Rect, other: Rect) -> bool:
    return all(common(one, other))


def on_border(point, box: Rect) -> bool:
    x, y = point
    return (x in (box.x, box.right) and box.y < y < box.bottom) or (
        y in (box.y, box.bottom) and box.x <= x <= box.right
    )
