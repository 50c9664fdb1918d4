"""Features and lists of them, as values. Knows neither files nor JSON text."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

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
    def name(self) -> str:
        """What to call it to a person: the id, or the description where there is none."""
        return self.description if self.id is None else str(self.id)

    def to_dict(self) -> dict[str, object]:
        """The object that stands for it in the file; what it does not have is left out."""
        members: dict[str, object] = {} if self.id is None else {"id": self.id}
        if self.category is not None:
            members["category"] = self.category
        members |= {"description": self.description, "steps": list(self.steps), "passes": self.passes}
        return {**members, **self.extra}

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

    @classmethod
    def create(cls, features: Iterable[Feature | Mapping[str, object]]) -> FeatureList:
        """A list of these features: values of their own, or objects as they stand in the file, in any mixture.

        Where `passes` is left out it is false: nothing of a new plan is built yet.

        Raises:
            ValueError: one of them is no feature, or two have the same id; says which.

        >>> FeatureList.create([{"id": "search", "description": "Notes can be searched"}]).count
        FeatureCount(total=1, passing=0)
        """
        from lifecycle.workspace.feature_schema import Misfit, features_of

        items = [each.to_dict() if isinstance(each, Feature) else {"passes": False, **each} for each in features]
        try:
            return features_of(items)
        except Misfit as misfit:
            raise ValueError(misfit.problem) from None

    def update_status(self, feature: str | int, *, passes: bool) -> FeatureList:
        """The list with one feature's claim set: the one of this id, else the one of this description.

        Raises:
            KeyError: none has it, or several have the description.

        >>> plan = FeatureList.create([{"id": "search", "description": "Notes can be searched"}])
        >>> plan.update_status("search", passes=True).is_complete
        True
        """
        found = [at for at, each in enumerate(self.features) if each.id == feature]
        found = found or [at for at, each in enumerate(self.features) if each.description == feature]
        if len(found) != 1:
            raise KeyError(feature)
        at = found[0]
        changed = replace(self.features[at], passes=passes)
        return FeatureList((*self.features[:at], changed, *self.features[at + 1 :]))

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
