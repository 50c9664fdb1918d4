"""The ledger's side of the stream: what is told, when, and at what price."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.agent.pricing import DEAREST, PRICES, cost_usd, price_of
from lifecycle.agent.usage import UsageFold

SONNET = "claude-sonnet-4-5-20250929"


def start(id_: str, model: str = SONNET, **usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": id_, "model": model, "usage": usage}}


def delta(stop_reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage}


STOP = {"type": "message_stop"}


def test_a_message_is_told_when_it_begins_and_when_it_ends() -> None:
    fold = UsageFold()
    begun = fold.event(start("m1", input_tokens=1000, output_tokens=1), None)
    assert begun is not None
    assert (begun.message_id, begun.input_tokens, begun.output_tokens, begun.is_turn) == (
        "m1",
        1000,
        1,
        False,
    )
    assert fold.event({"type": "content_block_delta"}, None) is None
    assert fold.event(delta(output_tokens=50), None) is None
    ended = fold.event(STOP, None)
    assert ended is not None
    assert (ended.message_id, ended.input_tokens, ended.output_tokens, ended.is_turn) == (
        "m1",
        1000,
        50,
        True,
    )
    assert ended.cost_usd == pytest.approx((1000 * 3 + 50 * 15) / 1e6)
    assert (fold.turns, fold.cost_usd) == (1, pytest.approx(ended.cost_usd))


def test_a_message_that_broke_off_is_no_turn() -> None:
    """The CLI closes it as if it had ended; the next attempt has another id, and both have cost something."""
    fold = UsageFold()
    fold.event(start("m1", input_tokens=1000), None)
    closed = fold.event(STOP, None)
    assert closed is not None
    assert closed.is_turn is False
    fold.event(start("m2", input_tokens=1000), None)
    fold.event(delta(output_tokens=5), None)
    fold.event(STOP, None)
    assert fold.turns == 1
    assert fold.cost_usd == pytest.approx((2000 * 3 + 5 * 15) / 1e6)


def test_counts_never_fall() -> None:
    fold = UsageFold()
    fold.event(start("m1", input_tokens=10, cache_read_input_tokens=70, cache_creation_input_tokens=7), None)
    fold.event(delta(input_tokens=0, output_tokens=9), None)
    fold.event(delta(output_tokens=8), None)
    told = fold.event(STOP, None)
    assert told is not None
    assert (told.input_tokens, told.output_tokens, told.cache_read_tokens, told.cache_write_tokens) == (
        10,
        9,
        70,
        7,
    )


def test_what_was_not_streamed_is_told_by_the_message_itself() -> None:
    fold = UsageFold()
    told = fold.assistant("m1", SONNET, {"input_tokens": 5, "output_tokens": 6}, None)
    assert told is not None
    assert (told.output_tokens, told.is_turn) == (6, True)
    assert (
        fold.assistant("m1", SONNET, {"input_tokens": 5, "output_tokens": 6}, None) is None
    )  # its second block


def test_what_was_streamed_is_told_by_its_events_only() -> None:
    fold = UsageFold()
    fold.event(start("m1", input_tokens=5), None)
    assert fold.assistant("m1", SONNET, {"input_tokens": 5, "output_tokens": 1}, None) is None


def test_the_clis_own_messages_cost_nothing() -> None:
    fold = UsageFold()
    assert fold.assistant("m1", "<synthetic>", {"input_tokens": 5}, None) is None
    assert (fold.turns, fold.cost_usd) == (0, 0)


def test_a_side_conversation_costs_and_is_no_turn() -> None:
    """Streams of several conversations may interleave."""
    fold = UsageFold()
    fold.event(start("main", input_tokens=1), None)
    fold.event(start("side", input_tokens=2), "toolu_1")
    fold.event(delta(output_tokens=20), "toolu_1")
    side = fold.event(STOP, "toolu_1")
    fold.event(delta(output_tokens=10), None)
    main = fold.event(STOP, None)
    assert side is not None
    assert main is not None
    assert (side.message_id, side.output_tokens, side.is_turn) == ("side", 20, False)
    assert (main.message_id, main.output_tokens, main.is_turn) == ("main", 10, True)


def test_what_was_under_way_at_the_end_is_told() -> None:
    fold = UsageFold()
    fold.event(start("m1", input_tokens=5), None)
    fold.event(delta(None, output_tokens=30), None)
    (rest,) = fold.rest()
    assert (rest.output_tokens, rest.is_turn) == (30, False)
    assert fold.rest() == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "message", "usage", "delta", "id", "input_tokens"]),
                inner,
                max_size=4,
            )
        ),
    ).filter(lambda value: isinstance(value, dict))
)
def test_odd_events_do_no_harm(event: dict[str, Any]) -> None:
    fold = UsageFold()
    for kind in ("message_start", "message_delta", "message_stop", None):
        fold.event({**event, **({"type": kind} if kind else {})}, None)
    assert fold.cost_usd >= 0


@pytest.mark.parametrize(
    ("model", "input_usd"),
    [
        ("claude-sonnet-4-5-20250929", 3),
        ("claude-opus-4-5-20251101", 5),
        ("claude-opus-4-1-20250805", 15),
        ("claude-opus-4-20250514", 15),
        ("claude-opus-5", 5),
        ("claude-opus-5-5", 4),
        ("anthropic/claude-haiku-4-5", 1),
        ("eu.anthropic.claude-sonnet-4-20250514-v1:0", 3),
        ("CLAUDE-3-5-HAIKU-latest", 0.8),
    ],
)
def test_models_have_their_price(model: str, input_usd: float) -> None:
    price = price_of(model)
    assert price is not None
    assert price.input_usd == input_usd


@pytest.mark.parametrize(
    "model", ["", "gpt-next", "claude", "claude-opus-50", "claude-haiku-9", "sonnet", "<synthetic>"]
)
def test_an_unknown_model_is_taken_for_the_dearest_and_flagged(model: str) -> None:
    assert price_of(model) is None
    told = UsageFold().event(start("m1", model=model, input_tokens=1_000_000), None)
    assert told is not None
    assert (told.is_priced, told.cost_usd) == (False, pytest.approx(DEAREST.input_usd))


def test_nothing_is_dearer_than_the_dearest() -> None:
    usage = dict.fromkeys(
        ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"), 1000
    )
    assert all(cost_usd(DEAREST, usage) >= cost_usd(price, usage) for _, price in PRICES)


def test_a_longer_lived_cache_entry_costs_twice_the_input() -> None:
    price = price_of(SONNET)
    assert price is not None
    five_minutes = {"cache_creation_input_tokens": 1_000_000}
    an_hour = {**five_minutes, "cache_creation": {"ephemeral_1h_input_tokens": 1_000_000}}
    assert cost_usd(price, five_minutes) == pytest.approx(3.75)
    assert cost_usd(price, an_hour) == pytest.approx(6.0)
