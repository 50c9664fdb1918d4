"""SVG elements, written: rounded lines, arrow heads, boxes, lines of text in several voices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from lifecycle.diagram.labels import Line
from lifecycle.diagram.layout import Point, Rect

__all__ = ["arrow", "element", "joint", "rectangle", "text", "words"]

_CORNER = 11
_TIP_LENGTH, _TIP_HALF = 10, 5


def element(tag: str, attributes: Mapping[str, str | int], content: str | None = None) -> str:
    """One element; without content it closes itself."""
    written = "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items())
    return f"<{tag}{written}/>" if content is None else f"<{tag}{written}>{content}</{tag}>"


def rectangle(rect: Rect, css: str, radius: int = 10) -> str:
    """A box with round corners."""
    places = {"x": rect.x, "y": rect.y, "width": rect.width, "height": rect.height}
    return element("rect", {"class": css, **places, "rx": radius})


def text(content: str, x: int, y: int, css: str, *, anchor: str = "start") -> str:
    """A line of one voice; `y` is its base line."""
    return element("text", {"class": css, "x": x, "y": y, "text-anchor": anchor}, escape(content))


def words(line: Line, x: int, y: int, *, anchor: str = "start", css: str = "") -> str:
    """A line of several voices. It reads from left to right whatever the script of its names, which are set apart."""
    if len(line) == 1:
        return text(line[0].text, x, y, f"{line[0].voice} {css}".strip(), anchor=anchor)
    pieces = "".join(element("tspan", {"class": str(piece.voice)}, escape(piece.text)) for piece in line)
    attributes: dict[str, str | int] = {"x": x, "y": y, "text-anchor": anchor}
    return element("text", {"class": css, **attributes} if css else attributes, pieces)


def arrow(points: Sequence[Point], css: str, stroke_width: float | None = None) -> str:
    """A line with round corners and a head at its last point."""
    (before_x, before_y), (tip_x, tip_y) = points[-2:]
    grown = max(0, round((stroke_width or 0) - 3))
    length, half = _TIP_LENGTH + 2 * grown, _TIP_HALF + grown
    step_x, step_y = _sign(tip_x - before_x), _sign(tip_y - before_y)
    back = (tip_x - step_x * length, tip_y - step_y * length)
    # The line ends within the head, so that no gap shows between them and nothing shows before its point.
    end = (tip_x - step_x * (length - 2), tip_y - step_y * (length - 2))
    wings = (
        (back[0] - step_y * half, back[1] - step_x * half),
        (back[0] + step_y * half, back[1] + step_x * half),
    )
    head = "M" + " L".join(f"{x} {y}" for x, y in ((tip_x, tip_y), *wings)) + " Z"
    return _line(_rounded([*points[:-1], end]), css, stroke_width) + element("path", {"class": f"tip {css}", "d": head})


def joint(points: Sequence[Point], css: str, stroke_width: float | None = None) -> str:
    """A line that turns into another one at its second point, towards the third, and is not seen any further."""
    start, corner, onward = points[:3]
    radius = min(_CORNER, _length(start, corner) // 2, _length(corner, onward) // 2)
    (enter_x, enter_y), (leave_x, leave_y) = _towards(corner, start, radius), _towards(corner, onward, radius)
    path = f"M{start[0]} {start[1]} L{enter_x} {enter_y} Q{corner[0]} {corner[1]} {leave_x} {leave_y}"
    return _line(path, css, stroke_width)


def _line(path: str, css: str, stroke_width: float | None) -> str:
    line: dict[str, str | int] = {"class": f"wire {css}", "d": path}
    if stroke_width is not None:
        line["style"] = f"stroke-width: {stroke_width:.1f}"
    return element("path", line)


def _rounded(points: Sequence[Point]) -> str:
    path = [f"M{points[0][0]} {points[0][1]}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        radius = min(_CORNER, _length(before, corner) // 2, _length(corner, after) // 2)
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        path.append(f"L{enter[0]} {enter[1]} Q{corner[0]} {corner[1]} {leave[0]} {leave[1]}")
    path.append(f"L{points[-1][0]} {points[-1][1]}")
    return " ".join(path)


def _length(one: Point, other: Point) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, distance: int) -> Point:
    return (start[0] + _sign(end[0] - start[0]) * distance, start[1] + _sign(end[1] - start[1]) * distance)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
