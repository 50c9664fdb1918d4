"""`claude-progress.txt`: the notes that sessions leave for the next one. Only read here; any shape is accepted.

What is written into it is `progress_entry`'s.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from lifecycle.workspace.files import FileUnusable, read_regular, read_tail
from lifecycle.workspace.untrusted import plain_text
from states.errors import RecordInvalid

__all__ = ["PROGRESS_NAME", "SIZE_MAX_BYTES", "ProgressMark", "ProgressTail", "read_progress", "read_progress_tail"]

PROGRESS_NAME = "claude-progress.txt"

SIZE_MAX_BYTES = 16 << 20
"""The largest file that entries are added to, and that a copy is kept of."""

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class ProgressMark:
    """What the file was at one moment, enough to tell whether anybody has written to it since."""

    size: int
    digest: str

    @classmethod
    def of(cls, content: bytes) -> ProgressMark:
        return cls(len(content), hashlib.blake2b(content, digest_size=16).hexdigest())

    def to_dict(self) -> dict[str, object]:
        """JSON-able; `from_dict` reads it back."""
        return {"size": self.size, "digest": self.digest}

    @classmethod
    def from_dict(cls, record: object) -> ProgressMark:
        """Read a record of `to_dict`.

        Raises:
            RecordInvalid: it is none.
        """
        size = record.get("size") if isinstance(record, dict) else None
        digest = record.get("digest") if isinstance(record, dict) else None
        if type(size) is not int or not isinstance(digest, str):
            raise RecordInvalid("baseline.progress is no mark of a file")
        return cls(size, digest)


def read_progress(project_dir: Path) -> bytes | None:
    """The file's content, or None when there is none.

    Raises:
        FileUnusable: something else stands in its place, or it is larger than `SIZE_MAX_BYTES`.
        OSError: the machine's fault.
    """
    return read_regular(project_dir / PROGRESS_NAME, within=project_dir, limit_bytes=SIZE_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class ProgressTail:
    """The newest notes.

    Attributes:
        text: plain text without leading or trailing blank lines; empty when there are no notes.
        is_cut: older notes were left out.
        problem: why the file could not be read, or None. Notes are a help, not a condition: a file that cannot
            be read stops nothing.
    """

    text: str = ""
    is_cut: bool = False
    problem: str | None = None


def read_progress_tail(project_dir: Path, limit_chars: int = 4_000) -> ProgressTail:
    """The last notes of the project's progress file, whole lines where lines are not too long.

    The newest notes are taken to be the last ones of the file. Bytes that are not UTF-8 are shown as replacement
    characters; UTF-16 is recognised by its byte order mark. At most 4 bytes are read for each character wanted.
    """
    try:
        found = read_tail(project_dir / PROGRESS_NAME, within=project_dir, limit_bytes=limit_chars * 4)
    except FileUnusable as unusable:
        return ProgressTail(problem=f"{PROGRESS_NAME} {unusable.problem}")
    except OSError as error:
        return ProgressTail(problem=f"{PROGRESS_NAME} cannot be read: {error.strerror}")
    if found is None:
        return ProgressTail()
    content, is_cut = found
    text = plain_text(_decode(content, is_cut)).strip("\n")
    if len(text) > limit_chars:
        text, is_cut = _last_lines(text, limit_chars), True
    return ProgressTail(text.strip("\n") if text.strip() else "", is_cut)


def _decode(content: bytes, is_cut: bool) -> str:
    if not is_cut and content.startswith(_UTF16_MARKS):
        return content.decode("utf-16", errors="replace")
    if is_cut:  # the cut may have split a character: drop what is left of it
        content = content[:4].lstrip(bytes(range(0x80, 0xC0))) + content[4:]
    return content.decode("utf-8-sig", errors="replace")


def _last_lines(text: str, limit_chars: int) -> str:
    """The end of the text from a line's beginning; from the middle of a line only when that line fills it all."""
    tail = text[-limit_chars:]
    if text[-limit_chars - 1] == "\n":
        return tail
    _, newline, rest = tail.partition("\n")
    return rest if newline and rest.strip() else tail
