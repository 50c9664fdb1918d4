"""The formats by name, and which one a file's name asks for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import assert_never

from lifecycle.diagram.model import Diagram
from lifecycle.diagram.paint import Paint
from lifecycle.diagram.palette import Theme

__all__ = ["Format", "endings", "format_of", "render"]


class Format(StrEnum):
    """How a diagram is written."""

    TEXT = "text"
    SVG = "svg"
    PNG = "png"
    MERMAID = "mermaid"
    DOT = "dot"
    TABLE = "table"


def format_of(name: str) -> Format | None:
    """The format that a file's name ends in, or None.

    >>> format_of("night.SVG"), format_of("-")
    (<Format.SVG: 'svg'>, None)
    """
    return _ENDINGS.get(PurePath(name).suffix.lower())


def endings() -> tuple[str, ...]:
    """What a file's name may end in to choose a format."""
    return tuple(_ENDINGS)


def render(
    diagram: Diagram, kind: Format, paint: Paint | None = None, *, theme: Theme | None = None
) -> str | bytes:
    """Draw the diagram; PNG is bytes, everything else text that ends with a new line.

    Args:
        theme: of SVG and PNG; None takes each format's own.

    Raises:
        ConfigurationError: what draws a PNG is not installed.
    """
    from lifecycle.diagram import dot, markdown, mermaid, png, svg, text

    match kind:
        case Format.TEXT:
            return text.render(diagram, paint)
        case Format.SVG:
            return svg.render(diagram, paint, theme=theme or Theme.AUTO)
        case Format.PNG:
            return png.render(diagram, paint, theme=theme or Theme.LIGHT)
        case Format.MERMAID:
            return mermaid.render(diagram, paint)
        case Format.DOT:
            return dot.render(diagram, paint)
        case Format.TABLE:
            return markdown.render(diagram, paint)
        case _:
            assert_never(kind)


_ENDINGS = {
    ".txt": Format.TEXT,
    ".svg": Format.SVG,
    ".png": Format.PNG,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
    ".dot": Format.DOT,
    ".gv": Format.DOT,
    ".md": Format.TABLE,
}
