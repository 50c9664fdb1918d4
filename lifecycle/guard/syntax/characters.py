"""What a command line may be made of, before anything is parsed.

Owns the bound on length and the characters that no honest command contains. Knows no grammar.
"""

from __future__ import annotations

import re

from lifecycle.guard.refusal import Refused

__all__ = ["LENGTH_MAX_CHARS", "check_characters"]

LENGTH_MAX_CHARS = 20_000  # the longest ordinary here-document fits; the worst input of this length takes 0.1 s

# C0 without tab and newline, DEL, C1; direction overrides (what a person reads is not what runs); lone surrogates,
# which cannot be passed to bash at all and which this package uses as its own markers.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check_characters(text: str) -> None:
    """Refuse a text that is too long or holds a character that bash and a reader could see differently.

    Raises:
        Refused: rule "text.length" or "text.character".
    """
    if len(text) > LENGTH_MAX_CHARS:
        raise Refused(
            "text.length",
            f"the command has {len(text)} characters; up to {LENGTH_MAX_CHARS} are judged: "
            "put long text into a file with the Write tool",
        )
    if text.isascii() and text.isprintable():
        return
    found = _FORBIDDEN.search(text)
    if found:
        raise Refused(
            "text.character",
            f"the character U+{ord(found.group()):04X} at position {found.start()} is not accepted; "
            "printable text, tabs and newlines are",
        )
