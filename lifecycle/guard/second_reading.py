"""A second, independent reading of the same text by tree-sitter-bash.

Owns the comparison: a program that the other parser sees at a command's place, and that the analysis did not see, is a
difference between parsers, and refused. The other parser is tolerant, so where it reports an error it has no opinion:
what bash cannot parse is refused by our own grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from lifecycle.guard.programs import Program
from lifecycle.guard.refusal import Refused

if TYPE_CHECKING:
    from tree_sitter import Parser

__all__ = ["check_second_reading", "names_seen"]

_LITERAL = re.compile(r"[A-Za-z0-9_./+-]+\Z")
# Words that the other grammar takes for programs: keywords in places that it does not know.
_KEYWORDS = frozenset({"time", "coproc", "select", "!", "{", "}", "]]", "in", "do", "done", "-p", "--"})


def check_second_reading(text: str, programs: Iterable[Program]) -> None:
    """Refuse a text in which the other parser sees a program that was not judged.

    Raises:
        Refused: rule "syntax.second-reading".
    """
    seen = names_seen(text)
    if not seen:
        return
    judged = {program.name for program in programs}
    for name in seen:
        plain = name.rpartition("/")[2]
        if name not in judged and plain not in judged and name not in _KEYWORDS and f"{name}(" not in text.replace(" ", ""):
            raise Refused(
                "syntax.second-reading",
                f"two parsers read the command differently: one sees the program {name!r}; quote it, or split the command",
            )


def names_seen(text: str) -> set[str]:
    """The literal program names that tree-sitter-bash finds; empty where it reports an error."""
    tree = _parser().parse(text.encode())
    root = tree.root_node
    names: set[str] = set()
    if root.has_error:
        return names
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "command_name":
            name = node.text.decode() if node.text else ""
            if _LITERAL.match(name):
                names.add(name)
        pending.extend(node.children)
    return names


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
