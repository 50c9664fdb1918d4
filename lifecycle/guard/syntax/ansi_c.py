"""Decoding `$'...'`.

Owns bash's escapes. Refuses those whose result depends on the locale or cannot be written in a command at all.
"""

from __future__ import annotations

import re

from lifecycle.guard.refusal import Refused

__all__ = ["decoded"]

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|.)", re.DOTALL)
_SIMPLE = {
    "n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "?": "?", "a": "\a", "b": "\b",
    "e": "\x1b", "E": "\x1b", "f": "\f", "r": "\r", "v": "\v",
}  # fmt: skip


def decoded(text: str) -> str:
    r"""The characters that `$'text'` stands for.

    >>> decoded(r"a\tb\x41")
    'a\tbA'

    Raises:
        Refused: rule "syntax.escape", for NUL, bytes above 0x7f, `\c` and code points that are none.
    """
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    escape = found.group(1)
    if escape in _SIMPLE:
        return _SIMPLE[escape]
    if escape[0] in "xuU" and len(escape) > 1:
        code = int(escape[1:], 16)
        limit = 0x7F if escape[0] == "x" else 0x10FFFF
    elif escape[0] in "01234567":
        code, limit = int(escape, 8), 0x7F
    elif escape[0] in "cxuU":
        raise Refused("syntax.escape", f"the escape \\{escape} in $'...' is not accepted; write the character itself")
    else:
        return "\\" + escape
    if not 0 < code <= limit or 0xD800 <= code <= 0xDFFF:
        raise Refused("syntax.escape", f"the escape \\{escape} in $'...' is not accepted; write the character itself")
    return chr(code)
