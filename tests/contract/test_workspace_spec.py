"""The specification: refused with words that help, installed without touching what is right already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lifecycle.errors import FeatureListInvalid, ProjectInvalid
from lifecycle.workspace import spec
from lifecycle.workspace.spec import SpecChange, compare_spec, ensure_workable, install_spec, load_spec


class TestLoad:
    def test_gives_the_text_with_its_line_ends_and_without_a_mark(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_bytes(b"\xef\xbb\xbfBuild\r\nit\n")
        assert load_spec(tmp_path / "s") == "Build\r\nit\n"

    def test_follows_the_persons_own_links(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "real.md").write_text("build it")
        (tmp_path / "s.txt").symlink_to("elsewhere/real.md")
        assert load_spec(tmp_path / "s.txt") == "build it"

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "empty"), (b" \n\t\n", "empty"), (b"caf\xe9", "byte 3"), (b"a\0b", "NUL"), (b"x" * 200, "larger")],
    )
    def test_refuses_what_is_no_specification(
        self, tmp_path: Path, content: bytes, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(spec, "SIZE_MAX_BYTES", 100)
        (tmp_path / "s").write_bytes(content)
        with pytest.raises(ProjectInvalid, match=words) as caught:
            load_spec(tmp_path / "s")
        assert "--spec FILE" in str(caught.value)
        assert str(tmp_path / "s") in str(caught.value)

    @pytest.mark.timeout(10)
    def test_refuses_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "dangling").symlink_to("nowhere")
        (tmp_path / "loop").symlink_to("loop")
        for name in ("missing", ".", "pipe", "dangling", "loop", "missing/below"):
            with pytest.raises(ProjectInvalid, match="--spec FILE"):
                load_spec(tmp_path / name)


class TestInstall:
    def test_creates_replaces_and_leaves_alone(self, tmp_path: Path) -> None:
        assert install_spec(tmp_path, "one\r\n") is SpecChange.CREATED
        before = (tmp_path / "app_spec.txt").stat()
        assert install_spec(tmp_path, "one\r\n") is SpecChange.UNCHANGED
        after = (tmp_path / "app_spec.txt").stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert install_spec(tmp_path, "a") is SpecChange.REPLACED
        assert (tmp_path / "app_spec.txt").read_bytes() == b"a"
        assert install_spec(tmp_path, "longer than before") is SpecChange.REPLACED

    def test_says_before_what_it_would_do(self, tmp_path: Path) -> None:
        assert compare_spec(tmp_path, "one").change is SpecChange.CREATED
        install_spec(tmp_path, "one")
        same, other = compare_spec(tmp_path, "one"), compare_spec(tmp_path, "one and more")
        assert (same.change, other.change) == (SpecChange.UNCHANGED, SpecChange.REPLACED)
        assert same.before == same.after == other.before != other.after
        assert (tmp_path / "app_spec.txt").read_text() == "one"

    def test_does_not_write_through_a_link_out_of_the_project(self, tmp_path: Path) -> None:
        (tmp_path / "project").mkdir()
        (tmp_path / "app_spec.txt").write_text("not ours")
        (tmp_path / "project" / "app_spec.txt").symlink_to("../app_spec.txt")
        with pytest.raises(ProjectInvalid):
            install_spec(tmp_path / "project", "ours")
        assert (tmp_path / "app_spec.txt").read_text() == "not ours"

    def test_does_not_replace_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "app_spec.txt").mkdir()
        with pytest.raises(ProjectInvalid, match="directory"):
            install_spec(tmp_path, "ours")


class TestEnsureWorkable:
    def test_with_nothing_says_what_to_give(self, tmp_path: Path) -> None:
        with pytest.raises(ProjectInvalid) as caught:
            ensure_workable(tmp_path, has_spec=False)
        assert "--spec FILE" in str(caught.value)
        assert "write app_spec.txt" in str(caught.value)

    def test_with_a_specification_given(self, tmp_path: Path) -> None:
        ensure_workable(tmp_path, has_spec=True)

    def test_with_one_in_the_project(self, tmp_path: Path) -> None:
        (tmp_path / "app_spec.txt").write_text("build it")
        ensure_workable(tmp_path, has_spec=False)

    def test_with_features_alone(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").write_text('[{"description": "d", "passes": true}]')
        ensure_workable(tmp_path, has_spec=False)

    def test_an_empty_list_is_nothing_to_work_from(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").write_text("[]")
        with pytest.raises(ProjectInvalid):
            ensure_workable(tmp_path, has_spec=False)

    def test_nor_is_an_empty_specification(self, tmp_path: Path) -> None:
        (tmp_path / "app_spec.txt").write_text("\n")
        with pytest.raises(ProjectInvalid, match=r"app_spec\.txt: the specification is empty"):
            ensure_workable(tmp_path, has_spec=False)

    def test_a_broken_list_is_told_as_such(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").write_text("{")
        with pytest.raises(FeatureListInvalid):
            ensure_workable(tmp_path, has_spec=False)

    def test_a_missing_directory(self, tmp_path: Path) -> None:
        with pytest.raises(ProjectInvalid, match="does not exist"):
            ensure_workable(tmp_path / "missing", has_spec=True)
