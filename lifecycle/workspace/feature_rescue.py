"""What can still be read of a feature list that is none: for its claims, never as the list itself.

A list with a trailing comma, a repeated id or a cut-off end holds the work of a session: which features it says pass.
Whoever calls this has the plan elsewhere, and takes nothing from here but claims about it and new features.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final

from lifecycle.workspace.feature_schema import halved, understood
from lifecycle.workspace.features import Feature
from lifecycle.workspace.json_places import elements

__all__ = ["rescue_features"]

_FAILURES_MAX = 200
"""Each failure can cost a look at the whole text: so many are tried, and the rest is given up."""


def rescue_features(content: bytes, known: Sequence[Feature] = (), behind: int | None = 0) -> tuple[Feature, ...]:
    """Every feature that can be made out, in order; empty where nothing can. Never raises for what is in there.

    Args:
        known: those that were made out before; see `TextFault`.
        behind: where the text goes on behind them; None where it does not.
    """
    if behind is None:
        return tuple(known)
    text = content.decode("utf-8-sig", errors="replace")
    items = _items(text, behind)
    features, _ = understood(items, halved(items, text))
    return (*known, *features)


def _items(text: str, behind: int) -> list[object]:
    """Of a list, its elements up to where it breaks, and the objects behind; of anything else, what it may hold."""
    found: list[object] = []
    try:
        for _, end, value in elements(text, _DECODER, behind):
            found.append(value)
            behind = end
        if not behind:
            return _listed(_DECODER.decode(text))
    except (ValueError, RecursionError):
        return [*found, *_objects(text, behind)]
    return found if text[behind:].strip() == "]" else [*found, *_objects(text, behind)]


_AMBIGUOUS: Final = math.nan
"""In the place of an object in which a key stands twice: nobody knows what it says. No feature may hold this anywhere."""


def _object(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _AMBIGUOUS


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _listed(data: object) -> list[object]:
    """The list, also where it was put under a key, and where one feature stands alone."""
    if isinstance(data, dict):
        if "description" in data:
            return [data]
        data = next((value for value in data.values() if isinstance(value, list)), [])
    return data if isinstance(data, list) else []


def _objects(text: str, start: int) -> list[object]:
    """The objects that stand whole in a text that is no JSON, from an offset on."""
    found: list[object] = []
    at, failures = text.find("{", start), 0
    while at >= 0 and failures < _FAILURES_MAX:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            failures += 1
            end = at + 1
        else:
            found += _listed(value)
        at = text.find("{", end)
    return found
