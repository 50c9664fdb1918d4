"""What parsed JSON must be to be a feature list.

A list of objects with `description` (text) and `passes` (true or false), optionally `id` (text or integer, unique),
`category` (text) and `steps` (list of texts). Any other key is kept as it is. Knows paths into the data, not places
in a text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from lifecycle.workspace.features import Feature, FeatureList
from lifecycle.workspace.json_places import JsonPath

__all__ = ["DEPTH_MAX", "Misfit", "feature_of", "features_of", "half_character", "halved", "quoted", "understood"]

DEPTH_MAX = 32
"""How deep the value of an unknown key may nest. Far below what any parser or writer chokes on."""

_REQUIRED = ("description", "passes")
_KNOWN = frozenset({"id", "category", "description", "steps", "passes"})
_NOTHING: Mapping[str, object] = MappingProxyType({})


class Misfit(Exception):
    """A value that is not what it must be.

    Attributes:
        problem: what is wrong.
        path: which value.
    """

    def __init__(self, problem: str, path: JsonPath) -> None:
        self.problem = problem
        self.path = path
        super().__init__(problem)


def features_of(data: object) -> FeatureList:
    """The feature list that parsed JSON is.

    Raises:
        Misfit: at the first value that is not what it must be.
    """
    features, misfit = understood(data)
    if misfit is not None:
        raise misfit
    return FeatureList(features)


def understood(data: object, unusable: Container[int] = frozenset()) -> tuple[tuple[Feature, ...], Misfit | None]:
    """Every feature that parsed JSON has, in order, and the first value that is not what it must be, or None.

    Args:
        unusable: the places in the list whose features are left out, whatever they are.
    """
    if not isinstance(data, list):
        return (), _no_list(data)
    ids: dict[str | int, int] = {}
    features: list[Feature] = []
    first: Misfit | None = None
    for index, item in enumerate(data):
        try:
            feature = feature_of(item, index)
        except Misfit as misfit:
            first = first or misfit
            continue
        if feature.id is not None and ids.setdefault(feature.id, index) != index:
            problem = f"feature {index + 1} has the id {quoted(feature.id)} of feature {ids[feature.id] + 1}"
            first = first or Misfit(problem, (index, "id"))
        if index not in unusable:
            features.append(feature)
    return tuple(features), first


def feature_of(item: Any, index: int) -> Feature:
    """The feature that one parsed object is; `index` is only named in errors.

    Raises:
        Misfit: at the first value that is not what it must be.
    """
    try:  # an object of the usual shape is read in one go: lists can be long
        identity, category, description = item["id"], item["category"], item["description"]
        steps, passes = item["steps"], item["passes"]
        is_usual = (
            len(item) == len(_KNOWN)
            and type(identity) is type(category) is type(description) is str
            and type(passes) is bool
            and type(steps) is list
            and {str}.issuperset(map(type, steps))
        )
    except (TypeError, LookupError):
        is_usual = False
    if is_usual:
        return Feature(description, passes, category, tuple(steps), identity, _NOTHING)
    return _any_feature(item, index)


def _any_feature(item: object, index: int) -> Feature:  # noqa: C901  # one check a field, in the file's order
    if not isinstance(item, dict):
        raise Misfit(f"feature {index + 1} is {_kind(item)}, expected an object", (index,))
    for key in _REQUIRED:
        if key not in item:
            raise Misfit(f"feature {index + 1} has no {quoted(key)}", (index,))
    passes = item["passes"]
    if not isinstance(passes, bool):
        raise _wrong(index, "passes", passes, "true or false")
    description = item["description"]
    if not isinstance(description, str):
        raise _wrong(index, "description", description, "a text")
    category = item.get("category")
    if not isinstance(category, str) and "category" in item:
        raise _wrong(index, "category", category, "a text")
    identity = item.get("id")
    if type(identity) not in (str, int) and "id" in item:  # a truth value is an int to isinstance
        raise _wrong(index, "id", identity, "a text or an integer")
    steps = item.get("steps", [])
    if not isinstance(steps, list):
        raise _wrong(index, "steps", steps, "a list of texts")
    for number, step in enumerate(steps):
        if not isinstance(step, str):
            problem = f"feature {index + 1}: step {number + 1} is {_kind(step)}, expected a text"
            raise Misfit(problem, (index, "steps", number))
    extra = {} if item.keys() <= _KNOWN else {key: value for key, value in item.items() if key not in _KNOWN}
    for key, value in extra.items():
        _check_extra(value, (index, key))
    return Feature(description, passes, category, tuple(steps), identity, extra)


def _no_list(data: object) -> Misfit:
    hint = ""
    if isinstance(data, dict):
        inner = next((key for key, value in data.items() if isinstance(value, list)), None)
        hint = "" if inner is None else f"; the list under {quoted(inner)} must stand at the top"
    return Misfit(f"expected a list of features, found {_kind(data)}{hint}", ())


def _wrong(index: int, key: str, value: object, expected: str) -> Misfit:
    return Misfit(f"feature {index + 1}: {quoted(key)} is {_kind(value)}, expected {expected}", (index, key))


def _check_extra(value: object, path: JsonPath) -> None:
    """What is kept must be writable again: no depth that breaks the writer, no number that overflowed."""
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit("number too large", path)
    if len(path) > DEPTH_MAX:
        raise Misfit("nested too deeply", path)
    for key, inner in _members(value):
        _check_extra(inner, (*path, key))


def half_character(value: object, path: JsonPath = ()) -> Misfit | None:
    """The first half of a surrogate pair (a lone `\\ud800`): a text that no file, prompt or journal can hold."""
    for text in (value, path[-1] if path else ""):
        if isinstance(text, str) and not _is_unicode(text):
            return Misfit("an escape \\ud800 to \\udfff stands without its other half", path)
    found = (half_character(inner, (*path, key)) for key, inner in _members(value))
    return next((misfit for misfit in found if misfit is not None), None)


def halved(items: Sequence[object], text: str) -> frozenset[int]:
    """The places of the items that hold half a surrogate pair, or are nested too deeply to tell.

    Args:
        text: the JSON text that they were read from; most tell at a glance that there is none.
    """
    if not may_hold_half_a_character(text):
        return frozenset()
    chunks = (range(start, min(start + _CHUNK, len(items))) for start in range(0, len(items), _CHUNK))
    suspect = (chunk for chunk in chunks if not _is_writable(items[chunk.start : chunk.stop]))
    return frozenset(at for chunk in suspect for at in chunk if not _is_writable(items[at]))


def _is_writable(value: object) -> bool:
    """As fast as the encoder, which does not say where."""
    try:
        return _is_unicode(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return False


_CHUNK: Final = 100


def may_hold_half_a_character(text: str) -> bool:
    """Whether the JSON text may hold half a surrogate pair, told at a glance: most have no such escape, or whole pairs of them.

    >>> may_hold_half_a_character('"\\\\ud83d\\\\ude00"'), may_hold_half_a_character('"\\\\ud83d"')
    (False, True)
    """
    # With an escaped backslash before a u, what looks like an escape may be none.
    return "\\u" in text and ("\\\\u" in text or any(found.end() - found.start() < 12 for found in _HALVES.finditer(text)))


_HALVES = re.compile(r"\\u[dD](?:[89abAB]..\\u[dD][c-fC-F]..|[89a-fA-F])")
"""A whole pair, which is twelve characters long, or a half."""


def _members(value: object) -> list[tuple[str | int, object]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    names = {bool: "a truth value", str: "a text", dict: "an object", list: "a list", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def quoted(value: object) -> str:
    """A value as JSON, short enough for a message."""
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f'{shown[:56]}..."'
