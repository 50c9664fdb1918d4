"""Text for people laid out on the terminal it is for.

Owns how wide that is, and where lines break. What goes to a file or a pipe is never broken: programs read it there.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from typing import Final

__all__ = ["broken_rows", "columns", "paragraph", "terminal_width"]

_GAP: Final = "  "
_NARROWEST: Final = 12
"""What a column is never made narrower than; a word that is longer sticks out, so that it can be copied whole."""


def terminal_width() -> int | None:
    """How many characters a line of stdout may have; None where it is no terminal, and lines may be as long as they are."""
    try:
        is_terminal = os.isatty(sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a file behind it, or a closed one
        return None
    return shutil.get_terminal_size().columns if is_terminal else None


def columns(rows: Sequence[Sequence[str]], *, yielding: Collection[int], width: int | None) -> Iterator[str]:
    """The rows as a table, each as one line; where they are too wide, the yielding columns are broken at spaces.

    Args:
        rows: all with as many cells.
        yielding: the numbers of the columns that may be made narrower, the widest first.
        width: as `terminal_width` tells it.

    >>> list(columns([("a", "one two three four"), ("bcd", "five")], yielding=[1], width=17))
    ['a    one two', '     three four', 'bcd  five']
    """
    for lines in broken_rows(rows, yielding=yielding, width=width):
        yield from lines


def broken_rows(rows: Sequence[Sequence[str]], *, yielding: Collection[int], width: int | None) -> Iterator[list[str]]:
    """As `columns`, each row by itself with the lines that it takes."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        widest = max(yielding, key=lambda column: widths[column])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    for row in rows:
        cells = [_broken(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        yield [_line(parts, widths) for parts in zip_longest(*cells, fillvalue="")]


def _line(parts: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(part.ljust(limit) for part, limit in zip(parts, widths, strict=True)).rstrip()


def paragraph(text: str, *, indent: str = "", hanging: str | None = None, width: int | None) -> list[str]:
    """One line, or as many as it takes.

    Args:
        indent: before the first line.
        hanging: before the others; None is as many spaces as the first line's.
    """
    if width is None:
        return [indent + text]
    rest = " " * len(indent) if hanging is None else hanging
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [indent.rstrip()]


def _broken(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
