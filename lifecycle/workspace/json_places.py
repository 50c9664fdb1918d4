"""Where the values of a JSON text stand, for messages with a line and a column.

The standard parser forgets positions, so a fault found in parsed data is looked up again in the text. Only the
way of a fault pays for this; a good file never comes here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # the tokenizer of json.loads itself

__all__ = ["JsonPath", "Place", "elements", "line_and_column", "places"]

JsonPath = tuple[str | int, ...]
"""Keys and indices from the top of the document: `(3, "steps", 0)`."""

_SCALARS = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Place:
    """One value of the document.

    Attributes:
        path: how to get there from the top.
        offset: 0-based character offset of the value.
        key_offset: offset of the member's key, for a member of an object.
    """

    path: JsonPath
    offset: int
    key_offset: int | None


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """1-based line and column, in characters, of a character offset.

    >>> line_and_column("[\\n  true]", 4)
    (2, 3)
    """
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def places(text: str, *, start: int = 0, path: JsonPath = ()) -> Iterator[Place]:
    """Every value in document order, parents first, to any depth, without recursion.

    Where the text stops being JSON the iterator ends: what came before is still worth reporting.

    Args:
        start: where to begin: at a value, which is walked to its end.
        path: how one gets to that value.
    """
    try:
        yield from _walk(text, start, path)
    except (IndexError, ValueError, StopIteration):
        return


def elements(text: str, decoder: json.JSONDecoder, behind: int = 0) -> Iterator[tuple[int, int, object]]:
    """The elements of the list that the text is: where each begins and ends, and its value; as fast as the decoder.

    Ends where the list does, and where the text stops being one; what the decoder raises passes through.

    Args:
        behind: where an element ended, to go on with the next one.
    """
    at, mark = _past_space(text, behind), "," if behind else "["
    while text.startswith(mark, at):
        at = _past_space(text, at + 1)
        if at == len(text) or text[at] in ",]":
            return
        value, end = decoder.raw_decode(text, at)
        yield at, end, value
        at, mark = _past_space(text, end), ","


def _walk(text: str, start: int, path: JsonPath) -> Iterator[Place]:
    containers: list[tuple[JsonPath, Iterator[int] | None]] = []  # an array counts its elements, an object does not
    key_offset: int | None = None
    at = _past_space(text, start)
    while True:
        yield Place(path, at, key_offset)
        if text[at] in "[{":
            containers.append((path, iter(range(len(text))) if text[at] == "[" else None))
            at += 1
        else:
            at = _SCALARS.raw_decode(text, at)[1]
        at = _past_space(text, at)
        while containers and text[at] in "]}":
            containers.pop()
            at = _past_space(text, at + 1)
        if not containers:
            return
        if text[at] == ",":
            at = _past_space(text, at + 1)
        parent, counter = containers[-1]
        if counter is None:
            key_offset = at
            key, at = scanstring(text, at + 1)
            at = _past_space(text, _past_space(text, at) + 1)  # past the colon
            path = (*parent, key)
        else:
            key_offset = None
            path = (*parent, next(counter))


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
