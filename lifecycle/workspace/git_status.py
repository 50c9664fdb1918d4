"""What of a project is not in git's last commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lifecycle.workspace.bounded_command import CommandFailed
from lifecycle.workspace.sealed_git import git_of

__all__ = ["ChangedPath", "changed_paths", "is_dirty"]


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path that differs from the last commit.

    Attributes:
        status: git's two letters: index, then work tree; `??` is untracked.
        path: below the repository's top. Bytes that are not UTF-8 are surrogate escapes, as in `os.fsdecode`.
    """

    status: str
    path: str


def changed_paths(project_dir: Path, limit: int = 1_000) -> tuple[ChangedPath, ...] | None:
    """What is uncommitted or untracked (a new directory once), at most `limit` paths; None where git cannot say.

    A changed file is compared as it stands in the work tree: clean filters do not run, so a file kept by one
    (large-file storage) counts as changed when its times say that it may be.
    """
    try:
        with git_of(project_dir) as git:
            printed = git.run(
                "status",
                "--porcelain=v1",
                "-z",
                "--no-renames",
                "--untracked-files=normal",
                "--ignore-submodules=dirty",
                *git.pathspec,
            )
    except CommandFailed:
        return None
    entries = printed.split(b"\0")[:-1]  # the last is empty, or was cut off by the bound on output
    texts = (entry.decode("utf-8", errors="surrogateescape") for entry in entries[:limit])
    return tuple(ChangedPath(text[:2], text[3:]) for text in texts)


def is_dirty(project_dir: Path) -> bool | None:
    """Whether anything is uncommitted or untracked; None where git cannot say."""
    changed = changed_paths(project_dir, limit=1)
    return None if changed is None else bool(changed)
