"""The small lives that the points are met in: what stands in the project, what the model does, what the world does.

Each ends `complete`, whatever comes in between, and takes a few seconds. A point is played in the first scenario that
crosses it, but for those that a later one claims.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lifecycle.offline.building import building
from lifecycle.offline.faults import rate_limited
from lifecycle.offline.handiwork import commit, insist
from lifecycle.offline.replies import Scenario as Model
from lifecycle.offline.replies import ToolUse
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.scenarios import first_then
from lifecycle.offline.script import Play, Script
from lifecycle.testing.crash_matrix.plan import Act, Happening

__all__ = ["SCENARIOS", "Scenario"]


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

    def prepare(self, top: Path, project: Path) -> None:
        """Put into the project's directory what stands there to begin with.

        Args:
            top: where the repository is to be.
        """
        if not self.features:
            return
        (project / LIST).write_text(plan(*[False] * self.features), encoding="utf-8")
        committing = (("add", "-A"), ("commit", "-qm", "The features")) if self.is_committed else ()
        who = (("config", "user.name", "A person"), ("config", "user.email", "person@localhost"))
        for command in (("init", "-q"), *who, ("config", "commit.gpgsign", "false"), *committing):
            subprocess.run(["git", *command], cwd=top, check=True)


LIST: Final = "feature_list.json"


def plan(*passes: bool, more: Sequence[str] = ()) -> str:
    """A feature list: that many features, and further ones that pass."""
    described = [(f"feature {number}", is_passing) for number, is_passing in enumerate(passes, 1)]
    described += [(each, True) for each in more]
    listed = [
        {"category": "functional", "description": each, "steps": ["look"], "passes": is_passing}
        for each, is_passing in described
    ]
    return json.dumps(listed, indent=2) + "\n"


def _bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command})


def _written(text: str) -> str:
    return f"printf '%s' {shlex.quote(text)} > {LIST}"


def _one_feature() -> Model:
    return building(1)


def _interrupted_work() -> Model:
    """Work that is staged, changed again and not committed; then some looking around; then a feature."""

    def play(request: ModelRequest) -> Play:
        yield from insist("", _bash("echo begun > draft.txt && git add draft.txt && echo more >> draft.txt"))
        for _ in range(3):
            yield _bash("sleep 0.5")
        yield from insist("", _bash(_written(plan(True))))
        yield from commit("One more feature")
        return "Done."

    return Script(play)


def _mischief() -> Model:
    """A session that drops a feature and adds another; then one that does as it should."""

    def play(request: ModelRequest) -> Play:
        look = yield from insist("", _bash(f"""grep -c '"passes": true' {LIST}; echo looked"""))
        if look.text.startswith("0"):
            yield _bash(_written(plan(False)))
            yield from insist("", _bash(_written(plan(True, False, more=["one more"]))))
            yield from commit("Half of it")
            return "Half of it."
        yield from insist("", _bash(f"""sed -i 's/"passes": false/"passes": true/' {LIST}"""))
        yield from commit("The rest")
        return "The rest."

    return Script(play)


def _bad_plan() -> Model:
    """An INIT session that writes no list, and another that does."""

    def play(request: ModelRequest) -> Play:
        look = yield from insist("", _bash("ls -A"))
        if "invalid-1" not in look.text:
            yield _bash(f"echo '[1,' > {LIST}")
            return "That is the list."
        yield from insist("", _bash(f"git init -q && {_written(plan(True))}"))
        yield from commit("The features")
        return "That is the list."

    return Script(play)


def _rate_limited() -> Model:
    return first_then(1, rate_limited(3600), building(1))


_STARTED = "NEW start DETECT: after"
_CONTINUED = "END ended CONTINUE: after"

SCENARIOS: Final = (
    Scenario(
        "two sessions",
        "an empty directory and a specification; INIT writes a list of one feature, the next session makes it pass",
        _one_feature,
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
        _interrupted_work,
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
        _rate_limited,
        features=1,
        claims=("Clock.sleep_until", "CONTINUE delay_elapsed DETECT"),
    ),
    Scenario(
        "rules broken",
        "the agent drops a feature and adds one; then a person adds one; then the list is damaged, and restored",
        _mischief,
        features=2,
        happenings=(
            Happening(Act.EDIT, "Workspace.read: before", "note features_changed: after", _CONTINUED),
            Happening(Act.DAMAGE, "Chance.session_id: before", "damage", "note features_changed: after"),
        ),
    ),
    Scenario(
        "a bad plan",
        "INIT leaves what is no list: it is set aside, and INIT comes again",
        _bad_plan,
        happenings=(Happening(Act.DISPLACE, "Workspace.leave_entry: before", "note session_saved: after"),),
    ),
    Scenario(
        "restored from git",
        "the list is damaged before there is any other copy of it than a commit",
        _one_feature,
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
        lambda: first_then(1, rate_limited(3600), _interrupted_work()),
        features=1,
        is_committed=False,
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "part of a repository",
        "the project is a folder of a repository; SIGTERM while the agent works",
        _interrupted_work,
        features=1,
        folder="part",
        happenings=(Happening(Act.STOP, "SessionLog.tool_finished: before", "RUN stop_requested END: after"),),
    ),
    Scenario(
        "lifecycle stop",
        "a person asks for a stop by the command, and again when that did not answer; the one that is killed is that one",
        _interrupted_work,
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
        "first start",
        "nothing of the kind ever ran on this machine: the agent's gate is proved first",
        features=1,
        is_first=True,
    ),
)
"""In the order in which points look for one."""

