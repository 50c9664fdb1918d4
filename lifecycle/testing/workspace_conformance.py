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
from lifecycle.ports import Workspace
from states.facts import FeatureCount

__all__ = ["WorkspaceConformance"]

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

    async def test_an_invalid_list_is_set_aside_and_only_an_invalid_one(
        self, workspace: Workspace, write: Write
    ) -> None:
        write([True])
        assert await workspace.set_aside_feature_list() is None
        write("truncated")
        assert await workspace.set_aside_feature_list() is not None
        assert (await workspace.read()).features == FeatureCount(0, 0)
