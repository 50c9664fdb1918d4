"""`feature_list.json`: the project's plan, and the one source of "how much is done".

Owns the file. What its text may say is `feature_text`'s; what a feature is, `features`'.
"""

from __future__ import annotations

from pathlib import Path

from lifecycle.errors import FeatureListInvalid
from lifecycle.workspace.aside import link_aside, set_aside
from lifecycle.workspace.feature_text import TextFault, parse_features, render_features
from lifecycle.workspace.features import Feature, FeatureList
from lifecycle.workspace.files import FileUnusable, read_regular, write_atomic

__all__ = [
    "FEATURE_LIST_NAME",
    "SIZE_MAX_BYTES",
    "Feature",
    "FeatureList",
    "parse_feature_list",
    "read_feature_list",
    "read_feature_list_content",
    "replace_feature_list",
    "set_aside_feature_list",
    "write_feature_list",
]

FEATURE_LIST_NAME = "feature_list.json"

SIZE_MAX_BYTES = 32 << 20
"""The largest list that is read: some 100,000 features. Larger is refused by name, never cut."""


def read_feature_list(project_dir: Path) -> FeatureList | None:
    """The project's features, or None when there is no list at all. An empty list is a list of 0.

    Raises:
        FeatureListInvalid: something is there that is not a feature list, or that cannot be read.
        OSError: the machine's fault (too many open files, an I/O error); says nothing about the list.
    """
    found = read_feature_list_content(project_dir)
    return None if found is None else found[1]


def read_feature_list_content(project_dir: Path) -> tuple[bytes, FeatureList] | None:
    """As `read_feature_list`, with the very bytes that were read: what a safe copy must hold."""
    path = project_dir / FEATURE_LIST_NAME
    try:
        content = read_regular(path, within=project_dir, limit_bytes=SIZE_MAX_BYTES)
    except FileUnusable as unusable:
        raise FeatureListInvalid(path, unusable.problem) from unusable
    return None if content is None else (content, parse_feature_list(content, path))


def parse_feature_list(content: bytes, path: Path) -> FeatureList:
    """Read a list from bytes; `path` is only named in errors.

    Raises:
        FeatureListInvalid: with line and column.
    """
    try:
        return parse_features(content)
    except TextFault as fault:
        raise FeatureListInvalid(path, fault.problem, fault.line, fault.column) from None


def write_feature_list(project_dir: Path, features: FeatureList) -> None:
    """Replace the project's list, durably and atomically.

    Raises:
        FileUnusable: the file's place is taken by something else.
        OSError: the write failed; the old list stands.
    """
    write_atomic(project_dir / FEATURE_LIST_NAME, render_features(features), within=project_dir)


def replace_feature_list(project_dir: Path, content: bytes) -> Path | None:
    """Put the bytes of an earlier good list in the place of whatever stands there now, durably.

    A link is not written through but replaced: it may be what is broken. What stood there is kept as
    `feature_list.invalid-<n>.json`. Anything but a directory is replaced in one step, so that no crash can make
    the list look as if it had never been; a directory has to be moved out of the way first.

    Returns:
        Where the old one is kept, or None when nothing stood there or the file system cannot keep it.

    Raises:
        OSError: the write failed. What stood there still stands, or is where a directory was moved to.
    """
    path = project_dir / FEATURE_LIST_NAME
    kept = set_aside_feature_list(project_dir) if path.is_dir() and not path.is_symlink() else link_aside(path)
    write_atomic(path, content, within=project_dir, follow_link=False)
    return kept


def set_aside_feature_list(project_dir: Path) -> Path | None:
    """Move whatever stands in the list's place to the first free `feature_list.invalid-<n>.json`.

    Works for anything, and overwrites nothing; see `aside`.

    Returns:
        The new path, or None when nothing stood there.

    Raises:
        OSError: the move failed; the file stands where it was.
    """
    return set_aside(project_dir / FEATURE_LIST_NAME)
