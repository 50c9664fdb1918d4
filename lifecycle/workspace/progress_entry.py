"""The entry of a session in `claude-progress.txt`: exactly one, the session's own or one made in its place.

A made entry stands between two lines that carry the session's id, so that it is found again: written twice it is
the same, and when the session comes to write its own it is taken away. Whatever else is in the file is kept byte for
byte, in whatever encoding; a UTF-16 file gets its entry in UTF-16, one with CRLF gets it with CRLF.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from lifecycle.workspace.aside import set_aside
from lifecycle.workspace.files import FileUnusable, write_atomic
from lifecycle.workspace.progress import PROGRESS_NAME, ProgressMark, read_progress
from lifecycle.workspace.untrusted import one_line

__all__ = ["leave_entry", "mark_of", "with_entry", "without_entries"]

_LINES_MAX = 60
_LINE_MAX_CHARS = 300
_FIRST = re.compile(r"--- session (?P<number>\d{1,9}) \((?P<id>[^()\s]{1,64})\), noted by lifecycle ---")
_NOTED = b", noted by lifecycle ---"
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def leave_entry(
    project_dir: Path,
    before: ProgressMark | None,
    session: tuple[int, str],
    lines: Sequence[str],
    *,
    wrote_own: bool,
    kept: bytes | None,
) -> tuple[bool, bytes | None]:
    """See to it that the session has exactly one entry. The same call again changes nothing.

    Args:
        before: what the file was when the session was created.
        session: its number and id.
        lines: what a made entry says.
        wrote_own: whether an earlier leg of the session left its own.
        kept: the newest copy of the file, put back when what stood at `before` is gone.

    Returns:
        Whether the session has its own entry, and the file's content; None where it cannot be known.

    Raises:
        OSError: the machine's fault; the file is as it was.
    """
    path = project_dir / PROGRESS_NAME
    try:
        found = read_progress(project_dir)
    except FileUnusable:
        if _is_regular(path):  # too large, or made unreadable: a person's or an agent's notes, left alone
            return True, None
        if path.is_dir() and not path.is_symlink():
            set_aside(path)
        found = None
    content = found
    if not content and kept and before is not None and before.size:
        content = kept
    content = content or b""
    is_own = wrote_own or (bool(found) and mark_of(content) != (before or mark_of(b"")))
    content = without_entries(content, session[1]) if is_own else with_entry(content, session, lines)
    if content != found and (content or found is not None):
        write_atomic(path, content, within=project_dir, follow_link=found is not None)
    return is_own, content


def mark_of(content: bytes) -> ProgressMark:
    """What the notes are that somebody wrote: made entries and blank lines are none."""
    # By the bytes, whatever they mean: a line of UTF-16 is blank when nothing but its zeros is left.
    lines = (line.strip(b" \t\r\0") for line in without_entries(content).split(b"\n"))
    return ProgressMark.of(b"\n".join(line for line in lines if line))


def with_entry(content: bytes, session: tuple[int, str], lines: Sequence[str]) -> bytes:
    """The content with this made entry: in the place of the session's earlier one, or at the end."""
    text, codec = _decoded(content)
    newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    entry = [_coded(line, codec) + newline[:-1] for line in _entry(session, lines)]
    rows = text.split("\n")
    spans = _spans(rows, session[1])
    if not spans:
        if rows[-1]:  # the last line has no end yet
            rows[-1] += newline[:-1]
            rows.append("")
        rows[-1:] = [newline[:-1], *entry, ""] if len(rows) > 1 else [*entry, ""]
    for number, (first, end) in reversed(list(enumerate(spans))):
        rows[first:end] = [] if number else entry
    return _encoded("\n".join(rows), codec)


def without_entries(content: bytes, session_id: str | None = None) -> bytes:
    """The content without the made entries of one session, or of all, and the blank line before each."""
    text, codec = _decoded(content)
    rows = text.split("\n")
    spans = _spans(rows, session_id)
    if not spans:
        return content
    for first, end in reversed(spans):
        del rows[first - (first > 0 and not rows[first - 1].strip()) : end]
    return _encoded("\n".join(rows), codec)


def _entry(session: tuple[int, str], lines: Sequence[str]) -> list[str]:
    number, session_id = session
    body = [f"  {one_line(line, _LINE_MAX_CHARS)}" for line in lines[:_LINES_MAX]]
    return [f"--- session {number} ({session_id}), noted by lifecycle ---", *body, _last(str(number), session_id)]


def _last(number: str, session_id: str) -> str:
    return f"--- end of session {number} ({session_id}) ---"


def _spans(rows: Sequence[str], session_id: str | None) -> list[tuple[int, int]]:
    """Where made entries stand, as lines from and to; one without an end is none."""
    spans = []
    first, last = 0, None
    for at, row in enumerate(rows):
        if not row.startswith("--- "):
            continue
        line = row.rstrip("\r")
        if found := _FIRST.fullmatch(line):
            first, last = at, _last(found["number"], found["id"])
            if session_id is not None and found["id"] != session_id:
                last = None
        elif line == last and at - first <= _LINES_MAX + 1:
            spans.append((first, at + 1))
            last = None
    return spans


def _decoded(content: bytes) -> tuple[str, str]:
    """The file as text that can be turned back into the same bytes, whatever they are."""
    codec = _UTF16.get(content[:2], "")
    if codec and len(content) % 2 == 0 and _NOTED not in content:  # else it only begins like UTF-16
        return content.decode(codec, errors="surrogatepass"), codec
    return content.decode("latin-1"), "latin-1"  # every byte a character: whatever it means, it stays


def _encoded(text: str, codec: str) -> bytes:
    return text.encode(codec, errors="strict" if codec == "latin-1" else "surrogatepass")


def _coded(line: str, codec: str) -> str:
    """A line of ours as it must stand in the decoded text."""
    return line.encode("utf-8").decode("latin-1") if codec == "latin-1" else line


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)
