"""The specification: what the project is to become, in the person's words.

Owns `app_spec.txt` and the question whether there is anything to work from.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lifecycle.errors import ProjectInvalid
from lifecycle.workspace.feature_list import read_feature_list
from lifecycle.workspace.files import FileUnusable, read_regular, read_tail, write_atomic
from lifecycle.workspace.spec_template import is_unanswered

__all__ = [
    "SPEC_NAME",
    "SpecChange",
    "SpecComparison",
    "compare_spec",
    "ensure_project_dir",
    "ensure_workable",
    "install_spec",
    "load_spec",
]

SPEC_NAME = "app_spec.txt"

SIZE_MAX_BYTES = 4 << 20
"""More than any model reads at once."""

_ASK = "give a specification with --spec FILE (a text file that says what to build)"


class SpecChange(StrEnum):
    """What installing a specification did."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    REPLACED = "replaced"


def load_spec(path: Path) -> str:
    """The text of a specification that a person named. Line ends stay as they are, a byte order mark goes.

    The path is the person's own, so links are followed anywhere; only a regular file is accepted.

    Raises:
        ProjectInvalid: missing, a directory or another thing, unreadable, not UTF-8 text, empty, too large.
    """
    try:
        real = path.resolve(strict=True)
        content = read_regular(real, within=real.parent, limit_bytes=SIZE_MAX_BYTES)
    except FileUnusable as unusable:
        raise ProjectInvalid(path, f"the specification {unusable.problem}; {_ASK}") from unusable
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, up to Python 3.12
        why = (error.strerror if isinstance(error, OSError) else None) or "a loop of symbolic links"
        raise ProjectInvalid(path, f"the specification cannot be read: {why.lower()}; {_ASK}") from error
    if content is None:
        raise ProjectInvalid(path, f"the specification is gone; {_ASK}")
    return _text(path, content)


@dataclass(frozen=True, slots=True)
class SpecComparison:
    """What installing a specification would do.

    Attributes:
        before: a digest of what stands there; None where nothing does, or what cannot be read.
        after: a digest of the specification.
    """

    change: SpecChange
    before: str | None
    after: str


def compare_spec(project_dir: Path, text: str) -> SpecComparison:
    """What `install_spec` would do. Writes nothing.

    Raises:
        FileUnusable: the place is taken by something that is not a regular file.
    """
    path = project_dir / SPEC_NAME
    wanted = text.encode("utf-8")
    try:
        tail = read_tail(path, within=project_dir, limit_bytes=SIZE_MAX_BYTES)
    except FileUnusable:
        if not path.is_file():
            raise
        return SpecComparison(SpecChange.REPLACED, None, _digest(wanted))
    if tail is None:
        return SpecComparison(SpecChange.CREATED, None, _digest(wanted))
    found, is_cut = tail
    change = SpecChange.UNCHANGED if found == wanted and not is_cut else SpecChange.REPLACED
    return SpecComparison(change, _digest(found), _digest(wanted))


def install_spec(project_dir: Path, text: str) -> SpecChange:
    """Make `app_spec.txt` hold exactly this text. Identical content is left alone, its times included.

    Raises:
        FileUnusable: the place is taken by something that is not a regular file.
        OSError: the write failed; the old specification stands.
    """
    change = compare_spec(project_dir, text).change
    if change is not SpecChange.UNCHANGED:
        write_atomic(project_dir / SPEC_NAME, text.encode("utf-8"), within=project_dir)
    return change


def ensure_project_dir(project_dir: Path) -> None:
    """Check that the project directory is one.

    Raises:
        ProjectInvalid: missing, not a directory, not to be entered.
    """
    try:
        mode = os.stat(project_dir).st_mode
        os.listdir(project_dir)
        os.lstat(project_dir / ".")
    except FileNotFoundError:
        made = f"`lifecycle init {shlex.quote(str(project_dir))}` makes one ready"
        raise ProjectInvalid(project_dir, f"does not exist; create the directory first, or {made}") from None
    except NotADirectoryError:
        raise ProjectInvalid(project_dir, "is not a directory") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ProjectInvalid(project_dir, f"cannot be used: {why.lower()}") from error
    if not stat.S_ISDIR(mode):
        raise ProjectInvalid(project_dir, "is not a directory")


def ensure_workable(project_dir: Path, has_spec: bool) -> None:
    """Check that there is something to work from: a specification given, one in the project, or features.

    Args:
        project_dir: the project.
        has_spec: a specification comes with this start.

    Raises:
        ProjectInvalid: nothing to work from; says what to give.
        FeatureListInvalid: there is a list, and it cannot be read.
    """
    ensure_project_dir(project_dir)
    features = read_feature_list(project_dir)
    if has_spec or (features is not None and features.total > 0):
        return
    path = project_dir / SPEC_NAME
    try:
        content = read_regular(path, within=project_dir, limit_bytes=SIZE_MAX_BYTES)
    except FileUnusable as unusable:
        raise ProjectInvalid(path, f"the specification {unusable.problem}; {_ASK}") from unusable
    if content is None:
        problem = f"there is no {SPEC_NAME} and no feature in feature_list.json, so nothing to work from"
        raise ProjectInvalid(project_dir, f"{problem}; {_ASK}, or write {SPEC_NAME}")
    _text(path, content)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _text(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectInvalid(path, f"the specification is not UTF-8 text (byte {error.start}); {_ASK}") from None
    if "\0" in text:
        raise ProjectInvalid(path, f"the specification is not text (it holds NUL bytes); {_ASK}")
    if not text.strip():
        raise ProjectInvalid(path, f"the specification is empty; {_ASK}")
    if is_unanswered(text):
        raise ProjectInvalid(path, f"the specification is still the template; say in it what is to be built, or {_ASK}")
    return text
