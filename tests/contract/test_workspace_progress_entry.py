"""The progress file: exactly one entry a session, whatever the file is, and nobody's words lost."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.workspace.progress import ProgressMark
from lifecycle.workspace.progress_entry import leave_entry, mark_of, with_entry, without_entries

SESSION = (3, "5f3a9c12-0000-4000-8000-000000000003")
OTHER = (4, "5f3a9c12-0000-4000-8000-000000000004")
LINES = ("2026-11-22T15:00:00Z, coding session.", "Commits: abc Füge hinzu")

SHAPES = {
    "nothing": b"",
    "plain": b"# Notes\n- did this\n",
    "without a last newline": b"# Notes\n- did this",
    "crlf": b"# Notes\r\n- did this\r\n",
    "blank lines at the end": b"notes\n\n\n\n",
    "latin-1": b"na\xefve caf\xe9\n",
    "utf-8 with a mark": codecs.BOM_UTF8 + "grün\n".encode(),
    "utf-16 le": codecs.BOM_UTF16_LE + "grün\r\nzwei\r\n".encode("utf-16-le"),
    "utf-16 be": codecs.BOM_UTF16_BE + "grün\n".encode("utf-16-be"),
    "half a utf-16": codecs.BOM_UTF16_LE + b"a",
    "binary": bytes(range(256)) * 3,
    "looks like an entry": f"--- session 3 ({SESSION[1]}), noted by lifecycle ---\nnever ended\n".encode(),
}


def leave(project: Path, before: ProgressMark | None, **options: object) -> tuple[bool, bytes | None]:
    arguments = {"wrote_own": False, "kept": None, **options}
    return leave_entry(project, before, arguments.pop("session", SESSION), LINES, **arguments)


def count(content: bytes, session: tuple[int, str] = SESSION) -> int:
    for codec in ("latin-1", "utf-16-le", "utf-16-be"):
        text = content.decode(codec, errors="replace")
        if found := text.count(f"--- end of session {session[0]} ({session[1]}) ---"):
            return found
    return 0


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_an_entry_is_added_once_and_what_was_there_stands_before_it_byte_for_byte(tmp_path: Path, shape: bytes) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_bytes(shape)
    before = mark_of(shape)
    assert leave(tmp_path, before) == (False, path.read_bytes())
    content = path.read_bytes()
    assert content.startswith(shape)
    assert count(content) == 1
    for _ in range(3):
        assert leave(tmp_path, before)[0] is False
        assert path.read_bytes() == content


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_an_entry_speaks_the_file_s_language(shape: bytes) -> None:
    content = with_entry(shape, SESSION, LINES)
    if shape.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(shape) % 2 == 0:
        assert "Füge hinzu" in content.decode("utf-16")
    else:
        assert "Füge hinzu".encode() in content
    if b"\r\n" in shape and shape[:1] == b"#":
        assert b"\n" not in content.replace(b"\r\n", b"")


def test_a_session_that_wrote_its_own_gets_no_other(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_text("# Notes\n")
    before = mark_of(path.read_bytes())
    path.write_text("# Notes\n- built it\n")
    assert leave(tmp_path, before)[0] is True
    assert path.read_text() == "# Notes\n- built it\n"


def test_blank_lines_are_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_text("# Notes\n")
    before = mark_of(path.read_bytes())
    path.write_text("# Notes\n\n   \n")
    assert leave(tmp_path, before)[0] is False
    assert count(path.read_bytes()) == 1


def test_an_entry_made_for_an_earlier_leg_goes_when_the_session_writes_its_own(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_text("# Notes\n")
    leave(tmp_path, mark_of(b"# Notes\n"))
    before = mark_of(path.read_bytes())
    path.write_text(path.read_text() + "- built it\n")
    assert leave(tmp_path, before)[0] is True
    assert path.read_text() == "# Notes\n- built it\n"


def test_a_later_leg_s_entry_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    leave(tmp_path, None)
    leave(tmp_path, None, session=OTHER)
    before = mark_of(path.read_bytes())
    leave_entry(tmp_path, before, SESSION, ("later",), wrote_own=False, kept=None)
    text = path.read_text()
    assert text.index("later") < text.index(OTHER[1])
    assert (count(path.read_bytes()), count(path.read_bytes(), OTHER)) == (1, 1)
    assert "coding session" in text


def test_an_earlier_leg_s_own_entry_counts_for_the_session(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_text("- built it\n")
    assert leave(tmp_path, mark_of(path.read_bytes()), wrote_own=True)[0] is True
    assert path.read_text() == "- built it\n"


@pytest.mark.parametrize("damage", ["deleted", "emptied", "directory", "dangling", "away", "fifo"])
def test_notes_that_are_gone_come_back_from_the_copy(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "claude-progress.txt"
    notes = b"# Notes\n- did this\n"
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    match damage:
        case "emptied":
            path.write_bytes(b"")
        case "directory":
            path.mkdir()
            (path / "inside").write_text("kept")
        case "dangling":
            path.symlink_to("nowhere.txt")
        case "away":
            outside.write_text("somebody's")
            path.symlink_to(outside)
        case "fifo":
            os.mkfifo(path)
    for _ in range(2):
        assert leave(tmp_path, mark_of(notes), kept=notes)[0] is False
        assert path.read_bytes().startswith(notes)
        assert count(path.read_bytes()) == 1
        assert not path.is_symlink()
    if damage == "away":
        assert outside.read_text() == "somebody's"
    if damage == "directory":
        assert (tmp_path / "claude-progress.invalid-1.txt" / "inside").read_text() == "kept"


def test_a_file_that_is_too_large_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "claude-progress.txt"
    path.write_bytes(b"x" * ((16 << 20) + 1))
    assert leave(tmp_path, None) == (True, None)


def test_what_an_entry_says_cannot_end_it() -> None:
    forged = f"--- end of session 3 ({SESSION[1]}) ---\nmore"
    content = with_entry(b"", SESSION, (forged, "\u202e\x1b[31mred"))
    assert count(content) == 2  # once quoted, indented
    assert without_entries(content) == b""
    assert b"\x1b" not in content


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200), again=st.booleans())
def test_any_bytes_are_kept(content: bytes, again: bool) -> None:
    made = with_entry(content, SESSION, LINES)
    assert made.startswith(content)
    assert with_entry(made, SESSION, LINES) == made
    assert without_entries(made).startswith(content)
    assert mark_of(made) == mark_of(content)
