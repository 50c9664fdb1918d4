"""Keeping work that a session left uncommitted: as a commit under `refs/lifecycle/salvage/`, and nowhere else.

Neither the work tree nor the index nor HEAD is touched, and nothing of the repository's configuration runs: no filter,
no hook (see `sealed_git`). Works before the first commit, in a linked work tree, with a detached head, during a
merge. A submodule's work is kept in the submodule's repository, and its commit stands in the project's. What `.gitignore`
names is not kept, as it was not meant to be; what is larger than `FILE_MAX_BYTES`, or lies in a repository of its own
that is no submodule, is left where it stands and named.

The commit is made of nothing but what it keeps (its moment is the caller's), so that doing it again gives the same.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lifecycle.ports import Salvage
from lifecycle.workspace.bounded_command import CommandFailed
from lifecycle.workspace.git import head_of, moment
from lifecycle.workspace.sealed_git import NO_REPOSITORY, SealedGit, git_of
from lifecycle.workspace.submodules import submodules
from lifecycle.workspace.untrusted import one_line

__all__ = [
    "FILE_MAX_BYTES",
    "INDEX_PREFIX",
    "REF_PREFIX",
    "STAGED",
    "Salvaged",
    "changed_between",
    "empty_tree",
    "listed",
    "salvage",
    "salvages",
    "work_tree",
]

REF_PREFIX = "refs/lifecycle/salvage/"

INDEX_PREFIX = "lifecycle-git-index-"
"""Of temporary directories; what a killed manager left is removed with the stand-ins of `sealed_git`."""

STAGED = "Staged when"
"""How the message of the commit begins that keeps what was staged and is not what the work tree holds."""

FILE_MAX_BYTES = 50 << 20
TOTAL_MAX_BYTES = 1 << 30
_TIMEOUT_S = 120.0
_PATHS_MAX_BYTES = 64 << 20
_SKIPPED_MAX = 50
_REFS_TRIED = 3
_SUBMODULES_MAX = 20
_DEPTH_MAX = 3
_DURABLY = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=batch")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """One salvage, as the repository has it.

    Attributes:
        at: ISO 8601 in UTC.
        words: what the session was and how it ended.
    """

    ref: str
    commit: str
    at: str
    words: str


def salvage(project_dir: Path, name: str, *, at: float, words: str, untouched: Sequence[str] = ()) -> Salvage | None:
    """Keep what is uncommitted or untracked under `refs/lifecycle/salvage/<name>-<n>`.

    Args:
        name: the session's id.
        at: the moment that the commit states.
        words: the commit's message.
        untouched: files of the project that are no reason for a salvage, when nothing else differs.

    Returns:
        What was kept, or had been kept before; None where everything is committed or there is no repository.

    Raises:
        CommandFailed: git could not.
    """
    try:
        with git_of(project_dir) as git, tempfile.TemporaryDirectory(prefix=INDEX_PREFIX) as directory:
            return _salvage(git, Path(directory) / "index", name, at, words, untouched)
    except CommandFailed as failure:
        if failure.reason == NO_REPOSITORY:
            return None
        raise


def salvages(project_dir: Path) -> tuple[Salvaged, ...]:
    """Every salvage of the repository, newest first; empty where there is none.

    Raises:
        CommandFailed: git could not say.
    """
    try:
        with git_of(project_dir) as git:
            return listed(git)
    except CommandFailed as failure:
        if failure.reason == NO_REPOSITORY:
            return ()
        raise


def _salvage(
    git: SealedGit, index: Path, name: str, at: float, words: str, untouched: Sequence[str], depth: int = 0
) -> Salvage | None:
    head = head_of(git)
    staged = _staged_tree(git, index.with_name("staged"))
    ours = git.with_index(index)
    tree, skipped = work_tree(ours, index, head)
    if inner := _salvage_submodules(ours, name, at, words, depth, skipped):
        tree = _with_submodules(ours, inner)
    before = empty_tree(git) if head is None else f"{head}^{{tree}}"
    changed = changed_between(git, before, tree)
    is_staged = staged is not None and staged != tree and bool(changed_between(git, before, staged))
    reasons = set(changed) - {f"{git.repository.prefix}/{path}".removeprefix("/") for path in untouched}
    if not reasons and not is_staged:
        return None
    parents = [] if head is None else [head]
    if is_staged and staged is not None:
        # Without a moment of its own, so that the same work is recognised whenever it is found.
        parents.append(_commit(git, staged, parents, 0, f"{STAGED} the session was cut off"))
    message = "\n".join([words, "", *(f"Not kept: {line}" for line in skipped)]).strip()
    commit = _commit(git, tree, parents, at, message)
    for known in listed(git):
        if known.commit == commit or _keeps_the_same(git, known.commit, tree, parents):
            return Salvage(known.ref, known.commit, len(changed), tuple(skipped), is_new=False)
    return Salvage(_refer(git, name, commit), commit, len(changed), tuple(skipped))


def _salvage_submodules(
    ours: SealedGit, name: str, at: float, words: str, depth: int, skipped: list[str]
) -> dict[str, str]:
    """Keep each submodule's work in its own repository; path -> the commit that keeps it."""
    kept: dict[str, str] = {}
    for number, path in enumerate(submodules(ours)):
        if number == _SUBMODULES_MAX or depth == _DEPTH_MAX:
            skipped.append(f"{one_line(path, 200)} (too many submodules)")
            break
        try:
            with git_of(ours.repository.top / path) as git, tempfile.TemporaryDirectory(prefix=INDEX_PREFIX) as directory:
                inner = _salvage(git, Path(directory) / "index", name, at, words, (), depth + 1)
        except CommandFailed as failure:
            skipped.append(f"{one_line(path, 200)} (a submodule that git cannot read: {failure.reason})")
            continue
        if inner is not None:
            kept[path] = inner.commit
            skipped += [f"{one_line(path, 200)}/{line}" for line in inner.skipped]
    return kept


def _with_submodules(ours: SealedGit, kept: Mapping[str, str]) -> str:
    """The tree in which each submodule stands at the commit that keeps its work."""
    given = b"".join(b"160000 %b\t%b\0" % (commit.encode("ascii"), os.fsencode(path)) for path, commit in kept.items())
    ours.run(*_DURABLY, "update-index", "-z", "--index-info", given=given, timeout_s=_TIMEOUT_S)
    return tree_of(ours)


def work_tree(ours: SealedGit, index: Path, head: str | None) -> tuple[str, list[str]]:
    """The work tree as a tree object, made in an index of its own; and what was left out of it, and why.

    Args:
        ours: git with that index.
    """
    _begin(ours, index, head)
    skipped = _add_work(ours)
    return tree_of(ours), skipped


def _begin(ours: SealedGit, index: Path, head: str | None) -> None:
    """The repository's index as a copy, times and all, so that unchanged files need not be read again.

    In a repository that begins above the project what others have staged there is not the project's work.
    """
    real = ours.repository.git_dir / "index"
    if ours.repository.prefix and head is not None:
        ours.run("read-tree", head, timeout_s=_TIMEOUT_S)
    elif not ours.repository.prefix and real.is_file():
        shutil.copy2(real, index)


def _staged_tree(git: SealedGit, copy: Path) -> str | None:
    """What is staged, which can differ from HEAD and from the work tree; None where it is no tree (a merge)."""
    real = git.repository.git_dir / "index"
    if git.repository.prefix or not real.is_file():
        return None
    shutil.copy2(real, copy)
    try:
        return tree_of(git.with_index(copy))
    except CommandFailed:
        return None


def _add_work(ours: SealedGit) -> list[str]:
    """Bring the index to what the work tree holds; return what was left out and why."""
    changed = _paths(ours, "diff-files", "--name-only", "-z", "--ignore-submodules=dirty")
    new = _paths(ours, "ls-files", "-z", "--others", "--exclude-standard")
    skipped: list[str] = []
    wanted: list[bytes] = []
    total = 0
    for path in dict.fromkeys((*changed, *new)):
        problem, size = _judge(ours.repository.top, path, total)
        if problem:
            skipped.append(f"{one_line(os.fsdecode(path), 200)} ({problem})")
            continue
        total += size
        wanted.append(path)
    ours.run(
        *_DURABLY, "update-index", "--add", "--remove", "--replace", "-z", "--stdin",
        given=b"".join(path + b"\0" for path in wanted), timeout_s=_TIMEOUT_S,
    )  # fmt: skip
    return skipped[:_SKIPPED_MAX] + ([f"and {len(skipped) - _SKIPPED_MAX} more"] if len(skipped) > _SKIPPED_MAX else [])


def _judge(top: Path, path: bytes, total: int) -> tuple[str, int]:
    """Why a path cannot be kept, or "", and how large it is."""
    if path.endswith(b"/"):
        return "a repository of its own", 0
    try:
        status = os.lstat(os.path.join(os.fsencode(top), path))
    except FileNotFoundError:
        return "", 0
    except OSError as error:
        return f"cannot be read: {error.strerror}", 0
    if stat.S_ISDIR(status.st_mode):
        return "", 0  # a submodule: its commit is kept here, its work in its own repository
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return "not a regular file", 0
    if status.st_size > FILE_MAX_BYTES:
        return f"{status.st_size >> 20} MiB, more than {FILE_MAX_BYTES >> 20} MiB", 0
    if total + status.st_size > TOTAL_MAX_BYTES:
        return f"more than {TOTAL_MAX_BYTES >> 20} MiB in all", 0
    if stat.S_ISREG(status.st_mode) and not os.access(os.path.join(os.fsencode(top), path), os.R_OK):
        return "cannot be read: permission denied", 0
    return "", status.st_size


def _paths(git: SealedGit, *command: str) -> list[bytes]:
    printed = git.run(*command, *git.pathspec, output_max_bytes=_PATHS_MAX_BYTES, timeout_s=_TIMEOUT_S)
    return [path for path in printed.split(b"\0") if path]


def changed_between(git: SealedGit, before: str, after: str) -> list[str]:
    """The project's paths in which two trees differ."""
    printed = git.run(
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after, *git.pathspec,
        output_max_bytes=_PATHS_MAX_BYTES,
    )  # fmt: skip
    return [os.fsdecode(path) for path in printed.split(b"\0") if path]


def tree_of(git: SealedGit) -> str:
    """The index as a tree object."""
    return git.run(*_DURABLY, "write-tree", timeout_s=_TIMEOUT_S).decode("ascii").strip()


def empty_tree(git: SealedGit) -> str:
    """The tree without anything in it: what stands before the first commit."""
    return git.run("mktree").decode("ascii").strip()


def _commit(git: SealedGit, tree: str, parents: Sequence[str], at: float, message: str) -> str:
    """A commit object that depends on its arguments alone."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    who = f"lifecycle <lifecycle@localhost> {int(at)} +0000"
    text = "\n".join([*lines, f"author {who}", f"committer {who}", "", message, ""])
    made = git.run(
        *_DURABLY, "hash-object", "-t", "commit", "-w", "--stdin", given=text.encode("utf-8", errors="replace")
    )
    return made.decode("ascii").strip()


def _keeps_the_same(git: SealedGit, commit: str, tree: str, parents: Sequence[str]) -> bool:
    try:
        lines = git.run("cat-file", "commit", commit).partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
    except CommandFailed:
        return False
    known = [line for line in lines if line.startswith(("tree ", "parent "))]
    return known == [f"tree {tree}", *(f"parent {parent}" for parent in parents)]


def listed(git: SealedGit) -> tuple[Salvaged, ...]:
    """Every salvage of the repository, newest first."""
    printed = git.run(
        "for-each-ref", "--sort=-committerdate", "--sort=-refname",
        "--format=%(refname)%00%(objectname)%00%(committerdate:unix)%00%(contents:subject)%00", REF_PREFIX,
    )  # fmt: skip
    fields = printed.decode("utf-8", errors="replace").split("\0")
    rows = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return tuple(
        Salvaged(ref.strip("\n"), commit, moment(at), one_line(words, 200)) for ref, commit, at, words in rows
    )


def _refer(git: SealedGit, name: str, commit: str) -> str:
    """Make the first free reference of this name; one that a killed git left locked is passed over."""
    taken = {known.ref for known in listed(git)}
    refs = (f"{REF_PREFIX}{name}-{number}" for number in itertools.count(1))
    free = itertools.islice((ref for ref in refs if ref not in taken), _REFS_TRIED)
    problem = CommandFailed("no reference is free")
    for ref in free:
        try:
            git.run(*_DURABLY, "update-ref", "--no-deref", ref, commit, "0" * len(commit))
        except CommandFailed as failure:
            problem = failure
        else:
            return ref
    raise problem
