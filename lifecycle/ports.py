"""What the lifecycle needs of the world, as protocols. The machine's code sees these and nothing behind them.

`lifecycle.runtime.local` binds them to asyncio, SQLite, the project directory and claude-agent-sdk. A host may
bind any of them to something of its own. Moments are seconds since the epoch, costs are US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from states.facts import Facts, FeatureCount, Outcome
from states.vocabulary import RunId, SessionId, SessionType

if TYPE_CHECKING:
    from lifecycle.events import Event
    from lifecycle.processes import ProcessIdentity


class Clock(Protocol):
    """Time. The only source of it."""

    def now(self) -> float:
        """The wall clock."""

    async def sleep_until(self, moment: float) -> None:
        """Return when the wall clock shows `moment`, also after it was set or the machine slept."""


class Chance(Protocol):
    """Identifiers and jitter. The only source of either."""

    def run_id(self) -> RunId:
        """A new id, unique for ever."""

    def session_id(self) -> SessionId:
        """A new UUID in canonical form."""

    def jitter(self) -> float:
        """A number in [0, 1)."""


class StopFlag(Protocol):
    """Whether somebody asked for a graceful stop. Setting it moves nothing; the states' work races it."""

    def is_set(self) -> bool: ...

    async def wait(self) -> None:
        """Return once a stop was asked for."""


# --- the journal ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """A transition about to be made."""

    source: str
    trigger: str
    dest: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class TransitionRecord:
    """A transition that was made. `seq` counts over the project's life, from 1, without gaps."""

    seq: int
    at: float
    run_id: RunId
    source: str
    trigger: str
    dest: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What CREATE made durable of a session.

    Attributes:
        prompt: what the agent is asked, as it was first sent.
        baseline: the workspace's, as plain data; a resumption takes its own.
        prompted: whether the prompt was ever handed to the agent.
        turns: turns used so far, over all resumptions.
        cost_usd: spent so far; only ever raised.
    """

    session_id: SessionId
    run_id: RunId
    number: int
    iteration: int
    type: SessionType
    prompt: str
    baseline: Mapping[str, Any]
    prompted: bool = False
    turns: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Note:
    """Something durable that is no transition: a recovery, an agent process, a restored file.

    Attributes:
        kind: one of `lifecycle.journal.notes.NoteKind`'s values.
        seq: the number of the transition that was last when it happened; 0 before the first.
        data: plain JSON-able data.
    """

    kind: str
    at: float
    data: Mapping[str, Any]
    run_id: RunId | None = None
    session_id: SessionId | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class MessageUsage:
    """The tokens of one message of the model, as far as it is told; a later report of the same id replaces it.

    Attributes:
        is_priced: whether the price table knows the model; otherwise the dearest price was taken.
        is_turn: whether it counts as a turn (a message of the main conversation, not of a side request).
    """

    message_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float
    is_priced: bool = True
    is_turn: bool = True


@dataclass(frozen=True, slots=True)
class Spent:
    """What a session, or a run, has used so far."""

    turns: int
    cost_usd: float


class Journal(Protocol):
    """The durable record. What a call has returned from survives any crash of this process.

    Every method raises `JournalUnavailable` when the record cannot be written or read, and then nothing of
    that call is kept; `JournalCorrupt` when what is there cannot be understood. A call that is cancelled is
    carried through first: after the `CancelledError` the record either has all of it or, if it failed, nothing.
    """

    @property
    def path(self) -> Path:
        """Where the record is, for messages."""

    async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
        """Make a transition durable, in one transaction with the session that its state planned, if any.

        A session id that is there already (a resumption) gets the new baseline; prompt, number, iteration, turns
        and cost stay.
        """

    async def last(self) -> TransitionRecord | None:
        """The newest transition, or None before the first."""

    async def transitions(self, *, after: int = 0) -> Sequence[TransitionRecord]:
        """All transitions with a `seq` above `after`, oldest first."""

    async def note(self, note: Note) -> None:
        """Make a note durable."""

    async def notes(self, *, kind: str | None = None, run_id: RunId | None = None) -> Sequence[Note]:
        """The notes, oldest first."""

    async def session(self, session_id: SessionId) -> SessionRecord | None:
        """What is kept of a session."""

    async def mark_prompted(self, session_id: SessionId) -> None:
        """The prompt is about to be handed over: from here on the conversation may exist."""

    async def record_usage(self, session_id: SessionId, usage: Sequence[MessageUsage]) -> Spent:
        """Keep the messages' usage and return the session's total, which never falls."""

    async def raise_cost(self, session_id: SessionId, cost_usd: float) -> Spent:
        """Raise the session's cost to at least `cost_usd`, the total that the agent reported."""

    async def spent(self, run_id: RunId) -> Spent:
        """What the run's sessions have used so far."""

    async def keep(self, name: str, content: bytes) -> None:
        """Keep `content` as the newest good copy of the project's file `name`; equal content is a no-op."""

    async def newest(self, name: str) -> bytes | None:
        """The newest copy kept, or None."""

    async def request_stop(self, run_id: RunId | None, owner: ProcessIdentity, by: str) -> None:
        """Ask the manager that is `owner` to stop. Void for any other, and for another run where one is named."""

    async def stop_requested(self, run_id: RunId | None, owner: ProcessIdentity) -> str | None:
        """Who asked this owner to stop, or None. Cheap enough to be asked several times a second."""

    async def close(self) -> None:
        """Let go of the file. Idempotent."""


# --- the project ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What the project says.

    Attributes:
        features: 0 of 0 when there is no list, or an empty one.
        context: what a new session should know, as Markdown for its prompt, bounded.
    """

    features: FeatureCount
    context: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a session did to the project since its baseline.

    Attributes:
        features: None where the list cannot be read.
        problem: why not, or None.
    """

    features: FeatureCount | None
    newly_passing: int = 0
    regressed: int = 0
    new_commits: int = 0
    has_new_list: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """One way in which the feature rule was broken.

    Attributes:
        rule: one of `lifecycle.workspace.comparison.Rule`'s values.
        features: the names of the first of them.
        count: how many there are.
        problem: what is wrong with a list that is none, else empty.
    """

    rule: str
    features: tuple[str, ...] = ()
    count: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ListCheck:
    """The feature list against the ledger: what stood when the session was created.

    Attributes:
        broken: what must be undone.
        appended: new features.
        claimed: features that pass and did not, new ones among them.
        regressed: features that passed and do not.
        mended: what the list must be instead of what it is, or None where it may stay.
    """

    broken: tuple[Broken, ...] = ()
    appended: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()
    mended: bytes | None = None


@dataclass(frozen=True, slots=True)
class Salvage:
    """Uncommitted work that is kept under a git reference.

    Attributes:
        ref: its full name.
        commit: what it points to.
        files: how many files differ from the commit that the session stood on.
        skipped: files that are not kept, and why.
        is_new: whether it was made now, not found.
        problem: why nothing could be kept, when `ref` is empty.
    """

    ref: str
    commit: str
    files: int = 0
    skipped: tuple[str, ...] = ()
    is_new: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SessionStory:
    """What is known of a session that left no notes of its own, for the entry that is made in their place.

    Attributes:
        at: when it ended.
        ending: how, in words.
        claimed, regressed: features by name.
        last_words: the last that the agent said.
        wrote_own: whether an earlier leg of the session left notes already.
    """

    session_id: SessionId
    number: int
    type: SessionType
    at: float
    ending: str
    claimed: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()
    last_words: str = ""
    wrote_own: bool = False


class Workspace(Protocol):
    """The project directory. The agent can write it, so nothing it says is trusted further than it is checked."""

    async def read(self) -> Reading:
        """Read the project for the next session.

        Raises:
            FeatureListInvalid: the list is there and is not one.
            ProjectInvalid: the directory cannot be worked in.
        """

    async def baseline(self) -> Mapping[str, Any]:
        """What stands now, as plain data that `changes` compares with."""

    async def changes(self, baseline: Mapping[str, Any]) -> Changes:
        """Compare with the baseline. An unreadable list is told in the result, not raised."""

    async def check_features(self, baseline: Mapping[str, Any]) -> ListCheck:
        """Compare the list with the baseline's, feature by feature. Writes nothing.

        Where the baseline has no list nothing is broken: the session is to write one.
        """

    async def without_claims(self, baseline: Mapping[str, Any]) -> bytes | None:
        """The list's content with every claim taken back that the baseline does not have; None without any."""

    async def replace_features(self, content: bytes) -> None:
        """Put this content in the list's place, atomically, whatever stands there."""

    async def compare_features(self, before: bytes) -> ListCheck:
        """What somebody made of the list since it was `before`; `mended` means nothing here."""

    async def leave_entry(
        self, baseline: Mapping[str, Any], story: SessionStory, kept: bytes | None = None
    ) -> tuple[bool, bytes | None]:
        """See to it that the session has exactly one entry in the progress file.

        Args:
            kept: the file's newest copy, to be put back when the file is gone.

        Returns:
            Whether the session wrote it itself, and the file's content for a safe copy, None where there is none.
        """

    async def salvage(
        self, baseline: Mapping[str, Any], session_id: SessionId, *, at: float, words: str
    ) -> Salvage | None:
        """Keep uncommitted and untracked work under a git reference; None where there is none, or no repository.

        The same work is kept once. Neither the files nor the index are touched.
        """

    async def feature_list_content(self) -> bytes | None:
        """The list's bytes if it is valid, else None."""

    async def restore_feature_list(self, kept: bytes | None, *, rehearse: bool = False) -> str | None:
        """Put the newest good copy back: `kept`, else one from git. Return where it came from, or None.

        Args:
            rehearse: only tell; write nothing.
        """

    async def set_aside_feature_list(self, *, rehearse: bool = False) -> str | None:
        """Move an invalid list out of the way, overwriting nothing. Return its new name, or None where none is there.

        Only asked for when the list is invalid.

        Args:
            rehearse: only tell; move nothing.
        """

    async def persons_files(self) -> Mapping[str, bytes | None]:
        """The files that a person writes and sessions only read: name -> content, None where no readable one stands."""

    async def restore_persons_file(self, name: str, content: bytes) -> str | None:
        """Put such a file back, whatever stands there. Return what kept it from that, or None."""


# --- the agent -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One leg of a session: from a fresh start, or from where the conversation was cut off.

    Attributes:
        prompt: the session's own prompt.
        may_resume: whether the prompt was handed over in an earlier leg, so that a conversation may exist.
        max_turns: turns left for this session, at least 1.
        budget_usd: what may still be spent in this run, or None.
        deadline: the moment to cut off, or None.
        time_left_s: what is left of the session's time, above 0, or None.
        news: what a resumption must be told of what happened after the cut, as Markdown; may be empty.
        run_id: the run that it belongs to, for the audit log; None where there is none.
    """

    session_id: SessionId
    type: SessionType
    prompt: str
    may_resume: bool
    max_turns: int
    budget_usd: float | None = None
    deadline: float | None = None
    time_left_s: float | None = None
    news: str = ""
    run_id: RunId | None = None


class SessionLog(Protocol):
    """Where the agent tells what must survive a crash, as it happens."""

    async def agent_started(self, process: ProcessIdentity | None) -> None:
        """The process runs and has spent nothing yet."""

    async def prompted(self) -> None:
        """The prompt is about to be handed over."""

    async def used(self, usage: Sequence[MessageUsage]) -> Spent:
        """Tokens were used."""

    async def reported_cost(self, cost_usd: float) -> Spent:
        """The agent told a total for the conversation."""

    async def tool_finished(self) -> str | None:
        """A tool's work is done, and no other runs. What it broke is undone at once; return what the agent must be told, or None."""

    def happened(self, event: Event) -> None:
        """Something notable: told to whoever watches, never raising."""


class Agent(Protocol):
    """The coding agent."""

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        """Work on the task until its turn is over, however that ends.

        When `stop` is set the agent is interrupted and the outcome's cause is STOP. When the task is cancelled
        the agent's processes are killed before `CancelledError` goes on. When this returns or raises, no process
        of the session is left.
        """

    async def reap(self, processes: Sequence[ProcessIdentity], sessions: Sequence[SessionId]) -> int:
        """End what a dead manager left behind; return how many processes were ended."""


class VerdictKind(StrEnum):
    """How a verification ended. Every value is stable on disk."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the person's own check said of a session's claims.

    Attributes:
        detail: why, in words for people.
        output: what it printed: bounded, redacted.
    """

    kind: VerdictKind
    detail: str
    output: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether it counts for `max_failures`: nobody could say whether the claims hold."""
        return self.kind in (VerdictKind.MISSING, VerdictKind.TIMED_OUT)


class Verifier(Protocol):
    """The person's own check of what the agent claims."""

    async def verify(self, session_id: SessionId, stop: StopFlag) -> Verdict:
        """Run the check; a set `stop` cuts it short. When this returns or raises, no process of it is left."""


class Prompts(Protocol):
    """What the agent is asked."""

    def session_prompt(self, session_type: SessionType, reading: Reading, explicit: str | None) -> str:
        """The prompt of a new session: the explicit one where there is one, else the type's own."""


class Observer(Protocol):
    """Somebody who watches. Emitting to it never raises into the lifecycle."""

    def __call__(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, bound. Without a verifier every claim counts."""

    clock: Clock
    chance: Chance
    journal: Journal
    workspace: Workspace
    agent: Agent
    prompts: Prompts
    stop: StopFlag
    observers: tuple[Observer, ...] = field(default=())
    verifier: Verifier | None = None

