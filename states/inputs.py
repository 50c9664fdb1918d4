"""What a guard looks at: the facts that it reads while it answers. Works on any guard, a host's too.

Owns the watching; refuses to know what any guard means. The verdict is always that on the facts themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from states.facts import Facts

__all__ = ["looked_at"]

THERE = "there"
"""In place of a value that was only asked whether it is there."""


def looked_at(guard: Callable[[Facts], object], facts: Facts) -> dict[str, Any]:
    """The facts that `guard` reads, by their paths, in the order of its first looks; a guard may look at fewer next time.

    >>> from states.vocabulary import RunId
    >>> looked_at(lambda facts: facts.stop_requested or facts.is_complete, Facts(RunId("r"), at=0.0, started_at=0.0))
    {'stop_requested': False, 'features': None}
    """
    seen: dict[str, Any] = {}
    try:
        guard(_watched(facts, "", seen))
    except Exception:  # noqa: BLE001  # a guard that does more with facts than read them is told as far as it came
        return _told(seen)
    return _told(seen)


def _told(seen: dict[str, Any]) -> dict[str, Any]:
    """Without those of which a part was read: the part says more."""
    return {path: value for path, value in seen.items() if not any(each.startswith(f"{path}.") for each in seen)}


def _watched(value: Any, path: str, seen: dict[str, Any]) -> Any:
    kind: type = type(value)
    copy: Any = object.__new__(_watching(kind))
    for field in fields(value):
        object.__setattr__(copy, field.name, getattr(value, field.name))
    object.__setattr__(copy, "watched_path", path)
    object.__setattr__(copy, "watched_by", seen)
    return copy


@cache
def _watching(kind: type) -> type:
    """A subclass that tells of every look at one of its fields, also of those that its properties take."""
    names = frozenset(field.name for field in fields(kind))

    def look(self: object, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name not in names:
            return value
        path: str = object.__getattribute__(self, "watched_path") + name
        seen: dict[str, Any] = object.__getattribute__(self, "watched_by")
        if is_dataclass(value):
            seen.setdefault(path, THERE)
            return _watched(value, f"{path}.", seen)
        seen[path] = value
        return value

    return type(kind.__name__, (kind,), {"__slots__": ("watched_by", "watched_path"), "__getattribute__": look})
