"""Facts as versioned plain data, and back. Strict: what is unknown, missing or mistyped is refused by name.

A change of `Facts` that old records do not have needs a new `VERSION` and a step in `_UPGRADES`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from states.errors import RecordInvalid
from states.facts import Facts

VERSION = 1

_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Version n -> how its data becomes version n + 1."""


def to_data(facts: Facts) -> dict[str, Any]:
    """Return JSON-able data; `from_data` gives back equal facts."""
    return {"version": VERSION, **_encode(facts)}


def from_data(data: Mapping[str, Any]) -> Facts:
    """Read what `to_data` wrote.

    Raises:
        RecordInvalid: an unknown version, or a field that is unknown, missing or of the wrong type.
    """
    rest = dict(data)
    version = rest.pop("version", None)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise RecordInvalid(f"version {version!r} is not known here (this is version {VERSION})")
    for step in range(version, VERSION):
        rest = _UPGRADES[step](rest)
    facts = _decode(Facts, rest, "facts")
    assert isinstance(facts, Facts)
    return facts


def _encode(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
    return value.value if isinstance(value, StrEnum) else value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _decode(kind: Any, value: Any, path: str) -> Any:
    kind = getattr(kind, "__supertype__", kind)
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (arm for arm in get_args(kind) if arm is not type(None))
        return _decode(kind, value, path)
    if is_dataclass(kind):
        return _decode_fields(kind, value, path)
    if issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError:
            raise RecordInvalid(f"{path} is {value!r}, which is no {kind.__name__}") from None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RecordInvalid(f"{path} is {value!r}, not {kind.__name__}")
    return value


def _decode_fields(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise RecordInvalid(f"{path} is {value!r}, not an object")
    hints = _hints(kind)
    if unknown := value.keys() - hints.keys():
        raise RecordInvalid(f"{path} has the unknown field {min(unknown)!r}")
    if missing := hints.keys() - value.keys():
        raise RecordInvalid(f"{path} lacks the field {min(missing)!r}")
    return kind(**{name: _decode(hint, value[name], f"{path}.{name}") for name, hint in hints.items()})
