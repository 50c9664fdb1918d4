"""Putting the skill where agents look for it, and keeping it current there without losing anybody's edits.

Owns the skill's files and the manifest that remembers what was written. Which directory is meant is the caller's.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain, count
from pathlib import Path
from typing import Final

from lifecycle.errors import ProjectInvalid
from lifecycle.workspace.files import FileUnusable, read_regular, write_atomic

__all__ = ["SKILL_NAME", "FileChange", "Installed", "install_skill", "skill_files"]

SKILL_NAME: Final = "autonomous-session-manager"

_MANIFEST: Final = ".installed.json"
_BYTES_MAX: Final = 4 << 20
_PARTS: Final = ("SKILL.md", "scripts", "references")


class FileChange(StrEnum):
    """What installing did to one file."""

    ADDED = "added"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    REMOVED = "removed"
    KEPT = "kept"
    """Somebody had changed it, so it stays as it is."""
    REPLACED = "replaced"
    """Somebody had changed it, and asked for ours; theirs is beside it, with `.orig` (or `.orig.2`, ...) behind its name."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was done.

    Attributes:
        directory: the skill's folder.
        version: of the skill, which is the package's.
        previous: the version that was there before; None where there was none, or nobody can tell.
        changes: for each file, by its path in the folder.
    """

    directory: Path
    version: str
    previous: str | None
    changes: Mapping[str, FileChange]

    @property
    def kept(self) -> tuple[str, ...]:
        """The files that stayed as somebody had changed them."""
        return tuple(name for name, change in self.changes.items() if change is FileChange.KEPT)


def skill_files(python: str = sys.executable) -> dict[str, bytes]:
    """The skill's files: path in its folder -> content.

    Args:
        python: the interpreter that the skill tells its reader to use.
    """
    root = files("lifecycle.skill")
    found = {name: content for part in _PARTS for name, content in _walk(root / part, part)}
    values = {b"{{version}}": version(SKILL_NAME).encode(), b"{{python}}": os.fsencode(python)}
    for placeholder, value in values.items():
        found["SKILL.md"] = found["SKILL.md"].replace(placeholder, value)
    return found


def install_skill(skills_dir: Path, *, is_forced: bool = False) -> Installed:
    """Write the skill into `skills_dir`, or bring the one that is there up to date.

    A file that somebody changed since it was installed is left alone, and told; one that a newer version does without
    goes, unless somebody changed it.

    Args:
        skills_dir: where skills are: `.claude/skills` of a project or of a home. Made where it is missing.
        is_forced: take the place of changed files too; what stood there is kept beside, as `NAME.orig`. An earlier one
            stays: the next is `NAME.orig.2`.

    Raises:
        ProjectInvalid: something else stands in a directory's or a file's place.
        OSError: it cannot be written; what was written so far stands, and installing again goes on.
    """
    directory = skills_dir / SKILL_NAME
    _make(directory)
    manifest = _read_manifest(directory)
    written = dict(manifest.digests)
    changes: dict[str, FileChange] = {}
    wanted = skill_files()
    try:
        for name, content in wanted.items():
            changes[name] = _put(directory, name, content, manifest.digests.get(name), is_forced=is_forced)
            if changes[name] is not FileChange.KEPT:
                written[name] = _digest(content)
        for name in sorted(manifest.digests.keys() - wanted.keys()):
            change = _drop(directory, name, manifest.digests[name])
            del written[name]
            if change is not None:
                changes[name] = change
    finally:
        # Also after a fault: what we wrote is known to be ours when installing goes on.
        _write_manifest(directory, written)
    return Installed(directory, version(SKILL_NAME), manifest.version, changes)


def _put(directory: Path, name: str, content: bytes, ours: str | None, *, is_forced: bool) -> FileChange:
    path = directory / name
    _make(path.parent)
    found = read_regular(path, within=directory, limit_bytes=_BYTES_MAX)
    change = FileChange.UPDATED
    if found == content:
        return FileChange.UNCHANGED
    if found is None:
        change = FileChange.ADDED
    elif _digest(found) != ours:
        if not is_forced:
            return FileChange.KEPT
        _keep_beside(directory, path, found)
        change = FileChange.REPLACED
    write_atomic(path, content, within=directory)
    return change


def _keep_beside(directory: Path, path: Path, content: bytes) -> None:
    """Under a name that holds nothing else yet."""
    names = (f"{path.name}.orig{suffix}" for suffix in chain([""], (f".{number}" for number in count(2))))
    for beside in map(path.with_name, names):
        if (found := read_regular(beside, within=directory, limit_bytes=_BYTES_MAX)) is None:
            write_atomic(beside, content, within=directory)
        if found is None or found == content:
            return


def _drop(directory: Path, name: str, ours: str) -> FileChange | None:
    path = directory / name
    found = read_regular(path, within=directory, limit_bytes=_BYTES_MAX)
    if found is None:
        return None
    if _digest(found) != ours:
        return FileChange.KEPT
    path.unlink()
    return FileChange.REMOVED


@dataclass(frozen=True, slots=True)
class _Manifest:
    version: str | None
    digests: Mapping[str, str]


def _read_manifest(directory: Path) -> _Manifest:
    """What an earlier installation wrote. One that cannot be understood is none: then every file counts as edited."""
    try:
        content = read_regular(directory / _MANIFEST, within=directory, limit_bytes=_BYTES_MAX)
        document = json.loads(content or b"null")
        names = {str(name): str(digest) for name, digest in document["files"].items() if _is_plain(name)}
        return _Manifest(str(document["version"]), names)
    except (FileUnusable, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _Manifest(None, {})


def _is_plain(name: str) -> bool:
    """Whether a name from the manifest stays in the folder: it lies in a project, so anybody may have written it."""
    return not os.path.isabs(name) and ".." not in Path(name).parts and "\0" not in name


def _write_manifest(directory: Path, digests: Mapping[str, str]) -> None:
    document = {"version": version(SKILL_NAME), "files": dict(sorted(digests.items()))}
    content = (json.dumps(document, indent=1) + "\n").encode()
    path = directory / _MANIFEST
    if read_regular(path, within=directory, limit_bytes=_BYTES_MAX) != content:
        write_atomic(path, content, within=directory)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ProjectInvalid(Path(error.filename or directory), "is not a directory; move it away") from None


def _walk(place: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    if place.is_file():
        yield name, place.read_bytes()
        return
    for inner in sorted(place.iterdir(), key=lambda each: each.name):
        if inner.name != "__pycache__":
            yield from _walk(inner, f"{name}/{inner.name}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
