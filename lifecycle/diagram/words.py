"""A diagram told in sentences: for screen readers, tooltips and whoever cannot see the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lifecycle.diagram import figures
from lifecycle.diagram.model import Arrow, Diagram, Edge, Kind, Node, Weight
from lifecycle.diagram.names import shown
from lifecycle.diagram.paint import Paint

__all__ = ["counts", "description", "edge_words", "heading", "node_words", "summary"]


def heading(diagram: Diagram) -> str:
    """The picture's name."""
    return shown(diagram.name)


def summary(diagram: Diagram, paint: Paint | None = None) -> str:
    """The line under the name: the main way, or what the journal says of all."""
    if paint is not None:
        return figures.summary(diagram, paint)
    return counts(diagram)


def counts(diagram: Diagram) -> str:
    """How large it is."""
    return f"{len(diagram.nodes)} states, {sum(len(edge.arrows) for edge in diagram.edges)} transitions"


def description(diagram: Diagram, paint: Paint | None = None) -> str:
    """What the picture shows: edge by edge, or in short where that would be more than anybody listens to.

    In short are the counts, what is initial and final, the main way, and what a journal says of the worst states.
    """
    sentences = [f"{summary(diagram, paint)}."]
    sentences.extend(f"{node_words(node, paint)}." for node in diagram.nodes if node.kind is not Kind.NORMAL or paint)
    for edge in diagram.edges:
        arrows = ", ".join(_arrow_words(arrow) for arrow in edge.arrows)
        sentences.append(f"{shown(edge.source)} to {shown(edge.dest)}: {arrows}{_used(edge, paint)}.")
    whole = " ".join(sentences)
    return whole if len(whole) <= _MOST_LETTERS else " ".join(f"{told}." for told in _in_short(diagram, paint))


_MOST_LETTERS = 2_000
_MOST_NAMES, _LAST_NAMES = 12, 3
_MOST_LETTERS_OF_A_NAME = 60


def _in_short(diagram: Diagram, paint: Paint | None) -> Iterator[str]:
    yield counts(diagram)
    if paint is not None:
        yield summary(diagram, paint)
    for kind in (Kind.INITIAL, Kind.FINAL):
        if names := [node.name for node in diagram.nodes if node.kind is kind]:
            yield f"{str(kind).capitalize()}: {_listed(names)}"
    if len(way := _main_way(diagram)) > 1:
        yield f"The main way: {_listed(way)}"
    if paint is not None:
        yield f"The current state: {node_words(diagram.node(paint.current), paint)}"
        failed = [node for node in diagram.nodes if paint.state(node.name).failures]
        if failed:
            worst = sorted(failed, key=lambda node: -paint.state(node.name).failures)
            told = [f"{_cut(node.name)} ({figures.failures(paint.state(node.name).failures)})" for node in worst[:_LAST_NAMES]]
            more = [f"{len(worst) - len(told):,} more"] if len(worst) > len(told) else []
            yield f"Failed most: {', '.join((*told, *more))}"
    yield "Every state and every way has a title of its own that tells the rest"


def _main_way(diagram: Diagram) -> list[str]:
    """From the first state on by the main edges, to where they end or come round."""
    following = {edge.source: edge.dest for edge in diagram.edges if edge.weight is Weight.MAIN}
    way = dict.fromkeys([diagram.nodes[0].name] if diagram.nodes else [])
    here = next(iter(way), None)
    while here is not None and (here := following.get(here)) is not None and here not in way:
        way[here] = None
    return list(way)


def _listed(names: Sequence[str]) -> str:
    """All names, or the first and the last ones and how many are between."""
    told = [_cut(name) for name in names]
    if len(told) > _MOST_NAMES:
        left_out = len(told) - _MOST_NAMES
        told[_MOST_NAMES - _LAST_NAMES : -_LAST_NAMES] = [f"{left_out:,} more"]
    return ", ".join(told)


def _cut(name: str) -> str:
    return shown(name if len(name) <= _MOST_LETTERS_OF_A_NAME else f"{name[:_MOST_LETTERS_OF_A_NAME]}…")


def _arrow_words(arrow: Arrow) -> str:
    return shown(arrow.trigger) if arrow.guard is None else f"{shown(arrow.trigger)} [{shown(arrow.guard)}]"


def node_words(node: Node, paint: Paint | None = None) -> str:
    """A state, what it is, and its use."""
    told = shown(node.name) if node.kind is Kind.NORMAL else f"{shown(node.name)} is {node.kind}"
    if paint is None:
        return told
    used = paint.state(node.name)
    failures, others = figures.troubles(used)
    return ", ".join((told, *figures.use(used), *failures, *others, *_here(node, paint)))


def edge_words(edge: Edge, paint: Paint | None = None) -> str:
    """An edge with the reason of each of its rows, a line a row."""
    lines = [
        f"{shown(edge.source)} → {shown(edge.dest)}: {_arrow_words(arrow)}: {shown(arrow.why)}"
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
