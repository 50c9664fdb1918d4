"""What the demo builds: its specification, its feature list, and each feature as the files that it changes.

A feature's directory holds every file that it adds or changes, whole, with `.txt` after its name;
together and in order they are a working program. Pure data.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["FEATURE_IDS", "changes", "text"]

ROOT = files(__name__)


@cache
def text(name: str) -> str:
    """A file of this package, such as "app_spec.txt"."""
    return ROOT.joinpath(name).read_text(encoding="utf-8")


@cache
def changes(feature_id: str) -> tuple[tuple[str, str], ...]:
    """`(path, whole text)` of each file that a feature adds or changes, modules before tests."""
    found = _files(ROOT.joinpath(feature_id), "")
    return tuple(
        sorted(found, key=lambda change: (change[0].startswith("tests/"), change[0] == "habits.py", change))
    )


def _files(directory: Traversable, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in directory.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name.removesuffix(".txt"), entry.read_text(encoding="utf-8")))
    return found


FEATURE_IDS: tuple[str, ...] = tuple(feature["id"] for feature in json.loads(text("feature_list.json")))
"""The features in the order in which they are built."""
