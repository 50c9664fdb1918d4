"""A project: its directory, settings and files, its record, and what a dead manager may have left running."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from lifecycle.agent.leftovers import find_leftovers
from lifecycle.config import FILE_NAME, Layer, from_environment, from_file, resolve
from lifecycle.doctor.finding import Finding, Verdict
from lifecycle.doctor.machine import disk
from lifecycle.errors import LifecycleError
from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.lock import owner
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Journal
from lifecycle.processes import ProcessIdentity
from lifecycle.workspace.feature_list import FEATURE_LIST_NAME, read_feature_list
from lifecycle.workspace.spec import ensure_project_dir, ensure_workable
from states.vocabulary import SessionId

__all__ = ["project", "state_root"]


async def project(project_dir: Path, environment: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is to be said of this project."""
    if (problem := _unusable(project_dir)) is not None:
        return (problem,)
    findings = [Finding("project", Verdict.OK, str(project_dir)), disk(project_dir, "the project")]
    findings += _features(project_dir)
    file, told = _configuration(project_dir, environment)
    findings.append(told)
    if file is None:
        return tuple(findings)
    try:
        state_dir = state_directory(project_dir, resolve(from_environment(environment), file).state_dir, environment)
    except LifecycleError as error:
        return (*findings, Finding("state directory", Verdict.MEND, str(error), "set LIFECYCLE_STATE_DIR to another place"))
    findings += [_writable(state_dir), disk(state_dir, "the record")]
    return (*findings, *[each async for each in _record(state_dir)])


def state_root(environment: Mapping[str, str]) -> tuple[Finding, ...]:
    """Where the records of all projects go, as far as that can be told without a project."""
    try:
        asked = resolve(from_environment(environment)).state_dir
        root = state_directory(Path("/nowhere/at/all"), asked, environment).parent
    except LifecycleError as error:
        return (Finding("state directory", Verdict.MEND, str(error), "mend the setting"),)
    return _writable(root), disk(root, "the records")


def _unusable(project_dir: Path) -> Finding | None:
    try:
        ensure_project_dir(project_dir)
    except LifecycleError as error:
        advice = "give another directory" if os.path.lexists(project_dir) else f"lifecycle init {project_dir}"
        return Finding("project", Verdict.MEND, str(error), advice)
    return None


def _features(project_dir: Path) -> list[Finding]:
    try:
        features = read_feature_list(project_dir)
        if features is not None and features.total:
            count = features.count
            return [Finding("features", Verdict.OK, f"{count.passing} of {count.total} pass")]
        ensure_workable(project_dir, has_spec=False)
    except LifecycleError as error:
        # Without a specification a run can begin all the same, when it is given one.
        verdict = Verdict.MEND if FEATURE_LIST_NAME in str(getattr(error, "path", "")) else Verdict.NOTE
        return [Finding("features", verdict, str(error), "" if verdict is Verdict.MEND else "lifecycle run --spec FILE")]
    return [Finding("features", Verdict.OK, "no list yet; the specification is there")]


def _configuration(project_dir: Path, environment: Mapping[str, str]) -> tuple[Layer | None, Finding]:
    try:
        from_environment(environment)
        file = from_file(project_dir / FILE_NAME, must_exist=False)
    except LifecycleError as error:
        return None, Finding("configuration", Verdict.MEND, str(error), "mend it; `lifecycle config` shows the rest")
    found = f"{len(file.values)} settings in {FILE_NAME}" if file.values else "defaults"
    return file, Finding("configuration", Verdict.OK, found)


def _writable(place: Path) -> Finding:
    there = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return Finding("state directory", Verdict.OK, str(place))
    problem = "cannot be written" if os.path.isdir(there) else "is not a directory"
    return Finding(
        "state directory", Verdict.MEND, f"{place}: {there} {problem}", "set LIFECYCLE_STATE_DIR to a place that can be"
    )


async def _record(state_dir: Path) -> AsyncIterator[Finding]:
    try:
        found = owner(state_dir)
        if found is not None:
            who = f"pid {found.pid or 'unknown'} on {found.host} runs it since {found.since}"
            yield Finding("manager", Verdict.OK, who)
        async for each in _journal(state_dir / JOURNAL_NAME, is_owned=found is not None):
            yield each
    except LifecycleError as error:
        advice = f"move {state_dir} away to begin anew; the project's files stay as they are"
        yield Finding("journal", Verdict.MEND, str(error), advice)
    except OSError as error:
        yield Finding("journal", Verdict.MEND, f"{error.filename or state_dir}: {error.strerror}", "make it readable")


async def _journal(path: Path, *, is_owned: bool) -> AsyncIterator[Finding]:
    if not _is_there(path):
        yield Finding("journal", Verdict.OK, "no run yet")
        return
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        last = await journal.last()
        told = "empty" if last is None else f"{last.seq} transitions, in {last.dest}"
        yield Finding("journal", Verdict.OK, f"{told} ({path})")
        if not is_owned:
            yield await _leftovers(journal)
    finally:
        await journal.close()


def _is_there(path: Path) -> bool:
    return os.path.lexists(path) or os.path.lexists(f"{path}-wal")


async def _leftovers(journal: Journal) -> Finding:
    notes = await journal.notes(kind=NoteKind.AGENT_STARTED)
    processes = [ProcessIdentity.from_record(note.data["process"]) for note in notes]
    sessions: list[SessionId] = [note.session_id for note in notes if note.session_id is not None]
    left = find_leftovers(processes, sessions)
    if not left:
        return Finding("leftovers", Verdict.OK, "nothing of a dead manager runs")
    pids = ", ".join(str(process.pid) for process in left)
    return Finding("leftovers", Verdict.NOTE, f"pid {pids} of a dead manager", "`lifecycle run` ends them before it begins")
