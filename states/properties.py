"""Kinds of properties, and checking them: `always`, `sometimes` and `eventually`, over everything there is.

- `Always` is about every step. Its counterexample is the shortest lifecycle that ends with the step that breaks it.
- `Sometimes` is about some step: what is claimed to be possible has a witness, so that no proof holds of nothing.
- `Eventually` is about every endless lifecycle: there is none, as long as the world is fair. Its counterexample is a
  lifecycle that comes round to where it has been, and which nothing would ever end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from states.definition import BUILT_IN, Definition
from states.explore import Configuration, Search, Step
from states.facts import Limits
from states.world import LIMITS

__all__ = ["Always", "Eventually", "Property", "Sometimes", "Verdict", "check"]

Holds = Callable[[Step], bool]


@dataclass(frozen=True, slots=True)
class Always:
    """Every step satisfies `holds`."""

    name: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Some step satisfies `holds`."""

    name: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class Eventually:
    """Under `limits`, every fair lifecycle comes to an end.

    Attributes:
        fair: classes of steps; the world is fair to a class when it does not refuse for ever what is possible again
            and again (strong fairness).
        within: what the world is taken to do at all; None for everything.
    """

    name: str
    limits: Limits
    fair: tuple[Holds, ...] = ()
    within: Holds | None = None


Property = Always | Sometimes | Eventually


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one claim.

    Attributes:
        path: the counterexample, or the witness of a `Sometimes` that holds; from the start on.
        cycle: how the counterexample of an `Eventually` goes on for ever.
    """

    claim: Property
    holds: bool
    path: tuple[Step, ...] = ()
    cycle: tuple[Step, ...] = ()

    @property
    def kind(self) -> str:
        """"always", "sometimes" or "eventually"."""
        return type(self.claim).__name__.lower()


def check(
    properties: Iterable[Property],
    definition: Definition = BUILT_IN,
    limits: Limits = LIMITS,
    *,
    search: Search | None = None,
    is_hasty: bool = False,
) -> list[Verdict]:
    """Check all of them in as few searches as they need, and give their verdicts in their order.

    Args:
        search: a search to use (and to look at afterwards) for what is always and sometimes.
        is_hasty: stop at the first property that does not hold, and give its verdict alone.
    """
    found: dict[Property, Verdict] = {}
    properties = tuple(properties)
    for verdict in _verdicts(properties, definition, limits, search):
        if is_hasty and not verdict.holds:
            return [verdict]
        found[verdict.claim] = verdict
    return [found[each] for each in properties]


def _verdicts(
    properties: tuple[Property, ...], definition: Definition, limits: Limits, search: Search | None
) -> Iterator[Verdict]:
    always = [each for each in properties if isinstance(each, Always)]
    wanted = [each for each in properties if isinstance(each, Sometimes)]
    search = search or Search(definition, limits)
    if always or wanted:
        yield from _of_steps(always, wanted, search)
    for each in properties:
        if isinstance(each, Eventually):
            is_same = search.is_whole and search.limits == each.limits
            yield _of_cycles(each, search if is_same else Search(definition, each.limits))


def _of_steps(always: list[Always], wanted: list[Sometimes], search: Search) -> Iterator[Verdict]:
    for here, step in search.run():
        for broken in [each for each in always if not each.holds(step)]:
            always.remove(broken)
            yield Verdict(broken, holds=False, path=search.path(here, step))
        for shown in [each for each in wanted if each.holds(step)]:
            wanted.remove(shown)
            yield Verdict(shown, holds=True, path=search.path(here, step))
    yield from (Verdict(each, holds=True) for each in always)
    yield from (Verdict(each, holds=False) for each in wanted)


# --- what goes on for ever -----------------------------------------------------------------------------------

_Graph = dict[Configuration, list[tuple[Step, Configuration]]]


def _of_cycles(claim: Eventually, search: Search) -> Verdict:
    if not search.is_whole:
        for _ in search.run():
            pass
    graph: _Graph = {
        here: [(step, there) for step, there in steps if claim.within is None or claim.within(step)]
        for here, steps in search.graph.items()
        if here[0] not in search.definition.final
    }
    trapped = next(_traps(graph, claim.fair), None)
    if trapped is None:
        return Verdict(claim, holds=True)
    cycle = _cycle(trapped)
    return Verdict(claim, holds=False, path=search.path(cycle[0][0]), cycle=tuple(step for _, step in cycle))


def _traps(graph: _Graph, fair: tuple[Holds, ...]) -> Iterator[_Graph]:
    """The parts of the graph in which a fair world can go round for ever.

    A part that can be gone round in, and in which a fair class of steps is possible but only ever leads out, is left
    in the end by whoever passes there again and again; what goes round without passing there remains to be looked at.
    """
    for members in _components(graph):
        part = {here: [edge for edge in graph[here] if edge[1] in members] for here in members}
        if not any(part.values()):
            continue
        leaving: set[Configuration] = set()
        for is_fair in fair:
            possible = {here for here in members if any(is_fair(step) for step, _ in graph[here])}
            stays = any(is_fair(step) for here in members for step, _ in part[here])
            if possible and not stays:
                leaving |= possible
        if not leaving:
            yield part
            continue
        # The graph's own edges, so that what leads out is still seen to be possible.
        yield from _traps({here: graph[here] for here in members - leaving}, fair)


def _components(graph: _Graph) -> Iterator[set[Configuration]]:
    """Strongly connected components, by Tarjan's algorithm without recursion."""
    index: dict[Configuration, int] = {}
    low: dict[Configuration, int] = {}
    path: list[Configuration] = []
    on_path: set[Configuration] = set()
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        path.append(root)
        on_path.add(root)
        while work:
            here, edges = work[-1]
            for _, there in edges:
                if there not in graph:
                    continue
                if there not in index:
                    index[there] = low[there] = len(index)
                    path.append(there)
                    on_path.add(there)
                    work.append((there, iter(graph[there])))
                    break
                if there in on_path:
                    low[here] = min(low[here], index[there])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == index[here]:
                    members = set(path[path.index(here) :])
                    del path[-len(members) :]
                    on_path -= members
                    yield members


def _cycle(part: _Graph) -> list[tuple[Configuration, Step]]:
    """A way round within `part`, every member of which has a way on inside it."""
    here = next(here for here, edges in part.items() if edges)
    walked: dict[Configuration, int] = {}
    steps: list[tuple[Configuration, Step]] = []
    while here not in walked:
        walked[here] = len(steps)
        step, there = part[here][0]
        steps.append((here, step))
        here = there
    return steps[walked[here] :]

