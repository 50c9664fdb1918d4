"""PNG: the SVG made into pixels, with fonts that are installed with us, so that it looks the same everywhere.

The only importer of resvg-py, which the extra `diagram` brings. Which file a letter is drawn from is told by `fonts`.
"""

from __future__ import annotations

import hashlib
import math
import shlex
import struct
import sys
import zlib
from importlib.util import find_spec

from lifecycle.diagram import fonts, svg
from lifecycle.diagram.fonts import NEEDED
from lifecycle.diagram.model import Diagram
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import Theme
from lifecycle.diagram.words import description, heading
from lifecycle.errors import ConfigurationError

__all__ = ["ensure_available", "is_available", "render", "source_of", "stamp_of"]

_NEEDED = ("resvg-py>=0.5", *NEEDED)
"""What the extra `diagram` brings; a test holds them equal."""
_SCALE = 2.0
_MOST_PIXELS = 48_000_000
_LONGEST_SIDE = 16_000
"""Larger pictures than these are opened by few programs; they are drawn smaller."""


def render(diagram: Diagram, paint: Paint | None = None, *, theme: Theme = Theme.LIGHT) -> bytes:
    """Draw the diagram as a PNG, on a light card unless `theme` is dark. It carries its words, and its source's stamp.

    Raises:
        ConfigurationError: what draws it is not installed.
    """
    ensure_available()
    import resvg_py

    source = source_of(diagram, paint, theme=theme)
    drawn: bytes = resvg_py.svg_to_bytes(
        svg_string=source,
        zoom=_scale(source),
        font_files=fonts.files(source),
        sans_serif_family="Inter",
        skip_system_fonts=True,
    )
    words = {"Title": heading(diagram), "Description": description(diagram, paint), _STAMP: _stamp(source)}
    return drawn[:_HEAD] + b"".join(_words(*each) for each in words.items()) + drawn[_HEAD:]


def ensure_available() -> None:
    """Check that what draws PNGs is installed.

    Raises:
        ConfigurationError: it is not; has the command that installs it for this very Python.
    """
    if not is_available():
        # By name, and not as our extra: where we were installed from need not be where pip looks.
        wanted = " ".join(shlex.quote(each) for each in _NEEDED)
        install = f"{shlex.quote(sys.executable)} -m pip install {wanted}"
        raise ConfigurationError("PNG", f"what draws it is not installed; install it with: {install}")


def is_available() -> bool:
    """Whether what draws PNGs is installed."""
    return find_spec("resvg_py") is not None and fonts.are_installed()


def source_of(diagram: Diagram, paint: Paint | None = None, *, theme: Theme = Theme.LIGHT) -> str:
    """The SVG that a PNG is made of."""
    return svg.render(diagram, paint, theme=Theme.DARK if theme is Theme.DARK else Theme.LIGHT)


def stamp_of(picture: bytes | str) -> str | None:
    """What tells whether a PNG (bytes) was made of an SVG (text): equal for both, whoever's version made the pixels."""
    if isinstance(picture, str):
        return _stamp(picture)
    begin = picture.find(_STAMP.encode() + b"\0")
    if begin < 0:
        return None
    # keyword, NUL, two flags, two empty strings with their NULs: the words follow
    begin += len(_STAMP) + 5
    return picture[begin : begin + _STAMP_LENGTH].decode("ascii", "replace")


_HEAD = 8 + 25
"""The signature and the chunk that must come first."""
_STAMP, _STAMP_LENGTH = "Source", 32


def _stamp(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:_STAMP_LENGTH]


def _words(keyword: str, words: str) -> bytes:
    """A chunk of text in UTF-8, not compressed and of no stated language."""
    content = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + words.encode()
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _scale(source: str) -> float:
    """Twice the SVG's size, which is sharp on most screens; less where that would be too large to open."""
    _, _, width, height = source.split('viewBox="', 1)[1].split('"', 1)[0].split()
    pixels = float(width) * float(height)
    return min(_SCALE, math.sqrt(_MOST_PIXELS / pixels), _LONGEST_SIDE / max(int(width), int(height)))
