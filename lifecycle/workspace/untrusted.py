"""Making text that an agent may have written fit to be shown and to be put into a prompt.

Owns bounds, control characters and fences. Judges no content: a fence tells the reader where a quotation begins and
ends, it cannot make the words in it harmless.
"""

from __future__ import annotations

import unicodedata

__all__ = ["clipped", "fenced", "one_line", "plain_text"]

_KEPT_FORMAT = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # emoji and several scripts need them


def plain_text(text: str) -> str:
    """The text without what a reader cannot see: control, direction-changing and unassigned tag characters.

    Newlines and tabs stay; CRLF and lone CR become newlines; a lone surrogate becomes a replacement character.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_shown(character) for character in text)


def one_line(text: str, limit_chars: int) -> str:
    """The text on a single line of at most `limit_chars`, runs of white space folded to one blank.

    >>> one_line("two\\n  lines", 20)
    'two lines'
    """
    return clipped(" ".join(plain_text(text[: limit_chars * 4]).split()), limit_chars)


def clipped(text: str, limit_chars: int) -> str:
    """The text, or its beginning with an ellipsis when it is longer than `limit_chars`."""
    return text if len(text) <= limit_chars else text[: max(0, limit_chars - 1)] + "…"


def fenced(text: str) -> str:
    """A Markdown code block whose fence is longer than any run of backticks in the text, so that nothing escapes.

    >>> fenced("a ``` b").splitlines()[0]
    '````text'
    """
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _shown(character: str) -> str:
    if character in "\n\t" or character in _KEPT_FORMAT:
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return "" if category in ("Cc", "Cf") else character
