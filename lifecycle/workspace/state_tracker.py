"""Progress as data: what was accomplished, what blocks, what comes next, written to and read from the progress file.

For hosts and scripts that want to leave and find notes without inventing a form. The file stays what it is, a text for
people: entries are appended to it, and anything that stands between them is kept byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lifecycle.workspace.files import write_atomic
from lifecycle.workspace.progress import PROGRESS_NAME, read_progress
from lifecycle.workspace.untrusted import one_line

__all__ = ["Progress", "StateTracker"]

_TITLE = "## Progress"
_PARTS = (("accomplishments", "Accomplished:"), ("blockers", "Blocked by:"), ("next_steps", "Next:"))
_ITEM_MAX_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Progress:
    """One entry.

    Attributes:
        accomplishments: what was done.
        blockers: what stands in the way.
        next_steps: what should come next.
    """

    accomplishments: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


class StateTracker:
    """The progress file of one project: `StateTracker(directory).save_progress(["built it"], [], ["test it"])`."""

    def __init__(self, project_dir: str | os.PathLike[str]) -> None:
        self.project_dir = Path(project_dir)

    def save_progress(
        self,
        accomplishments: Iterable[str] = (),
        blockers: Iterable[str] = (),
        next_steps: Iterable[str] = (),
    ) -> None:
        """Append an entry, durably and atomically; each item becomes one line.

        Raises:
            FileUnusable: something that is no text file of the project stands in its place.
            OSError: the write failed; the file is as it was.
        """
        content = read_progress(self.project_dir) or b""
        lines = [_TITLE]
        for (_, title), items in zip(_PARTS, (accomplishments, blockers, next_steps), strict=True):
            shown = [one_line(item, _ITEM_MAX_CHARS) for item in items]
            if shown := [item for item in shown if item]:
                lines += [title, *(f"- {item}" for item in shown)]
        before = b"" if not content else b"\n" if content.endswith(b"\n") else b"\n\n"
        entry = "\n".join([*lines, ""]).encode("utf-8")
        write_atomic(self.project_dir / PROGRESS_NAME, content + before + entry, within=self.project_dir)

    def load_progress(self) -> Progress | None:
        """The newest entry that `save_progress` wrote, or None where there is none.

        Raises:
            FileUnusable, OSError: as `save_progress`.
        """
        text = (read_progress(self.project_dir) or b"").decode("utf-8", errors="replace")
        _, found, entry = f"\n{text}".rpartition(f"\n{_TITLE}\n")
        if not found:
            return None
        items: dict[str, list[str]] = {name: [] for name, _ in _PARTS}
        part: list[str] | None = None
        titles = {title: name for name, title in _PARTS}
        for line in entry.splitlines():
            if line in titles:
                part = items[titles[line]]
            elif line.startswith("- ") and part is not None:
                part.append(line.removeprefix("- "))
            else:
                break  # the entry is over: what follows is somebody else's
        return Progress(**{name: tuple(listed) for name, listed in items.items()})
