"""What tokens cost. A table, and the rule that an unknown model is never taken for cheap.

The ledger needs a price of its own because the agent's total is lost when its process is killed. The prices are
the public ones per million tokens, checked against the totals that the bundled CLI reports; a test compares them
again. What is billed is the service's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DEAREST", "PRICES", "Price", "cost_usd", "price_of"]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. A cache entry that lives an hour is written at twice the input price."""

    input_usd: float
    output_usd: float
    cache_read_usd: float
    cache_write_usd: float


def _price(input_usd: float, output_usd: float) -> Price:
    """The usual proportions: a tenth for a cache read, a quarter more for a five-minute cache write."""
    return Price(input_usd, output_usd, input_usd / 10, input_usd * 1.25)


# The first row whose name begins the model's, taken without provider prefixes ("us.anthropic.", "anthropic/").
PRICES: Final[tuple[tuple[str, Price], ...]] = (
    ("claude-fable-5", _price(10, 50)),
    ("claude-mythos-5", _price(10, 50)),
    ("claude-opus-5-5", Price(4, 20, 0.2, 5)),
    ("claude-opus-5", _price(5, 25)),
    ("claude-opus-4-5", _price(5, 25)),
    ("claude-opus-4-6", _price(5, 25)),
    ("claude-opus-4-7", _price(5, 25)),
    ("claude-opus-4-8", _price(5, 25)),
    ("claude-opus-4", _price(15, 75)),
    ("claude-3-opus", _price(15, 75)),
    ("claude-sonnet-5", _price(2, 10)),
    ("claude-sonnet-4", _price(3, 15)),
    ("claude-3-7-sonnet", _price(3, 15)),
    ("claude-3-5-sonnet", _price(3, 15)),
    ("claude-haiku-4-5", _price(1, 5)),
    ("claude-3-5-haiku", _price(0.8, 4)),
    ("claude-3-haiku", Price(0.25, 1.25, 0.03, 0.3)),
)

DEAREST: Final = Price(
    input_usd=max(price.input_usd for _, price in PRICES),
    output_usd=max(price.output_usd for _, price in PRICES),
    cache_read_usd=max(price.cache_read_usd for _, price in PRICES),
    cache_write_usd=max(price.cache_write_usd for _, price in PRICES),
)


def price_of(model: str) -> Price | None:
    """The model's price, or None when the table does not know it.

    >>> price_of("claude-sonnet-4-5-20250929").output_usd
    15
    >>> price_of("us.anthropic.claude-haiku-4-5-20251001-v1:0").input_usd
    1
    >>> price_of("gpt-next") is None
    True
    """
    found = _FAMILY.search(model.lower())
    if found is None:
        return None
    for name, price in PRICES:
        # "claude-opus-5" must not take "claude-opus-50", but takes "claude-opus-5-20260101"
        if re.match(rf"{re.escape(name)}(?!\d)", found[0]):
            return price
    return None


def cost_usd(price: Price, usage: Mapping[str, Any]) -> float:
    """The cost of one message's usage, in the words of the Messages API; missing or odd counts are 0."""
    hour = tokens(usage.get("cache_creation") or {}, "ephemeral_1h_input_tokens")
    written = max(tokens(usage, "cache_creation_input_tokens"), hour)
    dollars = (
        tokens(usage, "input_tokens") * price.input_usd
        + tokens(usage, "output_tokens") * price.output_usd
        + tokens(usage, "cache_read_input_tokens") * price.cache_read_usd
        + (written - hour) * price.cache_write_usd
        + hour * price.input_usd * 2
    )
    return dollars / 1_000_000


def tokens(usage: object, field: str) -> int:
    """One count of a usage record; what is no count is 0."""
    value = usage.get(field) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


_FAMILY: Final = re.compile(r"claude-[a-z0-9.-]+")
