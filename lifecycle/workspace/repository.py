"""Finding the git repository that a project directory belongs to, without asking git.

Asking git would make it read configuration that the agent may have written, and refuse directories that another
user owns. Finding a repository takes only a walk upwards and two small files. Runs nothing, follows no setting:
the work tree is where `.git` stands, whatever `core.worktree` says.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Repository", "find_repository", "read_head"]

_POINTER_MAX_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a repository's parts are. All paths are absolute and real.

    Attributes:
        top: the work tree's top directory.
        git_dir: what belongs to this work tree alone: HEAD and the index.
        common_dir: what all its work trees share: objects, refs, configuration. Often the same directory.
        prefix: the project's place below `top`, "" when it is `top`. Then every commit is the project's;
            otherwise only those that touch a file below the prefix are.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    prefix: str


def find_repository(project_dir: Path) -> Repository | None:
    """The repository in whose work tree the project lies, or None.

    The nearest wins, the project's own directory first. As git does, the walk stops where another file system
    begins and goes past a `.git` that is no repository.
    """
    project = Path(os.path.realpath(project_dir))
    device: int | None = None
    for directory in (project, *project.parents):
        try:
            here = directory.stat().st_dev
            git_dir = _git_dir(directory)
        except OSError:
            return None
        if device is not None and here != device:
            return None
        device = here
        if git_dir is not None and (common_dir := _common_dir(git_dir)) is not None:
            prefix = "" if directory == project else project.relative_to(directory).as_posix()
            return Repository(directory, git_dir, common_dir, prefix)
    return None


def read_head(repository: Repository) -> str | None:
    """What HEAD says: `ref: refs/heads/...` or a commit's id. None when it says nothing readable."""
    head = repository.git_dir / "HEAD"
    if head.is_symlink():  # how git once wrote branches
        return f"ref: {os.readlink(head)}"
    return _small_text(head)


def _git_dir(directory: Path) -> Path | None:
    entry = directory / ".git"
    if entry.is_dir():
        return Path(os.path.realpath(entry))
    pointer = _small_text(entry)
    if pointer is None or not pointer.startswith("gitdir: "):
        return None
    target = Path(os.path.realpath(directory / pointer.removeprefix("gitdir: ")))
    return target if target.is_dir() else None


def _common_dir(git_dir: Path) -> Path | None:
    """The shared directory, if both together make a repository."""
    pointer = _small_text(git_dir / "commondir")
    common = git_dir if pointer is None else Path(os.path.realpath(git_dir / pointer))
    is_whole = os.path.lexists(git_dir / "HEAD") and (common / "objects").is_dir() and (common / "refs").is_dir()
    return common if is_whole else None


def _small_text(path: Path) -> str | None:
    """A one-line file without its line end, or None for whatever is not one. Never waits on a named pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        content = os.read(handle, _POINTER_MAX_BYTES)
    except OSError:
        return None
    finally:
        os.close(handle)
    text = os.fsdecode(content).rstrip("\r\n")
    return None if not text or "\0" in text or "\n" in text else text
