"""Stand-ins for what is sealed in a project and not there: a mount needs something to lie on.

Without one, a command could make the file that it may not write, and the next run would read it. They are empty, hidden
from git, and taken away with the walls; one that a killed manager left is taken away by the next.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from lifecycle.agent.confinement import Confinement

__all__ = ["Placeholders"]


class Placeholders:
    """Those of one project. What else than an empty file or directory stands in their place is never touched."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._list = confinement.scratch_dir.parent / FILE_NAME
        self._ours: list[Path] = []

    @property
    def ignored(self) -> tuple[str, ...]:
        """Their patterns as `.gitignore` has them."""
        top = self._confinement.project_dir
        return tuple(f"/{place.name}" for place in self._ours if place.parent == top)

    def put(self) -> None:
        """Put one where nothing is. The scratch directory must be there.

        Raises:
            OSError: the project cannot be written.
        """
        known = self._confinement.stand_ins()
        missing = [place for place in known if not _is_there(place)]
        left = [place for place in self._left() if place in known and _is_empty(place)]
        self._ours = list(dict.fromkeys((*self._ours, *left, *missing)))
        # On record first: whatever happens next, somebody will know them for what they are.
        self._list.write_text(json.dumps([str(place) for place in self._ours]), encoding="utf-8")
        for place in missing:
            if known[place]:
                place.mkdir()
            else:
                place.touch()

    def take_away(self) -> None:
        """Take away those that are still empty."""
        for place in self._ours:
            with contextlib.suppress(OSError):  # a person has put something there meanwhile, or has taken it away
                if place.is_symlink():
                    continue
                if place.is_dir():
                    place.rmdir()
                elif _is_empty(place):
                    place.unlink()
        if self._ours:
            with contextlib.suppress(OSError):
                self._list.unlink()

    def _left(self) -> list[Path]:
        try:
            left = json.loads(self._list.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        top = self._confinement.project_dir
        return [top / name for name in left if isinstance(name, str)] if isinstance(left, list) else []


def _is_empty(place: Path) -> bool:
    if place.is_symlink():
        return False
    if place.is_dir():
        return not any(place.iterdir())
    return place.is_file() and place.stat().st_size == 0


def _is_there(place: Path) -> bool:
    return place.is_symlink() or place.exists()


FILE_NAME: Final = "placeholders.json"
