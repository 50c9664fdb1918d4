"""Replacing a file: the old content or the new one, whatever dies in between."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifecycle.workspace.files import FileUnusable, read_regular, read_tail, write_atomic


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


class TestWriteAtomic:
    def test_makes_a_new_file_with_the_usual_mode(self, tmp_path: Path) -> None:
        write_atomic(tmp_path / "a.txt", b"new", within=tmp_path)
        (tmp_path / "reference").touch()
        assert (tmp_path / "a.txt").read_bytes() == b"new"
        assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "reference").stat().st_mode

    @pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
    def test_keeps_the_mode(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")
        path.chmod(mode)
        write_atomic(path, b"new", within=tmp_path)
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may give files away")
    def test_keeps_the_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")
        os.chown(path, 1234, 4321)
        write_atomic(path, b"new", within=tmp_path)
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)

    def test_writes_through_a_link_that_stays_in_the_project(self, tmp_path: Path) -> None:
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "real.txt").write_bytes(b"old")
        (tmp_path / "a.txt").symlink_to("notes/real.txt")
        write_atomic(tmp_path / "a.txt", b"new", within=tmp_path)
        assert (tmp_path / "a.txt").is_symlink()
        assert (tmp_path / "notes" / "real.txt").read_bytes() == b"new"
        assert names(tmp_path / "notes") == ["real.txt"]

    def test_a_project_reached_by_a_link_is_the_project(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "alias").symlink_to("real")
        write_atomic(tmp_path / "alias" / "a.txt", b"new", within=tmp_path / "alias")
        assert (tmp_path / "real" / "a.txt").read_bytes() == b"new"

    @pytest.mark.parametrize("target", ["../out.txt", ".git/a.txt", "lifecycle.toml", "sub/.claude/a.txt"])
    def test_refuses_a_link_to_what_the_agent_may_not_write(self, tmp_path: Path, target: str) -> None:
        project = tmp_path / "project"
        real = project / target
        project.mkdir()
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(b"protected")
        (project / "a.txt").symlink_to(target)
        with pytest.raises(FileUnusable):
            write_atomic(project / "a.txt", b"new", within=project)
        assert real.read_bytes() == b"protected"

    @pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "named pipe"])
    def test_refuses_what_is_not_a_file(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        make(tmp_path / "a.txt")
        with pytest.raises(FileUnusable, match="not a regular file"):
            write_atomic(tmp_path / "a.txt", b"new", within=tmp_path)
        assert names(tmp_path) == ["a.txt"]

    @pytest.mark.parametrize("step", ["write", "fsync", "rename"])
    def test_a_fault_in_any_step_leaves_the_old_content_and_no_litter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")

        def full(*_arguments: object, **_options: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            write_atomic(path, b"new", within=tmp_path)
        monkeypatch.undo()
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["a.txt"]

    def test_a_full_file_system_leaves_the_old_content(self, tmp_path: Path) -> None:
        """A real refusal by the kernel: a limit on the size of files, in a process of its own."""
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")
        program = textwrap.dedent(
            f"""
            import resource, signal
            from pathlib import Path
            from lifecycle.workspace.files import write_atomic
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            try:
                write_atomic(Path({str(path)!r}), b"n" * 100_000, within=Path({str(tmp_path)!r}))
            except OSError as error:
                print(error.strerror)
            """
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout == "File too large\n"
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["a.txt"]

    def test_syncs_the_file_before_the_rename_and_the_directory_after(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[str] = []
        fsync, rename = os.fsync, os.rename

        def noting_fsync(handle: int) -> None:
            steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
            fsync(handle)

        def noting_rename(*arguments: Any, **options: Any) -> None:
            steps.append("rename")
            rename(*arguments, **options)

        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(os, "rename", noting_rename)
        write_atomic(tmp_path / "a.txt", b"new", within=tmp_path)
        assert steps == ["file", "rename", "directory"]

    def test_killed_at_any_moment_the_file_is_the_old_one_or_the_new_one(self, tmp_path: Path) -> None:
        """SIGKILL, again and again, while a process rewrites the file as fast as it can."""
        path = tmp_path / "a.txt"
        path.write_bytes(b"0" * 200_000)
        program = textwrap.dedent(
            f"""
            from pathlib import Path
            from lifecycle.workspace.files import write_atomic
            print("ready", flush=True)
            number = 0
            while True:
                number = (number + 1) % 10
                write_atomic(Path({str(path)!r}), str(number).encode() * 200_000, within=Path({str(tmp_path)!r}))
            """
        )
        for round_number in range(10):
            with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                time.sleep(0.003 * round_number)  # another moment each time; the outcome depends on none
                writer.send_signal(signal.SIGKILL)
            content = path.read_bytes()
            assert len(content) == 200_000
            assert len(set(content)) == 1
        write_atomic(path, b"end", within=tmp_path)
        assert names(tmp_path) == ["a.txt"], "what killed writers left is removed by the next one"


class TestReadRegular:
    def test_nothing_there_is_none(self, tmp_path: Path) -> None:
        assert read_regular(tmp_path / "a.txt", within=tmp_path, limit_bytes=10) is None

    def test_the_bound_is_on_what_is_read_and_not_on_what_the_file_claims(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"x" * 11)
        with pytest.raises(FileUnusable, match="larger than"):
            read_regular(tmp_path / "a.txt", within=tmp_path, limit_bytes=10)
        assert read_regular(tmp_path / "a.txt", within=tmp_path, limit_bytes=11) == b"x" * 11

    def test_the_machines_fault_is_not_the_projects(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Too many open files says nothing about the file: it must not look like a broken project."""
        (tmp_path / "a.txt").write_bytes(b"x")

        def exhausted(*_arguments: object, **_options: object) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(os, "open", exhausted)
        with pytest.raises(OSError, match="Too many open files") as caught:
            read_regular(tmp_path / "a.txt", within=tmp_path, limit_bytes=10)
        assert not isinstance(caught.value, FileUnusable)


class TestReadTail:
    def test_gives_the_end_and_says_what_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"0123456789")
        assert read_tail(tmp_path / "a.txt", within=tmp_path, limit_bytes=4) == (b"6789", True)
        assert read_tail(tmp_path / "a.txt", within=tmp_path, limit_bytes=10) == (b"0123456789", False)
        assert read_tail(tmp_path / "b.txt", within=tmp_path, limit_bytes=10) is None

    def test_of_a_huge_file_costs_only_the_tail(self, tmp_path: Path) -> None:
        with (tmp_path / "a.txt").open("wb") as sparse:
            sparse.truncate(1 << 40)
            sparse.seek(0, os.SEEK_END)
            sparse.write(b"end")
        found = read_tail(tmp_path / "a.txt", within=tmp_path, limit_bytes=3)
        assert found == (b"end", True)
