"""Uncommitted work is kept in every kind of repository, without a trace on files and index, and comes back."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lifecycle.errors import ProjectInvalid
from lifecycle.workspace import salvage as salvage_module
from lifecycle.workspace.salvage import REF_PREFIX, salvage, salvages
from lifecycle.workspace.salvage_restore import files_of, find_salvage, restore_salvage

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

SESSION = "5f3a9c12-0000-4000-8000-000000000003"
AT = 1_700_000_000.0


class Repo:
    """A real repository, worked on with a plain git and an identity of its own."""

    def __init__(self, path: Path, home: Path, *, init: bool = True) -> None:
        self.path = path
        identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "file", **identity,
        }  # fmt: skip
        path.mkdir(parents=True, exist_ok=True)
        if init:
            self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, check: bool = True) -> str:
        command = ("git", "-C", str(self.path), *arguments)
        done = subprocess.run(command, env=self.environment, capture_output=True, check=check)
        return done.stdout.decode(errors="surrogateescape").strip()

    def write(self, **files: str) -> None:
        for name, content in files.items():
            path = self.path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def commit(self, **files: str) -> str:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def files(self, ref: str) -> dict[str, str]:
        names = self.git("ls-tree", "-r", "--name-only", "-z", ref).split("\0")
        return {name: self.git("show", f"{ref}:{name}") for name in names if name}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "project", tmp_path / "home")


def traces(repo: Repo) -> dict[str, object]:
    """All that must not change: every file of the work tree, the index, HEAD and the branches."""
    found: dict[str, object] = {}
    for path in sorted(repo.path.rglob("*")):
        name = str(path.relative_to(repo.path))
        own = re.sub(r"\.git/modules/\w+/", ".git/", name)
        if path.is_file() and not path.is_symlink() and not own.startswith((".git/objects", ".git/refs/lifecycle")):
            status = path.stat()
            found[name] = (status.st_mtime_ns, status.st_ino, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def keep(repo: Repo, *, untouched: Sequence[str] = (), at: float = AT) -> str | None:
    """Salvage twice: the second time finds the first."""
    before = traces(repo)
    kept = salvage(repo.path, SESSION, at=at, words="session 3 ended (stop)", untouched=untouched)
    assert traces(repo) == before
    again = salvage(repo.path, SESSION, at=at + 50, words="session 3 ended (idle)", untouched=untouched)
    if kept is None:
        assert again is None
        return None
    assert again is not None
    assert (again.ref, again.is_new, kept.is_new) == (kept.ref, False, True)
    assert traces(repo) == before
    repo.git("fsck", "--strict", "--no-dangling")
    return kept.ref


def test_nothing_to_keep_makes_no_reference(repo: Repo) -> None:
    assert keep(repo) is None
    repo.commit(a="1")
    assert keep(repo) is None
    assert salvages(repo.path) == ()


def test_without_a_repository_there_is_none(tmp_path: Path) -> None:
    assert salvage(tmp_path, SESSION, at=AT, words="x") is None
    assert salvages(tmp_path) == ()


def test_changed_new_and_removed_files_are_kept_and_ignored_ones_are_not(repo: Repo) -> None:
    head = repo.commit(a="1", b="1", gone="1", **{".gitignore": "secret*\nbuild/\n"})
    repo.write(a="2", new="n", deep__er="d", secrets="s", build__x="x")
    (repo.path / "gone").unlink()
    (repo.path / "link").symlink_to("/etc/passwd")
    (repo.path / "naïve \udcff\n name").write_text("odd") if os.name == "posix" else None
    ref = keep(repo)
    assert ref == f"{REF_PREFIX}{SESSION}-1"
    files = repo.files(ref)
    assert (files["a"], files["b"], files["new"], files["deep/er"], files["link"]) == ("2", "1", "n", "d", "/etc/passwd")
    assert files["naïve \udcff\n name"] == "odd"
    assert "gone" not in files
    assert not {"secrets", "build/x"} & set(files)
    assert repo.git("rev-parse", f"{ref}^") == head
    assert [one.words for one in salvages(repo.path)] == ["session 3 ended (stop)"]


def test_other_work_gets_another_reference(repo: Repo) -> None:
    repo.commit(a="1")
    repo.write(a="2")
    assert keep(repo) == f"{REF_PREFIX}{SESSION}-1"
    repo.write(a="3")
    assert keep(repo) == f"{REF_PREFIX}{SESSION}-2"
    assert len(salvages(repo.path)) == 2


def test_a_reference_that_a_killed_git_left_locked_is_passed_over(repo: Repo) -> None:
    repo.commit(a="1")
    repo.write(a="2")
    locks = repo.path / ".git" / "refs" / "lifecycle" / "salvage"
    locks.mkdir(parents=True)
    (locks / f"{SESSION}-1.lock").touch()
    assert keep(repo) == f"{REF_PREFIX}{SESSION}-2"


def test_before_the_first_commit(repo: Repo) -> None:
    repo.write(a="1", b="1")
    repo.git("add", "a")
    ref = keep(repo)
    assert ref is not None
    assert repo.files(ref) == {"a": "1", "b": "1"}
    (repo.path / "a").unlink()
    assert restore_salvage(repo.path, salvages(repo.path)[0]).written == ("a",)


def test_what_is_staged_and_changed_again_is_kept_too(repo: Repo) -> None:
    repo.commit(a="1")
    repo.write(a="staged", only="staged")
    repo.git("add", "-A")
    repo.write(a="later")
    (repo.path / "only").unlink()
    ref = keep(repo)
    assert ref is not None
    assert repo.files(ref) == {"a": "later"}
    assert repo.files(f"{ref}^2") == {"a": "staged", "only": "staged"}


def test_in_a_linked_work_tree_and_with_a_detached_head(repo: Repo, tmp_path: Path) -> None:
    repo.commit(a="1")
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked", tmp_path / "home", init=False)
    linked.write(a="2", new="n")
    ref = keep(linked)
    assert ref is not None
    assert repo.files(ref) == {"a": "2", "new": "n"}
    assert keep(repo) is None


def test_during_a_merge_with_conflicts(repo: Repo) -> None:
    repo.commit(a="base\n")
    repo.git("switch", "--quiet", "-c", "other")
    repo.commit(a="theirs\n")
    repo.git("switch", "--quiet", "main")
    repo.commit(a="ours\n")
    repo.git("merge", "other", check=False)
    assert repo.git("ls-files", "--unmerged")
    repo.write(new="n")
    ref = keep(repo)
    assert ref is not None
    assert "<<<<<<<" in repo.files(ref)["a"]
    assert repo.git("ls-files", "--unmerged")


def test_with_submodules_and_repositories_within(repo: Repo, tmp_path: Path) -> None:
    library = Repo(tmp_path / "library", tmp_path / "home")
    library.commit(lib="1")
    repo.commit(a="1")
    repo.git("submodule", "--quiet", "add", str(library.path), "lib")
    repo.commit()
    assert keep(repo) is None
    (repo.path / "lib" / "lib").write_text("2")
    (repo.path / "lib" / "new").write_text("3")
    ref = keep(repo)
    assert ref is not None
    assert repo.git("diff-tree", "-r", "--name-only", "HEAD", ref).split() == ["lib"]
    commit = repo.git("rev-parse", f"{ref}:lib").strip()
    inner = Repo(repo.path / "lib", tmp_path / "home", init=False)
    assert (inner.git("show", f"{commit}:lib"), inner.git("show", f"{commit}:new")) == ("2", "3")
    assert [one.commit for one in salvages(inner.path)] == [commit], "held by a reference of the submodule's own"
    traps = _plant(repo.path / "lib", repo.path / ".git" / "modules" / "lib", tmp_path)
    Repo(repo.path / "nested", tmp_path / "home").commit(x="1")
    repo.write(a="2")
    kept = salvage(repo.path, SESSION, at=AT, words="x")
    assert kept is not None
    assert [line.partition(" ")[0] for line in kept.skipped] == ["nested/"]
    assert "160000" in repo.git("ls-tree", kept.ref, "lib")
    assert list(traps.iterdir()) == []


def test_huge_files_are_left_out_and_named_and_binary_ones_kept(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit(a="1")
    monkeypatch.setattr(salvage_module, "FILE_MAX_BYTES", 1 << 20)
    (repo.path / "huge").write_bytes(b"\0" * ((1 << 20) + 1))
    (repo.path / "binary").write_bytes(bytes(range(256)) * 100)
    os.mkfifo(repo.path / "pipe")
    kept = salvage(repo.path, SESSION, at=AT, words="x")
    assert kept is not None
    assert kept.skipped == ("huge (1 MiB, more than 1 MiB)",)
    assert "huge" in repo.git("log", "-1", "--format=%b", kept.ref)
    done = subprocess.run(["git", "-C", repo.path, "show", f"{kept.ref}:binary"], capture_output=True, check=True)
    assert done.stdout == bytes(range(256)) * 100


def test_below_a_larger_repository_only_the_project_counts(tmp_path: Path) -> None:
    outer = Repo(tmp_path / "outer", tmp_path / "home")
    outer.commit(theirs="1", project__a="1")
    outer.write(theirs="2", project__a="1")
    outer.git("add", "-A")
    assert salvage(outer.path / "project", SESSION, at=AT, words="x") is None
    outer.write(project__a="2", project__new="n")
    kept = salvage(outer.path / "project", SESSION, at=AT, words="x")
    assert kept is not None
    assert outer.files(kept.ref) == {"theirs": "1", "project/a": "2", "project/new": "n"}


def test_a_progress_file_that_the_session_did_not_touch_is_no_reason(repo: Repo) -> None:
    repo.commit(a="1")
    repo.write(**{"claude-progress.txt": "notes"})
    assert keep(repo, untouched=["claude-progress.txt"]) is None
    repo.write(a="2")
    ref = keep(repo, untouched=["claude-progress.txt"])
    assert ref is not None
    assert set(repo.files(ref)) == {"a", "claude-progress.txt"}


def test_a_file_where_a_directory_was_and_the_other_way_round(repo: Repo) -> None:
    repo.commit(a="1", d__x="1", d__y="1")
    (repo.path / "a").unlink()
    shutil.rmtree(repo.path / "d")
    repo.write(a__b="2", d="file")
    ref = keep(repo)
    assert ref is not None
    assert repo.files(ref) == {"a/b": "2", "d": "file"}


def test_nothing_planted_runs(repo: Repo, tmp_path: Path) -> None:
    repo.commit(a="1")
    traps = _plant(repo.path, repo.path / ".git", tmp_path)
    repo.write(a="2", new="n")
    kept = salvage(repo.path, SESSION, at=AT, words="x")
    assert kept is not None
    (repo.path / "a").unlink()
    repo.write(a="1")
    restore_salvage(repo.path, salvages(repo.path)[0], overwrite=True)
    assert (repo.path / "a").read_text() == "2"
    assert list(traps.iterdir()) == []


class TestRestoring:
    def test_brings_a_submodules_work_back(self, repo: Repo, tmp_path: Path) -> None:
        library = Repo(tmp_path / "library", tmp_path / "home")
        library.commit(lib="1")
        repo.commit(a="1")
        repo.git("submodule", "--quiet", "add", str(library.path), "lib")
        repo.commit()
        (repo.path / "lib" / "lib").write_text("2")
        (repo.path / "lib" / "new").write_text("3")
        repo.write(a="2")
        keep(repo)
        inner = Repo(repo.path / "lib", tmp_path / "home", init=False)
        for each in (repo, inner):
            each.git("reset", "--quiet", "--hard")
        inner.git("clean", "-fdq")
        (one,) = salvages(repo.path)
        assert set(restore_salvage(repo.path, one).written) == {"a", "lib/lib", "lib/new"}
        assert (repo.path / "lib" / "lib").read_text() == "2"
        assert (repo.path / "lib" / "new").read_text() == "3"
        assert (repo.path / "a").read_text() == "2"

    @pytest.fixture
    def salvaged(self, repo: Repo) -> Repo:
        repo.commit(a="1", b="1", gone="1")
        repo.write(a="2", new__er="n", **{"feature_list.json": "[]", "claude-progress.txt": "notes"})
        (repo.path / "gone").unlink()
        assert keep(repo) is not None
        return repo

    def lose(self, repo: Repo) -> None:
        repo.git("reset", "--quiet", "--hard")
        repo.git("clean", "-fdxq")

    def test_brings_lost_work_back_and_leaves_index_and_record_alone(self, salvaged: Repo) -> None:
        self.lose(salvaged)
        index = (salvaged.path / ".git" / "index").read_bytes()
        found = find_salvage(salvages(salvaged.path), SESSION[:8], salvaged.path)
        assert files_of(salvaged.path, found) == ("a", "gone", "new/er")
        restored = restore_salvage(salvaged.path, found)
        assert (restored.written, restored.removed) == (("a", "new/er"), ("gone",))
        assert (salvaged.path / "a").read_text() == "2"
        assert (salvaged.path / "new" / "er").read_text() == "n"
        assert not (salvaged.path / "gone").exists()
        assert not (salvaged.path / "feature_list.json").exists()
        assert (salvaged.path / ".git" / "index").read_bytes() == index
        assert restore_salvage(salvaged.path, found).written == ()

    def test_refuses_a_dirty_tree_unless_told(self, salvaged: Repo) -> None:
        self.lose(salvaged)
        salvaged.write(b="mine")
        found = salvages(salvaged.path)[0]
        with pytest.raises(ProjectInvalid, match=r"uncommitted changes \(b\)"):
            restore_salvage(salvaged.path, found)
        assert (salvaged.path / "a").read_text() == "1"
        restore_salvage(salvaged.path, found, overwrite=True)
        assert (salvaged.path / "b").read_text() == "mine"
        assert (salvaged.path / "a").read_text() == "2"

    def test_refuses_what_was_committed_since_unless_told(self, salvaged: Repo) -> None:
        self.lose(salvaged)
        salvaged.commit(a="newer", other="newer")
        found = salvages(salvaged.path)[0]
        with pytest.raises(ProjectInvalid, match=r"changed since that salvage \(a\)"):
            restore_salvage(salvaged.path, found)
        restore_salvage(salvaged.path, found, overwrite=True)
        assert (salvaged.path / "a").read_text() == "2"
        assert (salvaged.path / "other").read_text() == "newer"

    def test_writes_through_no_link_that_leads_out(self, salvaged: Repo, tmp_path: Path) -> None:
        self.lose(salvaged)
        (tmp_path / "outside").mkdir()
        (salvaged.path / "new").symlink_to(tmp_path / "outside")
        restore_salvage(salvaged.path, salvages(salvaged.path)[0], overwrite=True)
        assert list((tmp_path / "outside").iterdir()) == []
        assert (salvaged.path / "new" / "er").read_text() == "n"

    @pytest.mark.parametrize("name", ["", "nobody", REF_PREFIX])
    def test_a_name_that_is_none_is_refused(self, salvaged: Repo, name: str) -> None:
        with pytest.raises(ProjectInvalid, match="no salvage"):
            find_salvage(salvages(salvaged.path), name, salvaged.path)


def _plant(work_tree: Path, git_dir: Path, tmp_path: Path) -> Path:
    """Programs in the repository's configuration, hooks and attributes that leave a mark when they run."""
    traps = tmp_path / "traps"
    traps.mkdir(exist_ok=True)
    with (git_dir / "config").open("a") as config:
        config.write(
            f'\n[core]\n\tfsmonitor = "touch {traps}/fsmonitor; false"\n\tpager = "touch {traps}/pager"\n'
            f'[filter "trap"]\n\tclean = "touch {traps}/clean; cat"\n\tsmudge = "touch {traps}/smudge; cat"\n'
            f"\trequired = true\n[diff]\n\texternal = touch {traps}/external\n"
        )
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text("* filter=trap\n")
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-commit", "fsmonitor-watchman"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {traps}/{name}\n")
        hook.chmod(0o755)
    return traps
