"""A project: its directory, settings and files, and where its record goes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lifecycle.config import FILE_NAME, Layer, from_environment, from_file, resolve
from lifecycle.doctor.finding import Finding, Verdict
from lifecycle.doctor.machine import disk
from lifecycle.doctor.records import record, records
from lifecycle.errors import LifecycleError, ProjectInvalid
from lifecycle.journal.location import state_directory
from lifecycle.workspace.feature_list import read_feature_list
from lifecycle.workspace.spec import SPEC_NAME, ensure_project_dir, ensure_workable

__all__ = ["NOTHING", "project", "state_root"]

NOTHING: Final = Layer({}, {})
"""No settings."""


async def project(
    project_dir: Path, environment: Mapping[str, str], *, config_file: Path | None = None, flags: Layer = NOTHING
) -> tuple[Finding, ...]:
    """What is to be said of this project.

    Args:
        config_file: instead of the project's own.
        flags: the settings that were given besides; only `state_dir` matters here.
    """
    if (problem := _unusable(project_dir)) is not None:
        return (problem,)
    findings = [Finding("project", Verdict.OK, str(project_dir)), disk(project_dir, "the project")]
    findings += _features(project_dir)
    layers, told = _configuration(project_dir, environment, config_file)
    findings.append(told)
    if layers is None:
        return tuple(findings)
    try:
        state_dir = state_directory(project_dir, resolve(flags, *layers).state_dir, environment)
    except LifecycleError as error:
        return (*findings, Finding("state directory", Verdict.MEND, str(error), "set LIFECYCLE_STATE_DIR to another place"))
    findings += [_writable(state_dir), disk(state_dir, "the record")]
    return (*findings, *[each async for each in record(state_dir)])


async def state_root(environment: Mapping[str, str], *, flags: Layer = NOTHING) -> tuple[Finding, ...]:
    """Where the records of all projects go, as far as that can be told without a project, and what is there."""
    try:
        asked = resolve(flags, from_environment(environment)).state_dir
        root = state_directory(Path("/nowhere/at/all"), asked, environment).parent
    except LifecycleError as error:
        return (Finding("state directory", Verdict.MEND, str(error), "mend the setting"),)
    return _writable(root), disk(root, "the records"), *[each async for each in records(root)]


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
    except ProjectInvalid as invalid:
        return [_no_specification(project_dir, invalid)]
    except LifecycleError as error:
        return [Finding("features", Verdict.MEND, str(error), "mend the file, or remove it")]
    return [Finding("features", Verdict.OK, "no list yet; the specification is there")]


def _no_specification(project_dir: Path, invalid: ProjectInvalid) -> Finding:
    """Nothing to work from: what a run refuses, unless it is given a specification."""
    run = f"lifecycle run {shlex.quote(str(project_dir))} --spec FILE"
    spec = project_dir / SPEC_NAME
    if os.path.lexists(spec):
        found = f"{SPEC_NAME}: {invalid.problem.partition('; ')[0]}"
        return Finding("specification", Verdict.MEND, found, f"say in {spec} what is to be built, or give another: {run}")
    return Finding("specification", Verdict.MEND, f"there is no {SPEC_NAME}", f"write {spec}, or give one: {run}")


def _configuration(
    project_dir: Path, environment: Mapping[str, str], config_file: Path | None
) -> tuple[tuple[Layer, Layer] | None, Finding]:
    """What can be read of it. A fault in the project's own file says nothing of where the record is: none of it does."""
    read: tuple[Layer, Layer] | None = None
    try:
        given = from_environment(environment)
        read = (given, NOTHING) if config_file is None else None
        file = from_file(config_file or project_dir / FILE_NAME, must_exist=config_file is not None)
    except LifecycleError as error:
        return read, Finding("configuration", Verdict.MEND, str(error), "mend it")
    found = f"{len(file.values)} settings in {config_file or FILE_NAME}" if file.values else "defaults"
    return (given, file), Finding("configuration", Verdict.OK, found)


def _writable(place: Path) -> Finding:
    there = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return Finding("state directory", Verdict.OK, str(place))
    problem = "cannot be written" if os.path.isdir(there) else "is not a directory"
    return Finding(
        "state directory", Verdict.MEND, f"{place}: {there} {problem}", "set LIFECYCLE_STATE_DIR to a place that can be"
    )
