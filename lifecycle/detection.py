"""What kind of session a project needs next, and how one can tell. Reads the project, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lifecycle.workspace.feature_list import FEATURE_LIST_NAME, FeatureList, read_feature_list
from lifecycle.workspace.git import COUNT_MAX, History, read_history
from lifecycle.workspace.progress import PROGRESS_NAME
from lifecycle.workspace.spec import SPEC_NAME, ensure_project_dir
from lifecycle.workspace.untrusted import one_line
from states.facts import FeatureCount
from states.vocabulary import SessionType

__all__ = ["Detection", "detect", "detect_session_type", "session_type_of"]


def detect_session_type(project_dir: str | Path) -> SessionType:
    """INIT or CONTINUE: whether the project still needs its feature list, or has one to work through.

    INIT when there is no `feature_list.json`, or one with no feature in it; CONTINUE when there is a valid one,
    also when all its features pass.

    Raises:
        FeatureListInvalid: there is a `feature_list.json`, and it is not a feature list: with line and column.
        ProjectInvalid: `project_dir` is not a directory.
        OSError: the machine's fault; says nothing about the project.
    """
    project = Path(project_dir)
    ensure_project_dir(project)
    return session_type_of(read_feature_list(project))


@dataclass(frozen=True, slots=True)
class Detection:
    """The kind of session, and what it was told from.

    Attributes:
        session_type: what the next session is for.
        features: counts, or None without a list.
        evidence: one sentence for each thing looked at, safe to print.
    """

    session_type: SessionType
    features: FeatureCount | None
    evidence: tuple[str, ...]


def detect(project_dir: str | Path) -> Detection:
    """As `detect_session_type`, with the evidence.

    Raises:
        FeatureListInvalid, ProjectInvalid, OSError: as `detect_session_type`.
    """
    project = Path(project_dir)
    ensure_project_dir(project)
    features = read_feature_list(project)
    evidence = (
        _features(features),
        _presence(project, SPEC_NAME),
        _presence(project, PROGRESS_NAME),
        _presence(project, "init.sh"),
        _history(read_history(project, limit=1)),
    )
    return Detection(session_type_of(features), None if features is None else features.count, evidence)


def session_type_of(features: FeatureList | None) -> SessionType:
    """The rule itself, for a list that was read already."""
    return SessionType.INIT if features is None or features.total == 0 else SessionType.CONTINUE


def _features(features: FeatureList | None) -> str:
    if features is None:
        return f"{FEATURE_LIST_NAME}: not there"
    if features.total == 0:
        return f"{FEATURE_LIST_NAME}: an empty list"
    noun = "feature" if features.total == 1 else "features"
    return f"{FEATURE_LIST_NAME}: {features.total} {noun}, {features.passing} passing"


def _presence(project: Path, name: str) -> str:
    path = project / name
    try:
        if path.is_file():
            size = path.stat().st_size
            return f"{name}: present" if size else f"{name}: present, empty"
        there = path.exists() or path.is_symlink()
    except OSError as error:
        return f"{name}: cannot be looked at ({error.strerror})"
    return f"{name}: present, not a file" if there else f"{name}: not there"


def _history(history: History) -> str:
    if not history.commits:
        return f"git: {history.reason or 'no commit in this directory'}"
    newest = history.commits[0]
    count = f"{COUNT_MAX:,} or more" if history.total >= COUNT_MAX else str(history.total)
    noun = "commit" if history.total == 1 else "commits"
    return f"git: {count} {noun}, last {newest.id[:10]} {newest.at} {one_line(newest.subject, 80)}"
