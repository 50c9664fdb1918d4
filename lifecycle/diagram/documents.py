"""The pictures that documents hold: which files there are, and what stands between two markers in a Markdown file.

`python -m lifecycle.diagram` writes them; a test holds them equal to what is drawn now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lifecycle.diagram.example import bad_night
from lifecycle.diagram.formats import Format, render
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.paint import paint

__all__ = ["DOCUMENTS", "blocks", "pictures", "with_blocks"]

DOCUMENTS = ("README.md", "diagrams/ARCHITECTURE.md")
"""The Markdown files that hold blocks."""

_FILES: Mapping[str, Format] = {
    "lifecycle.mmd": Format.MERMAID,
    "lifecycle.dot": Format.DOT,
    "lifecycle.svg": Format.SVG,
    "lifecycle.png": Format.PNG,
    "lifecycle.txt": Format.TEXT,
    "table.md": Format.TABLE,
}
_PAINTED: Mapping[str, Format] = {
    "bad-night.mmd": Format.MERMAID,
    "bad-night.dot": Format.DOT,
    "bad-night.svg": Format.SVG,
    "bad-night.png": Format.PNG,
    "bad-night.txt": Format.TEXT,
    "bad-night.md": Format.TABLE,
}


def pictures(*, has_png: bool = True) -> Mapping[str, bytes]:
    """File name -> content, for the folder `diagrams`: the lifecycle, and a bad night painted on it.

    Args:
        has_png: whether PNGs are wanted, which need the extra `diagram`.

    Raises:
        ConfigurationError: PNGs are wanted and what draws them is not installed.
    """
    plain, night = diagram_of(), diagram_of(name="a bad night")
    painted = paint(*bad_night())
    drawn = {name: render(plain, kind) for name, kind in _FILES.items() if has_png or kind is not Format.PNG}
    drawn |= {
        name: render(night, kind, painted)
        for name, kind in _PAINTED.items()
        if has_png or kind is not Format.PNG
    }
    return {name: content.encode() if isinstance(content, str) else content for name, content in drawn.items()}


def blocks() -> Mapping[str, str]:
    """Marker -> what stands between `<!-- lifecycle:MARKER -->` and `<!-- /lifecycle:MARKER -->`."""
    diagram = diagram_of()
    return {
        "diagram": f"```mermaid\n{render(diagram, Format.MERMAID)!s}```\n",
        "table": str(render(diagram, Format.TABLE)),
        "text": f"```text\n{render(diagram, Format.TEXT)!s}```\n",
    }


def with_blocks(document: str) -> str:
    """The document with each of its blocks as it is drawn now; what stands outside the markers is not touched.

    >>> with_blocks("a <!-- lifecycle:other -->x<!-- /lifecycle:other --> b")
    'a <!-- lifecycle:other -->x<!-- /lifecycle:other --> b'
    """
    for marker, content in blocks().items():
        begin, end = f"<!-- lifecycle:{marker} -->", f"<!-- /lifecycle:{marker} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        document = pattern.sub(lambda _, told=f"{begin}\n{content}{end}": told, document)  # type: ignore[misc]
    return document
