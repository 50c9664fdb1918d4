"""Every lifecycle there is, within small limits: breadth-first over state x facts, as the table and `states` fold them.

Owns the search and the ways back from what it found to the start. What can happen in a state is `states.world`'s,
what must be true of it is `states.promises`'. Works on any `Definition`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from states.decide import Stop, decide
from states.definition import BUILT_IN, Definition
from states.facts import Facts, Limits
from states.guards import has_work
from states.new import begin
from states.passage import Passage, is_own
from states.table import Transition
from states.vocabulary import OutcomeKind, State, StopReason
from states.world import EARLY, LIMITS, RUN_ID, normal, observations

__all__ = ["Configuration", "FactsClass", "Search", "Step", "classify"]


class Configuration(tuple[str, Facts, "Passage | None"]):  # a tuple's subclass has no room for slots
    """A state, the facts as `normal` leaves them, and in a host's state what is remembered of the way there.

    It is looked up often, so it keeps its hash.
    """

    _hash: int

    def __new__(cls, state: str, facts: Facts, passage: Passage | None = None) -> Self:
        made = super().__new__(cls, (state, facts, passage))
        made._hash = tuple.__hash__(made)  # its own
        return made

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of a lifecycle: what was observed in a state, and where it led.

    Attributes:
        before: the facts of the configuration that it leaves.
        after: what was observed, not normalised: what the journal would hold.
        row: the row that was taken; None where none or more than one may be, and then `dest` is `source`.
        rows: how many may be.
        passage: in a host's state, how it was come to.
    """

    source: str
    before: Facts
    trigger: str
    after: Facts
    dest: str
    row: Transition | None
    rows: int = 1
    passage: Passage | None = None

    @property
    def left(self) -> str:
        """The built-in state that was left last: `source`, unless that is a host's own."""
        return self.source if self.passage is None else self.passage.left

    @property
    def is_arrival(self) -> bool:
        """Whether a built-in state is entered; until then a host's states are passed through."""
        return not is_own(self.dest)

    def onward(self, facts: Facts | None = None) -> Passage | None:
        """What the next step carries of this one; `facts` in place of `after`, as a search leaves them."""
        facts = self.after if facts is None else facts
        if not is_own(self.dest):
            return None
        if self.passage is None:
            return Passage.begun(self.source, self.trigger, facts)
        return self.passage.onward(self.trigger, facts)

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.source} --{self.trigger}--> nowhere: {self.rows} rows apply"
        return str(self.row)


@dataclass(frozen=True, slots=True)
class FactsClass:
    """What the lifecycle can tell apart about facts.

    Attributes:
        has_work: the guard's verdict.
        session: "none", "open" or "over".
        outcome: the kind of this cycle's outcome.
        verdict: what `decide` says: the stop reason, or None to continue; in SHUTDOWN the reason recorded.
    """

    has_work: bool
    session: str
    outcome: OutcomeKind | None
    verdict: StopReason | None


class Search:
    """Everything that can follow a start, found step by step.

    Attributes:
        graph: every configuration found so far, with its steps and where each leads. Whole once `run` is through.
        is_whole: whether it is.
    """

    def __init__(self, definition: Definition = BUILT_IN, limits: Limits = LIMITS) -> None:
        self.definition = definition
        self.limits = limits
        start = begin(RUN_ID, at=EARLY, limits=limits).facts
        self.start: Configuration = Configuration(definition.initial, normal(definition.initial, start))
        self.graph: dict[Configuration, list[tuple[Step, Configuration]]] = {}
        self.is_whole = False
        self._known = {self.start: self.start}
        self._found_by: dict[Configuration, tuple[Configuration, Step] | None] = {self.start: None}
        self._rows = {
            (source, trigger): definition.rows(source, trigger)
            for source in definition.states
            for trigger in definition.triggers
        }

    @property
    def edges(self) -> int:
        """How many steps were found."""
        return sum(map(len, self.graph.values()))

    @property
    def pairs(self) -> frozenset[tuple[str, FactsClass]]:
        """Every (state, facts class) found."""
        return frozenset((state, classify(state, facts)) for state, facts, _ in self.graph)

    def run(self) -> Iterator[tuple[Configuration, Step]]:
        """Search, and give every step as it is found, each with where it sets out: the shortest lifecycles first."""
        todo = deque([self.start])
        while todo:
            here = todo.popleft()
            steps = self.graph[here] = []
            for step, there in self.steps(here):
                steps.append((step, there))
                if there not in self._found_by:
                    self._found_by[there] = (here, step)
                    todo.append(there)
                yield here, step
        self.is_whole = True

    def steps(self, here: Configuration) -> Iterator[tuple[Step, Configuration]]:
        """What can follow at once, and where each step leads; one that no row allows leads nowhere."""
        for step in self._steps(*here):
            there = _there(step) if step.row else here
            yield step, self._known.setdefault(there, there)

    def path(self, here: Configuration, *more: Step) -> tuple[Step, ...]:
        """A shortest lifecycle from the start to `here`, and `more` of it."""
        steps: list[Step] = []
        found = self._found_by[here]
        while found is not None:
            here, step = found
            steps.append(step)
            found = self._found_by[here]
        return (*reversed(steps), *more)

    def _steps(self, state: str, facts: Facts, passage: Passage | None) -> Iterator[Step]:
        guards = self.definition.guards
        # A run that is over is left by nothing; a suspended one is taken up by a new machine, before its start.
        source = self.definition.initial if state == State.SHUTDOWN else state
        for observation in observations(state, facts, self.definition):
            trigger, after = observation.trigger, observation.facts
            rows = self._rows.get((source, trigger), ())
            rows = tuple(row for row in rows if row.guard is None or guards[row.guard](after))
            row = rows[0] if len(rows) == 1 else None
            yield Step(state, facts, trigger, after, row.dest if row else state, row, len(rows), passage)


def _there(step: Step) -> Configuration:
    facts = normal(step.dest, step.after)
    return Configuration(step.dest, facts, step.onward(facts) if is_own(step.dest) else None)


def classify(state: str, facts: Facts) -> FactsClass:
    """Which class the facts are of."""
    decision = Stop(facts.stop_reason) if facts.stop_reason and state == State.SHUTDOWN else decide(facts)
    session = "none" if facts.session is None else "over" if facts.session.is_over else "open"
    return FactsClass(
        has_work=has_work(facts),
        session=session,
        outcome=None if facts.outcome is None else facts.outcome.kind,
        verdict=decision.reason if isinstance(decision, Stop) else None,
    )
