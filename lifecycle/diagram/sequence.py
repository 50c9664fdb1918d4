"""A told sequence of transitions, painted on its table: each edge with the numbers of the steps that take it.

For counterexamples: where it breaks is marked as a failure is, and the sequence ends there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lifecycle.diagram.paint import Paint, Trouble, Use

__all__ = ["Way", "painted_sequence"]

Way = tuple[str, str, str]
"""Source, trigger, dest; where nothing follows the dest is the source."""


def painted_sequence(ways: Sequence[Way], caption: str, *, is_broken: bool = True) -> Paint:
    """Paint the steps in their order.

    Args:
        ways: at least one.
        caption: what it shows; the line under the picture's name.
        is_broken: whether the last step is what is wrong.
    """
    steps: dict[Way, list[int]] = defaultdict(list)
    visits: dict[str, int] = defaultdict(int)
    for number, way in enumerate(ways, start=1):
        steps[way].append(number)
        visits[way[2]] += 1
    last = ways[-1]
    trouble = (Trouble("broken here", 1, is_failure=True),) if is_broken else ()
    return Paint(
        states={name: Use(count, troubles=trouble if name == last[2] else ()) for name, count in visits.items()},
        ways={way: Use(len(found), troubles=trouble if way == last else (), steps=tuple(found)) for way, found in steps.items()},
        current=last[2],
        caption=caption,
    )
