"""The colours of a picture by what they tell, for light and for dark surroundings.

Text keeps a contrast of at least 4.5 to 1 on every ground it stands on, lines of 3 to 1 where they carry meaning;
a test reckons both. Nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = ["COLOURS", "GROUNDS", "Role", "Theme", "contrast"]


class Theme(StrEnum):
    """Which surroundings a picture is for. AUTO follows the reader's."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Role(StrEnum):
    """What a colour tells."""

    CARD = "card"
    FRAME = "frame"
    GROUP = "group"
    BOX = "box"
    HEAT_1 = "heat-1"
    HEAT_2 = "heat-2"
    HEAT_3 = "heat-3"
    HEAT_4 = "heat-4"
    BORDER = "border"
    INK = "ink"
    MUTED = "muted"
    ACCENT = "accent"
    ON_ACCENT = "on-accent"
    GUARD = "guard"
    LINE = "line"
    ASIDE = "aside"
    FAILURE = "failure"
    TROUBLE = "trouble"


COLOURS: Mapping[Theme, Mapping[Role, str]] = MappingProxyType(
    {
        Theme.LIGHT: MappingProxyType(
            {
                Role.CARD: "#ffffff",
                Role.FRAME: "#d9dee5",
                Role.GROUP: "#f1f6fd",
                Role.BOX: "#ffffff",
                Role.HEAT_1: "#fff1ef",
                Role.HEAT_2: "#ffe2de",
                Role.HEAT_3: "#ffd0ca",
                Role.HEAT_4: "#ffbcb4",
                Role.BORDER: "#5b6673",
                Role.INK: "#17202b",
                Role.MUTED: "#4c5663",
                Role.ACCENT: "#0a5fcc",
                Role.ON_ACCENT: "#ffffff",
                Role.GUARD: "#6b3fa0",
                Role.LINE: "#5b6673",
                Role.ASIDE: "#7d8793",
                Role.FAILURE: "#9b1023",
                Role.TROUBLE: "#774300",
            }
        ),
        Theme.DARK: MappingProxyType(
            {
                Role.CARD: "#0f141a",
                Role.FRAME: "#2c3540",
                Role.GROUP: "#142030",
                Role.BOX: "#18212b",
                Role.HEAT_1: "#2b1c20",
                Role.HEAT_2: "#3d1f22",
                Role.HEAT_3: "#512125",
                Role.HEAT_4: "#662428",
                Role.BORDER: "#8f9caa",
                Role.INK: "#eef2f6",
                Role.MUTED: "#a9b4c0",
                Role.ACCENT: "#6cb0ff",
                Role.ON_ACCENT: "#0b1622",
                Role.GUARD: "#cdb0ff",
                Role.LINE: "#8f9caa",
                Role.ASIDE: "#76828f",
                Role.FAILURE: "#ffb3ac",
                Role.TROUBLE: "#f2c078",
            }
        ),
    }
)

_HEATS = (Role.BOX, Role.HEAT_1, Role.HEAT_2, Role.HEAT_3, Role.HEAT_4)

GROUNDS: Mapping[Role, tuple[Role, ...]] = MappingProxyType(
    {
        Role.INK: (Role.CARD, Role.GROUP, *_HEATS),
        Role.MUTED: (Role.CARD, Role.GROUP, *_HEATS),
        Role.GUARD: (Role.CARD, Role.GROUP, Role.BOX),
        Role.FAILURE: (Role.CARD, Role.GROUP, *_HEATS),
        Role.TROUBLE: (Role.CARD, Role.GROUP, *_HEATS),
        Role.ON_ACCENT: (Role.ACCENT,),
    }
)
"""Text colour -> the grounds it is written on."""


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it, from 1 to 21.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
