"""The manager's own git: it answers in every kind of repository, and runs nothing of the agent's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from lifecycle.workspace import sealed_git as sealed_git_module
from lifecycle.workspace.bounded_command import CommandFailed, abandoned, run_bounded
from lifecycle.workspace.git import (
    NO_COMMIT,
    commits_since,
    file_versions,
    head_commit,
    read_history,
    recent_commits,
)
from lifecycle.workspace.git_status import changed_paths, is_dirty
from lifecycle.workspace.repository import find_repository
from lifecycle.workspace.sealed_git import NO_REPOSITORY, git_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


class Repo:
    """A real repository, worked on with a plain git and an identity of its own."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()},
        }
        path.mkdir(parents=True, exist_ok=True)

    def git(self, *arguments: str) -> str:
        command = ("git", "-C", str(self.path), *arguments)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, subject: str, **files: str) -> str:
        for name, content in files.items():
            path = self.path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def configure(self, text: str) -> None:
        with (self.path / ".git" / "config").open("a") as config:
            config.write(text)


_TRAPS = """
[core]
    fsmonitor = "touch {traps}/fsmonitor; false"
    sshCommand = "touch {traps}/ssh"
    pager = "touch {traps}/pager; cat"
    editor = "touch {traps}/editor"
    askPass = "touch {traps}/askpass"
    gitProxy = "touch {traps}/proxy"
    alternateRefsCommand = "touch {traps}/alternates"
    hooksPath = ../project/.git/hooks
[include]
    path = ../more.cfg
[filter "trap"]
    clean = "touch {traps}/filter; cat"
    smudge = "touch {traps}/filter; cat"
    process = "touch {traps}/filter"
    required = true
[diff]
    external = "touch {traps}/external"
    submodule = log
[diff "trap"]
    textconv = "touch {traps}/textconv; cat"
    command = "touch {traps}/diff-command"
[merge "trap"]
    driver = "touch {traps}/merge"
[log]
    showSignature = true
[gpg]
    program = "{gpg}"
[gpg "ssh"]
    program = "{gpg}"
[pager]
    log = "touch {traps}/pager; cat"
    status = "touch {traps}/pager; cat"
[alias]
    status = "!touch {traps}/alias"
    log = "!touch {traps}/alias"
    rev-list = "!touch {traps}/alias"
[interactive]
    diffFilter = "touch {traps}/interactive"
[credential]
    helper = "!touch {traps}/credential"
[status]
    submoduleSummary = true
[submodule]
    recurse = true
"""

_IDENTITY = {"NAME": "A Person", "EMAIL": "person@example.org", "DATE": "2024-05-06T07:08:09Z"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "project", tmp_path / "home")
    made.git("init", "--quiet", "--initial-branch=main")
    return made


class TestAnswers:
    def test_without_a_repository(self, tmp_path: Path) -> None:
        history = read_history(tmp_path)
        assert (history.head, history.commits, history.reason) == (None, (), NO_REPOSITORY)
        assert changed_paths(tmp_path) is None
        assert is_dirty(tmp_path) is None
        assert commits_since(tmp_path, None) == 0
        assert list(file_versions(tmp_path, "a", limit=5, size_max_bytes=100)) == []

    def test_before_the_first_commit(self, repo: Repo) -> None:
        (repo.path / "a").write_text("a")
        history = read_history(repo.path)
        assert (history.head, history.commits, history.reason) == (None, (), NO_COMMIT)
        assert commits_since(repo.path, None) == 0
        assert [(change.status, change.path) for change in changed_paths(repo.path) or ()] == [("??", "a")]

    def test_newest_first(self, repo: Repo) -> None:
        first = repo.commit("one", a="1")
        second = repo.commit("two\n\nwith a body", a="2")
        history = read_history(repo.path, limit=5)
        assert history.head == second == head_commit(repo.path)
        assert [(commit.id, commit.subject) for commit in history.commits] == [(second, "two"), (first, "one")]
        assert history.commits[0].at == "2024-05-06T07:08:09Z"
        assert history.commits[0].author == "A Person"
        assert (history.total, history.reason) == (2, None)
        assert len(recent_commits(repo.path, 1)) == 1

    def test_with_a_detached_head(self, repo: Repo) -> None:
        first = repo.commit("one")
        repo.commit("two")
        repo.git("checkout", "--quiet", "--detach", first)
        assert head_commit(repo.path) == first
        assert commits_since(repo.path, None) == 1

    def test_with_packed_refs_and_objects(self, repo: Repo) -> None:
        head = repo.commit("one", a="1")
        repo.git("gc", "--quiet")
        assert head_commit(repo.path) == head
        assert is_dirty(repo.path) is False

    def test_in_a_linked_work_tree(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit("one", a="1")
        repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
        linked = Repo(tmp_path / "linked", tmp_path / "home")
        head = linked.commit("two", a="2")
        assert head_commit(linked.path) == head != head_commit(repo.path)
        assert commits_since(linked.path, head_commit(repo.path)) == 1
        assert is_dirty(linked.path) is False

    def test_in_a_submodule(self, repo: Repo, tmp_path: Path) -> None:
        inner = Repo(tmp_path / "inner", tmp_path / "home")
        inner.git("init", "--quiet", "--initial-branch=main")
        head = inner.commit("inside", a="1")
        repo.commit("outside")
        repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "inner")
        assert head_commit(repo.path / "inner") == head
        repo.commit("with a submodule")
        assert is_dirty(repo.path) is False

    def test_with_a_split_index(self, repo: Repo) -> None:
        repo.commit("one", a="1")
        repo.git("update-index", "--split-index")
        assert is_dirty(repo.path) is False

    def test_in_a_shallow_clone(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit("one", a="1")
        head = repo.commit("two", a="2")
        repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
        history = read_history(tmp_path / "shallow")
        assert (history.head, history.total) == (head, 1)

    def test_in_a_repository_with_long_ids(self, tmp_path: Path) -> None:
        long = Repo(tmp_path / "long", tmp_path / "home")
        long.git("init", "--quiet", "--object-format=sha256")
        head = long.commit("one", a="1")
        assert len(head) == 64
        assert head_commit(long.path) == head
        assert is_dirty(long.path) is False

    def test_during_a_merge_with_conflicts(self, repo: Repo) -> None:
        repo.commit("base", a="base")
        repo.git("checkout", "--quiet", "-b", "side")
        repo.commit("theirs", a="theirs")
        repo.git("checkout", "--quiet", "main")
        repo.commit("ours", a="ours")
        with pytest.raises(subprocess.CalledProcessError):
            repo.git("merge", "side")
        assert [change.status for change in changed_paths(repo.path) or ()] == ["UU"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may give files away")
    def test_in_a_repository_of_another_owner(self, repo: Repo) -> None:
        """Git itself refuses those, to be safe from their configuration. Ours is never read."""
        head = repo.commit("one", a="1")
        for path in (repo.path, *repo.path.rglob("*")):
            os.chown(path, 4321, 4321, follow_symlinks=False)
        with pytest.raises(subprocess.CalledProcessError):
            repo.git("rev-parse", "HEAD")
        assert head_commit(repo.path) == head
        assert is_dirty(repo.path) is False

    def test_with_a_configuration_that_git_cannot_parse(self, repo: Repo) -> None:
        head = repo.commit("one", a="1")
        (repo.path / ".git" / "config").write_text("[core\nnonsense")
        assert head_commit(repo.path) == head

    def test_with_odd_names_subjects_and_authors(self, repo: Repo) -> None:
        (repo.path / os.fsdecode(b"\xff name\n")).write_text("x")
        repo.git("add", "-A")
        repo.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "--quiet", "-m", "\x1b[31mred\x1b[0m \t end")
        (repo.path / os.fsdecode(b"\xff name\n")).write_text("y")
        assert recent_commits(repo.path, 1)[0].subject == "[31mred[0m end"
        assert [change.path for change in changed_paths(repo.path) or ()] == [os.fsdecode(b"\xff name\n")]

    def test_with_a_megabyte_of_subject(self, repo: Repo) -> None:
        (repo.path.parent / "message").write_text("s" * 3_000_000)
        repo.commit("before")
        repo.git("commit", "--quiet", "--allow-empty", "-F", str(repo.path.parent / "message"))
        commits = recent_commits(repo.path, 2)
        assert len(commits[0].subject) == 200

    def test_with_a_time_that_cannot_be(self, repo: Repo) -> None:
        repo.environment["GIT_COMMITTER_DATE"] = "@99999999999999 +0000"
        repo.commit("from the future")
        assert recent_commits(repo.path, 1)[0].at == ""

    def test_with_a_head_that_names_no_branch(self, repo: Repo) -> None:
        repo.commit("one")
        (repo.path / ".git" / "HEAD").write_text("nonsense\n")
        history = read_history(repo.path)
        assert history.head is None
        assert history.reason is not None

    def test_in_spite_of_the_callers_environment(
        self, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        head = repo.commit("one", a="1")
        other = Repo(tmp_path / "other", tmp_path / "home")
        other.git("init", "--quiet")
        monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
        monkeypatch.setenv("GIT_CONFIG_COUNT", "nonsense")
        assert head_commit(repo.path) == head
        assert is_dirty(repo.path) is False

    def test_without_git(self, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit("one")
        monkeypatch.setenv("PATH", "")
        assert read_history(repo.path).reason == "git is not installed"
        assert commits_since(repo.path, None) is None

    def test_without_room_for_a_temporary_directory(self, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit("one")
        monkeypatch.setattr(tempfile, "tempdir", str(repo.path / "missing"))
        assert "stand-in" in (read_history(repo.path).reason or "")


class TestCountsCommits:
    def test_since_a_base(self, repo: Repo) -> None:
        base = repo.commit("one")
        repo.commit("two")
        repo.commit("three")
        assert commits_since(repo.path, base) == 2
        assert commits_since(repo.path, head_commit(repo.path)) == 0

    def test_an_amended_commit_once(self, repo: Repo) -> None:
        base = repo.commit("one", a="1")
        repo.git("commit", "--quiet", "--amend", "-m", "one, better")
        assert commits_since(repo.path, base) == 1

    def test_going_back_as_none(self, repo: Repo) -> None:
        first = repo.commit("one")
        base = repo.commit("two")
        repo.git("reset", "--quiet", "--hard", first)
        assert commits_since(repo.path, base) == 0

    @pytest.mark.parametrize("base", ["0" * 40, "--all", "HEAD", ""])
    def test_all_of_them_since_a_base_that_is_not_there(self, repo: Repo, base: str) -> None:
        repo.commit("one")
        repo.commit("two")
        assert commits_since(repo.path, base) == 2

    def test_only_the_projects_in_a_larger_repository(self, repo: Repo) -> None:
        """A project below the top of a repository: what others commit elsewhere in it is not its progress."""
        base = repo.commit("here", app__a="1")
        repo.commit("elsewhere", other__b="1")
        head = repo.commit("here again", app__a="2")
        last = repo.commit("elsewhere again", other__b="2")
        history = read_history(repo.path / "app")
        assert history.head == last
        assert [commit.id for commit in history.commits] == [head, base]
        assert history.total == 2
        assert commits_since(repo.path / "app", base) == 1
        (repo.path / "other" / "b").write_text("3")
        assert is_dirty(repo.path / "app") is False
        (repo.path / "app" / "a").write_text("3")
        assert [change.path for change in changed_paths(repo.path / "app") or ()] == ["app/a"]

    def test_a_directory_named_like_a_pattern_is_only_itself(self, repo: Repo) -> None:
        (repo.path / "*").mkdir()
        repo.commit("elsewhere", other__b="1")
        assert read_history(repo.path / "*").commits == ()

    def test_the_nearest_repository_is_the_projects(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit("outer")
        inner = Repo(repo.path / "inner", tmp_path / "home")
        inner.git("init", "--quiet")
        head = inner.commit("inner")
        found = find_repository(inner.path)
        assert found is not None
        assert (found.top, found.prefix) == (inner.path.resolve(), "")
        assert head_commit(inner.path) == head


class TestFindsVersions:
    def test_newest_first_from_heads_own(self, repo: Repo) -> None:
        for number in (1, 2, 3):
            repo.commit(f"version {number}", f=str(number))
        repo.commit("something else", g="x")
        assert [content for _, content in file_versions(repo.path, "f", limit=5, size_max_bytes=10)] == [b"3", b"3", b"2", b"1"]

    def test_passing_over_what_is_gone_or_too_large(self, repo: Repo) -> None:
        repo.commit("small", f="good")
        repo.commit("large", f="x" * 100)
        repo.git("rm", "--quiet", "f")
        repo.commit("gone")
        assert [content for _, content in file_versions(repo.path, "f", limit=5, size_max_bytes=10)] == [b"good"]

    def test_below_a_larger_repository(self, repo: Repo) -> None:
        repo.commit("one", app__f="good", f="other")
        assert {content for _, content in file_versions(repo.path / "app", "f", limit=5, size_max_bytes=10)} == {b"good"}


class TestSeesChanges:
    def test_of_every_kind(self, repo: Repo) -> None:
        repo.commit("one", changed="1", removed="1", kept="1")
        (repo.path / "changed").write_text("22")
        (repo.path / "removed").unlink()
        (repo.path / "staged").write_text("1")
        repo.git("add", "staged")
        (repo.path / "loose").mkdir()
        (repo.path / "loose" / "file").write_text("1")
        found = {change.path: change.status for change in changed_paths(repo.path) or ()}
        assert found == {"changed": " M", "removed": " D", "staged": "A ", "loose/": "??"}

    def test_leaving_out_what_the_project_ignores(self, repo: Repo) -> None:
        repo.commit("one", **{".gitignore": "junk\n"})
        (repo.path / "junk").write_text("x")
        (repo.path / ".git" / "info" / "exclude").write_text("scrap\n")
        (repo.path / "scrap").write_text("x")
        assert is_dirty(repo.path) is False

    def test_up_to_a_bound(self, repo: Repo) -> None:
        for number in range(20):
            (repo.path / f"file-{number}").touch()
        assert len(changed_paths(repo.path, limit=7) or ()) == 7

    def test_without_writing_anything(self, repo: Repo) -> None:
        """Not even the index, whose stored times a plain status would refresh."""
        repo.commit("one", a="1")
        os.utime(repo.path / "a", (1, 1))
        before = _snapshot(repo.path / ".git")
        assert is_dirty(repo.path) is False
        read_history(repo.path)
        commits_since(repo.path, None)
        assert _snapshot(repo.path / ".git") == before


class TestRunsNothingPlanted:
    """An agent can write `.git/config`, `.gitattributes` and hooks. None of it may run when the manager looks."""

    def test_whatever_the_configuration_names(self, repo: Repo, tmp_path: Path) -> None:
        traps = _plant(repo, tmp_path)
        assert read_history(repo.path).total == 2
        assert commits_since(repo.path, None) == 2
        assert is_dirty(repo.path) is True
        assert [change.path for change in changed_paths(repo.path) or ()] == ["a.x", "sub"]
        assert list(file_versions(repo.path, "a.x", limit=5, size_max_bytes=100))
        assert list(traps.iterdir()) == []

    def test_nor_does_it_move_the_work_tree(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit("one", a="1")
        repo.configure(f"[core]\nworktree = {tmp_path}\n")
        assert is_dirty(repo.path) is False

    def test_which_a_plain_git_would_have_run(self, repo: Repo, tmp_path: Path) -> None:
        """The traps are live: without this, the test above could not fail."""
        traps = _plant(repo, tmp_path)
        subprocess.run(("git", "-C", str(repo.path), "status"), env=repo.environment, capture_output=True, check=False)
        subprocess.run(
            ("git", "-C", str(repo.path), "log", "-p", "-1", "--textconv"), env=repo.environment, capture_output=True, check=False
        )
        sprung = {path.name for path in traps.iterdir()}
        assert {"fsmonitor", "filter", "signature"} <= sprung

    def test_when_an_object_is_missing_and_a_remote_promises_it(self, repo: Repo, tmp_path: Path) -> None:
        """A partial clone fetches missing objects by running the remote's program: ours must fail instead."""
        traps = tmp_path / "traps"
        traps.mkdir()
        repo.commit("one", f="content")
        repo.commit("two", f="more")
        blob = repo.git("rev-parse", "HEAD:f")
        (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        repo.configure(
            f'[core]\nrepositoryformatversion = 1\nsshCommand = "touch {traps}/ssh; false"\n'
            '[extensions]\npartialClone = origin\n'
            f'[remote "origin"]\nurl = "ext::touch {traps}/ext"\npromisor = true\nuploadpack = "touch {traps}/pack;"\n'
            '[protocol "ext"]\nallow = always\n',
        )
        subprocess.run(("git", "-C", str(repo.path), "cat-file", "blob", blob), env=repo.environment, capture_output=True, check=False)
        assert list(traps.iterdir()), "the trap is live"
        for trap in traps.iterdir():
            trap.unlink()
        assert [content for _, content in file_versions(repo.path, "f", limit=5, size_max_bytes=100)] == [b"content"]
        assert list(traps.iterdir()) == []

    def test_nor_a_git_that_stands_in_the_project(
        self, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        head = repo.commit("one")
        planted = repo.path / "bin" / "git"
        planted.parent.mkdir()
        planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        planted.chmod(0o755)
        monkeypatch.chdir(repo.path / "bin")
        monkeypatch.setenv("PATH", os.pathsep.join([str(planted.parent), ".", "", os.environ["PATH"]]))
        assert head_commit(repo.path) == head
        assert not (tmp_path / "ran").exists()

    def test_nor_is_history_rewritten_by_a_replacement_or_a_graft(self, repo: Repo) -> None:
        repo.commit("one")
        base = repo.commit("two")
        head = repo.commit("three")
        repo.git("replace", head, base)
        (repo.path / ".git" / "info" / "grafts").write_text(f"{head}\n")
        assert [commit.subject for commit in recent_commits(repo.path, 5)] == ["three", "two", "one"]


class TestIsBounded:
    @pytest.mark.timeout(30)
    def test_in_time_when_a_ref_is_a_named_pipe(self, repo: Repo) -> None:
        repo.commit("one")
        (repo.path / ".git" / "refs" / "heads" / "main").unlink()
        os.mkfifo(repo.path / ".git" / "refs" / "heads" / "main")
        with git_of(repo.path) as git, pytest.raises(CommandFailed, match="took more than"):
            git.run("rev-parse", "HEAD", timeout_s=0.3)
        assert _git_children() == []

    @pytest.mark.timeout(30)
    def test_and_gives_up_at_once_when_nobody_waits_any_more(self, repo: Repo) -> None:
        repo.commit("one")
        (repo.path / ".git" / "refs" / "heads" / "main").unlink()
        os.mkfifo(repo.path / ".git" / "refs" / "heads" / "main")
        event = threading.Event()
        token = abandoned.set(event)
        timer = threading.Timer(0.2, event.set)
        timer.start()
        begun = time.monotonic()
        try:
            assert read_history(repo.path).reason == "the caller no longer waits"
        finally:
            abandoned.reset(token)
            timer.join()
        assert time.monotonic() - begun < 5
        assert _git_children() == []

    @pytest.mark.parametrize("place", ["HEAD", "config", "index", "packed-refs", "commondir"])
    @pytest.mark.timeout(30)
    def test_whatever_is_a_named_pipe(
        self, repo: Repo, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repo.commit("one", a="1")
        path = repo.path / ".git" / place
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        monkeypatch.setattr(sealed_git_module.SealedGit.run, "__kwdefaults__", {"output_max_bytes": 1000, "timeout_s": 0.3, "given": b""})
        read_history(repo.path)
        changed_paths(repo.path)
        assert _git_children() == []

    def test_in_output(self) -> None:
        begun = time.monotonic()
        output = run_bounded(("/usr/bin/yes",), {}, Path("/"), 10_000, 30.0)
        assert len(output) == 10_000
        assert time.monotonic() - begun < 10

    def test_to_a_reason_when_the_program_says_no(self) -> None:
        with pytest.raises(CommandFailed, match="sh failed with status 3: why") as caught:
            run_bounded(("/bin/sh", "-c", "echo why >&2; exit 3"), {}, Path("/"), 100, 30.0)
        assert caught.value.status == 3

    def test_with_descendants_ended_too(self, tmp_path: Path) -> None:
        script = f"sleep 300 & echo $! > {tmp_path}/pid; sleep 300"
        with pytest.raises(CommandFailed, match="took more than"):
            run_bounded(("/bin/sh", "-c", script), {}, Path("/"), 100, 0.5)
        pid = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 10
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_to_no_litter(self, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its own stand-in goes at once; one that a killed manager left goes when it is old."""
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        for name, age_s in (("lifecycle-git-old", 3600), ("lifecycle-git-new", 1), ("something-else", 3600)):
            (scratch / name).mkdir()
            (scratch / name / "refs").symlink_to(repo.path)
            os.utime(scratch / name, (time.time() - age_s,) * 2)
        head = repo.commit("one", a="1")
        assert head_commit(repo.path) == head
        assert sorted(path.name for path in scratch.iterdir()) == ["lifecycle-git-new", "something-else"]
        assert (repo.path / "a").exists()


def _plant(repo: Repo, tmp_path: Path) -> Path:
    """Set every trap that a repository can hold, in it and in a repository within it. Return where they tell."""
    traps = tmp_path / "traps"
    traps.mkdir()
    inner = Repo(repo.path / "sub", tmp_path / "home")
    inner.git("init", "--quiet")
    inner.commit("inner", b="1")
    (repo.path / "more.cfg").write_text(f'[diff]\nexternal = "touch {traps}/included"\n')
    repo.commit("one")
    repo.commit("two", **{"a.x": "1", ".gitattributes": "*.x filter=trap diff=trap merge=trap\n"})
    _sign_head(repo)
    inner.commit("moved on", b="2")
    gpg = _script(tmp_path / "gpg.sh", traps / "signature")
    for name in ("post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"):
        _script(repo.path / ".git" / "hooks" / name, traps / "hook")
    for planted in (repo, inner):
        planted.configure(_TRAPS.format(traps=traps, gpg=gpg))
    (repo.path / "a.x").write_text("22")
    (inner.path / "b").write_text("33")
    for trap in traps.iterdir():
        trap.unlink()
    return traps


def _script(path: Path, touched: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {touched}\n")
    path.chmod(0o755)
    return path


def _sign_head(repo: Repo) -> None:
    """Put a signature into HEAD's commit, so that a signature checker has something to be run for."""
    raw = repo.git("cat-file", "commit", "HEAD")
    headers, _, message = raw.partition("\n\n")
    headers += "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n xyz\n -----END PGP SIGNATURE-----"
    path = repo.path.parent / "commit"
    path.write_text(f"{headers}\n\n{message}\n")
    signed = repo.git("hash-object", "-t", "commit", "-w", str(path))
    repo.git("update-ref", "HEAD", signed)


def _snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(directory.rglob("*"))}


def _git_children() -> list[str]:
    return [child.name() for child in psutil.Process().children() if child.name() == "git"]
