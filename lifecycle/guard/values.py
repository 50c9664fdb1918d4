"""What a word can turn into when bash expands it: known text, with markers where something is not known.

Owns the markers, brace expansion, word splitting and globs. An expanded word is a list of fields, each a `str`; lone
surrogates, which no command can contain, stand for what only running it would tell:

    ANY    any text: the output of a command, input, what a script put together
    ENV    any text that the environment holds: unknown, but not the command's to choose
    SPLIT  the unknown text was not quoted: it can be no field or many
    NAME   part of a file's name, from a glob: no slash, no leading dot
    NUM    digits, perhaps with a minus sign
    JOB    the process id of a background job (`$!`); nothing if there is none
    MAYBE  the output before it may be missing: the program that prints it can fail
"""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = [
    "ANY", "ENV", "JOB", "MAYBE", "NAME", "NUM", "SPLIT", "assigned", "fields_of", "is_known", "may_be_option", "may_vanish",
    "sheltered", "shown",
]  # fmt: skip

ANY = "\udc01"
ENV = "\udc02"
SPLIT = "\udc03"
NAME = "\udc04"
NUM = "\udc05"
JOB = "\udc06"
MAYBE = "\udc07"

_UNKNOWN = re.compile(f"[{ANY}{ENV}{SPLIT}]")
_MARKER = re.compile("[\udc01-\udc07]+")

# Characters that act only where they are not quoted travel as surrogates while they must not act.
_ACTIVE = "{},*?[]~. \t\n"
_SHELTER = {ord(character): 0xDD00 + ord(character) for character in _ACTIVE}
_UNSHELTER = {0xDD00 + ord(character): character for character in _ACTIVE}
_FROM_EXPANSION = {code: shelter for code, shelter in _SHELTER.items() if chr(code) in "{},~."}

_ACTING = re.compile("[{*?\\[~ \t\n\udd00-\uddff]")
_GLOB = re.compile(r"[*?]+|\[[^\]/]+\]")
_SEQUENCE = re.compile(r"(-?\d{1,9}|[A-Za-z])\.\.(-?\d{1,9}|[A-Za-z])(?:\.\.-?\d{1,9})?\Z")
_USER = re.compile(r"~[A-Za-z0-9_+-]+\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_FIELDS_MAX = 64
_TRIES_MAX = 16


def sheltered(text: str, expansion: bool = False) -> str:
    """The text such that nothing in it acts; of an unquoted expansion, blanks and globs still do."""
    return text.translate(_FROM_EXPANSION if expansion else _SHELTER)


def fields_of(text: str, quoted: bool, home: str) -> list[str]:
    """The fields that a word becomes, from its text with sheltered quotation.

    Args:
        text: the word after parameter and command substitution.
        quoted: something in the word was quoted, so that it is a field even when empty.
        home: what `~` stands for.
    """
    if not _ACTING.search(text):
        return [text] if text or quoted else []
    fields: list[str] = []
    for alternative in _braces(text):
        for piece in re.split("[ \t\n]+", _tildes(alternative, home)):
            if piece or (quoted and not fields):
                fields.append(_globbed(piece).translate(_UNSHELTER))
    return fields


def assigned(text: str, home: str) -> str:
    """The value that an assignment's right side becomes: no braces, no splitting, no globs."""
    if text.startswith("~") or ":~" in text:
        text = ":".join(_tilde(piece, home) if piece.startswith("~") else piece for piece in text.split(":"))
    return text.translate(_UNSHELTER)


def is_known(field: str) -> bool:
    """Whether every character of the field is known, globs and numbers aside."""
    return not _UNKNOWN.search(field)


def may_be_option(field: str) -> bool:
    """Whether the field begins with a dash, or could, or could be several fields."""
    return field.startswith(("-", ANY, ENV)) or SPLIT in field


def may_vanish(field: str) -> bool:
    """Whether the field could be empty, and so, unquoted, no field at all: the next one would take its place."""
    return (JOB in field or MAYBE in field) and not field.strip(NAME + NUM + JOB + MAYBE)


def shown(field: str) -> str:
    """The field for a person to read.

    >>> shown("out/" + ANY)
    'out/...'
    """
    text = _MARKER.sub("...", field)
    return text if len(text) <= 60 else text[:59] + "…"


def _globbed(text: str) -> str:
    if text.count("[") > _FIELDS_MAX:
        return ANY
    text = _GLOB.sub(NAME, text)
    opening = text.find("[")
    return ANY if 0 <= opening < text.rfind("]") else text


def _tildes(text: str, home: str) -> str:
    if "~" not in text:
        return text
    if text.startswith("~"):
        return _tilde(text, home)
    name = _ASSIGNMENT.match(text)  # bash expands them in an argument that looks like an assignment, too
    if not name:
        return text
    pieces = text[name.end() :].split(":")
    return name.group() + ":".join(_tilde(piece, home) if piece.startswith("~") else piece for piece in pieces)


def _tilde(text: str, home: str) -> str:
    user, slash, rest = text.partition("/")
    if user == "~":
        return home + slash + rest
    return ("/" + ENV if _USER.match(user) else ANY) + slash + rest  # ~'x' is no user's directory, but text


def _braces(text: str) -> list[str]:
    if "{" not in text:
        return [text]
    results: list[str] = []
    pending = [("", text)]
    while pending:
        done, rest = pending.pop()
        group = _first_group(rest)
        if group is None:
            results.append(done + rest)
        else:
            before, alternatives, after = group
            pending.extend((done, before + alternative + after) for alternative in reversed(alternatives))
        if len(pending) + len(results) > _FIELDS_MAX:
            return [ANY + SPLIT]
    return results


def _first_group(text: str) -> tuple[str, list[str], str] | None:
    start = text.find("{")
    tries = 0
    while start >= 0:
        end, commas = _matching(text, start)
        tries += 1
        if tries > _TRIES_MAX:
            return "", [ANY + SPLIT], ""
        if end > 0:
            inner = text[start + 1 : end]
            if commas:
                cuts = [start, *commas, end]
                return text[:start], [text[a + 1 : b] for a, b in pairwise(cuts)], text[end + 1 :]
            if _SEQUENCE.match(inner):
                return text[:start], _sequence(inner), text[end + 1 :]
        start = text.find("{", start + 1)
    return None


def _matching(text: str, start: int) -> tuple[int, list[int]]:
    depth = 0
    commas: list[int] = []
    for at in range(start, len(text)):
        character = text[at]
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return at, commas
        elif character == "," and depth == 1:
            commas.append(at)
    return -1, commas


def _sequence(inner: str) -> list[str]:
    first, last = inner.split("..")[:2]
    if first.lstrip("-").isdigit() and last.lstrip("-").isdigit():
        low, high = sorted((int(first), int(last)))
        if inner.count("..") == 1 and high - low < 16 and not first.startswith("0") and not last.startswith("0"):
            step = 1 if int(last) >= int(first) else -1
            return [str(number) for number in range(int(first), int(last) + step, step)]
        return [NUM]
    return [ANY]
