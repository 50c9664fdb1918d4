"""SVG: a card that stands alone, in light and in dark, for eyes and for screen readers.

Owns what is drawn; where it is comes from `layout`, its colours from `palette`, its words from `labels` and `words`.
Equal input makes equal bytes, whatever is installed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lifecycle.diagram.labels import Line, edge_lines, node_lines, plain
from lifecycle.diagram.layout import Layout, Link, Measures, Rect, Wire, lay_out
from lifecycle.diagram.lettering import width
from lifecycle.diagram.model import Diagram, Edge, Kind, Node, Weight
from lifecycle.diagram.names import shown
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import Theme
from lifecycle.diagram.shapes import arrow, element, joint, rectangle, text, words
from lifecycle.diagram.stylesheet import stylesheet
from lifecycle.diagram.words import description, edge_words, heading, node_words, summary

__all__ = ["render"]

_MEASURES = Measures(gap=36, lane=22, port=18, ends=36, pad_x=10, pad_y=11)
_MARGIN, _HEAD, _FOOT, _KEY_LINE = 34, 84, 18, 24
_MIN_INNER_WIDTH = 420
_LABEL_PX, _LABEL_LINE = 13, 18
_NAME_PX, _NAME_LINE, _LINE_PX, _LINE = 15, 20, 12, 17
_BOX_PAD_X, _BOX_PAD_Y, _MIN_BOX_WIDTH = 24, 13, 150
_BAND_X, _BAND_Y = 16, 9
"""A band reaches less far up and down than a label is away from its state."""
_HEATS = 4


def render(diagram: Diagram, paint: Paint | None = None, *, theme: Theme = Theme.AUTO) -> str:
    """Draw the diagram as an SVG document; with `paint`, with what a journal says of it."""
    return "\n".join(_Drawing(diagram, paint).document(theme)) + "\n"


@dataclass(frozen=True, slots=True)
class _Face:
    """A state's box before it has a place."""

    node: Node
    lines: tuple[Line, ...]

    @property
    def width(self) -> int:
        name = width(plain(self.lines[0]), _NAME_PX, is_bold=True) + (0 if self.node.kind is Kind.NORMAL else 34)
        return max(name, *(width(plain(line), _LINE_PX) for line in self.lines)) + 2 * _BOX_PAD_X

    @property
    def height(self) -> int:
        return 2 * _BOX_PAD_Y + _NAME_LINE + (len(self.lines) - 1) * _LINE


@dataclass(frozen=True, slots=True)
class _Sample:
    """An entry of the key: what is shown, and what it means."""

    x: int
    row: int
    css: str
    told: str


class _Drawing:
    def __init__(self, diagram: Diagram, paint: Paint | None) -> None:
        self._diagram = diagram
        self._paint = paint
        self._edges = [edge for edge in diagram.edges if edge.source != edge.dest]
        self._labels = [edge_lines(edge, paint) for edge in self._edges]
        self._faces = [_Face(node, node_lines(node, diagram, paint)) for node in diagram.nodes]
        self._most = 0 if paint is None else max((paint.edge(edge).count for edge in self._edges), default=0)
        self._layout = self._lay_out()
        self._inner_width = max(self._layout.extent.width, self._heading_width(), _MIN_INNER_WIDTH)
        self._samples = self._key_samples()
        self._width = self._inner_width + 2 * _MARGIN
        key_height = (self._samples[-1].row + 1) * _KEY_LINE if self._samples else 0
        self._height = _HEAD + self._layout.extent.height + _MARGIN + key_height + _FOOT

    def _lay_out(self) -> Layout:
        rows = {node.name: row for row, node in enumerate(self._diagram.nodes)}
        common = max([_MIN_BOX_WIDTH, *(face.width for face in self._faces if not face.node.reasons)])
        sizes = [(max(common, face.width), face.height) for face in self._faces]
        links = [
            Link(
                rows[edge.source],
                rows[edge.dest],
                max((width(plain(line), _LABEL_PX, is_bold=True) for line in lines), default=0),
                len(lines) * _LABEL_LINE,
                trunk=f"{edge.weight} {self._stroke(edge)}",
            )
            for edge, lines in zip(self._edges, self._labels, strict=True)
        ]
        return lay_out(sizes, links, _MEASURES)

    def _heading_width(self) -> int:
        return max(
            width(heading(self._diagram), 19, is_bold=True),
            width(summary(self._diagram, self._paint), _LABEL_PX),
        )

    def document(self, theme: Theme) -> Iterator[str]:
        title, told = heading(self._diagram), description(self._diagram, self._paint)
        key = f"{zlib.crc32((title + told).encode()):08x}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'width="{self._width}" height="{self._height}" role="img" '
            f'aria-labelledby="title-{key} desc-{key}">'
        )
        yield f'<title id="title-{key}">{escape(title)}</title>'
        yield f'<desc id="desc-{key}">{escape(told)}</desc>'
        yield f"<style>\n{stylesheet(theme)}\n</style>"
        yield rectangle(Rect(0, 0, self._width, self._height), "card", 14)
        yield text(title, _MARGIN, 36, "heading")
        yield text(summary(self._diagram, self._paint), _MARGIN, 57, "muted")
        left = _MARGIN - self._layout.extent.x + (self._inner_width - self._layout.extent.width) // 2
        yield f'<g transform="translate({left} {_HEAD})">'
        yield from self._groups()
        order = sorted(range(len(self._edges)), key=lambda n: _DEPTH[self._edges[n].weight])
        for number in order:
            yield from self._edge(self._edges[number], self._labels[number], self._layout.wires[number])
        for face, box in zip(self._faces, self._layout.boxes, strict=True):
            yield from self._node(face, box)
        yield "</g>"
        yield from self._key()
        yield "</svg>"

    # --- groups ----------------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[str]:
        """A band behind each unbroken run of states of one group."""
        start = 0
        nodes, boxes = self._diagram.nodes, self._layout.boxes
        for row in range(1, len(nodes) + 1):
            if row == len(nodes) or nodes[row].group != nodes[start].group:
                if nodes[start].group is not None:
                    yield rectangle(self._band(boxes[start].y, boxes[row - 1].bottom), "group", 14)
                start = row

    def _band(self, top: int, bottom: int) -> Rect:
        extent = self._layout.extent
        return Rect(
            extent.x - _BAND_X, top - _BAND_Y, extent.width + 2 * _BAND_X, bottom - top + 2 * _BAND_Y
        )

    # --- edges -----------------------------------------------------------------------------------------------

    def _edge(self, edge: Edge, lines: Sequence[Line], wire: Wire) -> Iterator[str]:
        yield f"<g><title>{escape(edge_words(edge, self._paint))}</title>"
        css, stroke = self._stroke(edge)
        yield (joint if wire.joins else arrow)(wire.points, css, stroke)
        x = wire.label.right if wire.side > 0 else wire.label.x
        for place, line in enumerate(lines):
            y = wire.label.y + place * _LABEL_LINE + 13
            yield words(line, x, y, anchor="end" if wire.side > 0 else "start")
        yield "</g>"

    def _stroke(self, edge: Edge) -> tuple[str, float | None]:
        if self._paint is None:
            return f"way-{edge.weight}", None
        used = self._paint.edge(edge)
        if not used.count:
            return "way-unused", None
        stroke = 1.4 + 3.6 * math.log1p(used.count) / math.log1p(self._most)
        return f"way-{edge.weight}{' way-failing' if used.failures else ''}", round(stroke, 1)

    # --- states ----------------------------------------------------------------------------------------------

    def _node(self, face: _Face, box: Rect) -> Iterator[str]:
        node, paint = face.node, self._paint
        is_here = paint is not None and paint.current == node.name
        yield f"<g><title>{escape(node_words(node, paint))}</title>"
        radius = 12 if node.kind is Kind.NORMAL else min(24, box.height // 2)
        yield rectangle(box, f"box heat-{self._heat(node)}{' here' if is_here else ''}", radius)
        if node.kind is Kind.FINAL:
            inner = Rect(box.x + 5, box.y + 5, box.width - 10, box.height - 10)
            yield rectangle(inner, "ring", max(radius - 5, 4))
        yield from self._face(face, box)
        if paint is not None:
            yield from self._share(node, box)
        if is_here:
            yield from self._flag(box)
        yield "</g>"

    def _face(self, face: _Face, box: Rect) -> Iterator[str]:
        y = box.y + (box.height - face.height) // 2 + _BOX_PAD_Y + 15
        yield words(face.lines[0], 0, y, anchor="middle")
        if face.node.kind is Kind.INITIAL:
            x = -width(plain(face.lines[0]), _NAME_PX, is_bold=True) // 2 - 11
            yield element("circle", {"class": "dot", "cx": x, "cy": y - 5, "r": 5})
        for place, line in enumerate(face.lines[1:], 1):
            yield words(line, 0, y + place * _LINE + 1, anchor="middle", css="small")

    def _share(self, node: Node, box: Rect) -> Iterator[str]:
        """A bar of the state's share of all the time."""
        assert self._paint is not None
        used = self._paint.state(node.name)
        if self._paint.time_s <= 0 or used.time_s <= 0:
            return
        room = box.width - 24
        bar = max(3, round(room * used.time_s / self._paint.time_s))
        yield rectangle(Rect(box.x + 12, box.bottom - 8, room, 3), "track", 1)
        yield rectangle(Rect(box.x + 12, box.bottom - 8, bar, 3), "bar", 1)

    def _flag(self, box: Rect) -> Iterator[str]:
        assert self._paint is not None
        told = "now" if self._paint.is_running else "here"
        flag = Rect(box.right - 58, box.y - 10, 46, 20)
        yield rectangle(flag, "flag", 10)
        yield text(told, flag.x + 23, flag.y + 14, "on-accent small", anchor="middle")

    def _heat(self, node: Node) -> int:
        if self._paint is None:
            return 0
        most = max((used.failures for used in self._paint.states.values()), default=0)
        failures = self._paint.state(node.name).failures
        return math.ceil(_HEATS * failures / most) if failures else 0

    # --- the key ---------------------------------------------------------------------------------------------

    def _key(self) -> Iterator[str]:
        top = _HEAD + self._layout.extent.height + _MARGIN + _KEY_LINE // 2
        for sample in self._samples:
            x, y = _MARGIN + sample.x, top + sample.row * _KEY_LINE
            if sample.css == "bar":
                yield rectangle(Rect(x, y - 1, 26, 3), sample.css, 1)
            elif sample.css.startswith("way"):
                yield arrow(((x, y), (x + 26, y)), sample.css)
            else:
                yield rectangle(Rect(x, y - 7, 26, 14), sample.css, 5)
            yield text(sample.told, x + 34, y + 4, "muted small")

    def _key_samples(self) -> list[_Sample]:
        """From left to right, in as many rows as it takes."""
        found: list[_Sample] = []
        x = row = 0
        for css, told in self._key_entries():
            needed = 34 + width(told, _LINE_PX)
            if x and x + needed > self._inner_width:
                x, row = 0, row + 1
            found.append(_Sample(x, row, css, told))
            x += needed + 12
        return found

    def _key_entries(self) -> Iterator[tuple[str, str]]:
        if self._paint is None:
            yield from ((f"way-{weight}", told) for weight, told in _WEIGHTS if self._has(weight))
        else:
            yield "way-main way-failing", "went wrong"
            yield "way-unused", "never taken"
            yield "box heat-4", "most failures"
            if self._paint.time_s > 0:
                yield "bar", "share of the time"
        for group in dict.fromkeys(node.group for node in self._diagram.nodes):
            if group is not None:
                yield "group", shown(group)

    def _has(self, weight: Weight) -> bool:
        return any(edge.weight is weight for edge in self._edges)


_DEPTH = {Weight.ASIDE: 0, Weight.OTHER: 1, Weight.MAIN: 2}
_WEIGHTS = (
    (Weight.MAIN, "the main way"),
    (Weight.OTHER, "other ways"),
    (Weight.ASIDE, "failed, or asked to stop"),
)
