"""Which submodules a project has: repositories of their own below it, that its index knows.

Owns the question which of them may be entered: one whose path leads elsewhere, or that was never checked out, may not.
"""

from __future__ import annotations

import os
from pathlib import Path

from lifecycle.workspace.repository import find_repository
from lifecycle.workspace.sealed_git import SealedGit

__all__ = ["submodules"]


def submodules(git: SealedGit) -> dict[str, str]:
    """The submodules in git's index: path -> commit. Paths that could lead elsewhere are left out."""
    printed = git.run("ls-files", "--stage", "-z", *git.pathspec, output_max_bytes=64 << 20, timeout_s=120.0)
    entries = (entry.partition(b"\t") for entry in printed.split(b"\0") if entry.startswith(b"160000 "))
    found = {os.fsdecode(path): words.split()[1].decode("ascii") for words, _, path in entries}
    return {path: commit for path, commit in found.items() if _is_own_repository(git.repository.top, path)}


def _is_own_repository(top: Path, path: str) -> bool:
    real = Path(os.path.realpath(top)) / path
    if Path(os.path.realpath(real)) != real or not os.path.lexists(real / ".git"):
        return False
    repository = find_repository(real)
    return repository is not None and repository.top == real
