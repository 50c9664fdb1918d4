"""Whether a path lies inside the project, by its spelling alone.

Owns lexical containment. Looks at no file system: symlinks are another layer's (the file tools and the sandbox).
"""

from __future__ import annotations

import re

from lifecycle.guard.values import ANY, ENV, JOB, MAYBE, NAME, NUM, SPLIT

__all__ = ["absolute", "is_inside", "joined"]

_OPEN = re.compile(f"[{ANY}{ENV}{SPLIT}{JOB}]")
# An output that is missing makes "$(...)/x" absolute, and takes a component from before a "..".
_SHIFTED = re.compile(f"[{NAME}{NUM}{MAYBE}]*{MAYBE}[{NAME}{NUM}{MAYBE}]*/|(?:.*/)?\\.\\.(?:/|\\Z)", re.DOTALL)
_DOTS = re.compile(f"\\.+{NAME}[.{NAME}]*\\Z")


def absolute(path: str) -> str:
    """An absolute path without `.`, `..` and empty components.

    >>> absolute("/a/./b//../c")
    '/a/c'
    """
    if "//" not in path and "/." not in path and not path.endswith("/"):
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def joined(directory: str, path: str) -> str:
    """The absolute path that `path` means in `directory`."""
    return absolute(path if path.startswith("/") else f"{directory}/{path}")


def is_inside(path: str, project: str, directory: str) -> bool:
    """Whether `path`, taken from `directory`, is the project or in it, whatever its unknown parts hold.

    Args:
        path: a field; one with unknown text is never inside, one with a glob is if the glob cannot be `..`.
        project: an absolute, normalised path.
        directory: an absolute, normalised path, perhaps outside.
    """
    if not path or path[0] == "~" or _OPEN.search(path):
        return False
    if MAYBE in path:
        if _SHIFTED.match(path):
            return False
        path = path.replace(MAYBE, "")
    if NAME in path and any(_DOTS.match(part) for part in path.split("/")):
        return False
    if directory == project and "/" not in path and path != "..":
        return True
    found = joined(directory, path)
    return found == project or found.startswith(project + "/")
