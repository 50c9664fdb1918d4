"""The small lives that the points are met in: what stands in the project, what the model does, what the world does.

Each ends `complete`, whatever comes in between, and takes a few seconds. A point is played in the first scenario that
crosses it, but for those that a later one claims.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lifecycle.agent.sandbox import sandbox_problem
from lifecycle.config import FILE_NAME as SETTINGS_NAME
from lifecycle.offline.building import building
from lifecycle.testing.crash_matrix.models import (
    LIST,
    Model,
    bad_plan,
    interrupted_work,
    mischief,
    one_feature,
    plan,
    refused_at_first,
    work_inside,
)
from lifecycle.testing.crash_matrix.plan import Act, Happening

__all__ = ["SCENARIOS", "Scenario", "playable"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One small life.

    Attributes:
        words: what happens in it, when nothing else does.
        features: how many a list has to begin with, all failing; 0 without a repository.
        folder: where in the repository the project is; empty: it is the repository.
        is_committed: whether the list is, to begin with.
        command: `run`, or `host`: see `life`.
        claims: places whose points are played here, though an earlier scenario crosses them too.
        is_first: whether the agent's gate has not been proved on this machine yet.
        submodule: a folder of the project that is a repository of its own; empty: there is none.
        settings: what `lifecycle.toml` says; empty: there is none.
        is_walled: whether the agent's commands run in the sandbox, which is not to be had everywhere.
    """

    name: str
    words: str
    model: Callable[[], Model] = building
    features: int = 0
    folder: str = ""
    is_committed: bool = True
    command: str = "run"
    happenings: tuple[Happening, ...] = ()
    arguments: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    is_first: bool = False
    submodule: str = ""
    settings: str = ""
    is_walled: bool = False

    def prepare(self, top: Path, project: Path) -> None:
        """Put into the project's directory what stands there to begin with.

        Args:
            top: where the repository is to be.
        """
        if not self.features:
            return
        (project / LIST).write_text(plan(*[False] * self.features), encoding="utf-8")
        if self.settings:
            (project / SETTINGS_NAME).write_text(self.settings, encoding="utf-8")
        if self.submodule:
            _begin_submodule(project, self.submodule)
        committing = (("add", "-A"), ("commit", "-qm", "The features")) if self.is_committed else ()
        _git(top, *_BEGUN, *committing)


def playable() -> tuple[Scenario, ...]:
    """Those that can be played on this machine: all of them where the sandbox can be had."""
    has_walls = not sandbox_problem()
    return tuple(scenario for scenario in SCENARIOS if has_walls or not scenario.is_walled)


def _begin_submodule(project: Path, name: str) -> None:
    """As `git submodule add` leaves it; it came from nowhere that would have to be there."""
    (project / name).mkdir()
    (project / name / "inner.txt").write_text("inner\n", encoding="utf-8")
    _git(project / name, *_BEGUN, ("add", "-A"), ("commit", "-qm", "Inside"))
    (project / ".gitmodules").write_text(f'[submodule "{name}"]\n\tpath = {name}\n\turl = ./{name}\n', encoding="utf-8")


def _git(directory: Path, *commands: Sequence[str]) -> None:
    for command in commands:
        subprocess.run(["git", *command], cwd=directory, check=True, timeout=GIT_MAX_S)


GIT_MAX_S: Final = 60.0

_BEGUN: Final = (
    ("init", "-q"),
    ("config", "user.name", "A person"),
    ("config", "user.email", "person@localhost"),
    ("config", "commit.gpgsign", "false"),
    ("config", "advice.addEmbeddedRepo", "false"),
)


_STARTED = "NEW start DETECT: after"
_CONTINUED = "END ended CONTINUE: after"

SCENARIOS: Final = (
    Scenario(
        "two sessions",
        "an empty directory and a specification; INIT writes a list of one feature, the next session makes it pass",
        one_feature,
        arguments=("--verify-command", f"test -f {LIST}"),
    ),
    Scenario(
        "stop in DETECT",
        "SIGTERM while the project is read; the next start goes on",
        features=1,
        happenings=(Happening(Act.STOP, "Workspace.read: before", "DETECT stop_requested END: after", _STARTED),),
    ),
    Scenario(
        "stop in CREATE",
        "SIGTERM while a session is planned; the next start goes on",
        features=1,
        happenings=(Happening(Act.STOP, "Chance.session_id: before", "CREATE stop_requested END: after"),),
    ),
    Scenario(
        "stop in RUN",
        "SIGTERM while the agent works, with work staged and not committed, which is salvaged; the next start resumes",
        interrupted_work,
        features=1,
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "stop in CONTINUE",
        "SIGTERM in the wait between two sessions; the next start goes on",
        features=2,
        arguments=("--continue-delay", "30"),
        happenings=(Happening(Act.STOP, "Clock.sleep_until: before", "CONTINUE stop_requested SHUTDOWN: after"),),
    ),
    Scenario(
        "DETECT fails",
        "the project cannot be read for a while: an error of the machine, and a backoff",
        features=1,
        happenings=(Happening(Act.OS_ERROR, "Workspace.read: before", "DETECT failed END: after", _STARTED),),
    ),
    Scenario(
        "CREATE fails",
        "the baseline cannot be taken for a while",
        features=1,
        happenings=(Happening(Act.OS_ERROR, "Workspace.baseline: before", "CREATE failed END: after"),),
    ),
    Scenario(
        "RUN fails",
        "the agent cannot be started for a while",
        features=1,
        happenings=(Happening(Act.OS_ERROR, "Agent.run: before", "RUN failed END: after"),),
    ),
    Scenario(
        "END fails",
        "a fault of ours in END: fatal; a person starts again, and a new run does the rest",
        features=2,
        happenings=(Happening(Act.OUR_FAULT, "Chance.jitter: before", "END failed SHUTDOWN: after"),),
    ),
    Scenario(
        "CONTINUE fails",
        "a fault of ours in CONTINUE: fatal; a person starts again, and a new run does the rest",
        features=2,
        happenings=(Happening(Act.OUR_FAULT, "Clock.sleep_until: before", "CONTINUE failed SHUTDOWN: after"),),
    ),
    Scenario(
        "nothing to do",
        "every feature passes already",
        features=1,
        happenings=(Happening(Act.FULFIL, "Workspace.read: before", "END ended SHUTDOWN: after"),),
    ),
    Scenario(
        "rate limited",
        "the first request is refused; the conversation is resumed after a backoff",
        refused_at_first,
        features=1,
        claims=("Clock.sleep_until", "CONTINUE delay_elapsed DETECT"),
    ),
    Scenario(
        "rules broken",
        "the agent drops a feature and adds one; then a person adds one; then the list is damaged, and restored",
        mischief,
        features=2,
        happenings=(
            Happening(Act.EDIT, "Workspace.read: before", "note features_changed: after", _CONTINUED),
            Happening(Act.DAMAGE, "Chance.session_id: before", "damage", "note features_changed: after"),
        ),
    ),
    Scenario(
        "a bad plan",
        "INIT leaves what is no list: it is set aside, and INIT comes again",
        bad_plan,
        happenings=(Happening(Act.DISPLACE, "Workspace.leave_entry: before", "note session_saved: after"),),
    ),
    Scenario(
        "restored from git",
        "the list is damaged before there is any other copy of it than a commit",
        one_feature,
        features=1,
        happenings=(Happening(Act.DAMAGE, "Workspace.read: before", "damage", _STARTED),),
    ),
    Scenario(
        "END cannot save",
        "the notes cannot be written for a while; DETECT saves what END could not",
        features=2,
        happenings=(Happening(Act.OS_ERROR, "Workspace.leave_entry: before", _CONTINUED),),
    ),
    Scenario(
        "crashed before",
        "the manager was killed over the journal's first draft, over a write to a project file, and in RUN beside a "
        "process that escaped its leash",
        features=1,
        happenings=(
            Happening(Act.CRASH, "journal.database._put_in_place link: before", "first crash"),
            Happening(Act.LEAVE, "SessionLog.used: after", "second crash"),
            Happening(Act.CRASH, "workspace.files._write_synced fsync: before", "third crash", "second crash"),
        ),
    ),
    Scenario(
        "before any commit",
        "a repository without a commit: the first request is refused, and later a stop; both times work is salvaged",
        lambda: refused_at_first(interrupted_work()),
        features=1,
        is_committed=False,
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "part of a repository",
        "the project is a folder of a repository; SIGTERM while the agent works",
        interrupted_work,
        features=1,
        folder="part",
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "lifecycle stop",
        "a person asks for a stop by the command, and again when that did not answer; the one that is killed is that one",
        interrupted_work,
        features=1,
        happenings=(Happening(Act.ASK, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "a host's prompt",
        "a host has a session run, and one with a prompt of its own",
        features=2,
        command="host",
    ),
    Scenario(
        "a submodule",
        "SIGTERM while the agent works in a submodule; that work is salvaged in the submodule's repository",
        work_inside,
        features=1,
        submodule="inner",
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "a person's file",
        "the settings file goes while the agent works, and is put back; the audit log is full by then",
        one_feature,
        features=1,
        settings="max_failures = 5\n",
        happenings=(
            Happening(Act.FILL, "SessionLog.used: after", "full"),
            Happening(Act.REMOVE, "SessionLog.tool_finished: before", "removed"),
        ),
    ),
    Scenario(
        "within the walls",
        "the agent's commands run in the operating system's sandbox, which is proved first",
        one_feature,
        features=1,
        arguments=("--sandbox", "required"),
        claims=("guard.audit._write write",),
        is_walled=True,
    ),
    Scenario(
        "first start",
        "nothing of the kind ever ran on this machine: the agent's gate is proved first",
        features=1,
        is_first=True,
    ),
)
"""In the order in which points look for one."""

