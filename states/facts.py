"""The frozen snapshot that guards see, and that the journal keeps with every transition.

`Facts` is all a run needs to go on: whoever has the last record of a run has the run. It owns no rule:
the modules named after the states fold observations into it, `states.decide` judges it, `states.guards`
answer yes or no. Moments are seconds since the epoch, durations are seconds, costs are US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from states.outcomes import OUTCOMES
from states.vocabulary import Cause, OutcomeKind, RunId, SessionId, SessionType, StopReason


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use. None means without limit; the newest start's limits apply."""

    continue_delay_s: float = 3.0
    max_iterations: int | None = None
    max_budget_usd: float | None = None
    max_duration_s: float | None = None
    max_failures: int | None = 5
    stall_after: int | None = 3


@dataclass(frozen=True, slots=True)
class FeatureCount:
    """How many features the project has, and how many of them pass."""

    total: int
    passing: int

    @property
    def is_complete(self) -> bool:
        """Whether everything passes; a project with no features is not complete."""
        return self.total > 0 and self.passing >= self.total


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work of a cycle ended.

    Attributes:
        cause: what made it; the kind follows from it.
        detail: words for people.
        until: when the other side said it would be ready again, or None.
        progressed: whether the agent got anything done before it ended.
    """

    cause: Cause
    detail: str = ""
    until: float | None = None
    progressed: bool = True

    @property
    def kind(self) -> OutcomeKind:
        """What the lifecycle does about it."""
        return OUTCOMES[self.cause].kind

    @property
    def is_failure(self) -> bool:
        """Whether it counts for `max_failures`."""
        return OUTCOMES[self.cause].is_failure


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation with the agent: the running one, or the last.

    Attributes:
        number: its place in the project's life, from 1.
        iteration: its place in the run, from 1.
        is_resumption: whether this cycle takes up a conversation that was cut off.
        is_asked: whether it answers an explicit prompt; such work is not done because every feature passes.
        is_over: whether the next cycle begins a fresh one.
        ran_s: how long it has run, over all its cycles.
        has_progressed: whether a feature passed newly or a commit was made in any of its cycles.
    """

    id: SessionId
    type: SessionType
    number: int
    iteration: int
    is_resumption: bool = False
    is_asked: bool = False
    is_over: bool = False
    has_progressed: bool = False
    ran_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What has happened so far. All but `sessions` are of this run.

    Attributes:
        iterations: new sessions that entered RUN.
        sessions: sessions over the project's whole life.
        failures: in a row, reset by a normal end.
        stalled: ended sessions in a row with no newly passing feature and no new commit.
        retries: cycles in a row that call for a backoff.
    """

    iterations: int = 0
    sessions: int = 0
    failures: int = 0
    stalled: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the lifecycle knows at one moment.

    Attributes:
        at: the moment of this snapshot.
        started_at: when the run began.
        suspended_s: how long it lay suspended (`interrupted`) since; does not count for `max_duration`.
        features: None where it cannot be told, which is never the same as "none left".
        prompt: an explicit prompt that no session has taken yet.
        has_run: whether the agent was to run in this cycle, so that END has something to save.
        outcome: this cycle's, once there is one.
        save_error: why END could not save everything, or None.
        verify_error: why END could not have the session's claims verified, or None.
        cost_usd: of this run.
        jitter: injected chance in [0, 1) that spreads backoffs.
        resume_at: when CONTINUE ends; set only there.
        stop_reason: set only in SHUTDOWN.
    """

    run_id: RunId
    at: float
    started_at: float
    limits: Limits = field(default_factory=Limits)
    counters: Counters = field(default_factory=Counters)
    suspended_s: float = 0.0
    features: FeatureCount | None = None
    session_type: SessionType | None = None
    session: Session | None = None
    prompt: str | None = None
    has_run: bool = False
    outcome: Outcome | None = None
    stop_requested: bool = False
    save_error: str | None = None
    verify_error: str | None = None
    cost_usd: float = 0.0
    jitter: float = 0.0
    resume_at: float | None = None
    stop_reason: StopReason | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every feature is known to pass."""
        return self.features is not None and self.features.is_complete

    @property
    def has_asked_work(self) -> bool:
        """Whether somebody asked for something that no session has finished yet."""
        is_open = self.session is not None and self.session.is_asked and self.has_open_session
        return self.prompt is not None or is_open

    @property
    def has_open_session(self) -> bool:
        """Whether a conversation was cut off and waits to be taken up again."""
        return self.session is not None and not self.session.is_over

    @property
    def deadline(self) -> float | None:
        """The moment `max_duration` is used up, or None."""
        if self.limits.max_duration_s is None:
            return None
        return self.started_at + self.suspended_s + self.limits.max_duration_s
