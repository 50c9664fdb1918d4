"""Where things go: one state a row along a spine, and every other way on a lane of its own beside it.

Owns places only, in whatever unit it is given: pixels and letters alike. It refuses to know what is drawn.

Why not a general layout of layers: those keep edges short and leave labels to chance, and none of the libraries
that need no system package places edge labels. A lifecycle is one main way with short cuts and returns, so the
rows are that way; ways ahead run down on the left, ways back run up on the right. Each label lies in a gap between
two rows, where no line runs sideways, between its own lane and the next one inwards. So nothing ever overlaps a
label or a state, with any table, and only lines cross lines. Ways to one state that look alike share a lane, their
trunk: two hundred ways to the end are one line that two hundred run into, and not two hundred lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Layout", "Link", "Measures", "Point", "Rect", "Wire", "lay_out"]

Point = tuple[int, int]
"""To the right of the spine, and down."""


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle by its top left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Just behind the last column."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Just below the last row."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one row to another, and how large its label is.

    Attributes:
        trunk: what it looks like. Those that lead to one row on one side and look alike share a lane; None never does.
    """

    source: int
    dest: int
    label_width: int
    label_height: int
    trunk: str | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """The unit's own sizes.

    Attributes:
        gap: the least height between two rows.
        lane: the least distance between two lines side by side.
        port: the distance between two lines that meet a state on one side.
        ends: what is left of that side above the first such line and below the last, together.
        pad_x: what is left free beside a label.
        pad_y: what is left free above and below a label.
    """

    gap: int
    lane: int
    port: int
    ends: int
    pad_x: int
    pad_y: int


@dataclass(frozen=True, slots=True)
class Wire:
    """A way's line, from its source to the tip at its destination, and its label.

    Attributes:
        side: left -1, right 1, or 0 along the spine.
        joins: whether it runs into a trunk at its second point, from where on another wire is drawn at its place.
    """

    points: tuple[Point, ...]
    label: Rect
    side: int
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything's place. x = 0 is the spine, y = 0 the top; wires are in the links' order."""

    boxes: tuple[Rect, ...]
    wires: tuple[Wire, ...]
    extent: Rect


def lay_out(sizes: Sequence[tuple[int, int]], links: Sequence[Link], measures: Measures) -> Layout:
    """Place boxes of these widths and heights, one a row, and the links between different rows."""
    assert all(link.source != link.dest for link in links), "a way back to its own state is written in its box"
    lanes = _Lanes(sizes, links, measures)
    ports = _ports(links, lanes)
    boxes = _boxes(sizes, links, lanes, ports, measures)
    wires = tuple(_wire(number, link, boxes, lanes, ports, measures) for number, link in enumerate(links))
    return Layout(boxes, wires, _extent(boxes, wires, measures))


def _is_spine(link: Link) -> bool:
    return link.dest == link.source + 1


class _Lanes:
    """How far from the spine each link runs, and in which gap its label lies. Gap n is below row n.

    `leader` has for each link the one whose line its trunk is: the longest of those that share the lane, often itself.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], links: Sequence[Link], measures: Measures) -> None:
        self.distance = [0] * len(links)
        self.gap = [link.source for link in links]
        self.side = [0 if _is_spine(link) else 1 if link.dest < link.source else -1 for link in links]
        self.leader = list(range(len(links)))
        self._measures = measures
        self._row = {side: [-(-width // 2) for width, _ in sizes] for side in (-1, 1)}
        self._gap = {side: [0] * len(sizes) for side in (-1, 1)}
        for link in links:
            if _is_spine(link):
                self._gap[1][link.source] = measures.pad_x + link.label_width
        # Short ways lie inside long ones, so that they do not cross.
        for trunk in sorted(self._trunks(links), key=lambda trunk: _span(links[trunk[0]])):
            self._put(trunk, links, self.side[trunk[0]])

    def _trunks(self, links: Sequence[Link]) -> list[list[int]]:
        """The links beside the spine, those that share a lane together and the longest of them first."""
        found: dict[object, list[int]] = {}
        for number, link in enumerate(links):
            if side := self.side[number]:
                key = number if link.trunk is None else (link.dest, side, link.trunk)
                found.setdefault(key, []).append(number)
        return [sorted(trunk, key=lambda number: -_span(links[number])) for trunk in found.values()]

    def _put(self, trunk: Sequence[int], links: Sequence[Link], side: int) -> None:
        first, last = sorted((links[trunk[0]].source, links[trunk[0]].dest))
        rows, gaps, lane = self._row[side], self._gap[side], self._measures.lane
        at_least = max(*(gaps[gap] for gap in range(first, last)), *rows[first : last + 1]) + lane
        rooms = [links[number].label_width + 2 * self._measures.pad_x for number in trunk]
        if len(trunk) == 1:
            order = range(first, last) if side < 0 else range(last - 1, first - 1, -1)
            self.gap[trunk[0]] = min(order, key=lambda gap: max(at_least, gaps[gap] + rooms[0]))
        else:
            for number in trunk:  # beside its own source, so that it is told from the others
                self.gap[number] = links[number].source - (side > 0)
        distance = max(at_least, *(gaps[self.gap[number]] + room for number, room in zip(trunk, rooms, strict=True)))
        for number in trunk:
            self.distance[number] = distance
            self.leader[number] = trunk[0]
        for gap in range(first, last):
            gaps[gap] = distance
        for row in range(first + 1, last):
            rows[row] = distance


def _span(link: Link) -> int:
    return abs(link.dest - link.source)


def _ports(links: Sequence[Link], lanes: _Lanes) -> dict[tuple[int, int], list[tuple[int, bool]]]:
    """(row, side) -> the links that meet that side, from the top: (link, whether it starts there).

    What comes from above is on top with the inner lanes first, what comes from below is beneath with the outer
    ones first: so they do not cross beside the box. A trunk arrives once, as its leader.
    """
    found: dict[tuple[int, int], list[tuple[tuple[int, int], int, bool]]] = {}
    for number, link in enumerate(links):
        side = lanes.side[number]
        for row, other, is_start in ((link.source, link.dest, True), (link.dest, link.source, False)):
            if side and (is_start or lanes.leader[number] == number):
                distance = lanes.distance[number]
                place = (0, distance) if other < row else (1, -distance)
                found.setdefault((row, side), []).append((place, number, is_start))
    return {key: [(number, is_start) for _, number, is_start in sorted(met)] for key, met in found.items()}


def _boxes(
    sizes: Sequence[tuple[int, int]],
    links: Sequence[Link],
    lanes: _Lanes,
    ports: dict[tuple[int, int], list[tuple[int, bool]]],
    measures: Measures,
) -> tuple[Rect, ...]:
    gaps = [measures.gap] * len(sizes)
    for number, link in enumerate(links):
        gap = lanes.gap[number]
        gaps[gap] = max(gaps[gap], link.label_height + 2 * measures.pad_y)
    boxes, y = [], 0
    for row, (width, height) in enumerate(sizes):
        met = max(len(ports.get((row, side), ())) for side in (-1, 1))
        height = max(height, (met - 1) * measures.port + measures.ends)  # noqa: PLW2901  # a box grows with what meets it
        boxes.append(Rect(-(width // 2), y, width, height))
        y += height + gaps[row]
    return tuple(boxes)


def _wire(
    number: int,
    link: Link,
    boxes: Sequence[Rect],
    lanes: _Lanes,
    ports: dict[tuple[int, int], list[tuple[int, bool]]],
    measures: Measures,
) -> Wire:
    side, gap = lanes.side[number], lanes.gap[number]
    middle = (boxes[gap].bottom + boxes[gap + 1].y - link.label_height) // 2
    if not side:
        points: tuple[Point, ...] = ((0, boxes[link.source].bottom), (0, boxes[link.dest].y))
        label_x = measures.pad_x
    else:
        x = side * lanes.distance[number]
        start = _port(link.source, side, (number, True), boxes, ports, measures)
        end = _port(link.dest, side, (lanes.leader[number], False), boxes, ports, measures)
        points = (start, (x, start[1]), (x, end[1]), end)
        label_x = x + measures.pad_x if side < 0 else x - measures.pad_x - link.label_width
    return Wire(points, Rect(label_x, middle, link.label_width, link.label_height), side, joins=lanes.leader[number] != number)


def _port(
    row: int,
    side: int,
    met: tuple[int, bool],
    boxes: Sequence[Rect],
    ports: dict[tuple[int, int], list[tuple[int, bool]]],
    measures: Measures,
) -> Point:
    box, all_met = boxes[row], ports[row, side]
    first = box.y + (box.height - (len(all_met) - 1) * measures.port) // 2
    y = first + all_met.index(met) * measures.port
    return (box.x if side < 0 else box.right), y


def _extent(boxes: Sequence[Rect], wires: Sequence[Wire], measures: Measures) -> Rect:
    xs = [x for wire in wires for x, _ in wire.points]
    left = min([box.x for box in boxes] + [wire.label.x for wire in wires] + xs, default=0)
    right = max([box.right for box in boxes] + [wire.label.right for wire in wires] + [x + 1 for x in xs], default=0)
    return Rect(left, 0, right - left, boxes[-1].bottom if boxes else 0)
