"""The reference interpreter: what the table means, in twenty lines. The oracle of the tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from states.errors import IllegalTransition
from states.facts import Facts
from states.guards import GUARDS, Guard
from states.table import TABLE, Transition


def step(
    state: str,
    trigger: str,
    facts: Facts,
    table: Iterable[Transition] = TABLE,
    guards: Mapping[str, Guard] = GUARDS,
) -> str:
    """Return the state that `trigger` leads to.

    Raises:
        IllegalTransition: no row of the table applies; the caller's state is unchanged.
    """
    asked: list[str] = []
    for row in table:
        if (row.source, row.trigger) != (state, trigger):
            continue
        if row.guard is None or guards[row.guard](facts):
            return row.dest
        asked.append(row.guard)
    raise IllegalTransition(str(state), str(trigger), tuple(asked))
