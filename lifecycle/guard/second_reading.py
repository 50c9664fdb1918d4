"""A second, independent reading of the same text by tree-sitter-bash.

Owns the comparison: a program that the other parser sees at a command's place, and that the analysis did not see, is a
difference between parsers, and refused. The other parser is tolerant, so where it reports an error it has no opinion:
what bash cannot parse is refused by our own grammar.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from functools import cache
from typing import TYPE_CHECKING

from lifecycle.guard.names import names
from lifecycle.guard.refusal import Refused

if TYPE_CHECKING:
    from tree_sitter import Parser

__all__ = ["check_second_reading", "names_seen"]

_LITERAL = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+-]*\Z")
_NEGATED_LOOP = re.compile(r"![ \t]+(?=for[ \t]*\(\()")
_HERE_DOCUMENT = re.compile(r"<<(?!<)")
# Words that the other grammar takes for programs: keywords in places that it does not know.
_KEYWORDS = names(
    """time coproc select if then elif else fi case esac for while until do done in function -p --"""
)


def check_second_reading(text: str, judged: AbstractSet[str]) -> None:
    """Refuse a text in which the other parser sees a program that was not judged.

    Args:
        text: the command line.
        judged: the names of the programs that were judged and of the functions that the text defines.

    Raises:
        Refused: rule "syntax.second-reading".
    """
    if _HERE_DOCUMENT.search(text):  # where a here-document ends is what the other parser gets wrong most often
        return
    unseen = _unseen(text, judged)
    if unseen and "\\\n" in text:  # the other parser does not join names across a backslash-newline
        text = text.replace("\\\n", "")
        unseen = _unseen(text, judged)
    if unseen and _NEGATED_LOOP.search(text):  # where the other parser takes the sums for commands
        unseen = _unseen(_NEGATED_LOOP.sub("", text), judged)
    if unseen:
        raise Refused(
            "syntax.second-reading",
            f"two parsers read the command differently: one sees the program {min(unseen)!r}; quote it, or split the command",
        )


def _unseen(text: str, judged: AbstractSet[str]) -> set[str]:
    return {name for name in names_seen(text) if name not in judged and name.rpartition("/")[2] not in judged} - _KEYWORDS


def names_seen(text: str) -> set[str]:
    """The literal program names that tree-sitter-bash finds; empty where it reports an error."""
    source = text.encode()
    root = _parser().parse(source).root_node
    names: set[str] = set()
    if root.has_error:
        return names
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "command_name":
            name = source[node.start_byte : node.end_byte].decode()
            # In a here-document it takes $((1+x)) for a subshell.
            if _LITERAL.match(name) and not source[: node.start_byte].rstrip(b" \t").endswith(b"(("):
                names.add(name)
        if node.child_count:
            pending.extend(node.children)
    return names


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
