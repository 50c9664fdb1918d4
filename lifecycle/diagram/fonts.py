"""Which font files a PNG is drawn from, in the order in which a letter is looked for.

What draws takes the first file that has a letter, whatever its weight and style. So those that come with us stand
first: Inter, then one for Hebrew and one for Arabic, each with all its weights. Only for letters of other scripts the
system's follow, upright sans of ordinary weight before all others, as otherwise whichever lies first is taken.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["NEEDED", "are_installed", "files"]

NEEDED = ("fontpkg-inter>=4.1", "fontpkg-heebo>=3.1", "fontpkg-noto-sans-arabic>=2.12")
"""The distributions that bring our own."""

_OURS = ("fontpkg_inter", "fontpkg_heebo", "fontpkg_noto_sans_arabic")


def are_installed() -> bool:
    """Whether all our own are there."""
    return all(find_spec(package) is not None for package in _OURS)


def files(words: str) -> list[str]:
    """The files that a text needs: ours, and the system's where ours do not have all its letters."""
    ours = [path for package in _OURS for path in _of(package)]
    return [*ours, *([] if all(map(_is_ours, words)) else _of_the_system())]


def _of(package: str) -> list[str]:
    found = find_spec(package)
    assert found is not None, "looked for before"
    assert found.origin is not None, "it is a package of files"
    return sorted((str(path) for path in (Path(found.origin).parent / "files").glob("*.ttf")), key=_rank)


def _is_ours(letter: str) -> bool:
    """Latin, Hebrew and Arabic, and the marks that set names apart, which are never seen."""
    return letter < "\u0250" or letter in "→…" or any(first <= letter <= last for first, last in _RANGES)


_RANGES = (("\u05b0", "\u05ea"), ("\u0600", "\u06ff"), ("\u200c", "\u200d"), ("\u2066", "\u2069"))


def _of_the_system() -> list[str]:
    home = Path.home()
    if sys.platform == "darwin":
        roots = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    else:
        roots = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    found = [str(path) for root in roots for path in root.rglob("*") if path.suffix.lower() in _ENDINGS]
    return sorted(found, key=_rank)


_ENDINGS = frozenset({".ttf", ".otf", ".ttc"})
_UNWANTED = re.compile(
    r"bold|italic|oblique|black|heavy|light|thin|medium|condensed|narrow|mono|serif(?!.*sans)|math|emoji", re.IGNORECASE
)


def _rank(path: str) -> tuple[int, str]:
    """First what is upright, of ordinary weight and without serifs, as far as a file's name tells."""
    name = Path(path).name
    return len(_UNWANTED.findall(name)), name
