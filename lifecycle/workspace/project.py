"""The project directory as the machine's states see it: the `Workspace` port on real files and real git.

Gathers the modules of this package and keeps their blocking work off the event loop. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lifecycle.config import FILE_NAME as SETTINGS_NAME
from lifecycle.errors import FeatureListInvalid
from lifecycle.ports import Changes, ListCheck, Reading, Salvage, SessionStory
from lifecycle.workspace.aside import name_aside
from lifecycle.workspace.baseline import Baseline, compare
from lifecycle.workspace.bounded_command import CommandFailed, abandoned
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
from lifecycle.workspace.files import FileUnusable, read_regular, write_atomic
from lifecycle.workspace.git import commits_since, file_versions, head_commit, read_history
from lifecycle.workspace.ledger import Ledger, check, mend, without_claims
from lifecycle.workspace.progress import PROGRESS_NAME
from lifecycle.workspace.salvage import salvage
from lifecycle.workspace.session_story import leave_story, progress_mark
from lifecycle.workspace.spec import SPEC_NAME, ensure_project_dir
from states.facts import FeatureCount
from states.vocabulary import SessionId

__all__ = ["ProjectWorkspace"]

PERSONS_FILES = (SPEC_NAME, SETTINGS_NAME)
"""What a person writes and sessions only read."""

_VERSIONS_TRIED = 20
_PERSONS_FILE_MAX_BYTES = 4 << 20
_SETTLED_AFTER_NS = 100_000_000

_T = TypeVar("_T")


class ProjectWorkspace:
    """One project directory.

    Every method does its work in a thread, is finished when it returns or raises, and may be cancelled: the
    cancellation is passed on once the thread is done, and makes a running git end at once. So nothing is written
    behind the back of a caller that was told that the call is over. OSError is the machine's fault throughout.
    """

    def __init__(self, project_dir: Path, *, keeps_appended: bool = True) -> None:
        """Args:
        keeps_appended: whether features that the agent appends stay in the list.
        """
        self.project_dir = project_dir
        self._keeps_appended = keeps_appended
        self._ledger: Ledger | None = None
        self._checked: tuple[object, ListCheck] | None = None

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

    async def check_features(self, baseline: Mapping[str, Any]) -> ListCheck:
        """What the agent made of the list, and what it must be. See `ledger`.

        Raises:
            RecordInvalid: as `changes`.
        """
        ledger = self._ledger_of(Baseline.from_dict(baseline))
        return ListCheck() if ledger is None else await _in_thread(lambda: self._check(ledger))

    async def compare_features(self, before: bytes) -> ListCheck:
        """What was made of the list since it was `before`."""
        return await _in_thread(lambda: check(self.project_dir, Ledger(before)))

    async def without_claims(self, baseline: Mapping[str, Any]) -> bytes | None:
        """The list's content without the session's claims; None where there are none.

        Raises:
            FeatureListInvalid: the list is none.
            RecordInvalid: as `changes`.
        """
        ledger = self._ledger_of(Baseline.from_dict(baseline))
        return await _in_thread(lambda: without_claims(self.project_dir, ledger))

    async def replace_features(self, content: bytes) -> None:
        """Put this content in the list's place."""
        await _in_thread(lambda: mend(self.project_dir, content))

    async def leave_entry(
        self, baseline: Mapping[str, Any], story: SessionStory, kept: bytes | None = None
    ) -> tuple[bool, bytes | None]:
        """See to it that the session has exactly one entry in the progress file. See `progress_entry`."""
        then = Baseline.from_dict(baseline)
        return await _in_thread(lambda: leave_story(self.project_dir, then, story, kept))

    async def salvage(
        self, baseline: Mapping[str, Any], session_id: SessionId, *, at: float, words: str
    ) -> Salvage | None:
        """Keep what is uncommitted under a git reference. See `salvage`."""
        then = Baseline.from_dict(baseline)
        return await _in_thread(lambda: self._salvage(then, session_id, at, words))

    async def feature_list_content(self) -> bytes | None:
        """The bytes of a list that is valid, for a safe copy; else None."""
        return await _in_thread(self._content)

    async def restore_feature_list(self, kept: bytes | None, *, rehearse: bool = False) -> str | None:
        """Put the newest good list in the place of what stands there.

        Args:
            kept: a copy kept elsewhere; tried first. Then the newest committed list with features in it.
            rehearse: only tell; write nothing.

        Returns:
            Where the list came from, in words, or None when there is no good one; then nothing was touched.
        """
        return await _in_thread(lambda: self._restore(kept, rehearse=rehearse))

    async def set_aside_feature_list(self, *, rehearse: bool = False) -> str | None:
        """Move whatever stands in the list's place out of the way; its new name, or None when nothing stood there."""
        path = self.project_dir / FEATURE_LIST_NAME
        aside = await _in_thread(lambda: name_aside(path) if rehearse else set_aside_feature_list(self.project_dir))
        return None if aside is None else aside.name

    async def persons_files(self) -> Mapping[str, bytes | None]:
        """The files that a person writes: name -> content, None where no readable one stands."""
        return await _in_thread(lambda: {name: self._persons_file(name) for name in PERSONS_FILES})

    async def restore_persons_file(self, name: str, content: bytes) -> str | None:
        """Put such a file back, whatever stands there but a directory. Return what kept it from that, or None."""
        return await _in_thread(lambda: self._put_back(name, content))

    def _persons_file(self, name: str) -> bytes | None:
        try:
            return read_regular(self.project_dir / name, within=self.project_dir, limit_bytes=_PERSONS_FILE_MAX_BYTES)
        except FileUnusable:
            return None

    def _put_back(self, name: str, content: bytes) -> str | None:
        try:
            write_atomic(self.project_dir / name, content, within=self.project_dir, follow_link=False)
        except FileUnusable as unusable:
            return str(unusable)
        return None

    def _read(self) -> Reading:
        ensure_project_dir(self.project_dir)
        features = read_feature_list(self.project_dir)
        context = restore_context(self.project_dir, features, read_history(self.project_dir))
        count = FeatureCount(total=0, passing=0) if features is None else features.count
        return Reading(count, render_context(context))

    def _baseline(self) -> Mapping[str, Any]:
        found = read_feature_list_content(self.project_dir)
        if found is not None and found[1].total:  # what was just read need not be parsed again by the first check
            self._ledger, self._checked = Ledger.of(*found, keeps_appended=self._keeps_appended), None
        return Baseline.of(found, head_commit(self.project_dir), progress_mark(self.project_dir)).to_dict()

    def _ledger_of(self, baseline: Baseline) -> Ledger | None:
        """The ledger of a baseline, parsed once; None where the baseline has no plan."""
        if baseline.plan is None:
            return None
        content = baseline.plan.encode("utf-8")
        if self._ledger is None or self._ledger.content != content:
            self._ledger, self._checked = Ledger(content, self._keeps_appended), None
        return self._ledger

    def _check(self, ledger: Ledger) -> ListCheck:
        """Look only where the file was touched since the last look: this is asked after every tool."""
        stamp = _stamp(self.project_dir / FEATURE_LIST_NAME)
        if self._checked is not None and stamp is not None and self._checked[0] == (ledger, stamp):
            return self._checked[1]
        checked = check(self.project_dir, ledger)
        # A file that was written just now can be written again without its times telling.
        is_settled = stamp is not None and time.time_ns() - stamp[-1] > _SETTLED_AFTER_NS
        self._checked = ((ledger, stamp), checked) if is_settled and checked.mended is None else None
        return checked

    def _salvage(self, baseline: Baseline, session_id: SessionId, at: float, words: str) -> Salvage | None:
        is_same = progress_mark(self.project_dir) == baseline.progress
        try:
            return salvage(
                self.project_dir, session_id, at=at, words=words, untouched=(PROGRESS_NAME,) if is_same else ()
            )
        except CommandFailed as failure:
            return Salvage(ref="", commit="", problem=failure.reason)

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

    def _restore(self, kept: bytes | None, *, rehearse: bool) -> str | None:
        found = self._find_good(kept)
        if found is None:
            return None
        source, content = found
        if not rehearse:
            replace_feature_list(self.project_dir, content)
        return source

    def _find_good(self, kept: bytes | None) -> tuple[str, bytes] | None:
        if kept is not None and self._is_good(kept):
            return "the copy in the journal", kept
        versions = file_versions(
            self.project_dir, FEATURE_LIST_NAME, limit=_VERSIONS_TRIED, size_max_bytes=SIZE_MAX_BYTES
        )
        for commit, content in versions:
            if self._is_good(content):
                return f"commit {commit[:10]}", content
        return None

    def _is_good(self, content: bytes) -> bool:
        try:
            return parse_feature_list(content, self.project_dir / FEATURE_LIST_NAME).total > 0
        except FeatureListInvalid:
            return False


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Changes with every write to the file, whoever sets its times; None when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


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
