"""The ledger's side of `feature_list.json`: what stood when the session was created, and putting the list right by it.

The ledger's content is the journal's to keep; here it is compared with the file and written over it. Every write is
atomic, and a list that is right is not touched: so checking and mending may be repeated, and cut off anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lifecycle.errors import FeatureListInvalid
from lifecycle.ports import Broken, ListCheck
from lifecycle.workspace.comparison import Comparison, Rule, broken, compare_with_plan, unclaimed
from lifecycle.workspace.feature_list import (
    FEATURE_LIST_NAME,
    SIZE_MAX_BYTES,
    read_feature_list,
    set_aside_feature_list,
)
from lifecycle.workspace.feature_rescue import rescue_features
from lifecycle.workspace.feature_schema import features_of
from lifecycle.workspace.feature_text import TextFault, parse_features, render_features
from lifecycle.workspace.features import Feature, FeatureList
from lifecycle.workspace.files import FileUnusable, read_regular, write_atomic

__all__ = ["Ledger", "check", "check_and_mend", "mend", "without_claims"]


@dataclass(frozen=True)
class Ledger:
    """The list as it stood at CREATE.

    Attributes:
        content: its very bytes, of a valid list with features in it.
        keeps_appended: whether features that the agent appends stay.
    """

    content: bytes
    keeps_appended: bool = True

    @classmethod
    def of(cls, content: bytes, plan: FeatureList, *, keeps_appended: bool = True) -> Ledger:
        """The ledger of a list that has just been read."""
        ledger = cls(content, keeps_appended)
        ledger.__dict__["plan"] = plan  # where a cached property keeps its value
        return ledger

    @cached_property
    def plan(self) -> FeatureList:
        return features_of(json.loads(self.content.decode("utf-8-sig")))  # it was judged when it was read


def check_and_mend(project_dir: Path, ledger: Ledger) -> ListCheck:
    """Compare the project's list with the ledger and undo at once what breaks the rule.

    Returns:
        What was undone, by name; what stands of claims, regressions and new features.

    Raises:
        OSError: the machine's fault; the list stands as it was found.
    """
    checked = check(project_dir, ledger)
    if checked.mended is not None:
        mend(project_dir, checked.mended)
    return checked


def check(project_dir: Path, ledger: Ledger) -> ListCheck:
    """What `check_and_mend` would find and write. Writes nothing.

    Raises:
        OSError: as `check_and_mend`.
    """
    try:
        content = read_regular(project_dir / FEATURE_LIST_NAME, within=project_dir, limit_bytes=SIZE_MAX_BYTES)
    except FileUnusable as unusable:
        return _of_damaged(ledger, (), unusable.problem)
    if content is None:
        return _checked(ledger, Comparison(ledger.plan, (broken(Rule.DELETED),)))
    if content == ledger.content:
        return ListCheck()
    try:
        found = parse_features(content).features
    except TextFault as fault:
        problem = f"{fault.problem} (line {fault.line}, column {fault.column})"
        return _of_damaged(ledger, rescue_features(content, fault.known, fault.behind), problem)
    return _checked(ledger, compare_with_plan(ledger.plan, found, keeps_appended=ledger.keeps_appended))


def mend(project_dir: Path, content: bytes) -> None:
    """Put the list's right content in its place, whatever stands there now.

    A link that a person may have set is written through; one that leads to no list of the project is replaced, a
    directory moved aside.

    Raises:
        OSError: the write failed; what stood there stands, or is where a directory was moved to.
    """
    path = project_dir / FEATURE_LIST_NAME
    if path.is_dir() and not path.is_symlink():
        set_aside_feature_list(project_dir)
    write_atomic(path, content, within=project_dir, follow_link=path.is_symlink() and _is_list(project_dir))


def without_claims(project_dir: Path, ledger: Ledger | None) -> bytes | None:
    """The list's content without the claims that the ledger does not have; None when there are none.

    Args:
        ledger: None where there was no list: then every pass is a new claim.

    Raises:
        FeatureListInvalid: the list is none.
        OSError: the machine's fault.
    """
    features = read_feature_list(project_dir) or FeatureList()
    if ledger is not None:
        features = compare_with_plan(ledger.plan, features.features, keeps_appended=ledger.keeps_appended).features
    reverted = unclaimed(ledger.plan if ledger is not None else FeatureList(), features)
    return None if reverted == features else render_features(reverted)


def _of_damaged(ledger: Ledger, rescued: Sequence[Feature], problem: str) -> ListCheck:
    """A list that is none: its claims are taken over as far as they can be read, and nothing else is believed."""
    compared = compare_with_plan(ledger.plan, rescued, keeps_appended=ledger.keeps_appended)
    # What could not be read is not what was removed.
    others = tuple(breach for breach in compared.broken if breach.rule != Rule.REMOVED)
    return _checked(ledger, compared, broken(Rule.MALFORMED, problem=problem), *others)


def _checked(ledger: Ledger, compared: Comparison, *breaches: Broken) -> ListCheck:
    breaches = breaches or compared.broken
    mended = None
    if breaches:
        is_as_before = compared.features == ledger.plan
        mended = ledger.content if is_as_before else render_features(compared.features)
    return ListCheck(
        broken=breaches,
        appended=_names(compared.appended),
        claimed=_names(compared.claimed),
        regressed=_names(compared.regressed),
        mended=mended,
    )


def _names(features: tuple[Feature, ...]) -> tuple[str, ...]:
    return tuple(feature.name for feature in features)


def _is_list(project_dir: Path) -> bool:
    """Whether what stands there, links followed, is a feature list, and so no other file of the project."""
    try:
        return read_feature_list(project_dir) is not None
    except (FeatureListInvalid, OSError):
        return False
