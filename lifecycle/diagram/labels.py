"""The words on states and edges, cut into lines: each line pieces of one voice, so that every format can tell them apart.

Owns what stands there and where its lines break; refuses to know how wide a letter is or what colour it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lifecycle.diagram import figures
from lifecycle.diagram.model import Arrow, Diagram, Edge, Node
from lifecycle.diagram.names import shown
from lifecycle.diagram.paint import Paint, is_bad

__all__ = ["Line", "Piece", "Voice", "edge_lines", "node_lines", "plain"]

_EDGE_ROOM, _NODE_ROOM = 30, 36
"""Letters that may stand on a line before the next one is begun."""


class Voice(StrEnum):
    """What a piece of a label tells."""

    NAME = "name"
    FIGURE = "figure"
    TRIGGER = "trigger"
    ASIDE = "aside"
    GUARD = "guard"
    COUNT = "count"
    FAILURE = "failure"
    TROUBLE = "trouble"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one voice."""

    text: str
    voice: Voice


Line = tuple[Piece, ...]


def edge_lines(edge: Edge, paint: Paint | None = None) -> tuple[Line, ...]:
    """What is written on an edge: a line a row of the table, asides joined; painted, also how often."""
    lines: list[Line] = []
    asides: list[Line] = []
    for arrow in edge.arrows:
        line = _arrow_line(edge, arrow, paint)
        (asides if arrow.is_aside and arrow.guard is None else lines).append(line)
    lines.extend(_joined(asides, _EDGE_ROOM))
    if paint is not None and (failures := paint.edge(edge).failures):
        lines.append((Piece(figures.failures(failures), Voice.FAILURE),))
    return tuple(lines)


def node_lines(node: Node, diagram: Diagram, paint: Paint | None = None) -> tuple[Line, ...]:
    """What is written in a state's box: its name, ways back to itself, why runs end there; painted, its use."""
    lines: list[Line] = [(Piece(shown(node.name), Voice.NAME),)]
    for edge in diagram.edges:
        if edge.source == edge.dest == node.name:
            lines.extend((Piece("again: ", Voice.FIGURE), *line) for line in edge_lines(edge, paint))
    if paint is None:
        lines.extend(_joined([(Piece(shown(reason), Voice.FIGURE),) for reason in node.reasons], _NODE_ROOM))
        return tuple(lines)
    used = paint.state(node.name)
    if used.count or used.crashes or used.time_s or used.troubles:
        lines.extend(_joined([(Piece(words, Voice.FIGURE),) for words in figures.use(used)], _NODE_ROOM))
    failures, others = figures.troubles(used)
    lines.extend(_joined([(Piece(words, Voice.FAILURE),) for words in failures], _NODE_ROOM))
    lines.extend(_joined([(Piece(words, Voice.TROUBLE),) for words in others], _NODE_ROOM))
    if node.name == paint.current and paint.reason is not None:
        voice = Voice.FAILURE if is_bad(paint.reason) else Voice.FIGURE
        lines.append((Piece(f"stopped: {shown(paint.reason)}", voice),))
    return tuple(lines)


def plain(line: Line) -> str:
    """The line without its voices."""
    return "".join(piece.text for piece in line)


def _arrow_line(edge: Edge, arrow: Arrow, paint: Paint | None) -> Line:
    used = None if paint is None else paint.arrow(edge, arrow)
    is_unused = paint is not None and paint.edge(edge).count == 0
    voice = Voice.UNUSED if is_unused else Voice.ASIDE if arrow.is_aside else Voice.TRIGGER
    pieces = [Piece(shown(arrow.trigger), voice)]
    if arrow.guard is not None:
        pieces.append(Piece(f" [{shown(arrow.guard)}]", Voice.UNUSED if is_unused else Voice.GUARD))
    if used is not None and used.steps:
        pieces.append(Piece(f" {' '.join(f'#{step}' for step in used.steps)}", Voice.COUNT))
    elif used is not None and used.count:
        pieces.append(Piece(f" ×{used.count:,}", Voice.COUNT))
    return tuple(pieces)


def _joined(parts: list[Line], room: int) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        if lines and len(plain(lines[-1])) + len(plain(part)) + 3 <= room:
            lines[-1] = (*lines[-1], Piece(" · ", part[0].voice), *part)
        else:
            lines.append(part)
    return lines
