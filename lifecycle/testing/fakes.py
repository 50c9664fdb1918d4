"""Fakes of the ports that behave like the real things, only faster: for hosts' tests and for our own.

None of them records calls for a test to assert on; ask the journal and the events instead, as one would in life.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lifecycle.errors import FeatureListInvalid
from lifecycle.ports import (
    AgentTask,
    Broken,
    Changes,
    ListCheck,
    MessageUsage,
    Reading,
    Salvage,
    SessionLog,
    SessionStory,
    StopFlag,
    Verdict,
    VerdictKind,
)
from lifecycle.processes import ProcessIdentity
from states.facts import FeatureCount, Outcome
from states.vocabulary import Cause, RunId, SessionId, SessionType


class FakeClock:
    """A wall clock that stands still until somebody sleeps; then it is that much later at once."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass, also backwards."""
        self._now += seconds

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(0)
        self._now = max(self._now, moment)


class FakeChance:
    """Ids that count up, and the same jitter always."""

    def __init__(self, jitter: float = 0.5) -> None:
        self._runs = 0
        self._sessions = 0
        self._jitter = jitter

    def run_id(self) -> RunId:
        self._runs += 1
        return RunId(f"run-{self._runs}")

    def session_id(self) -> SessionId:
        self._sessions += 1
        return SessionId(f"00000000-0000-4000-8000-{self._sessions:012d}")

    def jitter(self) -> float:
        return self._jitter


@dataclass
class FakeWorkspace:
    """A project in memory: a list of booleans, one a feature, and a count of commits.

    Attributes:
        features: None when there is no feature list.
        invalid: what is wrong with the list, while it is unreadable.
        entries: the sessions for which an entry was made in the progress file.
        notes: what sessions wrote there themselves.
        uncommitted: whether there is work that is not committed.
        salvages: the sessions whose uncommitted work was kept.
        persons: the files that a person wrote; None for one that is gone.
    """

    features: list[bool] | None = None
    commits: int = 0
    invalid: str | None = None
    set_aside: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    uncommitted: bool = False
    salvages: list[str] = field(default_factory=list)
    persons: dict[str, bytes | None] = field(default_factory=dict)

    def count(self) -> FeatureCount:
        """Total and passing."""
        features = self.features or []
        return FeatureCount(len(features), sum(features))

    async def read(self) -> Reading:
        self._check()
        return Reading(self.count(), f"{self.count().passing} features pass")

    async def baseline(self) -> Mapping[str, Any]:
        self._check()
        return {"features": self.features, "commits": self.commits, "notes": len(self.notes)}

    async def changes(self, baseline: Mapping[str, Any]) -> Changes:
        if self.invalid is not None:
            return Changes(None, new_commits=self.commits - baseline["commits"], problem=self.invalid)
        before, now = baseline["features"] or [], self.features or []
        return Changes(
            features=self.count(),
            newly_passing=sum(b and not a for a, b in zip(before, now, strict=False)) if before else 0,
            regressed=sum(a and not b for a, b in zip(before, now, strict=False)),
            new_commits=self.commits - baseline["commits"],
            has_new_list=not before and bool(now),
        )

    async def check_features(self, baseline: Mapping[str, Any]) -> ListCheck:
        return self._check_against(baseline["features"]) if baseline["features"] else ListCheck()

    async def compare_features(self, before: bytes) -> ListCheck:
        return self._check_against(json.loads(before))

    async def without_claims(self, baseline: Mapping[str, Any]) -> bytes | None:
        self._check()
        now, before = self.features or [], baseline["features"] or []
        before = before + [False] * (len(now) - len(before))
        reverted = [a and b for a, b in zip(now, before, strict=False)]
        return None if reverted == now else json.dumps(reverted).encode()

    async def replace_features(self, content: bytes) -> None:
        self.features, self.invalid = json.loads(content), None

    async def leave_entry(
        self, baseline: Mapping[str, Any], story: SessionStory, kept: bytes | None = None
    ) -> tuple[bool, bytes | None]:
        is_own = story.wrote_own or len(self.notes) > baseline["notes"]
        if is_own:
            self.entries = [session for session in self.entries if session != story.session_id]
        elif story.session_id not in self.entries:
            self.entries.append(story.session_id)
        return is_own, None

    async def salvage(
        self, baseline: Mapping[str, Any], session_id: SessionId, *, at: float, words: str
    ) -> Salvage | None:
        if not self.uncommitted:
            return None
        is_new = session_id not in self.salvages
        if is_new:
            self.salvages.append(session_id)
        return Salvage(f"refs/lifecycle/salvage/{session_id}-1", "0" * 40, files=1, is_new=is_new)

    async def feature_list_content(self) -> bytes | None:
        if self.invalid is not None or self.features is None:
            return None
        return json.dumps(self.features).encode()

    async def restore_feature_list(self, kept: bytes | None, *, rehearse: bool = False) -> str | None:
        if kept is None:
            return None
        if not rehearse:
            self.features, self.invalid = json.loads(kept), None
        return "the journal"

    async def set_aside_feature_list(self, *, rehearse: bool = False) -> str | None:
        if self.invalid is None:
            return None
        if rehearse:
            return f"feature_list.invalid-{len(self.set_aside) + 1}.json"
        self.set_aside.append(self.invalid)
        self.features, self.invalid = None, None
        return f"feature_list.invalid-{len(self.set_aside)}.json"

    async def persons_files(self) -> Mapping[str, bytes | None]:
        return dict(self.persons)

    async def restore_persons_file(self, name: str, content: bytes) -> str | None:
        self.persons[name] = content
        return None

    def _check_against(self, plan: list[bool]) -> ListCheck:
        """A feature is recognised by its place, so that all that can be broken is the list's length."""
        if self.invalid is not None:
            return ListCheck((Broken("malformed", problem=self.invalid),), mended=json.dumps(plan).encode())
        if self.features is None:
            return ListCheck((Broken("deleted"),), mended=json.dumps(plan).encode())
        now, missing = self.features, len(plan) - len(self.features)
        claimed = tuple(str(at) for at, a in enumerate(now) if a and not (at < len(plan) and plan[at]))
        regressed = tuple(str(at) for at, a in enumerate(now) if not a and at < len(plan) and plan[at])
        appended = tuple(str(at) for at in range(len(plan), len(now)))
        if missing <= 0:
            return ListCheck((), appended, claimed, regressed)
        names = tuple(str(at) for at in range(len(now), len(plan)))
        mended = json.dumps([*now, *plan[len(now) :]]).encode()
        return ListCheck((Broken("removed", names, missing),), appended, claimed, regressed, mended)

    def _check(self) -> None:
        if self.invalid is not None:
            from pathlib import Path

            raise FeatureListInvalid(Path("feature_list.json"), self.invalid, 1, 1)


class FakeVerifier:
    """Gives these verdicts, one a call, the last for ever; a set stop flag comes before all.

    Args:
        effect: what the check does to the project while it runs.
    """

    def __init__(self, *verdicts: Verdict, effect: Callable[[], None] = lambda: None) -> None:
        self._verdicts = list(verdicts) or [Verdict(VerdictKind.PASSED, "the verification succeeded")]
        self._effect = effect
        self.calls = 0

    async def verify(self, session_id: SessionId, stop: StopFlag) -> Verdict:
        if stop.is_set():
            return Verdict(VerdictKind.STOPPED, "the run was being stopped, so nothing was verified")
        self.calls += 1
        self._effect()
        return self._verdicts[min(self.calls, len(self._verdicts)) - 1]


class FakePrompts:
    """Prompts of one line."""

    def session_prompt(self, session_type: SessionType, reading: Reading, explicit: str | None) -> str:
        return explicit if explicit is not None else f"{session_type}: {reading.context}"


Behaviour = Callable[[AgentTask, FakeWorkspace], Outcome]
"""What a fake agent does in one leg: change the workspace, and end somehow."""


class FakeAgent:
    """An agent that does what it is told to, leg by leg, and keeps doing the last thing.

    Args:
        workspace: what it works on.
        behaviours: one a leg; a bare `Outcome` changes nothing.
        cost_usd: what each leg costs.
    """

    def __init__(
        self,
        workspace: FakeWorkspace,
        behaviours: Iterable[Behaviour | Outcome] = (),
        *,
        cost_usd: float = 0.01,
    ) -> None:
        self.tasks: list[AgentTask] = []
        self._workspace = workspace
        self._behaviours = list(behaviours) or [build]
        self._cost_usd = cost_usd

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        self.tasks.append(task)
        await log.agent_started(None)
        await log.prompted()
        await log.used([self._usage(len(self.tasks))])
        behaviour = self._behaviours[min(len(self.tasks), len(self._behaviours)) - 1]
        outcome = behaviour if isinstance(behaviour, Outcome) else behaviour(task, self._workspace)
        return Outcome(Cause.STOP, "asked to stop") if stop.is_set() else outcome

    async def reap(self, processes: Sequence[ProcessIdentity], sessions: Sequence[SessionId]) -> int:
        return 0

    def _usage(self, number: int) -> MessageUsage:
        return MessageUsage(
            message_id=f"message-{number}", model="fake", input_tokens=100, output_tokens=10,
            cache_read_tokens=0, cache_write_tokens=0, cost_usd=self._cost_usd,
        )


def build(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
    """What a good agent does: write a list of three features first, then make one of them pass and commit."""
    workspace.commits += 1
    if workspace.features is None:
        workspace.features = [False, False, False]
    elif False in workspace.features:
        workspace.features[workspace.features.index(False)] = True
    return Outcome(Cause.END_TURN, "done")


def idle(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
    """End the turn without having done anything."""
    return Outcome(Cause.END_TURN, "nothing done")
