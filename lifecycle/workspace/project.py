"""The project directory as the machine's states see it: the `Workspace` port on real files and real git.

Gathers the modules of this package and keeps their blocking work off the event loop. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lifecycle.errors import FeatureListInvalid
from lifecycle.ports import Changes, Reading
from lifecycle.workspace.baseline import Baseline, compare
from lifecycle.workspace.bounded_command import abandoned
from lifecycle.workspace.context import render_context, restore_context
from lifecycle.workspace.feature_list import (
    FEATURE_LIST_NAME,
    SIZE_MAX_BYTES,
    parse_feature_list,
    read_feature_list,
    read_feature_list_content,
    replace_feature_list,
    set_aside_feature_list,
)
from lifecycle.workspace.git import commits_since, file_versions, head_commit, read_history
from lifecycle.workspace.spec import ensure_project_dir
from states.facts import FeatureCount

__all__ = ["ProjectWorkspace"]

_VERSIONS_TRIED = 20

_T = TypeVar("_T")


class ProjectWorkspace:
    """One project directory.

    Every method does its work in a thread, is finished when it returns or raises, and may be cancelled: the
    cancellation is passed on once the thread is done, and makes a running git end at once. So nothing is written
    behind the back of a caller that was told that the call is over. OSError is the machine's fault throughout.
    """

    def __init__(self, project_dir: Path) -> None:
        self.project_dir = project_dir

    async def read(self) -> Reading:
        """Features and the context for the next prompt.

        Raises:
            FeatureListInvalid: there is a list, and it cannot be read.
            ProjectInvalid: the project directory is none.
        """
        return await _in_thread(self._read)

    async def baseline(self) -> Mapping[str, Any]:
        """What stands now, to be compared with later: `Baseline` as plain data.

        Raises:
            FeatureListInvalid: as `read`.
        """
        return await _in_thread(self._baseline)

    async def changes(self, baseline: Mapping[str, Any]) -> Changes:
        """What has changed since the baseline. A list that is gone counts 0 of 0.

        Raises:
            RecordInvalid: `baseline` is not what `baseline` gave.
        """
        then = Baseline.from_dict(baseline)
        return await _in_thread(lambda: self._changes(then))

    async def feature_list_content(self) -> bytes | None:
        """The bytes of a list that is valid, for a safe copy; else None."""
        return await _in_thread(self._content)

    async def restore_feature_list(self, kept: bytes | None) -> str | None:
        """Put the newest good list in the place of what stands there.

        Args:
            kept: a copy kept elsewhere; tried first. Then the newest committed list with features in it.

        Returns:
            Where the list came from, in words, or None when there is no good one; then nothing was touched.
        """
        return await _in_thread(lambda: self._restore(kept))

    async def set_aside_feature_list(self) -> str | None:
        """Move whatever stands in the list's place out of the way; its new name, or None when nothing stood there."""
        aside = await _in_thread(lambda: set_aside_feature_list(self.project_dir))
        return None if aside is None else aside.name

    def _read(self) -> Reading:
        ensure_project_dir(self.project_dir)
        features = read_feature_list(self.project_dir)
        context = restore_context(self.project_dir, features, read_history(self.project_dir))
        count = FeatureCount(total=0, passing=0) if features is None else features.count
        return Reading(count, render_context(context))

    def _baseline(self) -> Mapping[str, Any]:
        return Baseline.of(read_feature_list(self.project_dir), head_commit(self.project_dir)).to_dict()

    def _changes(self, baseline: Baseline) -> Changes:
        new_commits = commits_since(self.project_dir, baseline.head) or 0
        try:
            features = read_feature_list(self.project_dir)
        except FeatureListInvalid as invalid:
            return Changes(features=None, new_commits=new_commits, problem=str(invalid))
        return compare(baseline, features, new_commits)

    def _content(self) -> bytes | None:
        try:
            found = read_feature_list_content(self.project_dir)
        except FeatureListInvalid:
            return None
        return None if found is None else found[0]

    def _restore(self, kept: bytes | None) -> str | None:
        if kept is not None and self._is_good(kept):
            replace_feature_list(self.project_dir, kept)
            return "the copy in the journal"
        versions = file_versions(
            self.project_dir, FEATURE_LIST_NAME, limit=_VERSIONS_TRIED, size_max_bytes=SIZE_MAX_BYTES
        )
        for commit, content in versions:
            if self._is_good(content):
                replace_feature_list(self.project_dir, content)
                return f"commit {commit[:10]}"
        return None

    def _is_good(self, content: bytes) -> bool:
        try:
            return parse_feature_list(content, self.project_dir / FEATURE_LIST_NAME).total > 0
        except FeatureListInvalid:
            return False


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a thread and be there until it is done, cancelled or not, however often."""
    event = threading.Event()
    context = contextvars.copy_context()
    context.run(abandoned.set, event)
    running = asyncio.get_running_loop().run_in_executor(None, context.run, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        event.set()
        while not running.done():
            try:
                await asyncio.wait((running,))
            except asyncio.CancelledError:
                continue  # a second cancel: the first is already on its way
        if not running.cancelled():
            running.exception()  # looked at, so that the loop does not report it: the cancellation is what counts
        raise
