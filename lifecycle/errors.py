"""The shell's errors, sorted by who must act; each builds its message from its attributes.

`lifecycle.cli.exits` maps them to exit statuses; nothing else does.
"""

from __future__ import annotations

from pathlib import Path

from states.errors import LifecycleError

__all__ = [
    "AgentFailed",
    "ConfigurationError",
    "FeatureListInvalid",
    "JournalCorrupt",
    "JournalForeign",
    "JournalUnavailable",
    "LifecycleError",
    "ProjectBusy",
    "ProjectInvalid",
]


class ConfigurationError(LifecycleError):
    """A flag, an environment variable or a key of the configuration file is wrong. The person must act.

    Attributes:
        source: where it stands ("--max-turns", "LIFECYCLE_MODEL", "lifecycle.toml:3").
        problem: what is wrong, and what is accepted.
    """

    def __init__(self, source: str, problem: str) -> None:
        self.source = source
        self.problem = problem
        super().__init__(f"{source}: {problem}")


class ProjectInvalid(LifecycleError):
    """The project directory or its specification cannot be worked on. The person must act.

    Attributes:
        path: the directory or file.
        problem: what is wrong, and what to do.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class FeatureListInvalid(LifecycleError):
    """`feature_list.json` is there and is not a feature list. Never read as "nothing left to do".

    Attributes:
        path: the file.
        line: 1-based line of the fault, or None when it has no place.
        column: 1-based column, or None.
        problem: what is wrong.
    """

    def __init__(self, path: Path, problem: str, line: int | None = None, column: int | None = None) -> None:
        self.path = path
        self.problem = problem
        self.line = line
        self.column = column
        place = str(path) if line is None else f"{path}:{line}:{column or 1}"
        super().__init__(f"{place}: {problem}; mend the file, or remove it to begin with an INIT session")


class ProjectBusy(LifecycleError):
    """Another manager has the project. Nothing was touched.

    Attributes:
        path: the project directory.
        pid: the owner's process id.
        host: the owner's host name.
        since: when the owner took it, ISO 8601 in UTC.
    """

    def __init__(self, path: Path, pid: int | None, host: str | None, since: str | None) -> None:
        self.path = path
        self.pid = pid
        self.host = host
        self.since = since
        super().__init__(
            f"{path}: another manager has this project (pid {pid or 'unknown'} on {host or 'unknown host'} "
            f"since {since or 'unknown'}); `lifecycle stop {path}` asks it to stop"
        )


class JournalUnavailable(LifecycleError):
    """The journal cannot be opened, written or read just now (full disk, read-only, permissions).

    The machine did not move; when the cause is gone, the next start goes on from the last record.

    Attributes:
        path: the journal.
        cause: the operating system's or SQLite's words.
    """

    def __init__(self, path: Path, cause: str) -> None:
        self.path = path
        self.cause = cause
        super().__init__(
            f"{path}: the journal cannot be used ({cause}); nothing moved. Mend the cause and start again"
        )


class JournalCorrupt(LifecycleError):
    """The journal is damaged, or was written by a newer version. It is left untouched.

    Attributes:
        path: the journal.
        problem: what is wrong, with the record's number where there is one.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: the journal is damaged ({problem}); it was left untouched")


class JournalForeign(LifecycleError):
    """The file in the journal's place is something else. It is left untouched.

    Attributes:
        path: the file.
        problem: what was found.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: this is not a lifecycle journal ({problem}); it was left untouched")


class AgentFailed(LifecycleError):
    """The coding agent could not be started or talked to at all.

    Attributes:
        problem: what happened, and what to do.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)
