"""PNG: the SVG made into pixels, with a font that is installed with us, so that it looks the same everywhere.

The only importer of resvg-py. Needs the extra `diagram`: `pip install 'autonomous-session-manager[diagram]'`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lifecycle.diagram import svg
from lifecycle.diagram.model import Diagram
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import Theme
from lifecycle.errors import ConfigurationError

__all__ = ["render"]

_SCALE = 2.0
_MOST_PIXELS = 48_000_000
_LONGEST_SIDE = 16_000
"""Larger pictures than these are opened by few programs; they are drawn smaller."""


def render(diagram: Diagram, paint: Paint | None = None, *, theme: Theme = Theme.LIGHT) -> bytes:
    """Draw the diagram as a PNG, on a light card unless `theme` is dark.

    Raises:
        ConfigurationError: what draws it is not installed.
    """
    if find_spec("resvg_py") is None or find_spec("fontpkg_inter") is None:
        raise ConfigurationError(
            "--format png", "needs more than the base: pip install 'autonomous-session-manager[diagram]'"
        )
    import resvg_py

    source = svg.render(diagram, paint, theme=Theme.DARK if theme is Theme.DARK else Theme.LIGHT)
    return resvg_py.svg_to_bytes(
        svg_string=source,
        zoom=_scale(source),
        font_files=_fonts(),
        sans_serif_family="Inter",
        skip_system_fonts=source.isascii() or _is_in_font(source),
    )


def _fonts() -> list[str]:
    import fontpkg_inter

    return sorted(str(path) for path in (Path(fontpkg_inter.__file__).parent / "files").glob("*.ttf"))


def _is_in_font(source: str) -> bool:
    """Whether Inter has every letter. Then only it is used; otherwise the system's fonts help out."""
    return all(ord(letter) < 0x250 or letter in "→…" for letter in source)


def _scale(source: str) -> float:
    """Twice the SVG's size, which is sharp on most screens; less where that would be too large to open."""
    _, _, width, height = source.split('viewBox="', 1)[1].split('"', 1)[0].split()
    pixels = float(width) * float(height)
    return min(_SCALE, (_MOST_PIXELS / pixels) ** 0.5, _LONGEST_SIDE / float(max(int(width), int(height))))
