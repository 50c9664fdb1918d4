"""A diagram told in sentences: for screen readers, tooltips and whoever cannot see the picture."""

from __future__ import annotations

from lifecycle.diagram import figures
from lifecycle.diagram.labels import visible
from lifecycle.diagram.model import Diagram, Edge, Kind, Node
from lifecycle.diagram.paint import Paint

__all__ = ["description", "edge_words", "heading", "node_words", "summary"]


def heading(diagram: Diagram) -> str:
    """The picture's name."""
    return visible(diagram.name)


def summary(diagram: Diagram, paint: Paint | None = None) -> str:
    """The line under the name: the main way, or what the journal says of all."""
    if paint is not None:
        return figures.summary(diagram, paint)
    return f"{len(diagram.nodes)} states, {sum(len(edge.arrows) for edge in diagram.edges)} transitions"


def description(diagram: Diagram, paint: Paint | None = None) -> str:
    """Everything the picture shows, edge by edge."""
    sentences = [f"{summary(diagram, paint)}."]
    sentences.extend(f"{node_words(node, paint)}." for node in diagram.nodes if node.kind is not Kind.NORMAL or paint)
    for edge in diagram.edges:
        arrows = ", ".join(visible(str(arrow)) for arrow in edge.arrows)
        sentences.append(f"{visible(edge.source)} to {visible(edge.dest)}: {arrows}{_used(edge, paint)}.")
    return " ".join(sentences)


def node_words(node: Node, paint: Paint | None = None) -> str:
    """A state, what it is, and its use."""
    told = visible(node.name) if node.kind is Kind.NORMAL else f"{visible(node.name)} is {node.kind}"
    if paint is None:
        return told
    used = paint.state(node.name)
    failures, others = figures.troubles(used)
    return ", ".join((told, *figures.use(used), *failures, *others, *_here(node, paint)))


def edge_words(edge: Edge, paint: Paint | None = None) -> str:
    """An edge with the reason of each of its rows, a line a row."""
    lines = [
        f"{visible(edge.source)} → {visible(edge.dest)}: {visible(str(arrow))}: {visible(arrow.why)}"
        for arrow in edge.arrows
    ]
    return "\n".join(lines) + _used(edge, paint)


def _here(node: Node, paint: Paint) -> list[str]:
    return ["the current state"] if node.name == paint.current else []


def _used(edge: Edge, paint: Paint | None) -> str:
    if paint is None:
        return ""
    used = paint.edge(edge)
    if not used.count:
        return ": never taken"
    failures, others = figures.troubles(used)
    told = [f"taken {used.count:,} times" if used.count > 1 else "taken once", *figures.use(used)[1:]]
    return ": " + ", ".join((*told, *failures, *others))
