"""What a session has used, folded from what is told about it. Pure: no clock, no storage.

A session's cost is known twice. The agent's messages tell tokens, which the price table makes an estimate of; the
agent's result tells a total for the conversation, which misses whatever was spent just before a SIGKILL. An account
takes the dearer of what is plausible, and never falls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lifecycle.ports import MessageUsage, Spent

__all__ = ["Account", "Counted", "begin_leg", "charge", "settle", "total"]


@dataclass(frozen=True, slots=True)
class Account:
    """A session's use so far. A leg is the work of one agent process; a resumption begins another one.

    Attributes:
        is_prompted: whether a leg ever began.
        leg_start_usd: the session's cost when this leg began.
        leg_usd: the estimates of this leg's messages.
    """

    is_prompted: bool = False
    turns: int = 0
    cost_usd: float = 0.0
    leg_start_usd: float = 0.0
    leg_usd: float = 0.0

    @property
    def spent(self) -> Spent:
        return Spent(self.turns, self.cost_usd)


@dataclass(frozen=True, slots=True)
class Counted:
    """A message that has been charged: its newest report, and what was charged for it.

    Attributes:
        charged_usd: the dearest report's cost, so that one that falls and rises again is not charged twice.
        is_turn: whether any report said so.
    """

    usage: MessageUsage
    charged_usd: float
    is_turn: bool


def begin_leg(account: Account) -> Account:
    """The prompt is about to be handed over."""
    return replace(account, is_prompted=True, leg_start_usd=account.cost_usd, leg_usd=0.0)


def charge(account: Account, before: Counted | None, usage: MessageUsage) -> tuple[Account, Counted]:
    """Charge what a report of a message adds to `before`, the same message's last report.

    Raises:
        ValueError: the cost is not a number that can be spent.
    """
    cost_usd = _spendable(usage.cost_usd)
    charged_usd = 0.0 if before is None else before.charged_usd
    was_turn = before is not None and before.is_turn
    more_usd = max(0.0, cost_usd - charged_usd)
    charged = replace(
        account,
        turns=account.turns + (usage.is_turn and not was_turn),
        cost_usd=account.cost_usd + more_usd,
        leg_usd=account.leg_usd + more_usd,
    )
    return charged, Counted(usage, max(charged_usd, cost_usd), was_turn or usage.is_turn)


def settle(account: Account, reported_usd: float) -> Account:
    """Raise the cost to what the agent's report makes plausible.

    The report is the conversation's total as far as the agent knows it. One below what the session had cost when
    the leg began forgot something, so it can only be of this leg.

    Raises:
        ValueError: the report is not a number that can be spent.
    """
    reported = _spendable(reported_usd)
    start = account.leg_start_usd
    knows_all = reported >= start
    plausible = max(start + account.leg_usd, reported) if knows_all else start + max(account.leg_usd, reported)
    return replace(account, cost_usd=max(account.cost_usd, plausible))


def total(parts: Iterable[Spent]) -> Spent:
    """The sum, whatever the order."""
    every = tuple(parts)
    return Spent(sum(part.turns for part in every), math.fsum(part.cost_usd for part in every))


def _spendable(cost_usd: float) -> float:
    if not (math.isfinite(cost_usd) and cost_usd >= 0):
        raise ValueError(f"{cost_usd!r} is no cost in US dollars")
    return float(cost_usd)
