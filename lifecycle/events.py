"""What the lifecycle tells: one typed event per transition and per notable thing inside a state.

One vocabulary with two readers: `lifecycle.observe` logs them through structlog under `name`, and
`SessionManager.events()` hands them to hosts. Names are stable. No event carries a prompt, a key or a file's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        at: seconds since the epoch.
        run_id: the run it belongs to, or None before there is one.
    """

    name: ClassVar[str]
    level: ClassVar[str] = "info"
    at: float
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitioned(Event):
    """The machine moved, and the journal has it.

    Attributes:
        reason: the stop reason when `dest` is SHUTDOWN, else None.
        outcome: the cause of this cycle's outcome, once there is one.
        resume_at: when CONTINUE ends, when `dest` is CONTINUE.
    """

    name: ClassVar[str] = "transition"
    seq: int
    source: str
    trigger: str
    dest: str
    iteration: int
    session_id: str | None = None
    session_type: str | None = None
    features_passing: int | None = None
    features_total: int | None = None
    cost_usd: float = 0.0
    outcome: str | None = None
    detail: str | None = None
    reason: str | None = None
    resume_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """A manager found the run in a state that its predecessor died in, and does that state's work again."""

    name: ClassVar[str] = "recovered"
    level: ClassVar[str] = "warning"
    state: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoversReaped(Event):
    """Processes of a dead manager's session were ended before anything else ran."""

    name: ClassVar[str] = "leftovers_reaped"
    level: ClassVar[str] = "warning"
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Event):
    """Somebody asked for a graceful stop: a signal, `lifecycle stop`, or the host."""

    name: ClassVar[str] = "stop_requested"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationKept(Event):
    """The project's configuration file says something else than when the run that goes on began.

    The agent may have written it, so the run keeps to what it began with; flags, variables and a file named with
    `--config` apply at once, the project's file from the next run on. `settings` names what differs.
    """

    name: ClassVar[str] = "configuration_kept"
    level: ClassVar[str] = "warning"
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOn(Event):
    """The agent's commands run in the operating system's sandbox. `hosts` are those that they can reach."""

    name: ClassVar[str] = "sandbox_on"
    hosts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMissing(Event):
    """There is no sandbox here, so the agent's commands run without one; `problem` says why, and what to do."""

    name: ClassVar[str] = "sandbox_missing"
    level: ClassVar[str] = "warning"
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOff(Event):
    """The agent's commands run without a sandbox, because a setting says so."""

    name: ClassVar[str] = "sandbox_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationChanged(Event):
    """`app_spec.txt` was created or replaced by the one given with this start."""

    name: ClassVar[str] = "specification_changed"
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationUnread(Event):
    """The specification changed, and no session will read it: all `features` of the list, written for another one, pass."""

    name: ClassVar[str] = "specification_unread"
    level: ClassVar[str] = "warning"
    features: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureListRestored(Event):
    """An unreadable feature list was replaced by the newest good copy."""

    name: ClassVar[str] = "feature_list_restored"
    level: ClassVar[str] = "warning"
    problem: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureListSetAside(Event):
    """An INIT session left a list that is none; it was moved out of the way and INIT comes again."""

    name: ClassVar[str] = "feature_list_set_aside"
    level: ClassVar[str] = "warning"
    problem: str
    moved_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBroken(Event):
    """The agent broke the feature rule (removed, edited, reordered, ...) and it was undone.

    Attributes:
        features: the names of the first of them, comma-separated.
        count: how many there are; 0 where the list as a whole was broken.
        problem: what was wrong with a list that was none.
    """

    name: ClassVar[str] = "rule_broken"
    level: ClassVar[str] = "warning"
    session_id: str
    rule: str
    features: str
    count: int
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesAppended(Event):
    """The agent appended features, and they were kept."""

    name: ClassVar[str] = "features_appended"
    session_id: str
    features: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesChanged(Event):
    """Somebody changed the feature list between two sessions; it was accepted."""

    name: ClassVar[str] = "features_changed"
    changes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsFilesTouched(Event):
    """While a session ran, files that a person writes were removed, and put back, or were changed, and left so.

    Attributes:
        restored: which were put back, comma-separated.
        changed: which are not what they were: by the agent, or by a person meanwhile.
        problem: why a file could not be put back, or empty.
    """

    name: ClassVar[str] = "persons_files_touched"
    level: ClassVar[str] = "warning"
    session_id: str
    restored: str
    changed: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsVerified(Event):
    """The verification command judged what a session claims.

    Attributes:
        verdict: passed, failed, missing, timed_out or stopped. Unless it passed the claims were taken back.
    """

    name: ClassVar[str] = "claims_verified"
    session_id: str
    verdict: str
    claims: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSalvaged(Event):
    """Uncommitted work of a session that ended abnormally was kept under a git reference."""

    name: ClassVar[str] = "work_salvaged"
    session_id: str
    ref: str
    files: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSaved(Event):
    """END compared the project with the session's baseline."""

    name: ClassVar[str] = "session_saved"
    session_id: str
    newly_passing: int
    regressed: int
    new_commits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted(Event):
    """The agent's process runs; nothing was spent yet."""

    name: ClassVar[str] = "agent_started"
    session_id: str
    pid: int | None
    is_resumption: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(Event):
    """The agent uses a tool. `summary` is one short line, shortened and redacted."""

    name: ClassVar[str] = "tool_started"
    level: ClassVar[str] = "debug"
    session_id: str
    tool: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDenied(Event):
    """The gate refused a tool call."""

    name: ClassVar[str] = "tool_denied"
    level: ClassVar[str] = "warning"
    session_id: str
    tool: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRefused(Event):
    """A command in the sandbox asked for a host that it may not reach."""

    name: ClassVar[str] = "host_refused"
    level: ClassVar[str] = "warning"
    session_id: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Event):
    """The agent said something; the first line of it, shortened and redacted."""

    name: ClassVar[str] = "said"
    level: ClassVar[str] = "debug"
    session_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnUsed(Event):
    """A turn was accounted; the counts are the session's so far."""

    name: ClassVar[str] = "turn_used"
    level: ClassVar[str] = "debug"
    session_id: str
    turns: int
    cost_usd: float
    is_priced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnpriced(Event):
    """The price of a model that answered is unknown; what it uses is charged at the dearest. Told once a leg."""

    name: ClassVar[str] = "model_unpriced"
    level: ClassVar[str] = "warning"
    session_id: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRetried(Event):
    """The agent's own client retries a request to the model's service."""

    name: ClassVar[str] = "request_retried"
    level: ClassVar[str] = "warning"
    session_id: str
    attempt: int
    status: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitNoted(Event):
    """The service spoke of a rate limit; `resets_at` is when it ends, if it said so."""

    name: ClassVar[str] = "rate_limit_noted"
    level: ClassVar[str] = "warning"
    session_id: str
    status: str
    resets_at: float | None
    utilization: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsMissed(Event):
    """Told to one watcher only: it came too late or fell too far behind for `count` events, which are not kept any more."""

    name: ClassVar[str] = "events_missed"
    level: ClassVar[str] = "warning"
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """Something of ours failed; `error` names it, `detail` has its traceback."""

    name: ClassVar[str] = "fault"
    level: ClassVar[str] = "error"
    state: str
    error: str
    detail: str
