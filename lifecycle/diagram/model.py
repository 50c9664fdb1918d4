"""The table as a plain model that renderers draw: states in reading order, and what leads between them.

Owns the reading of a table's shape: what is initial and final, which way is the main one, what comes round again.
It refuses to know any format, and any state or guard by name but the built-in final one, so that a host's table is read like our own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from states.table import FINAL, TABLE, Transition
from states.vocabulary import StopReason, Trigger

__all__ = ["Arrow", "Diagram", "Edge", "Kind", "Node", "Weight", "diagram_of"]

CYCLE = "every cycle"
"""The group of the states that come round again, where the table's author names none."""


class Kind(StrEnum):
    """What a state is to a run."""

    INITIAL = "initial"
    NORMAL = "normal"
    FINAL = "final"


class Weight(StrEnum):
    """How much an edge matters to a first look."""

    MAIN = "main"
    """The first way out of its state that is not aside: what happens when all is well."""

    OTHER = "other"

    ASIDE = "aside"
    """Only taken when something failed or somebody asked to stop."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state.

    Attributes:
        group: the caption it shares with its like, or None.
        reasons: why a run may come to its end here, in order of precedence; empty where nobody says.
    """

    name: str
    kind: Kind = Kind.NORMAL
    group: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row of the table, without its ends."""

    trigger: str
    guard: str | None
    why: str

    @property
    def is_aside(self) -> bool:
        """Whether it tells of a failure or a stop request."""
        return _is_aside(self)

    def __str__(self) -> str:
        return self.trigger if self.guard is None else f"{self.trigger} [{self.guard}]"


@dataclass(frozen=True, slots=True)
class Edge:
    """Everything that leads from one state to another, in the table's order: drawn as one line."""

    source: str
    dest: str
    arrows: tuple[Arrow, ...]
    weight: Weight


@dataclass(frozen=True, slots=True)
class Diagram:
    """A lifecycle to draw.

    Attributes:
        name: what it is called.
        nodes: in reading order: along the main way, with the final states last where the edges allow it.
        edges: in the order of their sources, then of the table.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, name: str) -> Node:
        """The state of that name."""
        return next(node for node in self.nodes if node.name == name)


def diagram_of(
    table: Iterable[Transition] = TABLE,
    *,
    name: str = "lifecycle",
    groups: Mapping[str, str] | None = None,
) -> Diagram:
    """Read a table. It is drawn as it is, valid or not: a picture is how one finds the mistake.

    Args:
        groups: state -> the caption of its group; None puts the states that come round again into one.

    >>> [node.name for node in diagram_of().nodes]
    ['NEW', 'DETECT', 'CREATE', 'RUN', 'END', 'CONTINUE', 'SHUTDOWN']
    """
    rows = tuple(table)
    ways: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=_is_aside):
        ways[row.source].append(row.dest)
    order = _reading_order(rows, ways)
    rank = {state: place for place, state in enumerate(order)}
    named = _cycles(order, ways) if groups is None else groups
    entered = {row.dest for row in rows if row.source != row.dest}
    nodes = tuple(
        Node(state, _kind(state, state in entered, ways), named.get(state), _REASONS.get(state, ()))
        for state in order
    )
    edges = sorted(_edges(rows), key=lambda edge: rank[edge.source])
    return Diagram(name, nodes, tuple(edges))


_REASONS = dict.fromkeys(map(str, FINAL), tuple(map(str, StopReason)))
_ASIDE = frozenset({str(Trigger.FAILED), str(Trigger.STOP_REQUESTED)})


def _is_aside(row: Transition | Arrow) -> bool:
    return row.trigger in _ASIDE


def _kind(state: str, is_entered: bool, ways: Mapping[str, Sequence[str]]) -> Kind:
    if not is_entered:
        return Kind.INITIAL
    return Kind.NORMAL if any(dest != state for dest in ways.get(state, ())) else Kind.FINAL


def _edges(rows: Sequence[Transition]) -> Iterable[Edge]:
    between: dict[tuple[str, str], list[Arrow]] = defaultdict(list)
    first: dict[str, str] = {}
    for row in rows:
        between[str(row.source), str(row.dest)].append(Arrow(str(row.trigger), row.guard, row.why))
        if not _is_aside(row):
            first.setdefault(row.source, row.dest)
    for (source, dest), arrows in between.items():
        yield Edge(source, dest, tuple(arrows), _weight(arrows, is_first=first.get(source) == dest))


def _weight(arrows: Sequence[Arrow], *, is_first: bool) -> Weight:
    if all(arrow.is_aside for arrow in arrows):
        return Weight.ASIDE
    return Weight.MAIN if is_first else Weight.OTHER


def _reading_order(rows: Sequence[Transition], ways: Mapping[str, Sequence[str]]) -> list[str]:
    """With every way ahead that can be; but where a way aside would tear the main way apart, without such ways."""
    states = list(dict.fromkeys(str(state) for row in rows for state in (row.source, row.dest)))
    entered = {row.dest for row in rows if row.source != row.dest}
    initial = [state for state in states if state not in entered]
    calm: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if not _is_aside(row):
            calm[row.source].append(row.dest)
    main = {(source, dests[0]) for source, dests in calm.items()}
    reached = _closure(initial, calm)
    for row in rows:
        if _is_aside(row) and row.dest not in reached:
            calm[row.source].append(row.dest)
    orders = (_depth_first(states, initial, way) for way in (ways, calm))
    return max(orders, key=lambda order: sum(step in main for step in pairwise(order)))


def _depth_first(states: Sequence[str], initial: Sequence[str], ways: Mapping[str, Sequence[str]]) -> list[str]:
    """The main way is visited last, so that in reverse it follows its source at once."""
    reached = _closure(initial, ways)
    seen: set[str] = set()
    finished: list[str] = []
    for start in initial[::-1]:
        _visit(start, ways, seen, finished)
    order = finished[::-1]
    for start in (state for state in states if state not in reached):  # rings that nothing leads into
        ring: list[str] = []
        _visit(start, ways, seen, ring)
        order += ring[::-1]
    return order


def _closure(start: Iterable[str], ways: Mapping[str, Sequence[str]]) -> set[str]:
    seen, todo = set(start), list(start)
    while todo:
        for dest in ways.get(todo.pop(), ()):
            if dest not in seen:
                seen.add(dest)
                todo.append(dest)
    return seen


def _visit(start: str, ways: Mapping[str, Sequence[str]], seen: set[str], finished: list[str]) -> None:
    if start in seen:
        return
    seen.add(start)
    path = [(start, iter(reversed(ways.get(start, ()))))]
    while path:
        state, rest = path[-1]
        following = next((dest for dest in rest if dest not in seen), None)
        if following is None:
            path.pop()
            finished.append(state)
        else:
            seen.add(str(following))
            path.append((str(following), iter(reversed(ways.get(following, ())))))


def _cycles(order: Sequence[str], ways: Mapping[str, Sequence[str]]) -> dict[str, str]:
    reach = {state: _closure([str(dest) for dest in ways.get(state, ())], ways) for state in order}
    loops: list[list[str]] = []
    for state in order:
        loop = next((loop for loop in loops if loop[0] in reach[state] and state in reach[loop[0]]), None)
        if loop is not None:
            loop.append(state)
        elif state in reach[state]:
            loops.append([state])
    loops = [loop for loop in loops if len(loop) > 1]
    captions = [CYCLE] if len(loops) == 1 else [f"{CYCLE} {number}" for number in range(1, len(loops) + 1)]
    return {state: caption for caption, loop in zip(captions, loops, strict=True) for state in loop}
