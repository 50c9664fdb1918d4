"""The SVG's style sheet: the palette's colours given to classes, once for light and once for dark.

No variables, as not every renderer of SVG knows them: a rule of colours a class, and the dark ones in a media query
that renderers without a notion of dark skip.
"""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.diagram.palette import COLOURS, Role, Theme

__all__ = ["FONTS", "stylesheet"]

FONTS = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', 'DejaVu Sans', sans-serif"


def stylesheet(theme: Theme) -> str:
    """The rules, for one theme or for both."""
    rules = [*_shapes(), *_colours(Theme.LIGHT if theme is Theme.AUTO else theme)]
    if theme is Theme.AUTO:
        rules += ["@media (prefers-color-scheme: dark) {", *_colours(Theme.DARK), "}"]
    return "\n".join(rules)


def _shapes() -> Iterator[str]:
    yield f"text {{ font-family: {FONTS}; font-size: 13px; white-space: pre; direction: ltr }}"
    yield ".heading { font-size: 19px; font-weight: 600 }"
    yield ".name { font-size: 15px; font-weight: 600 }"
    yield ".small { font-size: 12px }"
    yield ".heading { letter-spacing: -0.2px }"
    yield ".trigger, .failure, .trouble { font-weight: 500 }"
    yield ".count { font-weight: 600 }"
    yield ".wire { fill: none; stroke-linecap: round; stroke-linejoin: round }"
    yield ".way-main.wire { stroke-width: 2.5 }"
    yield ".way-other.wire { stroke-width: 1.7 }"
    yield ".way-aside.wire { stroke-width: 1.4; stroke-dasharray: 5 4 }"
    yield ".way-unused.wire { stroke-width: 1.2; stroke-dasharray: 1 4 }"
    yield ".box { stroke-width: 1.5 }"
    yield ".box.here { stroke-width: 3.5 }"
    yield ".ring { fill: none; stroke-width: 1.5 }"


def _colours(theme: Theme) -> Iterator[str]:
    colour = COLOURS[theme]
    for names, role in _FILLS:
        yield f"{names} {{ fill: {colour[role]} }}"
    for names, role in _STROKES:
        yield f"{names} {{ stroke: {colour[role]} }}"


_FILLS = (
    (".card", Role.CARD),
    (".group", Role.GROUP),
    (".box, .heat-0", Role.BOX),
    (".heat-1", Role.HEAT_1),
    (".heat-2", Role.HEAT_2),
    (".heat-3", Role.HEAT_3),
    (".heat-4", Role.HEAT_4),
    ("text, .trigger, .name, .count, .heading, .dot", Role.INK),
    (".figure, .aside, .unused, .muted", Role.MUTED),
    (".guard", Role.GUARD),
    (".failure", Role.FAILURE),
    (".trouble", Role.TROUBLE),
    (".on-accent", Role.ON_ACCENT),
    (".flag, .way-main.tip, .bar", Role.ACCENT),
    (".way-other.tip", Role.LINE),
    (".way-aside.tip, .way-unused.tip", Role.ASIDE),
    (".way-failing.tip", Role.FAILURE),
    (".track", Role.FRAME),
)
_STROKES = (
    (".card, .group", Role.FRAME),
    (".box, .ring, .way-other.wire", Role.BORDER),
    (".way-aside.wire, .way-unused.wire", Role.ASIDE),
    (".way-main.wire, .box.here", Role.ACCENT),
    (".way-failing.wire", Role.FAILURE),
)
