"""Which other repositories git may be pointed at.

Owns URLs and paths of repositories: no helper programs, nothing written outside the project.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.values import ANY, shown

__all__ = ["check_destination", "check_no_helper", "check_repository", "is_remote_name"]

_HELPER = re.compile(r"[A-Za-z0-9+.-]+::|://-|@-|:-|\A-")
_BEFORE_HELPER = re.compile(r"[A-Za-z0-9+.-]*\Z")
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*\Z")
_URL = re.compile(r"(?:https?|ssh|git)://|[\w.-]+@[\w.-]+:|[\w-]+(?:\.[\w-]+)+:")


def is_remote_name(text: str) -> bool:
    """Whether the text can only be a configured remote's name."""
    return _REMOTE_NAME.match(text) is not None


def check_no_helper(call: Call, text: str) -> None:
    """Refuse a URL that makes git start a program: `ext::`, a host that reads as an option."""
    before, unknown, _ = text.partition(ANY)
    if _HELPER.search(text) or (unknown and _BEFORE_HELPER.match(before)):  # "ext$X", when X holds the rest
        call.refuse(f"the repository {shown(text)!r} starts a helper program", "https, ssh and git URLs are accepted")


def check_repository(call: Call, text: str) -> None:
    """Refuse all but a URL of a usual kind, or a path inside."""
    check_no_helper(call, text)
    if not _URL.match(text):
        call.require_inside(text.removeprefix("file://"), "the repository")


def check_destination(call: Call, text: str) -> None:
    """Refuse to push anywhere but to a configured remote."""
    if not is_remote_name(text):
        call.refuse(f"the destination {shown(text)!r} is not a remote's name", "'git push origin BRANCH' is accepted")
