"""The specification that a person fills in, and how to tell that nobody did."""

from __future__ import annotations

from typing import Final

__all__ = ["is_unanswered", "specification"]

_QUESTION: Final = "[Replace this line: what is to be built, and for whom?]"

_TEMPLATE: Final = """\
{what}

## What it must do
- One line for each thing that a person can see or check. The first session turns these into the feature list.

## How it is built
- Language, libraries and storage, as far as you care. Leave out what you don't mind.

## What it must not do
- What would be wrong: services it may not use, data it may not keep.

## Done means
- What you will try first when it is finished.
"""


def specification(what: str | None = None) -> str:
    """The template, begun with `what`; without it, with a question that must be answered first."""
    return _TEMPLATE.format(what=what or _QUESTION)


def is_unanswered(text: str) -> bool:
    """Whether the text still asks what is to be built.

    >>> is_unanswered(specification()), is_unanswered(specification("A habit tracker."))
    (True, False)
    """
    return any(line.strip() == _QUESTION for line in text.splitlines())
