"""A host's own table, found by its name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from lifecycle.errors import ConfigurationError
from states.table import Transition

__all__ = ["host_groups", "host_table"]

_FLAG = "--table"


def host_table(place: str) -> tuple[Transition, ...]:
    """The rows that `module:NAME` names. The module is looked for in the current directory too, after all else.

    Raises:
        ConfigurationError: there is no such thing, or it is no table.
    """
    module, found = _find(place)
    rows = tuple(found) if isinstance(found, Iterable) else ()
    if not rows or not all(isinstance(row, Transition) for row in rows):
        raise ConfigurationError(_FLAG, f"{place}: {module} holds no table there: rows of states.table.Transition")
    return rows


def host_groups(place: str) -> Mapping[str, str] | None:
    """The captions that the table's module gives its states in `GROUPS`, or None."""
    module = place.partition(":")[0]
    groups = getattr(sys.modules.get(module), "GROUPS", None)
    return {str(state): str(caption) for state, caption in groups.items()} if isinstance(groups, Mapping) else None


def _find(place: str) -> tuple[str, object]:
    module_name, _, name = place.partition(":")
    if not module_name or not name.isidentifier():
        raise ConfigurationError(_FLAG, f"{place!r} is not of the form module:NAME")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # after all else, so that no file there takes the place of a module of ours
    try:
        module = import_module(module_name)
    except Exception as error:  # a host's module may raise anything while it is imported
        raise ConfigurationError(_FLAG, f"{module_name} cannot be imported: {error}") from error
    if not hasattr(module, name):
        raise ConfigurationError(_FLAG, f"{module_name} has no {name}")
    return module_name, getattr(module, name)
