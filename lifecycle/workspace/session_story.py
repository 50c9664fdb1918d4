"""What a session did, told in the progress file by the manager where the session did not tell it itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.ports import SessionStory
from lifecycle.workspace.baseline import Baseline
from lifecycle.workspace.feature_list import FEATURE_LIST_NAME
from lifecycle.workspace.files import FileUnusable
from lifecycle.workspace.git import changes_since
from lifecycle.workspace.git_status import changed_paths
from lifecycle.workspace.progress import PROGRESS_NAME, ProgressMark, read_progress
from lifecycle.workspace.progress_entry import leave_entry, mark_of
from lifecycle.workspace.untrusted import one_line
from states.vocabulary import SessionType

__all__ = ["leave_story", "progress_mark"]

_SHOWN = 10


def leave_story(
    project_dir: Path, baseline: Baseline, story: SessionStory, kept: bytes | None
) -> tuple[bool, bytes | None]:
    """Leave the session's one entry; see `progress_entry.leave_entry`."""
    return leave_entry(
        project_dir,
        baseline.progress,
        (story.number, story.session_id),
        _lines(project_dir, baseline, story),
        wrote_own=story.wrote_own,
        kept=kept,
    )


def progress_mark(project_dir: Path) -> ProgressMark | None:
    """What the progress file is now, for a baseline; None where there is none that can be read."""
    try:
        content = read_progress(project_dir)
    except (FileUnusable, OSError):
        return None
    return None if content is None else mark_of(content)


def _lines(project_dir: Path, baseline: Baseline, story: SessionStory) -> list[str]:
    at = datetime.fromtimestamp(story.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    commits, committed = changes_since(project_dir, baseline.head)
    ours = {FEATURE_LIST_NAME, PROGRESS_NAME}
    uncommitted = [entry.path for entry in changed_paths(project_dir) or () if entry.path not in ours]
    parts: tuple[tuple[str, Sequence[str]], ...] = (
        ("Features that pass now", story.claimed),
        ("Features that no longer pass", story.regressed),
        ("Commits", [f"{commit.id[:10]} {commit.subject}" for commit in commits]),
        ("Files committed", [path for path in committed if path not in ours]),
        ("Files changed and not committed", uncommitted),
    )
    kind = "first session" if story.type is SessionType.INIT else "coding session"
    lines = [f"{at}, {kind}. It left no notes of its own; this is what it changed. It ended: {story.ending}"]
    lines += [f"{title}: {_some(items)}" for title, items in parts if items]
    if len(lines) == 1:
        lines.append("Nothing was changed.")
    if story.last_words:
        lines.append(f"Its last words: {story.last_words}")
    return lines


def _some(items: Sequence[str]) -> str:
    shown = "; ".join(one_line(item, 60) for item in items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown}; and {len(items) - _SHOWN} more"
