"""DOT, the language of Graphviz, for whoever has it and wants its layout or one of its many formats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from lifecycle.diagram.labels import Line, Voice, edge_lines, node_lines
from lifecycle.diagram.model import Diagram, Edge, Kind, Node, Weight
from lifecycle.diagram.names import shown, visible
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import COLOURS, Role, Theme
from lifecycle.diagram.words import edge_words, heading, node_words, summary

__all__ = ["render"]

_COLOUR = COLOURS[Theme.LIGHT]
_FONT = "Inter,Helvetica,Arial,sans-serif"


def render(diagram: Diagram, paint: Paint | None = None) -> str:
    """Write the diagram in DOT; with `paint`, with what a journal says of it."""
    return "\n".join(_lines(diagram, paint)) + "\n"


def _lines(diagram: Diagram, paint: Paint | None) -> Iterator[str]:
    title = f"{_font(heading(diagram), Role.INK, 18, is_bold=True)}<BR/>"
    title += _font(summary(diagram, paint), Role.MUTED, 12)
    yield f"digraph {_quoted(visible(diagram.name))} {{"
    yield f"    graph [label=<{title}>, labelloc=t, rankdir=TB, nodesep=0.6, ranksep=0.45, pad=0.3,"
    yield f'           bgcolor="{_COLOUR[Role.CARD]}", fontname="{_FONT}"{_HASTE if len(diagram.edges) > _MANY else ""}]'
    yield f'    node [shape=box, style="rounded,filled", color="{_COLOUR[Role.BORDER]}",'
    yield f'          fillcolor="{_COLOUR[Role.BOX]}", fontname="{_FONT}", margin="0.25,0.12"]'
    yield f'    edge [fontname="{_FONT}", fontsize=11, arrowsize=0.8]'
    number = 0
    for group, members in groupby(diagram.nodes, key=lambda node: node.group):
        drawn = [f"{_quoted(visible(node.name))} [{_node(node, diagram, paint)}]" for node in members]
        if group is None:
            yield from (f"    {node}" for node in drawn)
        else:
            number += 1
            yield f"    subgraph cluster_{number} {{"
            yield f'        graph [label=<{_font(shown(group), Role.MUTED, 11)}>, labeljust=l, style="rounded,filled",'
            yield f'               color="{_COLOUR[Role.FRAME]}", fillcolor="{_COLOUR[Role.GROUP]}", margin=14]'
            yield from (f"        {node}" for node in drawn)
            yield "    }"
    for edge in diagram.edges:
        if edge.source != edge.dest:
            yield f"    {_quoted(visible(edge.source))} -> {_quoted(visible(edge.dest))} [{_edge(edge, diagram, paint)}]"
    yield "}"


def _node(node: Node, diagram: Diagram, paint: Paint | None) -> str:
    attributes = {
        "label": _label(node_lines(node, diagram, paint), is_centred=True),
        "tooltip": _quoted(node_words(node, paint)),
    }
    if node.kind is not Kind.NORMAL:
        attributes["peripheries"] = "2" if node.kind is Kind.FINAL else "1"
    if paint is not None:
        most = max((used.failures for used in paint.states.values()), default=0)
        if failures := paint.state(node.name).failures:
            heat = (Role.HEAT_1, Role.HEAT_2, Role.HEAT_3, Role.HEAT_4)[math.ceil(4 * failures / most) - 1]
            attributes["fillcolor"] = f'"{_COLOUR[heat]}"'
        if node.name == paint.current:
            attributes |= {"color": f'"{_COLOUR[Role.ACCENT]}"', "penwidth": "3.5"}
    return _written(attributes)


def _edge(edge: Edge, diagram: Diagram, paint: Paint | None) -> str:
    role, penwidth, style, weight = _EDGES[edge.weight]
    words = _quoted(edge_words(edge, paint))
    if paint is not None:
        used = paint.edge(edge)
        most = max(paint.edge(each).count for each in diagram.edges)
        penwidth = 1.0 + 3.0 * math.log1p(used.count) / math.log1p(most) if most else penwidth
        style = style if used.count else "dotted"
        role = Role.FAILURE if used.failures else role if used.count else Role.ASIDE
    return _written(
        {
            "label": _label(edge_lines(edge, paint), is_centred=False),
            "color": f'"{_COLOUR[role]}"',
            "penwidth": f"{penwidth:.1f}",
            "style": style,
            "weight": str(weight),
            "tooltip": words,
            "labeltooltip": words,
        }
    )


_MANY, _HASTE = 150, ", nslimit=1, nslimit1=1, mclimit=0.1, splines=line"
"""So many edges take Graphviz minutes unless it is told to be content sooner: most of them for the curves of lines."""

_EDGES = {
    Weight.MAIN: (Role.ACCENT, 2.2, "solid", 10),
    Weight.OTHER: (Role.LINE, 1.4, "solid", 1),
    Weight.ASIDE: (Role.ASIDE, 1.2, "dashed", 1),
}
_ROLES: Mapping[Voice, Role] = {
    Voice.NAME: Role.INK,
    Voice.FIGURE: Role.MUTED,
    Voice.TRIGGER: Role.INK,
    Voice.ASIDE: Role.MUTED,
    Voice.GUARD: Role.GUARD,
    Voice.COUNT: Role.INK,
    Voice.FAILURE: Role.FAILURE,
    Voice.TROUBLE: Role.TROUBLE,
    Voice.UNUSED: Role.MUTED,
}


def _label(lines: Sequence[Line], *, is_centred: bool) -> str:
    end = "<BR/>" if is_centred else '<BR ALIGN="LEFT"/>'
    space = "" if is_centred else _font("  ", Role.INK, 11)
    return f"<{''.join(space + _line(line) + end for line in lines)}>"


def _line(line: Line) -> str:
    return "".join(
        _font(piece.text, _ROLES[piece.voice], 14 if piece.voice is Voice.NAME else 11, is_bold=piece.voice in _BOLD)
        for piece in line
    )


_BOLD = frozenset({Voice.NAME, Voice.COUNT})


def _font(words: str, role: Role, size: int, *, is_bold: bool = False) -> str:
    # A label's first and last blanks are dropped unless they cannot break, and a single \N is told as the state's name.
    inner = escape(words, {" ": "&#160;", "\\": "\\\\"})
    return f'<FONT COLOR="{_COLOUR[role]}" POINT-SIZE="{size}">{f"<B>{inner}</B>" if is_bold else inner}</FONT>'


def _written(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _quoted(words: str) -> str:
    """Words between quotation marks. Graphviz reads a backslash there as the beginning of an escape."""
    told = words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{told}"'
