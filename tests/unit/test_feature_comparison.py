"""What an agent did to the plan: recognised, undone, and nothing of it lost that may stay."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.workspace.comparison import Rule, compare_with_plan, unclaimed
from lifecycle.workspace.features import Feature, FeatureList

PLAN = FeatureList.create(
    [
        {"id": "add", "category": "functional", "description": "Adds", "steps": ["add", "look"]},
        {"id": "list", "category": "functional", "description": "Lists", "steps": ["list"], "passes": True},
        {"id": "drop", "category": "style", "description": "Drops", "steps": ["drop"]},
    ]
)
ADD, LIST, DROP = PLAN.features
NEW = Feature(id="new", description="Something else", passes=False)


def changed(feature: Feature, **members: object) -> Feature:
    return Feature(**{**{name: getattr(feature, name) for name in feature.__slots__}, **members})


def rules(found: list[Feature], **options: bool) -> list[tuple[str, int]]:
    compared = compare_with_plan(PLAN, found, **options)
    return [(breach.rule, breach.count) for breach in compared.broken]


def test_what_was_not_touched_is_as_planned() -> None:
    compared = compare_with_plan(PLAN, PLAN.features)
    assert (compared.features, compared.broken, compared.claimed, compared.regressed) == (PLAN, (), (), ())


def test_a_claim_and_a_regression_are_kept_and_named() -> None:
    compared = compare_with_plan(PLAN, [changed(ADD, passes=True), changed(LIST, passes=False), DROP])
    assert [feature.passes for feature in compared.features.features] == [True, False, False]
    assert ([f.id for f in compared.claimed], [f.id for f in compared.regressed]) == (["add"], ["list"])
    assert compared.broken == ()


def test_a_removed_feature_comes_back_in_its_place_and_claims_about_others_stay() -> None:
    compared = compare_with_plan(PLAN, [changed(ADD, passes=True), DROP])
    assert [feature.id for feature in compared.features.features] == ["add", "list", "drop"]
    assert [feature.passes for feature in compared.features.features] == [True, True, False]
    assert [(breach.rule, breach.features) for breach in compared.broken] == [(Rule.REMOVED, ("list",))]


@pytest.mark.parametrize(
    "members",
    [{"description": "Adds nothing"}, {"steps": ("look",)}, {"category": "x"}, {"id": "other"}, {"extra": {"a": 1}}],
)
def test_an_edited_feature_is_put_back_word_for_word(members: dict[str, object]) -> None:
    compared = compare_with_plan(PLAN, [changed(ADD, **members), LIST, DROP])
    assert compared.features == PLAN
    assert [breach.rule for breach in compared.broken] == [Rule.EDITED]


def test_a_claim_about_easier_words_does_not_count_and_one_about_the_same_words_does() -> None:
    easier = compare_with_plan(PLAN, [changed(ADD, steps=("look",), passes=True), LIST, DROP])
    assert easier.features == PLAN
    noted = compare_with_plan(PLAN, [changed(ADD, extra={"tested": "by hand"}, passes=True), LIST, DROP])
    assert noted.features.features[0] == changed(ADD, passes=True)


def test_another_order_is_undone() -> None:
    compared = compare_with_plan(PLAN, [DROP, changed(ADD, passes=True), LIST])
    assert [feature.id for feature in compared.features.features] == ["add", "list", "drop"]
    assert compared.features.features[0].passes
    assert [breach.rule for breach in compared.broken] == [Rule.REORDERED]


def test_a_repeated_feature_stands_once_and_its_second_claim_does_not_count() -> None:
    compared = compare_with_plan(PLAN, [ADD, LIST, DROP, changed(ADD, passes=True), changed(DROP, id="again")])
    assert compared.features == PLAN
    assert [(breach.rule, breach.count) for breach in compared.broken] == [(Rule.DUPLICATED, 2)]


def test_appended_features_are_kept_at_the_end_or_dropped() -> None:
    assert compare_with_plan(PLAN, [*PLAN.features, NEW]).features.features == (*PLAN.features, NEW)
    dropped = compare_with_plan(PLAN, [*PLAN.features, NEW], keeps_appended=False)
    assert (dropped.features, [breach.rule for breach in dropped.broken]) == (PLAN, [Rule.APPENDED])
    assert rules([NEW, *PLAN.features]) == [(Rule.REORDERED, 1)]
    assert compare_with_plan(PLAN, [NEW, *PLAN.features]).features.features == (*PLAN.features, NEW)


def test_a_replaced_feature_is_an_edited_one_and_not_a_new_one() -> None:
    compared = compare_with_plan(PLAN, [NEW, LIST, DROP])
    assert (compared.features, [breach.rule for breach in compared.broken]) == (PLAN, [Rule.EDITED])


def test_without_claims_keeps_earlier_passes_and_regressions() -> None:
    now = FeatureList((changed(ADD, passes=True), changed(LIST, passes=False), DROP, changed(NEW, passes=True)))
    assert [feature.passes for feature in unclaimed(PLAN, now).features] == [False] * 4


def test_features_without_ids_are_recognised_by_what_they_say() -> None:
    plan = FeatureList.create([{"description": name, "steps": [name]} for name in "abc"])
    a, b, c = plan.features
    compared = compare_with_plan(plan, [changed(c, passes=True), changed(a, description="A"), b])
    assert [feature.description for feature in compared.features.features] == ["a", "b", "c"]
    assert [feature.passes for feature in compared.features.features] == [False, False, True]


words = st.text(alphabet="abc", max_size=2)
features = st.builds(
    Feature,
    description=words,
    passes=st.booleans(),
    category=st.none() | words,
    steps=st.lists(words, max_size=2).map(tuple),
    id=st.none() | words | st.integers(0, 3),
    extra=st.just({}) | st.just({"x": 1}),
)


def unique(items: list[Feature]) -> list[Feature]:
    kept, ids = [], set()
    for item in items:
        if item.id is None or item.id not in ids:
            kept.append(item)
            ids.add(item.id)
    return kept


@settings(max_examples=400, deadline=None)
@given(plan=st.lists(features, max_size=6).map(unique), found=st.lists(features, max_size=8), seed=st.integers(0, 99))
def test_whatever_was_found_the_plan_stands_but_for_its_passes(
    plan: list[Feature], found: list[Feature], seed: int
) -> None:
    found = random.Random(seed).sample([*found, *plan], k=min(len(found) + len(plan), 8))
    listed = FeatureList(tuple(plan))
    compared = compare_with_plan(listed, found)
    kept = compared.features.features
    assert [changed(feature, passes=False) for feature in kept[: len(plan)]] == [
        changed(feature, passes=False) for feature in plan
    ]
    again = compare_with_plan(listed, kept)
    assert (again.features, again.broken) == (compared.features, ())
    reverted = unclaimed(listed, compared.features)
    assert not [now for then, now in zip(plan, reverted.features, strict=False) if now.passes and not then.passes]
    assert not any(feature.passes for feature in reverted.features[len(plan) :])
