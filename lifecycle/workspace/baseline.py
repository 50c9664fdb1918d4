"""What stood when a session was created, and what has changed since. Values and comparison; no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.ports import Changes
from lifecycle.workspace.features import FeatureList
from states.errors import RecordInvalid

__all__ = ["Baseline", "compare"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """The project at one moment, small enough for the journal.

    Attributes:
        passing_keys: the keys of the features that passed, in the list's order.
        total: how many features there were; 0 also without a list.
        head: the commit at HEAD, or None.
    """

    passing_keys: tuple[str, ...] = ()
    total: int = 0
    head: str | None = None

    @classmethod
    def of(cls, features: FeatureList | None, head: str | None) -> Baseline:
        if features is None:
            return cls(head=head)
        return cls(features.passing_keys(), features.total, head)

    def to_dict(self) -> dict[str, object]:
        """JSON-able; `from_dict` reads it back."""
        return {
            "version": _VERSION,
            "passing_keys": list(self.passing_keys),
            "total": self.total,
            "head": self.head,
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
        if head is not None and not isinstance(head, str):
            raise RecordInvalid("baseline.head is neither a text nor null")
        return cls(tuple(keys), total, head)


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
