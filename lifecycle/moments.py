"""How a moment is written for machines: one form, in every document, log and message."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["to_iso"]


def to_iso(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, with milliseconds.

    >>> to_iso(1_700_000_000.5)
    '2023-11-14T22:13:20.500Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
