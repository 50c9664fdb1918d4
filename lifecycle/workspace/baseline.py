"""What stood when a session was created, and what has changed since. Values and comparison; no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from lifecycle.ports import Changes
from lifecycle.workspace.features import FeatureList
from lifecycle.workspace.progress import ProgressMark
from states.errors import RecordInvalid

__all__ = ["Baseline", "compare"]

_VERSION = 2


@dataclass(frozen=True, slots=True)
class Baseline:
    """The project at one moment, as the journal keeps it: the ledger.

    Attributes:
        plan: the feature list's very text; None without a list, or with an empty one.
        passing_keys: the keys of the features that passed, in the list's order.
        total: how many features there were; 0 also without a list.
        head: the commit at HEAD, or None.
        progress: what the progress file was, or None where there was none.
    """

    passing_keys: tuple[str, ...] = ()
    total: int = 0
    head: str | None = None
    plan: str | None = None
    progress: ProgressMark | None = None

    @classmethod
    def of(
        cls, found: tuple[bytes, FeatureList] | None, head: str | None, progress: ProgressMark | None = None
    ) -> Baseline:
        """Args:
        found: the list's bytes and what they say.
        """
        if found is None:
            return cls(head=head, progress=progress)
        content, features = found
        plan = content.decode("utf-8") if features.total else None
        return cls(features.passing_keys(), features.total, head, plan, progress)

    def to_dict(self) -> dict[str, object]:
        """JSON-able; `from_dict` reads it back."""
        return {
            "version": _VERSION,
            "passing_keys": list(self.passing_keys),
            "total": self.total,
            "head": self.head,
            "plan": self.plan,
            "progress": None if self.progress is None else self.progress.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, object]) -> Baseline:
        """Read a record of `to_dict`.

        Raises:
            RecordInvalid: an unknown version, a missing or a mistyped field.
        """
        if record.get("version") != _VERSION:
            raise RecordInvalid(f"baseline.version is {record.get('version')!r}, expected {_VERSION}")
        keys, total, head = record.get("passing_keys"), record.get("total"), record.get("head")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise RecordInvalid("baseline.passing_keys is not a list of texts")
        if not isinstance(total, int) or isinstance(total, bool) or total < 0:
            raise RecordInvalid("baseline.total is not a count")
        plan, progress = record.get("plan"), record.get("progress")
        for name, text in (("head", head), ("plan", plan)):
            if text is not None and not isinstance(text, str):
                raise RecordInvalid(f"baseline.{name} is neither a text nor null")
        mark = None if progress is None else ProgressMark.from_dict(progress)
        return cls(tuple(keys), total, cast("str | None", head), cast("str | None", plan), mark)


def compare(baseline: Baseline, features: FeatureList | None, new_commits: int) -> Changes:
    """Set what stands against the baseline.

    Newly passing is what passes and did not, new features among them; regressed what passed and does not, removed
    features among them. The order of the list does not matter, its features' keys do.
    """
    now = features or FeatureList()
    before, after = set(baseline.passing_keys), set(now.passing_keys())
    return Changes(
        features=now.count,
        newly_passing=len(after - before),
        regressed=len(before - after),
        new_commits=new_commits,
        has_new_list=baseline.total == 0 and now.total > 0,
    )
