"""Reading `[[ ... ]]`.

Owns its grammar, in which `<`, `(` and newlines mean something else than outside and the right side of `=~` has
quoting of its own. What may be tested is a rule's business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lifecycle.guard.syntax.tree import Conditional, Part, Term, Text, Word

if TYPE_CHECKING:
    from lifecycle.guard.syntax.tokens import TokenReader

__all__ = ["read_conditional"]

_UNARY = re.compile(r"-[a-zA-Z]\Z")
_BINARY = re.compile(r"(=|==|!=|=~|-eq|-ne|-lt|-le|-gt|-ge|-nt|-ot|-ef)\Z")


def read_conditional(reader: TokenReader) -> Conditional:
    """The tests up to and past `]]`; `[[` is already read."""
    terms: list[Term] = []
    _expression(reader, terms)
    reader.skip_lines()
    if reader.read_word().bare != "]]":
        reader.fail("conditional", "a [[ is not closed by ]]")
    return Conditional(tuple(terms))


def _expression(reader: TokenReader, terms: list[Term]) -> None:
    while True:
        _term(reader, terms)
        reader.skip_lines()
        if reader.text[reader.at : reader.at + 2] not in ("&&", "||"):
            return
        reader.at += 2


def _term(reader: TokenReader, terms: list[Term]) -> None:
    reader.skip_lines()
    if reader.text.startswith("(", reader.at):
        reader.at += 1
        reader.deeper()
        _expression(reader, terms)
        reader.depth -= 1
        reader.skip_lines()
        if not reader.text.startswith(")", reader.at):
            reader.fail("conditional", "a '(' inside [[ ]] is not closed")
        reader.at += 1
        return
    first = _operand(reader)
    if first.bare == "!":
        _term(reader, terms)
        return
    reader.skip_blank()
    if first.bare and _UNARY.match(first.bare) and not _at_operator(reader):
        terms.append(Term(first.bare, None, _operand(reader)))
        return
    if not _at_operator(reader):
        terms.append(Term("", None, first))
        return
    operator = _operator(reader)
    reader.skip_blank()
    if operator == "=~" or operator in ("=", "==", "!="):
        terms.append(Term(operator, first, _pattern(reader, operator == "=~")))
    else:
        terms.append(Term(operator, first, _operand(reader)))


def _at_operator(reader: TokenReader) -> bool:
    if reader.at >= reader.end:
        return True
    if reader.text[reader.at] in "<>":
        return not reader.text.startswith("(", reader.at + 1)
    bare = reader.peek_bare()
    return bare is not None and _BINARY.match(bare) is not None


def _operator(reader: TokenReader) -> str:
    if reader.at < reader.end and reader.text[reader.at] in "<>":
        reader.at += 1
        return reader.text[reader.at - 1]
    return reader.read_word().bare or ""


def _operand(reader: TokenReader) -> Word:
    word = reader.read_word()
    if not word.parts or word.bare == "]]":
        reader.fail("conditional", "an operand is missing inside [[ ]]")
    return word


def _pattern(reader: TokenReader, regular: bool) -> Word:
    """A pattern or regular expression: brackets and bars belong to it."""
    start = reader.at
    parts: list[Part] = []
    depth = 0
    while reader.at < reader.end:
        character = reader.text[reader.at]
        if depth == 0 and (character in " \t\n)&;<>" or (character == "|" and not regular)):
            break
        if character in " \t\n()|&;<>":
            if character in "<>" and reader.text.startswith(("(", "\\\n"), reader.at + 1):
                reader.fail("process-substitution", "<( and >( are not accepted inside [[ ]]")
            depth += (character == "(") - (character == ")")
            parts.append(Text(character, False))
            reader.at += 1
        else:
            parts.extend(reader.read_word().parts)
    if depth or not parts:
        reader.fail("conditional", "a pattern inside [[ ]] is missing or has an unclosed '('")
    return Word(tuple(parts), reader.text[start : reader.at], None)
