"""Finding a host's table by its name, `module:NAME`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lifecycle.errors import ConfigurationError
from lifecycle.work.context import Work
from states.definition import BUILT_IN, Definition, extended
from states.table import Transition

__all__ = ["definition_named", "works_beside"]


def definition_named(name: str | None) -> Definition:
    """The definition at `module:NAME`: a `Definition`, or rows to make one of. None is the built-in one.

    Modules are also looked for in the current directory.

    Raises:
        ConfigurationError: there is none of this name, or it is neither.
        DefinitionError: it is not a lifecycle.
    """
    if name is None:
        return BUILT_IN
    found = _found(name)
    if isinstance(found, Definition):
        return found.validated()
    if isinstance(found, tuple | list) and found and all(isinstance(row, Transition) for row in found):
        return extended(found).validated()
    raise ConfigurationError(f"--table {name}", "this is neither a Definition nor a sequence of Transitions")


def works_beside(name: str | None) -> Mapping[str, Work]:
    """What the host's own states do: the `WORKS` of the module that its table is in, where there are any."""
    if name is None:
        return MappingProxyType({})
    works: Mapping[str, Work] = getattr(importlib.import_module(name.partition(":")[0]), "WORKS", {})
    return works


def _found(name: str) -> object:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ConfigurationError(f"--table {name}", "a table is named as module:NAME")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"--table {name}", f"there is no module {error.name!r}") from error
    except AttributeError as error:
        raise ConfigurationError(f"--table {name}", f"{module} has no {attribute}") from error
