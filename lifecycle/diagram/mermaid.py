"""Mermaid: a flowchart that GitHub and others draw in a Markdown document, with neutral colours for light and dark.

A flowchart and not a state diagram, since only it draws the main way strong and the ways aside faint.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from lifecycle.diagram.labels import Line, Voice, edge_lines, node_lines, plain
from lifecycle.diagram.model import Diagram, Edge, Kind, Node, Weight
from lifecycle.diagram.names import shown
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import COLOURS, Role, Theme
from lifecycle.diagram.words import heading, summary

__all__ = ["render"]


def render(diagram: Diagram, paint: Paint | None = None) -> str:
    """Write the diagram as a Mermaid flowchart; with `paint`, with what a journal says of it."""
    return "\n".join(_lines(diagram, paint)) + "\n"


def _lines(diagram: Diagram, paint: Paint | None) -> Iterator[str]:
    ids = _ids(diagram)
    yield _WIDE
    yield "flowchart TB"
    yield f"    accTitle: {_escaped(heading(diagram))}"
    yield f"    accDescr: {_escaped(summary(diagram, paint))}"
    panels: list[str] = []
    for group, nodes in groupby(diagram.nodes, key=lambda node: node.group):
        drawn = [f"{ids[node.name]}{_shape(node, node_lines(node, diagram, paint))}" for node in nodes]
        if group is None:
            yield from (f"    {node}" for node in drawn)
        else:
            panels.append(f"group{len(panels) + 1}")
            yield f'    subgraph {panels[-1]}["{_escaped(shown(group))}"]'
            yield from (f"        {node}" for node in drawn)
            yield "    end"
    edges = [edge for edge in diagram.edges if edge.source != edge.dest]
    for edge in edges:
        label = _label(edge_lines(edge, paint))
        yield f'    {ids[edge.source]} {_ARROWS[edge.weight]}|"{label}"| {ids[edge.dest]}'
    yield from (f"    style {panel} fill:transparent,stroke:#768390,stroke-dasharray:4 4" for panel in panels)
    yield from (f"    {style}" for style in _styles(diagram, edges, ids, paint))


_WIDE = '%%{init: {"flowchart": {"wrappingWidth": 420}}}%%'
"""Lines break where we break them, and not wherever Mermaid finds them long."""

_ARROWS = {Weight.MAIN: "==>", Weight.OTHER: "-->", Weight.ASIDE: "-.->"}
_SHAPES = {Kind.INITIAL: ('(["', '"])'), Kind.NORMAL: ('("', '")'), Kind.FINAL: ('[["', '"]]')}
_COLOURS = {Weight.MAIN: "#2f7bd9", Weight.OTHER: "#768390", Weight.ASIDE: "#868f9a"}
_FAILING = "#d1454f"
_HEATS = (Role.HEAT_1, Role.HEAT_2, Role.HEAT_3, Role.HEAT_4)
_SIMPLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""Names that no keyword of Mermaid's can be, as those are written small."""


def _ids(diagram: Diagram) -> dict[str, str]:
    return {
        node.name: node.name if _SIMPLE.fullmatch(node.name) else f"state{row}"
        for row, node in enumerate(diagram.nodes)
    }


def _shape(node: Node, lines: Sequence[Line]) -> str:
    begin, end = _SHAPES[node.kind]
    return f"{begin}{_label(lines)}{end}"


def _label(lines: Sequence[Line]) -> str:
    return "<br/>".join(_strong(line) if line[0].voice is Voice.NAME else _escaped(plain(line)) for line in lines)


def _strong(line: Line) -> str:
    return f"<b>{_escaped(plain(line))}</b>"


def _escaped(words: str) -> str:
    """Letters of every script as they are; whatever could mean something to Mermaid, by its number."""
    return "".join(
        letter if letter.isalnum() or letter in " _,.:$·×[]()→" or ord(letter) > 0x2000 else f"#{ord(letter)};"
        for letter in words
    )


def _styles(
    diagram: Diagram, edges: Sequence[Edge], ids: dict[str, str], paint: Paint | None
) -> Iterator[str]:
    for weight, colour in _COLOURS.items():
        numbers = [n for n, edge in enumerate(edges) if edge.weight is weight and not _has_failed(edge, paint)]
        if numbers:
            yield f"linkStyle {','.join(map(str, numbers))} stroke:{colour}"
    failing = [n for n, edge in enumerate(edges) if _has_failed(edge, paint)]
    if failing:
        yield f"linkStyle {','.join(map(str, failing))} stroke:{_FAILING}"
    if paint is None:
        return
    most = max((used.failures for used in paint.states.values()), default=0)
    for node in diagram.nodes:
        style = []
        if failures := paint.state(node.name).failures:
            light = COLOURS[Theme.LIGHT]
            heat = light[_HEATS[math.ceil(len(_HEATS) * failures / most) - 1]]
            style.append(f"fill:{heat},color:{light[Role.INK]},stroke:{_FAILING}")
        if node.name == paint.current:
            style.append(f"stroke:{_COLOURS[Weight.MAIN]},stroke-width:4px")
        if style:
            yield f"style {ids[node.name]} {','.join(style)}"


def _has_failed(edge: Edge, paint: Paint | None) -> bool:
    return paint is not None and paint.edge(edge).failures > 0
