"""Lists of names as they are pleasant to read: words apart by blanks.

Owns nothing but that notation for the tables of this package.
"""

from __future__ import annotations

__all__ = ["names"]


def names(text: str) -> frozenset[str]:
    """The words of the text.

    >>> sorted(names("cat ls"))
    ['cat', 'ls']
    """
    return frozenset(text.split())
