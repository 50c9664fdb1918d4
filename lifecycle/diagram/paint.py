"""What a journal says about a table's states and edges: how often, how long, how dear, how badly.

Owns the reckoning, from records alone; refuses to know how it is shown. Moments are seconds since the epoch, costs
are US dollars.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lifecycle.diagram.model import Arrow, Diagram, Edge, Kind, Node, Weight
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Note, TransitionRecord
from states.facts import Outcome
from states.vocabulary import Cause, OutcomeKind, State, StopReason, Trigger

__all__ = ["NO_RUN", "Paint", "Trouble", "Use", "complete", "is_bad", "paint"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong, and how often. `is_failure` says whether it counts as one."""

    cause: str
    count: int
    is_failure: bool


@dataclass(frozen=True, slots=True)
class Use:
    """How a state or an edge was used.

    Attributes:
        count: how often the state was entered, or the edge taken.
        time_s: spent in the state; of an edge, in its source before it was taken.
        cost_usd: likewise.
        troubles: what went wrong there, the failures first, then by how often.
        crashes: how often a state's work was taken up again after its manager died in it; of an edge always 0.
        steps: of an edge in a told sequence, the numbers of the steps that take it, from 1; else empty.
    """

    count: int = 0
    time_s: float = 0.0
    cost_usd: float = 0.0
    troubles: tuple[Trouble, ...] = ()
    crashes: int = 0
    steps: tuple[int, ...] = ()

    @property
    def failures(self) -> int:
        """How many of the troubles were failures."""
        return sum(trouble.count for trouble in self.troubles if trouble.is_failure)


@dataclass(frozen=True, slots=True)
class Paint:
    """What a journal adds to a diagram.

    Attributes:
        states: state -> its use.
        ways: (source, trigger, dest) -> its use.
        current: the state of the last record.
        is_running: whether a manager runs now.
        reason: why the last run stopped, or None.
        runs: the runs' ids, oldest first.
        time_s: over all states.
        cost_usd: over all runs.
        caption: the line under the name, in place of a summary of the record.
    """

    states: Mapping[str, Use]
    ways: Mapping[tuple[str, str, str], Use]
    current: str
    is_running: bool = False
    reason: str | None = None
    runs: tuple[str, ...] = ()
    time_s: float = 0.0
    cost_usd: float = 0.0
    caption: str | None = None

    def state(self, name: str) -> Use:
        """A state's use; one never entered has none."""
        return self.states.get(name, _UNUSED)

    def arrow(self, edge: Edge, arrow: Arrow) -> Use:
        """A row's use. Rows that differ only in their guard share theirs: the first of them tells it."""
        first = next(each for each in edge.arrows if each.trigger == arrow.trigger)
        return self.ways.get((edge.source, arrow.trigger, edge.dest), _UNUSED) if first is arrow else _UNUSED

    def edge(self, edge: Edge) -> Use:
        """Everything that went from one state to the other."""
        uses = [self.arrow(edge, arrow) for arrow in edge.arrows]
        troubles: dict[tuple[str, bool], int] = defaultdict(int)
        for use in uses:
            for trouble in use.troubles:
                troubles[trouble.cause, trouble.is_failure] += trouble.count
        return Use(
            count=sum(use.count for use in uses),
            time_s=sum(use.time_s for use in uses),
            cost_usd=sum(use.cost_usd for use in uses),
            troubles=_sorted(troubles),
        )


def paint(
    records: Sequence[TransitionRecord],
    notes: Iterable[Note] = (),
    *,
    now: float | None = None,
) -> Paint:
    """Reckon what happened.

    Args:
        records: whole runs, oldest first, at least one record.
        notes: the journal's; those that tell of a recovery count as crashes.
        now: the present moment, where a manager is at work: the last state's time runs on until then.
    """
    states: dict[str, _Sum] = defaultdict(_Sum)
    ways: dict[tuple[str, str, str], _Sum] = defaultdict(_Sum)
    before: TransitionRecord | None = None
    for record in records:
        way = ways[record.source, record.trigger, record.dest]
        way.count += 1
        states[record.dest].count += 1
        for place in (way, states[record.source]):
            place.time_s += _time_s(before, record)
            place.cost_usd += _cost_usd(before, record)
            for cause, is_failure in _troubles(before, record):
                place.troubles[cause, is_failure] += 1
        before = record
    runs = tuple(dict.fromkeys(str(record.run_id) for record in records))
    for note in notes:
        if note.kind == NoteKind.RECOVERED and str(note.run_id) in runs:
            states[str(note.data.get("state"))].crashes += 1
    last = records[-1]
    if now is not None:
        states[last.dest].time_s += max(0.0, now - last.at)
    return Paint(
        states={name: total.use() for name, total in states.items()},
        ways={way: total.use() for way, total in ways.items()},
        current=str(last.dest),
        is_running=now is not None,
        reason=last.facts.stop_reason,
        runs=runs,
        time_s=sum(total.time_s for total in states.values()),
        cost_usd=sum(total.cost_usd for total in states.values()),
    )


def complete(diagram: Diagram, paint: Paint) -> Diagram:
    """The diagram with what the journal has and the table has not: nothing that happened is left out.

    The record of a host's lifecycle holds states and edges that the built-in table does not know.
    """
    known = {node.name for node in diagram.nodes}
    named = dict.fromkeys(state for way in paint.ways for state in (way[0], way[2]) if state not in known)
    edges = {(edge.source, edge.dest): edge for edge in diagram.edges}
    for source, trigger, dest in paint.ways:
        edge = edges.get((source, dest), Edge(source, dest, (), Weight.OTHER))
        if all(arrow.trigger != trigger for arrow in edge.arrows):
            edges[source, dest] = replace(edge, arrows=(*edge.arrows, Arrow(trigger, None, _UNKNOWN)))
    nodes = (*diagram.nodes, *(Node(state, Kind.NORMAL) for state in named))
    return replace(diagram, nodes=nodes, edges=tuple(edges.values()))


NO_RUN = Paint({}, {}, current=State.NEW)
"""A project's whose first run has not begun."""

_UNUSED = Use()
_UNKNOWN = "the journal has it, this table has not"


@dataclass(slots=True)
class _Sum:
    count: int = 0
    time_s: float = 0.0
    cost_usd: float = 0.0
    crashes: int = 0
    troubles: dict[tuple[str, bool], int] = field(default_factory=lambda: defaultdict(int))

    def use(self) -> Use:
        return Use(self.count, self.time_s, self.cost_usd, _sorted(self.troubles), self.crashes)


def _sorted(troubles: Mapping[tuple[str, bool], int]) -> tuple[Trouble, ...]:
    found = [Trouble(cause, count, is_failure) for (cause, is_failure), count in troubles.items()]
    return tuple(sorted(found, key=lambda trouble: (not trouble.is_failure, -trouble.count, trouble.cause)))


def _time_s(before: TransitionRecord | None, record: TransitionRecord) -> float:
    """A clock that was set back makes no time; nor does what lies between two runs."""
    if before is None or before.dest != record.source:
        return 0.0
    return max(0.0, record.at - before.at)


def _cost_usd(before: TransitionRecord | None, record: TransitionRecord) -> float:
    already = before.facts.cost_usd if before is not None and before.run_id == record.run_id else 0.0
    return max(0.0, record.facts.cost_usd - already)


def _troubles(before: TransitionRecord | None, record: TransitionRecord) -> Iterable[tuple[str, bool]]:
    """What this record tells first. The outcome stays in the facts until the cycle is over: it is counted once."""
    facts = record.facts
    known = before.facts if before is not None and before.run_id == record.run_id else None
    if facts.outcome is not None and (known is None or known.outcome != facts.outcome):
        yield from _of_outcome(facts.outcome, has_failed=record.trigger == Trigger.FAILED)
    elif record.trigger == Trigger.FAILED:
        yield "failed", True
    if facts.save_error is not None and (known is None or known.save_error != facts.save_error):
        yield "save_error", True


def _of_outcome(outcome: Outcome, *, has_failed: bool) -> Iterable[tuple[str, bool]]:
    is_failure = has_failed or outcome.is_failure or outcome.kind is OutcomeKind.FATAL
    if is_failure or (outcome.cause is not Cause.STOP and outcome.kind is not OutcomeKind.COMPLETED_TURN):
        yield str(outcome.cause), is_failure


def is_bad(reason: str | None) -> bool:
    """Whether a run that stopped for this reason went wrong, rather than finished, was stopped or met a limit."""
    return reason in (StopReason.FATAL, StopReason.MAX_FAILURES, StopReason.STALLED)
