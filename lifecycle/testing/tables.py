"""A host's whole definition, found by its table's name, `module:NAME`.

Beside the table its module may have `GUARDS`, `OBSERVATIONS` and `WORKS`: what the host's own guards and states are.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lifecycle.diagram.hosts import host_table
from lifecycle.work.context import Work
from states.definition import BUILT_IN, Definition, extended

__all__ = ["definition_named", "works_named"]


def definition_named(place: str | None) -> Definition:
    """The definition whose table is at `place`; None is the built-in one.

    Raises:
        ConfigurationError: there is no such table.
        DefinitionError: it is not a lifecycle.
    """
    if place is None:
        return BUILT_IN
    rows = host_table(place)
    return extended(rows, guards=_beside(place, "GUARDS"), observations=_beside(place, "OBSERVATIONS")).validated()


def works_named(place: str | None) -> Mapping[str, Work]:
    """What the host's own states do, as its module says."""
    return MappingProxyType({}) if place is None else _beside(place, "WORKS")


def _beside(place: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(sys.modules[place.partition(":")[0]], name, MappingProxyType({}))
    return found
