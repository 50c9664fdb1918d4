"""The guards of the table: total, pure, one function a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from states.decide import Continue, decide, has_room
from states.facts import Facts

Guard = Callable[[Facts], bool]


def has_work(facts: Facts) -> bool:
    """Whether a session is worth paying for, and may be: something does not pass yet, or was asked for."""
    return (facts.has_asked_work or not facts.is_complete) and has_room(facts)


def has_nothing_to_do(facts: Facts) -> bool:
    """Whether everything passes and nothing was asked for, or the limits are used up: END tells which."""
    return not has_work(facts)


def may_continue(facts: Facts) -> bool:
    """Whether `decide` says to go on."""
    return isinstance(decide(facts), Continue)


def must_stop(facts: Facts) -> bool:
    """Whether `decide` names a stop reason."""
    return not may_continue(facts)


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {guard.__name__: guard for guard in (has_work, has_nothing_to_do, may_continue, must_stop)}
)
