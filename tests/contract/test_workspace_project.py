"""The project as the machine's states see it, on real files and real git."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.errors import FeatureListInvalid, ProjectInvalid
from lifecycle.ports import Workspace
from lifecycle.workspace.baseline import Baseline
from lifecycle.workspace.project import ProjectWorkspace
from states.errors import RecordInvalid
from states.facts import FeatureCount

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


class Project:
    """A real project directory under git."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workspace = ProjectWorkspace(path)
        path.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        home = {"PATH": os.environ["PATH"], "HOME": str(self.path.parent), "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.path, env={**home, **identity}, check=True)

    def put(self, **passes: bool) -> None:
        listed = [{"category": "c", "description": name, "steps": [], "passes": value} for name, value in passes.items()]
        self.write(json.dumps(listed))

    def write(self, content: str) -> None:
        (self.path / "feature_list.json").write_text(content)

    def read(self) -> str:
        return (self.path / "feature_list.json").read_text()

    def commit(self, subject: str = "work") -> None:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_it_is_the_port(project: Project) -> None:
    port: Workspace = project.workspace
    assert port


class TestReading:
    async def test_an_empty_project(self, project: Project) -> None:
        reading = await project.workspace.read()
        assert reading.features == FeatureCount(total=0, passing=0)
        assert "no feature list yet" in reading.context

    async def test_a_project_at_work(self, project: Project) -> None:
        project.put(a=True, b=False)
        (project.path / "claude-progress.txt").write_text("a is done")
        project.commit("a works")
        reading = await project.workspace.read()
        assert reading.features == FeatureCount(total=2, passing=1)
        for expected in ("1 of 2", "a is done", "a works"):
            assert expected in reading.context

    async def test_a_broken_list_is_raised(self, project: Project) -> None:
        project.write("[")
        with pytest.raises(FeatureListInvalid):
            await project.workspace.read()
        with pytest.raises(FeatureListInvalid):
            await project.workspace.baseline()

    async def test_a_directory_that_is_gone_is_raised(self, tmp_path: Path) -> None:
        with pytest.raises(ProjectInvalid):
            await ProjectWorkspace(tmp_path / "gone").read()


class TestChanges:
    async def test_since_the_baseline(self, project: Project) -> None:
        project.put(a=True, b=True, c=False, d=False)
        project.commit()
        baseline = json.loads(json.dumps(await project.workspace.baseline()))
        project.put(d=True, a=True, b=False, c=False, e=True)
        project.commit()
        project.commit()
        changes = await project.workspace.changes(baseline)
        assert changes.features == FeatureCount(total=5, passing=3)
        assert (changes.newly_passing, changes.regressed, changes.new_commits) == (2, 1, 2)
        assert (changes.has_new_list, changes.problem) == (False, None)

    async def test_nothing_is_nothing(self, project: Project) -> None:
        project.put(a=True, b=False)
        project.commit()
        changes = await project.workspace.changes(await project.workspace.baseline())
        assert (changes.newly_passing, changes.regressed, changes.new_commits, changes.has_new_list) == (0, 0, 0, False)

    @pytest.mark.parametrize("before", [None, "[]"])
    async def test_a_first_list_is_new_though_nothing_passes(self, project: Project, before: str | None) -> None:
        if before is not None:
            project.write(before)
        baseline = await project.workspace.baseline()
        project.put(a=False)
        project.commit()
        changes = await project.workspace.changes(baseline)
        assert changes.has_new_list
        assert (changes.newly_passing, changes.new_commits) == (0, 1)

    async def test_an_empty_first_list_is_not(self, project: Project) -> None:
        baseline = await project.workspace.baseline()
        project.write("[]")
        assert not (await project.workspace.changes(baseline)).has_new_list

    async def test_a_broken_list_is_told_with_the_commits(self, project: Project) -> None:
        project.put(a=True)
        baseline = await project.workspace.baseline()
        project.write("{")
        project.commit()
        changes = await project.workspace.changes(baseline)
        assert changes.features is None
        assert "feature_list.json:1:" in (changes.problem or "")
        assert changes.new_commits == 1

    async def test_a_list_that_is_gone_counts_none(self, project: Project) -> None:
        project.put(a=True)
        baseline = await project.workspace.baseline()
        (project.path / "feature_list.json").unlink()
        changes = await project.workspace.changes(baseline)
        assert changes.features == FeatureCount(total=0, passing=0)
        assert (changes.regressed, changes.problem) == (1, None)

    @pytest.mark.parametrize(
        "damage",
        [{"version": 1}, {"plan": 5}, {"progress": {}}, {"passing_keys": "a"}, {"passing_keys": [1]}, {"total": True}, {"total": -1}, {"head": 5}],
    )
    async def test_a_baseline_that_is_none_is_refused(self, project: Project, damage: dict[str, Any]) -> None:
        baseline = {**await project.workspace.baseline(), **damage}
        with pytest.raises(RecordInvalid, match=f"baseline.{next(iter(damage))}"):
            await project.workspace.changes(baseline)

    def test_a_baseline_survives_its_record(self) -> None:
        baseline = Baseline(("a", "b#2"), 3, "f" * 40)
        assert Baseline.from_dict(baseline.to_dict()) == baseline


class TestRestoring:
    async def test_the_kept_copy_comes_first(self, project: Project) -> None:
        project.put(a=False)
        project.commit()
        kept = b'[{"description": "kept", "passes": true}]'
        project.write("broken")
        assert await project.workspace.restore_feature_list(kept) == "the copy in the journal"
        assert project.read().encode() == kept
        assert (project.path / "feature_list.invalid-1.json").read_text() == "broken"

    @pytest.mark.parametrize("kept", [None, b"broken too", b"[]"])
    async def test_then_the_newest_good_commit_byte_for_byte(self, project: Project, kept: bytes | None) -> None:
        project.put(old=False)
        project.commit()
        good = '[ {"description":"d",  "passes":true} ]'
        project.write(good)
        project.commit()
        for content in ("broken", "[]"):
            project.write(content)
            project.commit()
        source = await project.workspace.restore_feature_list(kept)
        assert source is not None
        assert source.startswith("commit ")
        assert project.read() == good

    async def test_none_is_told_and_nothing_touched(self, project: Project) -> None:
        project.write("broken")
        project.commit()
        assert await project.workspace.restore_feature_list(None) is None
        assert sorted(path.name for path in project.path.iterdir()) == [".git", "feature_list.json"]

    async def test_after_deletion(self, project: Project) -> None:
        project.put(a=True)
        project.commit()
        (project.path / "feature_list.json").unlink()
        assert await project.workspace.restore_feature_list(None) is not None
        assert (await project.workspace.read()).features == FeatureCount(total=1, passing=1)

    async def test_a_rehearsal_tells_the_same_and_touches_nothing(self, project: Project) -> None:
        project.put(a=False)
        project.commit()
        project.write("broken")
        for kept in (b'[{"description": "kept", "passes": true}]', None):
            told = await project.workspace.restore_feature_list(kept, rehearse=True)
            aside = await project.workspace.set_aside_feature_list(rehearse=True)
            assert project.read() == "broken"
            assert await project.workspace.restore_feature_list(kept) == told
            assert (project.path / str(aside)).read_text() == "broken"
            project.write("broken")

    async def test_content_is_given_of_a_valid_list_only(self, project: Project) -> None:
        assert await project.workspace.feature_list_content() is None
        project.write("broken")
        assert await project.workspace.feature_list_content() is None
        project.put(a=True)
        assert await project.workspace.feature_list_content() == project.read().encode()

    async def test_setting_aside_gives_the_new_name(self, project: Project) -> None:
        assert await project.workspace.set_aside_feature_list() is None
        project.write("broken")
        assert await project.workspace.set_aside_feature_list() == "feature_list.invalid-1.json"
        assert (await project.workspace.read()).features.total == 0


class TestCancelling:
    @pytest.mark.timeout(30)
    async def test_twice_ends_a_hanging_git_and_is_passed_on(self, project: Project) -> None:
        project.commit()
        branch = (project.path / ".git" / "HEAD").read_text().split()[1]
        (project.path / ".git" / branch).unlink()
        os.mkfifo(project.path / ".git" / branch)
        task = asyncio.create_task(project.workspace.read())
        deadline = time.monotonic() + 10
        while not _git_children():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        begun = time.monotonic()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begun < 5
        assert _git_children() == []

    async def test_during_a_restore_leaves_it_done_or_not_begun(self, project: Project) -> None:
        project.write("broken")
        task = asyncio.create_task(project.workspace.restore_feature_list(b'[{"description": "d", "passes": true}]'))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        at_once = project.read()
        await project.workspace.feature_list_content()
        assert project.read() == at_once, "nothing is written after the call is over"

    async def test_the_loop_is_not_blocked_meanwhile(self, project: Project) -> None:
        listed = [{"description": f"d{number}", "passes": False} for number in range(20_000)]
        project.write(json.dumps(listed))
        task = asyncio.create_task(project.workspace.read())
        ticks = 0
        while not task.done():
            await asyncio.sleep(0.001)
            ticks += 1
        assert ticks > 1
        assert (await task).features.total == 20_000


def _git_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == "git"]


class TestAPersonsFiles:
    async def test_they_are_read_and_put_back(self, project: Project) -> None:
        """As bytes, whatever stands in their place by then but a directory."""
        spec = project.path / "app_spec.txt"
        spec.write_bytes(b"Build it.\r\n\xff")
        assert await project.workspace.persons_files() == {"app_spec.txt": b"Build it.\r\n\xff", "lifecycle.toml": None}
        for disturb in (spec.unlink, lambda: spec.write_text("other"), lambda: (spec.unlink(), spec.symlink_to("/etc/hostname"))):
            disturb()
            assert await project.workspace.restore_persons_file("app_spec.txt", b"kept") is None
            assert not spec.is_symlink()
            assert spec.read_bytes() == b"kept"

    async def test_what_is_no_file_is_none(self, project: Project) -> None:
        spec = project.path / "app_spec.txt"
        spec.symlink_to("/etc/hostname")
        assert (await project.workspace.persons_files())["app_spec.txt"] is None
        spec.unlink()
        spec.mkdir()
        assert (await project.workspace.persons_files())["app_spec.txt"] is None
        assert "directory" in str(await project.workspace.restore_persons_file("app_spec.txt", b"kept"))
