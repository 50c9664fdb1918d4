"""Is a table a lifecycle? Checked when it is compiled, so that a mistake is an import error and not a bad night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

from states.errors import DefinitionError
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome, Session
from states.guards import GUARDS, Guard
from states.observation import Observation
from states.outcomes import OUTCOMES
from states.table import FINAL, INITIAL, TABLE, Transition
from states.vocabulary import RunId, SessionId, SessionType, State, Trigger

Observe = Callable[[Facts], Iterable[Observation]]
"""What a state can observe: one representative of each class, for the searches. See `states.world`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A table and what its words mean: the built-in one, or a host's. Make a host's with `extended`.

    Attributes:
        table: the rows.
        guards: every guard that a row names.
        states: the states there are.
        triggers: the triggers there are.
        observations: what the host's own states can observe; the built-in ones are in `states.world`.
        initial: where a run begins; never entered.
        final: where it ends; never left.
    """

    table: tuple[Transition, ...] = TABLE
    guards: Mapping[str, Guard] = field(default_factory=lambda: GUARDS)
    states: tuple[str, ...] = tuple(State)
    triggers: tuple[str, ...] = tuple(Trigger)
    observations: Mapping[str, Observe] = field(default_factory=lambda: MappingProxyType({}))
    initial: str = INITIAL
    final: frozenset[str] = FINAL

    def rows(self, source: str, trigger: str) -> tuple[Transition, ...]:
        """The rows that `trigger` may take from `source`, in the table's order."""
        return tuple(row for row in self.table if (row.source, row.trigger) == (source, trigger))

    def validated(self) -> Definition:
        """Return this definition if it is a lifecycle.

        Raises:
            DefinitionError: see `validate`.
        """
        validate(
            self.table, self.guards, states=self.states, triggers=self.triggers, initial=self.initial, final=self.final
        )
        return self


def extended(
    table: Iterable[Transition],
    *,
    guards: Mapping[str, Guard] = MappingProxyType({}),
    observations: Mapping[str, Observe] = MappingProxyType({}),
) -> Definition:
    """A host's definition: its table, with the states and triggers that its rows name beside the built-in ones.

    Args:
        table: all rows, the built-in ones that are kept among them.
        guards: the host's own.
        observations: see `Definition`; a state without them is taken to observe each of its triggers.
    """
    rows = tuple(table)
    states = dict.fromkeys([*(str(s) for s in State), *(str(s) for row in rows for s in (row.source, row.dest))])
    triggers = dict.fromkeys([*(str(t) for t in Trigger), *(str(row.trigger) for row in rows)])
    return Definition(rows, {**GUARDS, **guards}, tuple(states), tuple(triggers), observations)


def validate(
    table: Iterable[Transition] = TABLE,
    guards: Mapping[str, Guard] = GUARDS,
    *,
    states: Collection[str] = tuple(State),
    triggers: Collection[str] = tuple(Trigger),
    initial: str = INITIAL,
    final: Collection[str] = FINAL,
    samples: Iterable[Facts] | None = None,
) -> tuple[Transition, ...]:
    """Return the table as a tuple if it is well formed.

    Args:
        states: the states there are. A host that adds one names it here.
        triggers: the triggers there are.
        samples: facts on which exactly one guard of each source and trigger must hold; the built-in
            `sample_facts` cover every branch of the built-in guards.

    Raises:
        DefinitionError: names the row: unknown state, trigger or guard; an edge out of a final state or into the
            initial one; a state that cannot be reached, or from which no final state can be; guards that leave
            facts unanswered or answer them twice.
    """
    rows = tuple(table)
    _check_names(rows, guards, states, triggers)
    _check_ends(rows, initial, final)
    _check_paths(rows, states, initial, final)
    _check_guards(rows, guards, tuple(sample_facts() if samples is None else samples))
    return rows


def _check_names(
    rows: tuple[Transition, ...],
    guards: Mapping[str, Guard],
    states: Collection[str],
    triggers: Collection[str],
) -> None:
    for row in rows:
        for state in (row.source, row.dest):
            if state not in states:
                raise DefinitionError(f"unknown state {str(state)!r}", row)
        if row.trigger not in triggers:
            raise DefinitionError(f"unknown trigger {str(row.trigger)!r}", row)
        if row.guard is not None and row.guard not in guards:
            raise DefinitionError(f"unknown guard {row.guard!r}", row)


def _check_ends(rows: tuple[Transition, ...], initial: str, final: Collection[str]) -> None:
    for row in rows:
        if row.source in final:
            raise DefinitionError(f"{row.source!s} is final and cannot be left", row)
        if row.dest == initial:
            raise DefinitionError(f"{initial!s} is the pseudo-state before the start and cannot be entered", row)


def _check_paths(
    rows: tuple[Transition, ...], states: Collection[str], initial: str, final: Collection[str]
) -> None:
    forward, backward = defaultdict(set), defaultdict(set)
    for row in rows:
        forward[row.source].add(row.dest)
        backward[row.dest].add(row.source)
    reached = _closure({initial}, forward)
    for state in states:
        if state not in reached:
            raise DefinitionError(f"{state!s} cannot be reached from {initial!s}", _row_of(rows, state))
    leads_out = _closure(set(final), backward)
    for state in states:
        if state not in leads_out:
            raise DefinitionError(f"{state!s} is a dead end: no final state follows", _row_of(rows, state))


def _closure(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    seen, todo = set(start), list(start)
    while todo:
        for following in edges.get(todo.pop(), set()) - seen:
            seen.add(following)
            todo.append(following)
    return seen


def _row_of(rows: tuple[Transition, ...], state: str) -> Transition | None:
    return next((row for row in rows if state in (row.source, row.dest)), None)


def _check_guards(
    rows: tuple[Transition, ...], guards: Mapping[str, Guard], samples: tuple[Facts, ...]
) -> None:
    groups: dict[tuple[str, str], list[Transition]] = defaultdict(list)
    for row in rows:
        groups[row.source, row.trigger].append(row)
    for group in groups.values():
        unguarded = [row for row in group if row.guard is None]
        if unguarded and len(group) > 1:
            raise DefinitionError("ambiguous: an edge without a guard stands beside others", unguarded[0])
        if unguarded:
            continue
        for facts in samples:
            holding = [row for row in group if row.guard is not None and guards[row.guard](facts)]
            if not holding:
                raise DefinitionError(f"not exhaustive: no guard holds for {facts}", group[-1])
            if len(holding) > 1:
                raise DefinitionError(f"ambiguous with {holding[0].guard}: both hold for {facts}", holding[1])


def sample_facts() -> Iterable[Facts]:
    """Facts that between them take every branch of `decide` and of the built-in guards."""
    limits = Limits(max_iterations=2, max_budget_usd=1.0, max_duration_s=100.0, max_failures=2, stall_after=2)
    session = Session(SessionId("s"), SessionType.CONTINUE, 1, 1)
    one_cause_a_kind = {meaning.kind: cause for cause, meaning in OUTCOMES.items()}.values()
    for features, prompt, cause, stop, cost, at in product(
        (None, FeatureCount(0, 0), FeatureCount(2, 1), FeatureCount(2, 2)),
        (None, "do it"),
        (None, *one_cause_a_kind),
        (False, True),
        (0.0, 2.0),
        (0.0, 200.0),
    ):
        facts = Facts(
            run_id=RunId("r"), at=at, started_at=0.0, limits=limits, features=features, prompt=prompt,
            session=session, outcome=None if cause is None else Outcome(cause), stop_requested=stop, cost_usd=cost,
        )
        yield facts
    for counters in (Counters(iterations=2), Counters(failures=2), Counters(stalled=2), Counters(retries=9)):
        for is_over in (False, True):
            yield replace(facts, counters=counters, session=replace(session, is_over=is_over), stop_requested=False)


BUILT_IN = Definition()
"""The lifecycle that this project ships."""
