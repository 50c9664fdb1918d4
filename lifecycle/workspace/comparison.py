"""What an agent did to the plan, and the plan with all of it undone but `passes`. Values only; no files, no text.

The rule: features are never removed, edited, reordered or duplicated; only `passes` changes, and features may be
appended. A claim (false -> true) holds only for what the plan says: when description or steps were edited along
with it, it is taken back, since what passes may be the easier thing that was written there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lifecycle.ports import Broken
from lifecycle.workspace.features import Feature, FeatureList
from lifecycle.workspace.untrusted import one_line

__all__ = ["Comparison", "Rule", "broken", "compare_with_plan", "unclaimed"]

NAMES_MAX = 20
_NAME_MAX_CHARS = 80


class Rule(StrEnum):
    """How the feature rule can be broken. Every value is stable on disk."""

    DELETED = "deleted"
    MALFORMED = "malformed"
    REMOVED = "removed"
    EDITED = "edited"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    APPENDED = "appended"
    """Only where appended features are to be dropped."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found against what was planned.

    Attributes:
        features: the list as it should be.
        broken: what was undone to get there.
        appended: new features, in `features` unless they are to be dropped.
        claimed: features that pass now and did not, appended ones among them.
        regressed: features that passed and do not now. Allowed.
    """

    features: FeatureList
    broken: tuple[Broken, ...] = ()
    appended: tuple[Feature, ...] = ()
    claimed: tuple[Feature, ...] = ()
    regressed: tuple[Feature, ...] = ()


def compare_with_plan(plan: FeatureList, found: Sequence[Feature], *, keeps_appended: bool = True) -> Comparison:
    """Recognise the plan's features in what was found, and put right what is not as planned.

    A feature is recognised by all that it says, then by its id, its description, its steps, its place: whichever is
    the first to fit one that is still missing.
    """
    if len(found) == len(plan.features) and all(map(_says_the_same, plan.features, found)):
        return _judged(plan, tuple(found), ())
    places, left = _recognise(plan.features, found)
    edited = {
        index
        for index, (feature, at) in enumerate(zip(plan.features, places, strict=True))
        if at is not None and not _says_the_same(feature, found[at])
    }
    kept = tuple(
        feature if at is None else _undone(feature, found[at]) if index in edited else _with(feature, found[at].passes)
        for index, (feature, at) in enumerate(zip(plan.features, places, strict=True))
    )
    new, repeated = _sort_out(plan.features, found, left)
    appended = tuple(found[at] for at in new)
    breaches = (
        broken(Rule.REMOVED, [feature for feature, at in zip(plan.features, places, strict=True) if at is None]),
        broken(Rule.EDITED, [plan.features[index] for index in sorted(edited)]),
        broken(Rule.DUPLICATED, [found[at] for at in repeated]),
        broken(Rule.REORDERED, _out_of_place(found, places, new)),
        broken(Rule.APPENDED, () if keeps_appended else appended),
    )
    compared = _judged(plan, kept, appended if keeps_appended else ())
    return replace(compared, broken=tuple(breach for breach in breaches if breach.count), appended=appended)


def unclaimed(plan: FeatureList, features: FeatureList) -> FeatureList:
    """The list with the claims taken back that the plan does not have; the plan's own passes stay.

    Args:
        features: the plan's features in its order, and appended ones behind them.
    """
    total = plan.total
    before = (*plan.features, *(replace(feature, passes=False) for feature in features.features[total:]))
    return FeatureList(
        tuple(
            replace(now, passes=False) if now.passes and not then.passes else now
            for then, now in zip(before, features.features, strict=True)
        )
    )


def broken(rule: Rule, features: Iterable[Feature] = (), problem: str = "") -> Broken:
    """One breach, its features by name; so many that a record stays small."""
    named = tuple(features)
    shown = tuple(one_line(feature.name, _NAME_MAX_CHARS) for feature in named[:NAMES_MAX])
    return Broken(str(rule), shown, len(named), problem)


def _judged(plan: FeatureList, kept: tuple[Feature, ...], appended: tuple[Feature, ...]) -> Comparison:
    pairs = zip(plan.features, kept, strict=True)
    changed = [now for then, now in pairs if then.passes != now.passes]
    return Comparison(
        FeatureList((*kept, *appended)),
        claimed=(*(now for now in changed if now.passes), *(new for new in appended if new.passes)),
        regressed=tuple(now for now in changed if not now.passes),
    )


def _says_the_same(one: Feature, other: Feature) -> bool:
    """Whether two features differ in nothing but `passes`."""
    return (
        one.id == other.id
        and one.description == other.description
        and one.steps == other.steps
        and one.category == other.category
        and one.extra == other.extra
    )


def _undone(feature: Feature, now: Feature) -> Feature:
    """An edited feature as planned, with what stands of the claim about it."""
    is_about_the_same = now.description == feature.description and now.steps == feature.steps
    return _with(feature, now.passes if is_about_the_same else feature.passes and now.passes)


def _with(feature: Feature, passes: bool) -> Feature:
    if passes is feature.passes:
        return feature
    # `dataclasses.replace` takes three times as long
    return Feature(feature.description, passes, feature.category, feature.steps, feature.id, feature.extra)


_MARKS: tuple[Callable[[Feature, int], Hashable], ...] = (
    lambda feature, at: (feature.id, feature.description, feature.steps, feature.category),
    lambda feature, at: feature.id,
    lambda feature, at: feature.description,
    lambda feature, at: feature.steps or None,
    lambda feature, at: at,
)
"""What a feature is recognised by, the surest first; None is no mark."""


def _recognise(plan: Sequence[Feature], found: Sequence[Feature]) -> tuple[list[int | None], list[int]]:
    """For each planned feature where it was found, or None; and where that was found which is none of them."""
    # Most stand where they stood and say what they said: the rest is looked for among the rest.
    stayed = [_says_the_same(*pair) for pair in zip(plan, found, strict=False)]
    places: list[int | None] = [at if at < len(stayed) and stayed[at] else None for at in range(len(plan))]
    missing = [index for index, at in enumerate(places) if at is None]
    left = [at for at in range(len(found)) if at >= len(stayed) or not stayed[at]]
    by_id = {found[at].id: at for at in left}
    if len(by_id) == len(left) and None not in by_id:  # the usual case, and the only one that must be fast
        for index in missing:
            places[index] = None if plan[index].id is None else by_id.get(plan[index].id)
        taken = set(places)
        missing = [index for index in missing if places[index] is None]
        left = [at for at in left if at not in taken]
    for mark in _MARKS:
        if not missing or not left:
            break
        wanted: dict[Hashable, list[int]] = {}
        for index in reversed(missing):
            if (key := mark(plan[index], index)) is not None:
                wanted.setdefault(key, []).append(index)
        rest = []
        for at in left:
            candidates = wanted.get(mark(found[at], at))
            if candidates:
                places[candidates.pop()] = at
            else:
                rest.append(at)
        left = rest
        missing = [index for index in missing if places[index] is None]
    return places, left


def _sort_out(
    plan: Sequence[Feature], found: Sequence[Feature], left: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Where new features stand, and where such that only repeat one that is there already."""
    if not left:
        return [], []
    ids = {feature.id for feature in plan} - {None}
    texts = {(feature.description, feature.steps) for feature in plan}
    new, repeated = [], []
    for at in left:
        feature = found[at]
        text = (feature.description, feature.steps)
        if feature.id in ids or text in texts:
            repeated.append(at)
            continue
        new.append(at)
        texts.add(text)
        if feature.id is not None:
            ids.add(feature.id)
    return new, repeated


def _out_of_place(found: Sequence[Feature], places: Sequence[int | None], new: Sequence[int]) -> list[Feature]:
    """What stands behind a planned feature that should come after it, and new ones that stand before a planned one."""
    moved, highest = [], -1
    for at in places:
        if at is None:
            continue
        if at < highest:
            moved.append(found[at])
        highest = max(highest, at)
    return moved + [found[at] for at in new if at < highest]

