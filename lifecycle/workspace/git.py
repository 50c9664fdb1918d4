"""What the manager asks git about a project's past: the head, the newest commits, old versions of a file.

Works in the repository whose work tree holds the project. In a repository that begins above the project only
commits that touch the project's directory count: what others do in the same repository is not this
project's progress. Everything works before the first commit, with a detached head and in a linked work tree.
Whatever git cannot answer is None or empty with a reason, never an exception: history is a help, not a condition.

How git is kept from running anything of the agent's is `sealed_git`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.workspace.bounded_command import CommandFailed
from lifecycle.workspace.sealed_git import NO_REPOSITORY, SealedGit, git_of
from lifecycle.workspace.untrusted import one_line

__all__ = [
    "Commit",
    "History",
    "changes_since",
    "commits_since",
    "file_versions",
    "head_commit",
    "head_of",
    "moment",
    "read_history",
    "recent_commits",
]

COUNT_MAX = 10_000
"""Commits are counted up to here."""

NO_COMMIT = "no commit yet"

_ID_CHARS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as far as a prompt or a person wants it.

    Attributes:
        id: the full hexadecimal id.
        at: when it was committed, ISO 8601 in UTC; "" when the commit states no time that can be.
        author: a name, one line.
        subject: the message's first line, at most 200 characters.
    """

    id: str
    at: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class History:
    """What git says about the project's past.

    Attributes:
        head: the id of the commit at HEAD, or None.
        commits: the newest of the project's commits, newest first.
        total: how many the project has, counted up to `COUNT_MAX`.
        reason: why something is missing, or None.
    """

    head: str | None = None
    commits: tuple[Commit, ...] = ()
    total: int = 0
    reason: str | None = None


def read_history(project_dir: Path, limit: int = 10) -> History:
    """The head, the newest `limit` commits and their number, in one go."""
    head: str | None = None
    try:
        with git_of(project_dir) as git:
            head = head_of(git)
            if head is None:
                return History(reason=NO_COMMIT)
            return History(head, _commits(git, limit), _count(git, "HEAD"))
    except CommandFailed as failure:
        return History(head, reason=failure.reason)


def head_commit(project_dir: Path) -> str | None:
    """The id of the commit at HEAD; None without one, or where git cannot say."""
    try:
        with git_of(project_dir) as git:
            return head_of(git)
    except CommandFailed:
        return None


def recent_commits(project_dir: Path, limit: int) -> tuple[Commit, ...]:
    """The project's newest commits, newest first; empty where there are none or git cannot say."""
    return read_history(project_dir, limit).commits


def commits_since(project_dir: Path, base: str | None) -> int | None:
    """How many of the project's commits at HEAD were not there at `base`, counted up to `COUNT_MAX`.

    Args:
        project_dir: the project.
        base: an earlier head, or None for "before the first commit". A base that the repository no longer has
            (made anew, history rewritten and collected) is as good as none: every commit is new.

    Returns:
        None where git cannot say; 0 without a commit.
    """
    try:
        with git_of(project_dir) as git:
            if head_of(git) is None:
                return 0
            if base is None or not _has_commit(git, base):
                return _count(git, "HEAD")
            return _count(git, "HEAD", f"^{base}")
    except CommandFailed as failure:
        return 0 if failure.reason == NO_REPOSITORY else None


def changes_since(project_dir: Path, base: str | None, limit: int = 30) -> tuple[tuple[Commit, ...], tuple[str, ...]]:
    """The project's commits at HEAD that were not there at `base`, newest first, and the files that they changed.

    Both at most `limit` long, both empty where git cannot say.
    """
    try:
        with git_of(project_dir) as git:
            if head_of(git) is None:
                return (), ()
            new = ("HEAD", f"^{base}") if base is not None and _has_commit(git, base) else ("HEAD",)
            commits = _commits(git, limit, new)
            printed = git.run(
                "log", "-z", "--name-only", "--no-renames", "--format=", f"--max-count={limit}",
                "--no-show-signature", "--no-ext-diff", "--no-textconv", *new, *git.pathspec,
            )  # fmt: skip
    except CommandFailed:
        return (), ()
    names = printed.decode("utf-8", errors="replace").replace("\n", "\0").split("\0")
    return commits, tuple(dict.fromkeys(name for name in names if name))[:limit]


def file_versions(project_dir: Path, name: str, *, limit: int, size_max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """A project file's committed contents, newest first, each with its commit's id.

    HEAD's own, then one for each of the last `limit` commits that changed it. Versions that are larger than
    `size_max_bytes`, and commits that removed the file, are passed over. Ends early where git cannot say.
    """
    try:
        with git_of(project_dir) as git:
            head = head_of(git)
            if head is None:
                return
            path = f"{git.repository.prefix}/{name}".removeprefix("/")
            printed = git.run("rev-list", f"--max-count={limit}", "HEAD", "--", path)
            for commit in dict.fromkeys((head, *printed.decode("ascii").split())):
                content = _blob(git, f"{commit}:{path}", size_max_bytes)
                if content is not None:
                    yield commit, content
    except CommandFailed:
        return


def head_of(git: SealedGit) -> str | None:
    """The id of the commit at HEAD, or None before the first commit (git then fails without a word)."""
    try:
        return git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode("ascii").strip()
    except CommandFailed as failure:
        if failure.status == 1:
            return None
        raise


def _commits(git: SealedGit, limit: int, revisions: tuple[str, ...] = ("HEAD",)) -> tuple[Commit, ...]:
    printed = git.run(
        "log",
        "-z",
        f"--max-count={limit}",
        "--format=%H%n%ct%n%an%n%s",
        "--encoding=UTF-8",
        "--no-color",
        "--no-decorate",
        "--no-notes",
        "--no-show-signature",
        *revisions,
        *git.pathspec,
    )
    entries = printed.decode("utf-8", errors="replace").split("\0")
    lines = (entry.split("\n", 3) for entry in entries if entry)
    return tuple(
        Commit(fields[0], moment(fields[1]), one_line(fields[2], 80), one_line(fields[3], 200))
        for fields in lines
        if len(fields) == 4
    )


def _count(git: SealedGit, *revisions: str) -> int:
    return int(git.run("rev-list", "--count", f"--max-count={COUNT_MAX}", *revisions, *git.pathspec))


def _has_commit(git: SealedGit, commit: str) -> bool:
    if len(commit) not in (40, 64) or not _ID_CHARS.issuperset(commit):
        return False
    try:
        git.run("cat-file", "-e", f"{commit}^{{commit}}")
    except CommandFailed:
        return False
    return True


def _blob(git: SealedGit, name: str, size_max_bytes: int) -> bytes | None:
    try:
        if int(git.run("cat-file", "-s", name)) > size_max_bytes:
            return None
        return git.run("cat-file", "blob", name, output_max_bytes=size_max_bytes)
    except CommandFailed:
        return None


def moment(seconds: str) -> str:
    """Git's seconds since the epoch as ISO 8601 in UTC, or "" for a time that cannot be."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""
