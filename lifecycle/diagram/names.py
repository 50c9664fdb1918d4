"""How a name stands in a picture: on one line, all of it to be seen, and set in the direction of its own script.

A picture's lines read from left to right whatever the names on them. A name with letters that are written from right
to left is therefore set apart by Unicode's isolates: within them it follows its own first letter that has a
direction, and outside them nothing moves. Those marks are what browsers, terminals and the renderer of PNGs
understand alike; the property `direction` is not.
"""

from __future__ import annotations

import unicodedata

__all__ = ["apart", "shown", "visible"]

_LEFT_TO_RIGHT, _BY_FIRST_LETTER, _END = "\u2066", "\u2068", "\u2069"


def visible(name: str) -> str:
    """A name on one line: what cannot be seen, or would turn the text around it, is told by its code.

    >>> visible("a\\tb\\u202ec"), visible("")
    ('a␉b<U+202E>c', '<empty>')
    """
    if not name:
        return "<empty>"
    return "".join(_visible_letter(letter) for letter in name)


def shown(name: str) -> str:
    """`visible`, set apart where it has letters from right to left; a code in it reads from left to right still.

    >>> shown("RUN"), shown("\\u05d0\\u202e").encode("ascii", "backslashreplace")
    ('RUN', b'\\\\u2068\\\\u05d0\\\\u2066<U+202E>\\\\u2069\\\\u2069')
    """
    if not _turns(name):
        return visible(name)
    return apart("".join(_kept(letter, _visible_letter(letter)) for letter in name))


def apart(words: str) -> str:
    """Words that are visible already, set apart where they have letters from right to left."""
    return f"{_BY_FIRST_LETTER}{words}{_END}" if _turns(words) else words


def _turns(words: str) -> bool:
    return any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in words)


def _kept(letter: str, told: str) -> str:
    return told if len(told) == 1 else f"{_LEFT_TO_RIGHT}{told}{_END}"


def _visible_letter(letter: str) -> str:
    if letter < " ":
        return chr(0x2400 + ord(letter))
    if unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS:
        return f"<U+{ord(letter):04X}>"
    return letter


_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset({"\u200c", "\u200d"})
"""Invisible letters that spelling needs, in Persian and Hindi among others."""
