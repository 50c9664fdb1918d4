"""Where a project's state lives: outside the project, because its agent may clean the project's directory.

Owns the naming of the state directory and the rule that neither directory holds the other. It makes nothing on
disk; of files it only asks whether they are journals.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lifecycle.errors import ConfigurationError
from lifecycle.journal.schema import APPLICATION_ID

__all__ = ["JOURNAL_NAME", "STATE_DIR_VARIABLE", "has_journal", "state_directory", "state_environment"]

JOURNAL_NAME: Final = "journal.sqlite3"
"""The journal's file in a project's state directory."""

STATE_DIR_VARIABLE: Final = "LIFECYCLE_STATE_DIR"


def state_directory(project_dir: Path, state_dir: Path | None, env: Mapping[str, str]) -> Path:
    """The project's own directory below `state_dir`, else LIFECYCLE_STATE_DIR, else `$XDG_STATE_HOME/lifecycle`.

    Its name is the project directory's, made plain, with a digest of the real path: two projects never share
    one, and one project reached by two names has one.

    Args:
        state_dir: the directory that holds the states of all projects; absolute, `~` stands for HOME.
        env: the environment to go by; HOME, XDG_STATE_HOME and LIFECYCLE_STATE_DIR are read.

    Raises:
        ConfigurationError: the path is relative, the state would lie inside the project, or the project inside
            the state: its own or any other's.
    """
    source, base = _base(env, state_dir)
    project = Path(os.path.realpath(project_dir))
    root = Path(os.path.realpath(base))
    digest = hashlib.sha256(os.fsencode(project)).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", project.name)[:40].strip(".-") or "project"
    directory = root / f"{name}-{digest}"
    if directory.is_relative_to(project):
        raise ConfigurationError(
            source, f"the state directory {root} lies inside the project {project}, where the agent can delete it"
        )
    if (other := _state_around(project)) is not None:
        raise ConfigurationError(
            str(project_dir), f"it lies inside {other}, where another project's record is; keep them apart"
        )
    if project.is_relative_to(root):
        raise ConfigurationError(
            source, f"the project {project} lies inside the state directory {root}; keep them apart"
        )
    return directory


def state_environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """The environment to look in: what a host handed in, else what says nothing but where this user's state goes."""
    return {name: os.environ[name] for name in ("HOME", "XDG_STATE_HOME") if name in os.environ} if given is None else given


def has_journal(state_dir: Path) -> bool:
    """Whether there is a journal to open, or anything in its place that opening it has to speak of."""
    path = state_dir / JOURNAL_NAME
    return _is_there(path) or _is_there(path.with_name(path.name + "-wal"))


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it cannot be looked at: opening it says why
        return True
    return True


def _state_around(project: Path) -> Path | None:
    """The directory that holds the project and a journal, wherever the states of that one's owner are kept."""
    return next((each for each in (project, *project.parents) if _is_journal(each / JOURNAL_NAME)), None)


def _is_journal(path: Path) -> bool:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return int.from_bytes(file.read(72)[68:], "big") == APPLICATION_ID
    except OSError:
        return False  # none there, or none that a manager of ours could have made


def _base(env: Mapping[str, str], state_dir: Path | None) -> tuple[str, Path]:
    """Who named it, and the directory that holds all projects' states."""
    for source, given in (("state_dir", state_dir), (STATE_DIR_VARIABLE, env.get(STATE_DIR_VARIABLE))):
        if given:
            path = _expanded(Path(given), env)
            if not path.is_absolute():
                raise ConfigurationError(source, f"{str(given)!r} is relative; give an absolute path")
            return source, path
    named = env.get("XDG_STATE_HOME", "")
    # The XDG specification says to ignore a relative path, and so does everybody else who reads it.
    if os.path.isabs(named):
        return "XDG_STATE_HOME", Path(named) / "lifecycle"
    return "HOME", _home(env) / ".local" / "state" / "lifecycle"


def _expanded(path: Path, env: Mapping[str, str]) -> Path:
    return _home(env).joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path


def _home(env: Mapping[str, str]) -> Path:
    if home := env.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise ConfigurationError(
            "HOME", f"it is not set and this user has no home; set {STATE_DIR_VARIABLE}"
        ) from None
