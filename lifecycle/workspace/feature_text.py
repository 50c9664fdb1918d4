"""The JSON text of a feature list: reading it strictly, and writing it.

Refuses to guess: whatever is doubtful is a fault with a line and a column, because a list that is misread looks
like finished work. What the data must be is `feature_schema`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring as _quote  # what json.dumps itself uses for ensure_ascii=False

from lifecycle.workspace.feature_schema import (
    DEPTH_MAX,
    half_character,
    halved,
    quoted,
    understood,
)
from lifecycle.workspace.features import Feature, FeatureList
from lifecycle.workspace.json_places import JsonPath, Place, elements, line_and_column, places

__all__ = ["TextFault", "parse_features", "render_features"]

_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class TextFault(Exception):
    """The text is not a feature list.

    Attributes:
        problem: what is wrong.
        line, column: 1-based, in characters.
        known: the features that were made out all the same, in order.
        behind: 0-based character offset from which on nothing was made out; None where the text was read to its end.
    """

    def __init__(
        self, problem: str, line: int, column: int, known: tuple[Feature, ...] = (), behind: int | None = 0
    ) -> None:
        self.problem = problem
        self.line = line
        self.column = column
        self.known = known
        self.behind = behind
        super().__init__(f"{line}:{column}: {problem}")


class _Ambiguous(Exception):
    """The parser met a repeated key or a number that JSON does not have; it cannot say where."""


def parse_features(content: bytes) -> FeatureList:
    """Read a feature list from the bytes of its file.

    UTF-8, with or without a byte order mark (some editors write one; it changes nothing).

    Raises:
        TextFault: with the place of the first fault.
    """
    text = _decode(content)
    data = _parse(text)
    unusable = halved(data, text) if isinstance(data, list) else frozenset()
    features, misfit = understood(data, unusable)
    if misfit is None and isinstance(data, list) and unusable:
        first = min(unusable)
        misfit = half_character(data[first], (first,))
    if misfit is None:
        return FeatureList(features)
    place = line_and_column(text, _offset_of(text, misfit.path))
    raise TextFault(misfit.problem, *place, features, None if isinstance(data, list) else 0)


def render_features(features: FeatureList) -> bytes:
    """The text of a feature list in the layout agents write: two spaces, one member a line, a final newline."""
    if not features.features:
        return b"[]\n"
    items = ",\n".join(map(_render, features.features))
    return f"[\n{items}\n]\n".encode()


def _render(feature: Feature) -> str:
    # By hand: the standard library indents in Python, value by value, which takes five times as long.
    members = []
    if feature.id is not None:
        members.append(f'"id": {feature.id if isinstance(feature.id, int) else _quote(feature.id)}')
    if feature.category is not None:
        members.append(f'"category": {_quote(feature.category)}')
    steps = ",\n      ".join(map(_quote, feature.steps))
    members += (
        f'"description": {_quote(feature.description)}',
        f'"steps": [\n      {steps}\n    ]' if feature.steps else '"steps": []',
        '"passes": true' if feature.passes else '"passes": false',
    )
    for key, value in feature.extra.items():
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).replace("\n", "\n    ")
        members.append(f"{_quote(key)}: {text}")
    return "  {\n    " + ",\n    ".join(members) + "\n  }"


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TextFault("the text is UTF-16; save it as UTF-8", 1, 1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line, column = line_and_column(before, len(before))
        byte = content[error.start]
        raise TextFault(f"byte 0x{byte:02x} (number {error.start}) is not UTF-8", line, column) from None
    return text.removeprefix(_BYTE_ORDER_MARK)


def _parse(text: str) -> object:
    if not text.strip():
        raise TextFault("the file is empty; a list without features is []", 1, 1)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        ends_early = error.pos >= len(text.rstrip())
        problem = "the text ends in the middle of the list (cut short?)" if ends_early else _lowered(error.msg)
        raise TextFault(problem, error.lineno, error.colno) from None
    except RecursionError:
        raise _first(text, lambda place: len(place.path) > DEPTH_MAX, "nested too deeply") from None
    except _Ambiguous:
        raise _locate_ambiguity(text) from None
    except ValueError:  # an integer of more digits than Python converts
        raise _first(text, lambda place: _is_endless_integer(text, place.offset), "number too long") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Ambiguous
    return members


def _refuse_constant(name: str) -> object:
    raise _Ambiguous


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
_LENIENT = json.JSONDecoder()
_BEFORE_FIRST = re.compile(r"\s*\[\s*")
_BETWEEN = re.compile(r"\s*,\s*")


def _locate_ambiguity(text: str) -> TextFault:
    seen: set[JsonPath] = set()
    read = _read(text)
    for place in read.rest(text):
        for name in ("NaN", "Infinity", "-Infinity"):
            if text.startswith(name, place.offset):
                return read.fault(text, f"{name} is not a JSON number", place.offset)
        if place.key_offset is not None:
            if place.path in seen:
                problem = f"the key {quoted(place.path[-1])} stands twice in one object"
                return read.fault(text, problem, place.key_offset)
            seen.add(place.path)
    return read.fault(text, "a key stands twice in one object, or a number is not JSON", 0)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the parser took of a list, up to the element over which it stumbled.

    Attributes:
        items: the elements before that.
        behind: where the last of them ended.
        start: where that element begins; the text's, where nobody knows which it is.
    """

    items: list[object]
    behind: int
    start: int

    def rest(self, text: str) -> Iterator[Place]:
        """Where to look closely."""
        return places(text, start=self.start, path=(len(self.items),) if self.start else ())

    def fault(self, text: str, problem: str, offset: int) -> TextFault:
        known, _ = understood(self.items, halved(self.items, text))
        return TextFault(problem, *line_and_column(text, offset), known, self.behind)


def _read(text: str) -> _Read:
    items: list[object] = []
    behind = 0
    try:
        for _, end, value in elements(text, _STRICT):
            items.append(value)
            behind = end
    except (_Ambiguous, ValueError, RecursionError):
        before = (_BETWEEN if items else _BEFORE_FIRST).match(text, behind)
        if before:
            return _Read(items, behind, before.end())
    return _Read([], 0, 0)


def _is_endless_integer(text: str, offset: int) -> bool:
    digits = text[offset : offset + 1_000].removeprefix("-")
    return len(digits) >= 999 and digits.isascii() and digits.isdigit()


def _offset_of(text: str, path: JsonPath) -> int:
    start, above = 0, ()  # type: tuple[int, JsonPath]
    if path and isinstance(path[0], int):
        start, above = next((at for number, (at, _, _) in enumerate(elements(text, _LENIENT)) if number == path[0]), 0), path[:1]
    return next((place.offset for place in places(text, start=start, path=above) if place.path == path), 0)


def _first(text: str, is_guilty: Callable[[Place], bool], problem: str) -> TextFault:
    read = _read(text)
    return read.fault(text, problem, next((place.offset for place in read.rest(text) if is_guilty(place)), read.start))


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
