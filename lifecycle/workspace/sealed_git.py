"""Running git on a repository that an agent may have prepared, so that nothing of the agent's runs.

A repository's own configuration can name programs for almost everything git does: file-system monitor, clean and
smudge filters, hooks, textconv and external diff, pager, signature checker, ssh command, promisor remotes that fetch a
missing object, and more with each version. Switching those off one by one is a list that is never complete. Here
git never sees that configuration at all: it is given a *stand-in git directory*, made for the call, whose
configuration is ours, and whose HEAD, refs and objects are the real ones. Filters that `.gitattributes` asks for
then have no definition, so they do not exist. Neither the system's nor the user's configuration is read, and of the
caller's environment nothing but the way to git.

The few settings that change how files are *read*, and can name no program, are copied from the repository after
being checked (`_DATA_SETTINGS`); git's parser lists them from the file, includes off, outside any repository.

What this cannot do: protect the stand-in from a process of the same user that is running at that very moment. The
states that ask git run while no agent does.

Every call is bounded in time and output and has no terminal, no pager and no prompt; reading takes no lock.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lifecycle.workspace.bounded_command import CommandFailed, run_bounded
from lifecycle.workspace.repository import Repository, find_repository, read_head

__all__ = ["NO_REPOSITORY", "SealedGit", "git_of", "sealed_git"]

TIMEOUT_S = 10.0
OUTPUT_MAX_BYTES = 1 << 20

NO_REPOSITORY = "not in a git work tree"

_DATA_SETTINGS: Mapping[str, frozenset[str]] = {
    "core.autocrlf": frozenset({"true", "false", "input"}),
    "core.eol": frozenset({"lf", "crlf", "native"}),
    "core.filemode": frozenset({"true", "false"}),
    "core.ignorecase": frozenset({"true", "false"}),
    "core.precomposeunicode": frozenset({"true", "false"}),
    "core.symlinks": frozenset({"true", "false"}),
}
_FORMAT_SETTINGS: Mapping[str, frozenset[str]] = {
    "extensions.objectformat": frozenset({"sha1", "sha256"}),
    "extensions.refstorage": frozenset({"files", "reftable"}),
}
_SHARED = ("refs", "packed-refs", "reftable", "shallow", "info")
_STALE_AFTER_S = 600.0
_STAND_IN_PREFIX = "lifecycle-git-"


@dataclass(frozen=True, slots=True)
class SealedGit:
    """Git on one repository, sealed. Made by `sealed_git`, dead when its block ends."""

    repository: Repository
    program: str
    environment: Mapping[str, str]

    @property
    def pathspec(self) -> tuple[str, ...]:
        """What ends a command that is to look at the project alone."""
        return ("--", self.repository.prefix) if self.repository.prefix else ("--",)

    def run(
        self,
        *arguments: str,
        output_max_bytes: int = OUTPUT_MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
        given: bytes = b"",
    ) -> bytes:
        """What one git command prints; cut, and the command killed, at `output_max_bytes`.

        Args:
            given: what it gets on standard input.

        Raises:
            CommandFailed: it ended with an error, took too long, or could not be run.
        """
        command = (self.program, *arguments)
        return run_bounded(command, self.environment, self.repository.top, output_max_bytes, timeout_s, given)

    def with_index(self, index: Path) -> SealedGit:
        """The same with an index of the caller's own, so that the repository's is neither read nor written."""
        return replace(self, environment={**self.environment, "GIT_INDEX_FILE": str(index)})


def git_of(project_dir: Path) -> AbstractContextManager[SealedGit]:
    """Git for a few calls on the repository whose work tree holds the project.

    Raises:
        CommandFailed: there is none, or as `sealed_git`.
    """
    repository = find_repository(project_dir)
    if repository is None:
        raise CommandFailed(NO_REPOSITORY)
    return sealed_git(repository)


@contextmanager
def sealed_git(repository: Repository) -> Iterator[SealedGit]:
    """Git for a few calls on one repository.

    Raises:
        CommandFailed: git is not installed, the repository's HEAD is not readable, or no stand-in can be made.
    """
    program = _find_git(repository.top)
    head = read_head(repository)
    if head is None:
        raise CommandFailed("the repository's HEAD cannot be read")
    _remove_stale_stand_ins()
    with _temporary_directory() as stand_in:
        base = _environment(repository, stand_in)
        settings = _settings(program, base, repository, stand_in)
        try:
            _furnish(stand_in, repository, head, settings)
        except OSError as error:
            raise CommandFailed(f"git's stand-in directory cannot be made: {error.strerror}") from error
        yield SealedGit(repository, program, {**base, **_as_environment(settings)})


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=_STAND_IN_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise CommandFailed(f"git's stand-in directory cannot be made: {error.strerror}") from error
    with made as name:
        yield Path(name)


def _furnish(stand_in: Path, repository: Repository, head: str, settings: Mapping[str, str]) -> None:
    """Make the stand-in look like the repository, but for its configuration and hooks."""
    (stand_in / "HEAD").write_bytes(os.fsencode(head) + b"\n")
    (stand_in / "objects").mkdir()
    for name in _SHARED:
        if os.path.lexists(repository.common_dir / name):
            (stand_in / name).symlink_to(repository.common_dir / name)
    for name in os.listdir(repository.git_dir):
        if name.startswith("sharedindex."):  # the base of a split index, which git looks for beside HEAD
            (stand_in / name).symlink_to(repository.git_dir / name)
    _write_configuration(stand_in, settings)


def _environment(repository: Repository, stand_in: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(stand_in),
        "LC_ALL": "C",
        "GIT_DIR": str(stand_in),
        "GIT_WORK_TREE": str(repository.top),
        "GIT_INDEX_FILE": str(repository.git_dir / "index"),
        "GIT_OBJECT_DIRECTORY": str(repository.common_dir / "objects"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_NO_REPLACE_OBJECTS": "1",  # planted replacements and grafts must not rewrite history
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LITERAL_PATHSPECS": "1",
    }


def _settings(program: str, base: Mapping[str, str], repository: Repository, stand_in: Path) -> dict[str, str]:
    """The allowed settings of the repository's own configuration. A file that git cannot read has none."""
    file = repository.common_dir / "config"
    if not file.is_file():
        return {}
    # The stand-in is still empty, so this file is all that git reads, and as data.
    command = (program, "config", "--file", str(file), "--no-includes", "--null", "--list")
    try:
        listed = run_bounded(command, base, stand_in, OUTPUT_MAX_BYTES, TIMEOUT_S)
    except CommandFailed:
        return {}
    settings = {}
    for entry in listed.decode("utf-8", errors="replace").split("\0"):
        key, _, value = entry.partition("\n")
        allowed = _DATA_SETTINGS.get(key) or _FORMAT_SETTINGS.get(key) or ()
        if value.lower() in allowed:
            settings[key] = value.lower()
    return settings


def _write_configuration(stand_in: Path, settings: Mapping[str, str]) -> None:
    formats = {key.partition(".")[2]: value for key, value in settings.items() if key in _FORMAT_SETTINGS}
    lines = ["[core]", f"\trepositoryformatversion = {int(bool(formats))}", "\tbare = false"]
    if formats:
        lines += ["[extensions]", *(f"\t{key} = {value}" for key, value in formats.items())]
    (stand_in / "config").write_text("\n".join(lines) + "\n", encoding="ascii")


def _as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    data = [(key, value) for key, value in settings.items() if key in _DATA_SETTINGS]
    pairs = {"GIT_CONFIG_COUNT": str(len(data))}
    for number, (key, value) in enumerate(data):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return pairs


def _find_git(top: Path) -> str:
    """Git from an absolute directory of PATH outside the project: one inside could be the agent's."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    trusted = [entry for entry in entries if os.path.isabs(entry) and not _is_inside(entry, top)]
    program = shutil.which("git", path=os.pathsep.join(trusted)) if trusted else None
    if program is None or _is_inside(program, top):
        raise CommandFailed("git is not installed")
    return program


def _is_inside(path: str, top: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(top)


def _remove_stale_stand_ins() -> None:
    """Remove what killed managers left. A living stand-in is seconds old."""
    oldest = time.time() - _STALE_AFTER_S  # noqa: TID251  # compared with the file system's own times
    for path in Path(tempfile.gettempdir()).glob(f"{_STAND_IN_PREFIX}*"):
        try:
            status = path.lstat()
        except OSError:
            continue  # another manager was faster
        if status.st_uid == os.getuid() and status.st_mtime < oldest and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)

