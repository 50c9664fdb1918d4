"""Reading a command line as bash reads it, or refusing it.

A strict recursive-descent parser of its own: what it does not know for certain it refuses, where a tolerant parser
would guess. Owns text -> tree. Knows no policy: which programs are allowed is nothing that a parser can say.
"""

from __future__ import annotations

from lifecycle.guard.syntax.characters import LENGTH_MAX_CHARS, check_characters
from lifecycle.guard.syntax.commands import parse

__all__ = ["LENGTH_MAX_CHARS", "check_characters", "parse"]
