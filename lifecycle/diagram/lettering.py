"""How wide words are, without a font at hand: never less than what common fonts need, seldom much more.

The reader's machine chooses the font of an SVG, so no exact width exists. These are the widths of DejaVu Sans, which
is wider than Inter, Arial, Roboto and their like; a test holds them against what a real browser measures.
"""

from __future__ import annotations

import unicodedata

__all__ = ["columns", "width"]


def width(text: str, size_px: float, *, is_bold: bool = False) -> int:
    """Pixels that the text needs at most.

    >>> width("END", 10) < width("SHUTDOWN", 10) < width("SHUTDOWN", 10, is_bold=True)
    True
    """
    ems = sum(_em(letter) for letter in text) * (1.12 if is_bold else 1.0)
    return int(ems * size_px) + 1


def columns(text: str) -> int:
    """Cells that the text takes in a terminal.

    >>> columns("RUN"), columns("実行"), columns("e\\u0301")
    (3, 4, 1)
    """
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _em(letter: str) -> float:
    if letter in _EMS:
        return _EMS[letter]
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    if "\u05d0" <= letter <= "\u05ea":
        return 0.8
    # Beyond Latin the widest letters of DejaVu Sans and Noto Sans are an em; some of Arabic's are more.
    return 1.2 if "\u0600" <= letter <= "\u06ff" else 1.05


_EMS = {
    letter: ems
    for ems, letters in (
        (0.30, "ijlIJ·"),
        (0.40, " !'(),-./:;[\\]frt|"),
        (0.53, '"*?_`cszş'),
        (0.65, "abdeghknopquvxy0123456789$EFLSTPYZßàáâãäåèéêëìíîïñòóôõöùúûü"),
        (0.80, "&ABCDGHKNOQRUVXÄÖÜÉ{}"),
        (0.86, "#+<=>^~w×"),
        (1.02, "%@MWm"),
    )
    for letter in letters
}
