"""What of the project is read and not written: what runs, what says how we run, and what may not go away.

Owns the names and where in a path they count. Judges spellings only: links are the file tools' and the sandbox's
business, programs that open files by themselves the sandbox's alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lifecycle.guard.values import NAME

__all__ = ["PROTECTION", "Protection", "protection"]

CLAUDE_FILES: Final = frozenset({"claude.md", "claude.local.md"})


@dataclass(frozen=True, slots=True)
class Protection:
    """Names, in lower case: file systems exist that know no other.

    Attributes:
        anywhere: as any part of a path below the project: a hook or a setting below `.git` runs on the next git
            command, `.claude` configures the agent itself.
        at_top: only at the top of the project.
        kept: files at the top that are written, and neither removed nor moved away.
    """

    anywhere: frozenset[str] = frozenset({".git", ".claude"}) | CLAUDE_FILES
    at_top: frozenset[str] = frozenset({"lifecycle.toml"})
    kept: frozenset[str] = frozenset({"feature_list.json", "claude-progress.txt", "app_spec.txt"})

    def protected_in(self, relative: str, *, is_glob_counted: bool = True) -> str | None:
        """The protected part of a path, as it is spelt; None where it has none.

        Args:
            relative: normalised, from the project's top; globs are markers.
            is_glob_counted: whether a glob that could be a protected name is one.

        >>> PROTECTION.protected_in("sub/.GIT/hooks/x"), PROTECTION.protected_in("src/lifecycle.toml")
        ('.GIT', None)
        """
        for number, part in enumerate(relative.split("/")):
            names = self.anywhere | self.at_top if number == 0 else self.anywhere
            # `docs/*.md` is everyday work; `.g*/config` is not.
            if _is_one_of(part, names, is_glob_counted and (number == 0 or part.startswith("."))):
                return part
        return None

    def kept_in(self, relative: str) -> str | None:
        """The file that must stay and that the path names, or could name; else None."""
        return relative if "/" not in relative and (relative == NAME or _is_one_of(relative, self.kept, True)) else None

    def reason(self, part: str) -> str:
        """Why a protected part is not written, and what to do instead."""
        if part.casefold() in CLAUDE_FILES:
            return f"{part} is protected: instructions to later agents are a person's to write; put notes into claude-progress.txt"
        return f"{part} is protected: read it if you like, but leave it as it is"


def protection(*, claude_md: bool = True) -> Protection:
    """The usual one; with or without `CLAUDE.md` and `CLAUDE.local.md`, wherever they lie."""
    return PROTECTION if claude_md else Protection(anywhere=PROTECTION.anywhere - CLAUDE_FILES)


def _is_one_of(part: str, names: frozenset[str], is_glob_counted: bool) -> bool:
    part = part.casefold()
    if NAME not in part:
        return part in names
    if not is_glob_counted or part == NAME:  # a glob for everything is not meant for one of these
        return False
    pattern = re.compile(".*".join(map(re.escape, part.split(NAME))))
    # A glob does not match a leading dot by itself.
    return any(pattern.fullmatch(name) for name in names if not (part.startswith(NAME) and name.startswith(".")))


PROTECTION: Final = Protection()
