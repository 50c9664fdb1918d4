"""From one text to another by the agent's Read and Edit tools. Pure.

Knows how Read numbers lines and that Edit wants an old text which occurs exactly once.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

__all__ = ["edits", "without_line_numbers"]

NUMBERED = re.compile(r"\s*\d+(?:[\t→](?P<line>.*))?")


def without_line_numbers(shown: str) -> str:
    """The file's text, from what Read shows of it.

    >>> without_line_numbers("1\\tone\\n2\\t  two\\n3")
    'one\\n  two\\n'
    """
    lines = (NUMBERED.fullmatch(line) for line in shown.split("\n"))
    return "\n".join(found["line"] or "" for found in lines if found)


def edits(before: str, after: str) -> list[tuple[str, str]]:
    """Replacements `(old, new)` that turn `before` into `after`, in order; each `old` occurs once by then.

    None can be made twice: its `old` is gone when it is done, so repeating it fails and changes nothing. Where no
    such replacements exist (at the end of a text, or in one without lines), and when there is nothing to change, there
    are none.

    >>> edits("a\\nb\\nc\\n", "a\\nB\\nc\\n")
    [('b', 'B')]
    """
    found: list[tuple[str, str]] = []
    current = before
    while current != after and current.strip():
        old, new = _first_difference(current, after)
        found.append((old, new))
        current = current.replace(old, new, 1)
    return [] if any(old in after for old, _ in found) else found


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The first differing block of lines, with as much around it as makes it occur once in `before` and never after."""
    old, new = before.split("\n"), after.split("\n")
    opcodes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    _, old_start, old_end, new_start, new_end = next(code for code in opcodes if code[0] != "equal")
    while True:
        block, changed = "\n".join(old[old_start:old_end]), "\n".join(new[new_start:new_end])
        # What deletes or inserts whole lines must hold on to a neighbour, or it would leave their newline.
        # Found from both ends, since occurrences that overlap are counted once.
        once = before.find(block) == before.rfind(block)
        if block.strip() and changed.strip() and once and block not in before.replace(block, changed, 1):
            return block, changed
        if old_start > 0 and new_start > 0:
            old_start, new_start = old_start - 1, new_start - 1
        elif old_end < len(old) and new_end < len(new):
            old_end, new_end = old_end + 1, new_end + 1
        else:
            return before, after
