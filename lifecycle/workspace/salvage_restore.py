"""Putting a salvage's work back into the work tree, on a person's word.

Only what the salvaged session had changed is written: commits made since then stay. The index and HEAD are not
touched. The feature list and the progress file are left alone, since they are the record and have gone on.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lifecycle.errors import ProjectInvalid
from lifecycle.workspace.bounded_command import CommandFailed
from lifecycle.workspace.feature_list import FEATURE_LIST_NAME
from lifecycle.workspace.git import head_of
from lifecycle.workspace.progress import PROGRESS_NAME
from lifecycle.workspace.salvage import (
    INDEX_PREFIX,
    REF_PREFIX,
    STAGED,
    Salvaged,
    changed_between,
    empty_tree,
    salvages,
    work_tree,
)
from lifecycle.workspace.sealed_git import SealedGit, git_of
from lifecycle.workspace.submodules import submodules
from lifecycle.workspace.untrusted import one_line

__all__ = ["Restored", "files_of", "find_salvage", "restore_salvage"]

_TIMEOUT_S = 120.0
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: paths below the repository's top."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def find_salvage(known: Sequence[Salvaged], name: str, project_dir: Path) -> Salvaged:
    """The salvage of this name: the whole reference, or the beginning of what stands behind the prefix.

    Raises:
        ProjectInvalid: none has it, or several.
    """
    short = name.removeprefix(REF_PREFIX)
    found = [one for one in known if one.ref == REF_PREFIX + short]
    found = found or [one for one in known if short and one.ref.removeprefix(REF_PREFIX).startswith(short)]
    if len(found) != 1:
        problem = "several salvages begin" if found else "no salvage begins"
        raise ProjectInvalid(project_dir, f"{problem} with {name!r}; `lifecycle salvage {project_dir}` lists them")
    return found[0]


def files_of(project_dir: Path, salvaged: Salvaged) -> tuple[str, ...]:
    """The files that the salvage would write or remove.

    Raises:
        CommandFailed: git could not say.
    """
    with git_of(project_dir) as git:
        return tuple(_wanted(git, salvaged))


def restore_salvage(project_dir: Path, salvaged: Salvaged, *, overwrite: bool = False) -> Restored:
    """Write the salvaged work into the work tree.

    Args:
        overwrite: also where that replaces uncommitted changes, or what was committed since.

    Raises:
        ProjectInvalid: the work tree has other uncommitted changes, or the files have been changed since; nothing
            was touched.
        CommandFailed: git could not; what was written by then is written.
    """
    with git_of(project_dir) as git, tempfile.TemporaryDirectory(prefix=INDEX_PREFIX) as directory:
        index = Path(directory) / "index"
        head = head_of(git)
        now, _ = work_tree(git.with_index(index), index, head)
        differs = set(changed_between(git, now, salvaged.commit))
        wanted = [path for path in _wanted(git, salvaged) if path in differs]
        if not overwrite:
            _ensure_free(git, project_dir, salvaged, head, now, wanted, differs)
        theirs = git.with_index(index.with_name("salvaged"))
        theirs.run("read-tree", salvaged.commit, timeout_s=_TIMEOUT_S)
        kept = set(_names(theirs.run("ls-files", "-z", output_max_bytes=64 << 20)))
        links = submodules(theirs)
        inner = [path for path in wanted if path in links]
        written = [path for path in wanted if path in kept and path not in links]
        theirs.run(
            "checkout-index", "--force", "-z", "--stdin",
            given=b"".join(os.fsencode(path) + b"\0" for path in written), timeout_s=_TIMEOUT_S,
        )  # fmt: skip
        removed = [path for path in wanted if path not in kept and _remove(git.repository.top, path)]
    for path in inner:
        restored = _restore_submodule(git.repository.top / path, links[path], overwrite=overwrite)
        written += [f"{path}/{each}" for each in restored.written]
        removed += [f"{path}/{each}" for each in restored.removed]
    return Restored(tuple(written), tuple(removed))


def _restore_submodule(directory: Path, commit: str, *, overwrite: bool) -> Restored:
    """Restore the work that the submodule's own salvage keeps; nothing where the commit is no salvage but the session's own."""
    known = next((one for one in salvages(directory) if one.commit == commit), None)
    return Restored() if known is None else restore_salvage(directory, known, overwrite=overwrite)


def _wanted(git: SealedGit, salvaged: Salvaged) -> list[str]:
    ours = {f"{git.repository.prefix}/{name}".removeprefix("/") for name in (FEATURE_LIST_NAME, PROGRESS_NAME)}
    return [path for path in changed_between(git, _base(git, salvaged), salvaged.commit) if path not in ours]


def _base(git: SealedGit, salvaged: Salvaged) -> str:
    """What the session's work stood on: the first parent, unless that is what it had staged before any commit."""
    try:
        parent = git.run("rev-parse", "--verify", "--quiet", f"{salvaged.commit}^1").decode("ascii").strip()
    except CommandFailed:
        return empty_tree(git)
    subject = git.run("log", "-1", "--no-show-signature", "--format=%s", parent).decode("utf-8", errors="replace")
    return empty_tree(git) if subject.startswith(STAGED) else parent


def _ensure_free(
    git: SealedGit,
    project_dir: Path,
    salvaged: Salvaged,
    head: str | None,
    now: str,
    wanted: Sequence[str],
    differs: set[str],
) -> None:
    notes = f"{git.repository.prefix}/{PROGRESS_NAME}".removeprefix("/")  # a session's entry stands there uncommitted
    dirty = [path for path in changed_between(git, head or empty_tree(git), now) if path in differs and path != notes]
    if dirty:
        raise ProjectInvalid(
            project_dir, f"has uncommitted changes ({_some(dirty)}); commit them, or give --overwrite"
        )
    since = set(changed_between(git, _base(git, salvaged), now))
    moved = [path for path in wanted if path in since]
    if moved:
        raise ProjectInvalid(
            project_dir, f"has changed since that salvage ({_some(moved)}); give --overwrite to replace what is there"
        )


def _remove(top: Path, path: str) -> bool:
    """Remove a file; never through a link that leads elsewhere."""
    file = top / path
    if Path(os.path.realpath(file.parent)) != Path(os.path.realpath(top)) / Path(path).parent:
        return False
    try:
        file.unlink()
    except OSError:
        return False
    return True


def _names(printed: bytes) -> list[str]:
    return [os.fsdecode(path) for path in printed.split(b"\0") if path]


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(one_line(path, 80) for path in paths[:_NAMES_SHOWN])
    return shown if len(paths) <= _NAMES_SHOWN else f"{shown} and {len(paths) - _NAMES_SHOWN} more"
