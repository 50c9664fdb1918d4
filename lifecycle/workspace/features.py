"""Features and lists of them, as values. Knows neither files nor JSON text."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from states.facts import FeatureCount

__all__ = ["Feature", "FeatureList"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that the finished project does, and whether the agent says that it does it.

    Attributes:
        id: the list's own identifier, or None where the list has none.
        category: None where the list has none.
        description: what the feature is.
        steps: how to check it, in order.
        passes: the agent's claim.
        extra: keys that this project gives no meaning to, kept as they came.
    """

    description: str
    passes: bool
    category: str | None = None
    steps: tuple[str, ...] = ()
    id: str | int | None = None
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        """What the feature is recognised by from one reading to the next: everything but its state.

        The id where there is one, otherwise description, category and steps; 16 hexadecimal digits either way.
        Stable on disk.
        """
        identity: object = (self.description, self.category, self.steps) if self.id is None else self.id
        return hashlib.blake2b(json.dumps(identity).encode("ascii"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class FeatureList:
    """The features in the order of the file."""

    features: tuple[Feature, ...] = ()

    @property
    def total(self) -> int:
        return len(self.features)

    @property
    def passing(self) -> int:
        return sum(feature.passes for feature in self.features)

    @property
    def count(self) -> FeatureCount:
        return FeatureCount(total=self.total, passing=self.passing)

    @property
    def is_complete(self) -> bool:
        """At least one feature, and all pass: an empty list is work not yet planned, not work done."""
        return self.total > 0 and self.passing == self.total

    def next_incomplete(self) -> Feature | None:
        """The first feature that does not pass, or None when all do."""
        return next((feature for feature in self.features if not feature.passes), None)

    def incomplete(self, count: int) -> tuple[Feature, ...]:
        """The first `count` features that do not pass, in the list's order; fewer when fewer are left."""
        left = (feature for feature in self.features if not feature.passes)
        return tuple(feature for feature, _ in zip(left, range(count), strict=False))

    def keys(self) -> tuple[str, ...]:
        """One key per feature, in order, each different: a repeated feature's key carries its occurrence (`#2`)."""
        seen: Counter[str] = Counter()
        keys = []
        for feature in self.features:
            key = feature.key
            seen[key] += 1
            keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
        return tuple(keys)

    def passing_keys(self) -> tuple[str, ...]:
        """The keys of the features that pass, in order."""
        return tuple(key for key, feature in zip(self.keys(), self.features, strict=True) if feature.passes)
