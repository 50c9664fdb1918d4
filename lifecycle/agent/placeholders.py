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
        self._project_dir = confinement.project_dir
        self._names = confinement.sealed
        self._list = confinement.scratch_dir.parent / FILE_NAME
        self._ours: list[str] = []

    @property
    def ignored(self) -> tuple[str, ...]:
        """Their patterns as `.gitignore` has them."""
        return tuple(f"/{name}" for name in self._ours)

    def put(self) -> None:
        """Put one where nothing is. The scratch directory must be there.

        Raises:
            OSError: the project cannot be written.
        """
        self._ours = [name for name in self._left() if self._is_empty(name)]
        missing = [name for name in self._names if not _is_there(self._project_dir / name)]
        self._ours += [name for name in missing if name not in self._ours]
        # On record first: whatever happens next, somebody will know them for what they are.
        self._list.write_text(json.dumps(self._ours), encoding="utf-8")
        for name in missing:
            place = self._project_dir / name
            if Path(name).suffix:
                place.touch()
            else:
                place.mkdir()

    def take_away(self) -> None:
        """Take away those that are still empty."""
        for name in self._ours:
            place = self._project_dir / name
            with contextlib.suppress(OSError):  # a person has put something there meanwhile, or has taken it away
                if place.is_symlink():
                    continue
                if place.is_dir():
                    place.rmdir()
                elif self._is_empty(name):
                    place.unlink()
        if self._ours:
            with contextlib.suppress(OSError):
                self._list.unlink()

    def _left(self) -> list[str]:
        try:
            left = json.loads(self._list.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in left if name in self._names] if isinstance(left, list) else []

    def _is_empty(self, name: str) -> bool:
        place = self._project_dir / name
        if place.is_symlink():
            return False
        if place.is_dir():
            return not any(place.iterdir())
        return place.is_file() and place.stat().st_size == 0


def _is_there(place: Path) -> bool:
    return place.is_symlink() or place.exists()


FILE_NAME: Final = "placeholders.json"
