"""Where a key stands in a TOML file, for messages; the parser in the standard library keeps no places."""

from __future__ import annotations

import re
import tomllib

__all__ = ["line_of"]


def line_of(text: str, key: str) -> int | None:
    """The 1-based line at which a top-level key, or the table of that name, begins; None where that cannot be told.

    A line counts only when all that stands before it is TOML by itself: so it is the beginning of something, and not
    the inside of a text that looks like it.

    >>> line_of("stall_after = 3\\n# max_turns = 1\\nmax_turns = 2", "max_turns")
    3
    """
    lines = text.split("\n")
    begins = re.compile(rf"""\s*\[{{0,2}}\s*(["']?){re.escape(key)}\1\s*[=.\]]""")
    for number, line in enumerate(lines):
        if begins.match(line) and _is_whole("\n".join(lines[:number])):
            return number + 1
    return None


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
