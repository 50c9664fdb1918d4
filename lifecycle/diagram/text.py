"""The picture in letters, for a terminal: the same rows and lanes as the SVG, drawn with lines of Unicode."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.diagram.labels import Line, edge_lines, node_lines, plain
from lifecycle.diagram.layout import Link, Measures, Point, Rect, Wire, lay_out
from lifecycle.diagram.lettering import columns
from lifecycle.diagram.model import Diagram, Edge, Kind, Node, Weight
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.words import heading, summary

__all__ = ["render"]

_MEASURES = Measures(gap=2, lane=2, port=1, ends=3, pad_x=2, pad_y=0)
_BOX_PAD, _MIN_BOX_WIDTH = 2, 21


def render(diagram: Diagram, paint: Paint | None = None) -> str:
    """Draw the diagram in letters; with `paint`, with what a journal says of it."""
    edges = [edge for edge in diagram.edges if edge.source != edge.dest]
    labels = [edge_lines(edge, paint) for edge in edges]
    faces = [node_lines(node, diagram, paint) for node in diagram.nodes]
    rows = {node.name: row for row, node in enumerate(diagram.nodes)}
    needed = [_width(face) + 2 * _BOX_PAD + 2 for face in faces]
    common = max([_MIN_BOX_WIDTH, *(n for n, node in zip(needed, diagram.nodes, strict=True) if not node.reasons)])
    layout = lay_out(
        [(max(common, n), len(face) + 2) for n, face in zip(needed, faces, strict=True)],
        [
            Link(rows[edge.source], rows[edge.dest], _width(lines), len(lines), trunk=f"{edge.weight} {_pen(edge, paint)}")
            for edge, lines in zip(edges, labels, strict=True)
        ],
        _MEASURES,
    )
    canvas = _Canvas(layout.extent)
    for edge, lines, wire in sorted(zip(edges, labels, layout.wires, strict=True), key=lambda drawn: _DEPTH[drawn[0].weight]):
        canvas.wire(wire, _PENS[_pen(edge, paint)])
        canvas.lines(wire.label, lines, is_right=wire.side > 0)
    for edge, wire in zip(edges, layout.wires, strict=True):
        canvas.joint(wire, _PENS[_pen(edge, paint)])
    for node, face, box in zip(diagram.nodes, faces, layout.boxes, strict=True):
        canvas.box(box, face, _frame(node, paint))
        if paint is not None and paint.current == node.name:
            canvas.flag(box, " now " if paint.is_running else " here ")
    for wire in layout.wires:
        canvas.tip(wire)
    return "\n".join((heading(diagram), summary(diagram, paint), "", *canvas.rows())) + "\n"


def _width(lines: Sequence[Line]) -> int:
    return max((columns(plain(line)) for line in lines), default=0)


def _pen(edge: Edge, paint: Paint | None) -> str:
    return edge.weight if paint is None or paint.edge(edge).count else "unused"


def _frame(node: Node, paint: Paint | None) -> str:
    if paint is not None and paint.current == node.name:
        return _HEAVY
    return _DOUBLE if node.kind is Kind.FINAL else _ROUND if node.kind is Kind.INITIAL else _PLAIN


_DEPTH = {Weight.ASIDE: 0, Weight.OTHER: 1, Weight.MAIN: 2}
_PENS = {Weight.MAIN: "┃━┏┓┗┛┣┫", Weight.OTHER: "│─╭╮╰╯├┤", Weight.ASIDE: "┆┄╭╮╰╯├┤", "unused": "┊┈╭╮╰╯├┤"}
"""Upright, level, the corners, and what runs into a trunk on the left and on the right."""
_PLAIN, _ROUND, _DOUBLE, _HEAVY = "│─┌┐└┘", "│─╭╮╰╯", "║═╔╗╚╝", "┃━┏┓┗┛"


class _Canvas:
    def __init__(self, extent: Rect) -> None:
        self._extent = extent
        self._cells: dict[Point, str] = {}

    def rows(self) -> list[str]:
        """From the top, without blanks at the ends."""
        found = []
        for y in range(self._extent.height):
            row, x = "", self._extent.x
            while x < self._extent.right:
                cell = self._cells.get((x, y), " ")
                row += cell
                x += max(1, columns(cell))
            found.append(row.rstrip())
        return found

    def wire(self, wire: Wire, pen: str) -> None:
        if not wire.side:
            (x, top), (_, bottom) = wire.points
            for y in range(top, bottom):
                self._put(x, y, pen[0])
            return
        (start, start_y), (x, _), (_, end_y), (end, _) = wire.points
        for near, y in ((start, start_y), (end, end_y))[: 1 if wire.joins else 2]:
            for between in range(min(near, x + 1), max(near, x)):
                self._put(between, y, pen[1])
        if wire.joins:
            return
        top, bottom = sorted((start_y, end_y))
        for y in range(top + 1, bottom):
            self._put(x, y, pen[0])
        upper, lower = (pen[2], pen[4]) if wire.side < 0 else (pen[3], pen[5])
        self._cells[x, top], self._cells[x, bottom] = upper, lower

    def joint(self, wire: Wire, pen: str) -> None:
        if wire.joins:
            self._cells[wire.points[1]] = pen[6] if wire.side < 0 else pen[7]

    def tip(self, wire: Wire) -> None:
        end_x, end_y = wire.points[-1]
        if not wire.side:
            self._cells[end_x, end_y - 1] = "▼"
        elif wire.side < 0:
            self._cells[end_x - 1, end_y] = "▶"
        else:
            self._cells[end_x, end_y] = "◀"

    def lines(self, place: Rect, lines: Sequence[Line], *, is_right: bool) -> None:
        for offset, line in enumerate(lines):
            words = plain(line)
            x = place.right - columns(words) if is_right else place.x
            self._write(x, place.y + offset, words)

    def box(self, box: Rect, face: Sequence[Line], frame: str) -> None:
        upright, level, corners = frame[0], frame[1], frame[2:]
        for x in range(box.x, box.right):
            self._cells[x, box.y] = self._cells[x, box.bottom - 1] = level
        for y in range(box.y, box.bottom):
            for x in range(box.x + 1, box.right - 1):
                if box.y < y < box.bottom - 1:
                    self._cells[x, y] = " "
            if box.y < y < box.bottom - 1:
                self._cells[box.x, y] = self._cells[box.right - 1, y] = upright
        for corner, place in zip(corners, _corners(box), strict=True):
            self._cells[place] = corner
        first = box.y + (box.height - len(face)) // 2
        for offset, line in enumerate(face):
            words = plain(line)
            self._write(-(columns(words) // 2), first + offset, words)

    def flag(self, box: Rect, words: str) -> None:
        self._write(box.right - 2 - len(words), box.y, words)

    def _write(self, x: int, y: int, words: str) -> None:
        """Letters of no width stay with the one before them, or after them if they begin something.

        Letters of two take the next cell too.
        """
        opening = ""
        for letter in words:
            taken = columns(letter)
            if letter in _OPENING:
                opening += letter
            elif taken == 0 and (x - 1, y) in self._cells:
                self._cells[x - 1, y] += letter
            else:
                self._cells[x, y] = opening + letter
                opening = ""
                x += max(1, taken)

    def _put(self, x: int, y: int, stroke: str) -> None:
        """Lines that cross make a cross."""
        before = self._cells.get((x, y), " ")
        is_upright = stroke in _UPRIGHT
        if before == " " or (before in _UPRIGHT) == is_upright:
            self._cells[x, y] = stroke
        else:
            self._cells[x, y] = "┼"


_UPRIGHT = frozenset("┃│┆┊")
_OPENING = frozenset("\u2066\u2068")
"""What sets a name apart that is written from right to left."""


def _corners(box: Rect) -> tuple[Point, ...]:
    right, bottom = box.right - 1, box.bottom - 1
    return ((box.x, box.y), (right, box.y), (box.x, bottom), (right, bottom))
