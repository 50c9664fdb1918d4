"""The cases that every `lifecycle.ports.Workspace` must pass. Subclass, give it an empty project, and pytest runs them.

    class TestMyWorkspace(WorkspaceConformance):
        @pytest.fixture
        def workspace(self, tmp_path):
            return MyWorkspace(tmp_path)

        @pytest.fixture
        def write(self, workspace):
            return lambda features: ...      # put a list in place: booleans, one a feature; or None, or a str: invalid
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.errors import FeatureListInvalid
from lifecycle.ports import SessionStory, Workspace
from states.facts import FeatureCount
from states.vocabulary import SessionId, SessionType

__all__ = ["WorkspaceConformance"]

SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000001")

Write = Callable[[list[bool] | str | None], None]


@pytest.mark.asyncio
class WorkspaceConformance:
    """Subclass it with the fixtures `workspace` and `write`."""

    @pytest.fixture
    def workspace(self) -> Any:
        """A workspace of an empty project."""
        raise NotImplementedError("give a workspace to test")

    @pytest.fixture
    def write(self) -> Any:
        """Puts a feature list in place."""
        raise NotImplementedError("give a way to write the list")

    async def test_no_list_is_no_features(self, workspace: Workspace) -> None:
        assert (await workspace.read()).features == FeatureCount(0, 0)
        assert await workspace.feature_list_content() is None

    async def test_the_list_is_counted(self, workspace: Workspace, write: Write) -> None:
        write([True, False, False])
        assert (await workspace.read()).features == FeatureCount(3, 1)
        assert await workspace.feature_list_content() is not None

    async def test_what_is_no_list_is_refused_and_never_none_left(self, workspace: Workspace, write: Write) -> None:
        write("truncated")
        with pytest.raises(FeatureListInvalid):
            await workspace.read()
        assert await workspace.feature_list_content() is None

    async def test_a_baseline_is_plain_data_and_nothing_has_changed_since(
        self, workspace: Workspace, write: Write
    ) -> None:
        write([True, False])
        baseline = json.loads(json.dumps(dict(await workspace.baseline())))
        changes = await workspace.changes(baseline)
        assert (changes.features, changes.newly_passing, changes.regressed) == (FeatureCount(2, 1), 0, 0)
        assert not changes.has_new_list

    async def test_what_passes_newly_and_no_more_is_told(self, workspace: Workspace, write: Write) -> None:
        write([True, False, False])
        baseline = await workspace.baseline()
        write([False, True, True])
        changes = await workspace.changes(baseline)
        assert (changes.newly_passing, changes.regressed) == (2, 1)

    async def test_a_first_list_is_new(self, workspace: Workspace, write: Write) -> None:
        baseline = await workspace.baseline()
        write([False])
        assert (await workspace.changes(baseline)).has_new_list

    async def test_an_unreadable_list_is_told_in_the_changes_not_raised(self, workspace: Workspace, write: Write) -> None:
        write([False])
        baseline = await workspace.baseline()
        write("truncated")
        changes = await workspace.changes(baseline)
        assert changes.features is None
        assert changes.problem

    async def test_the_kept_copy_is_put_back(self, workspace: Workspace, write: Write) -> None:
        write([True, False])
        kept = await workspace.feature_list_content()
        write("truncated")
        assert await workspace.restore_feature_list(kept) is not None
        assert (await workspace.read()).features == FeatureCount(2, 1)

    async def test_an_invalid_list_is_set_aside(self, workspace: Workspace, write: Write) -> None:
        assert await workspace.set_aside_feature_list() is None
        write("truncated")
        first = await workspace.set_aside_feature_list()
        assert (await workspace.read()).features == FeatureCount(0, 0)
        write("truncated")
        second = await workspace.set_aside_feature_list()
        assert first
        assert second
        assert first != second, "nothing is overwritten"

    # --- the feature rule ------------------------------------------------------------------------------------

    async def test_a_list_that_was_kept_breaks_nothing(self, workspace: Workspace, write: Write) -> None:
        write([True, False, False])
        baseline = await workspace.baseline()
        write([True, True, False])
        check = await workspace.check_features(baseline)
        assert (check.broken, check.mended, len(check.claimed), len(check.regressed)) == ((), None, 1, 0)

    async def test_without_a_list_in_the_baseline_nothing_is_broken(self, workspace: Workspace, write: Write) -> None:
        baseline = await workspace.baseline()
        write([False, False])
        assert (await workspace.check_features(baseline)).broken == ()

    @pytest.mark.parametrize("left", [[True], None, "truncated"], ids=["removed", "deleted", "unreadable"])
    async def test_what_was_broken_is_mended_and_stays_so(self, workspace: Workspace, write: Write, left: Any) -> None:
        write([True, False, False])
        baseline = json.loads(json.dumps(dict(await workspace.baseline())))
        write(left)
        check = await workspace.check_features(baseline)
        assert check.broken
        assert all(breach.rule for breach in check.broken)
        assert check.mended is not None
        await workspace.replace_features(check.mended)
        assert (await workspace.read()).features == FeatureCount(3, 1)
        again = await workspace.check_features(baseline)
        assert (again.broken, again.mended) == ((), None)

    async def test_looking_changes_nothing(self, workspace: Workspace, write: Write) -> None:
        write([True, False])
        baseline = await workspace.baseline()
        write([True])
        before = await workspace.feature_list_content()
        await workspace.check_features(baseline)
        await workspace.changes(baseline)
        await workspace.without_claims(baseline)
        assert await workspace.feature_list_content() == before

    async def test_claims_are_taken_back_and_what_passed_before_stays(self, workspace: Workspace, write: Write) -> None:
        write([True, False, False])
        baseline = await workspace.baseline()
        assert await workspace.without_claims(baseline) is None
        write([True, True, True])
        content = await workspace.without_claims(baseline)
        assert content is not None
        await workspace.replace_features(content)
        assert (await workspace.read()).features == FeatureCount(3, 1)
        assert await workspace.without_claims(baseline) is None

    async def test_what_somebody_changed_between_two_sessions_is_told(self, workspace: Workspace, write: Write) -> None:
        write([True, False])
        kept = await workspace.feature_list_content()
        assert kept is not None
        same = await workspace.compare_features(kept)
        assert (same.broken, same.claimed, same.regressed, same.appended) == ((), (), (), ())
        write([False, True, False])
        check = await workspace.compare_features(kept)
        assert (len(check.claimed), len(check.regressed), len(check.appended)) == (1, 1, 1)

    # --- what a person wrote ---------------------------------------------------------------------------------

    async def test_a_persons_file_is_read_back_as_it_was_put(self, workspace: Workspace) -> None:
        for name, content in (await workspace.persons_files()).items():
            assert content is None
            assert await workspace.restore_persons_file(name, b"a person's words\n") is None
            assert (await workspace.persons_files())[name] == b"a person's words\n"

    # --- what a session leaves -------------------------------------------------------------------------------

    async def test_a_session_that_left_no_notes_gets_one_entry_also_when_it_is_asked_for_twice(
        self, workspace: Workspace
    ) -> None:
        baseline = await workspace.baseline()
        story = SessionStory(SESSION, 1, SessionType.INIT, at=1_000.0, ending="the turn was over")
        first = await workspace.leave_entry(baseline, story)
        assert first[0] is False
        assert await workspace.leave_entry(baseline, story) == first

    async def test_what_is_salvaged_is_kept_once(self, workspace: Workspace) -> None:
        baseline = await workspace.baseline()
        first = await workspace.salvage(baseline, SESSION, at=1_000.0, words="cut off")
        again = await workspace.salvage(baseline, SESSION, at=2_000.0, words="cut off")
        if first is not None and first.ref:
            assert again is not None
            assert (again.ref, again.commit, again.is_new) == (first.ref, first.commit, False)
