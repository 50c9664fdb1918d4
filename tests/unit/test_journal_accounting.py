"""What a session has used never falls, whatever is told and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.journal.accounting import Account, Counted, begin_leg, charge, settle, total
from lifecycle.ports import MessageUsage, Spent

COSTS = st.floats(0, 100)


def usage(message_id: str, cost_usd: float, is_turn: bool = True) -> MessageUsage:
    return MessageUsage(message_id, "model", 0, 0, 0, 0, cost_usd, is_turn=is_turn)


@pytest.mark.parametrize(
    ("start", "leg", "reported", "expected"),
    [
        (0.0, 1.0, 1.5, 1.5),  # the first leg: the agent knows better than the price table
        (0.0, 2.0, 1.5, 2.0),  # the price table is dearer: never lower than what was counted
        (4.0, 1.0, 5.5, 5.5),  # the agent knows the earlier legs
        (4.0, 1.0, 4.5, 5.0),  # it knows them, and less than we counted
        (4.0, 1.0, 4.0, 5.0),
        (4.0, 1.0, 1.5, 5.5),  # it forgot them: what it reports is this leg's
        (4.0, 1.0, 0.5, 5.0),
    ],
)
def test_the_total_follows_the_plausible_reading(
    start: float, leg: float, reported: float, expected: float
) -> None:
    account = Account(cost_usd=start + leg, leg_start_usd=start, leg_usd=leg)
    assert settle(account, reported).cost_usd == expected


def test_a_leg_begins_at_what_was_spent_before() -> None:
    begun = begin_leg(Account(turns=3, cost_usd=2.0, leg_usd=1.5))
    assert begun == Account(is_prompted=True, turns=3, cost_usd=2.0, leg_start_usd=2.0, leg_usd=0.0)


EVENTS = st.lists(
    st.one_of(
        st.just(("leg",)),
        st.tuples(st.just("used"), st.sampled_from("abc"), COSTS, st.booleans()),
        st.tuples(st.just("reported"), COSTS),
    ),
    max_size=30,
)


@given(EVENTS)
def test_an_account_never_falls_and_is_at_least_what_was_counted(events: list[tuple[object, ...]]) -> None:
    account, known, turns = Account(), dict[str, Counted](), set[str]()
    for event in events:
        before = account
        match event:
            case ("leg",):
                account = begin_leg(account)
            case ("used", str(name), float(cost_usd), bool(is_turn)):
                account, known[name] = charge(account, known.get(name), usage(name, cost_usd, is_turn))
                turns |= {name} if is_turn else set()
            case ("reported", float(cost_usd)):
                account = settle(account, cost_usd)
                assert account.cost_usd >= cost_usd or cost_usd < account.leg_start_usd
        assert account.cost_usd >= before.cost_usd
        assert account.turns == len(turns)
        counted = sum(message.charged_usd for message in known.values())
        assert account.cost_usd >= counted or account.cost_usd == pytest.approx(counted)


@given(st.lists(st.tuples(st.integers(0, 9), COSTS), max_size=9))
def test_a_sum_does_not_depend_on_the_order(parts: list[tuple[int, float]]) -> None:
    spent = [Spent(*part) for part in parts]
    assert total(spent) == total(reversed(spent))
