"""Generated text between marks in a hand-written document.

Owns the form of the marks: `<!-- lifecycle:NAME -->` and `<!-- /lifecycle:NAME -->`, each on a line of its own. What
stands between them is the program's; everything else is a person's and is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["filled", "names_in"]

_BLOCK: Final = re.compile(
    r"^(?P<open><!-- lifecycle:(?P<name>[\w./-]+) -->\n)(?P<body>.*?)(?P<close>^<!-- /lifecycle:(?P=name) -->$)",
    re.DOTALL | re.MULTILINE,
)


def filled(document: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    r"""The document with each known block's text between its marks; blocks of other names stay as they are.

    >>> filled("a\n<!-- lifecycle:x -->\nold\n<!-- /lifecycle:x -->\n", {"x": lambda: "new"})
    'a\n<!-- lifecycle:x -->\nnew\n<!-- /lifecycle:x -->\n'
    """

    def replace(found: re.Match[str]) -> str:
        make = blocks.get(found["name"])
        body = found["body"] if make is None else make().strip("\n") + "\n"
        return found["open"] + body + found["close"]

    return _BLOCK.sub(replace, document)


def names_in(document: str) -> tuple[str, ...]:
    """The names of the document's blocks, in their order."""
    return tuple(found["name"] for found in _BLOCK.finditer(document))
