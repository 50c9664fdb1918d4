"""Every small mistake in a definition, one at a time: what is worth its name among the promises finds each of them.

Owns the mistakes in tables and guards. Mistakes in the functions behind them are `lifecycle.testing.mutated_code`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from states.definition import BUILT_IN, Definition
from states.errors import DefinitionError
from states.facts import Facts, Limits
from states.guards import Guard
from states.promises import promises
from states.properties import check
from states.table import Transition
from states.world import SMALL

__all__ = ["SMALL", "Mutant", "caught_by", "guard_mutants", "row_mutants"]

@dataclass(frozen=True, slots=True)
class Mutant:
    """A definition with one mistake in it.

    Attributes:
        name: what the mistake is.
    """

    name: str
    definition: Definition


def row_mutants(definition: Definition = BUILT_IN) -> Iterator[Mutant]:
    """Each row left out; each row's source, trigger, guard and destination put in place of by each other one."""
    for index, row in enumerate(definition.table):
        yield _with_rows(definition, index, (), f"without {row}")
        for altered in _altered(row, definition):
            yield _with_rows(definition, index, (altered,), f"{row}, instead {altered}")


def guard_mutants(definition: Definition = BUILT_IN) -> Iterator[Mutant]:
    """Each guard always true, always false, denied and replaced by each other; and each pair that excludes each other
    mistaken together, so that the table still looks well formed."""
    guards = definition.guards
    for name, guard in guards.items():
        for what, mistaken in _mistaken(guard):
            yield _with_guards(definition, {name: mistaken}, f"{name} is {what}")
        for other, replacement in guards.items():
            if other != name:
                yield _with_guards(definition, {name: replacement}, f"{name} is {other}")
    for name, other in _opposites(definition):
        for what, mistaken in _mistaken(guards[name]):
            both = {name: mistaken, other: _denied(mistaken)}
            yield _with_guards(definition, both, f"{name} is {what}, and {other} is its opposite")


def caught_by(mutant: Mutant, limits: Limits = SMALL) -> str | None:
    """What finds the mistake: the check of the table, or the first promise that does not hold; None: nothing does."""
    try:
        mutant.definition.validated()
    except DefinitionError as error:
        return f"validate: {error.problem.split(' for Facts')[0]}"
    verdicts = check(promises(mutant.definition, limits), mutant.definition, limits, is_hasty=True)
    return next((f"{found.kind}: {found.claim.name}" for found in verdicts if not found.holds), None)


def _altered(row: Transition, definition: Definition) -> Iterator[Transition]:
    for source in definition.states:
        yield replace(row, source=source)
    for trigger in definition.triggers:
        yield replace(row, trigger=trigger)
    for guard in (None, *definition.guards):
        yield replace(row, guard=guard)
    for dest in definition.states:
        yield replace(row, dest=dest)


def _with_rows(definition: Definition, index: int, rows: tuple[Transition, ...], name: str) -> Mutant:
    table = definition.table
    return Mutant(name, replace(definition, table=(*table[:index], *rows, *table[index + 1 :])))


def _with_guards(definition: Definition, guards: Mapping[str, Guard], name: str) -> Mutant:
    return Mutant(name, replace(definition, guards=MappingProxyType({**definition.guards, **guards})))


def _mistaken(guard: Guard) -> Iterator[tuple[str, Guard]]:
    yield "always true", lambda facts: True
    yield "always false", lambda facts: False
    yield "denied", _denied(guard)


def _denied(guard: Guard) -> Guard:
    def denied(facts: Facts) -> bool:
        return not guard(facts)

    return denied


def _opposites(definition: Definition) -> Iterator[tuple[str, str]]:
    """The pairs of guards that share a source and a trigger."""
    for row in definition.table:
        rows = definition.rows(row.source, row.trigger)
        if len(rows) == 2 and rows[0] is row and rows[0].guard and rows[1].guard:
            yield rows[0].guard, rows[1].guard
