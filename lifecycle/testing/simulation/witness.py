"""What a simulated world knows by itself of what a manager should have on record, to compare with what it has.

It hears of every call of a port that was carried out, of everything that the agent spent and told, and of every fault that
was injected, and reckons from the contract alone: it shares no code with what it watches.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Journal, Move, Note, SessionRecord, Spent, TransitionRecord
from lifecycle.testing.fakes import FakeWorkspace
from states.facts import Limits
from states.vocabulary import Cause, RunId, SessionId, State, StopReason, Trigger

__all__ = ["Witness"]

FEATURE_LIST = "feature_list.json"
ALWAYS = 1_000_000

See = Callable[..., None]


class Witness:
    """Watches a world's managers, one life after the other.

    Args:
        see: told of what may not be.

    Attributes:
        told_usd: what was told of a session's cost: every message once, at its dearest report, and never less than the
            agent's own total.
        turns: the messages that were told, each once.
        explained: how often each cause can still be an outcome: what the agent answered, and what was injected.
    """

    def __init__(self, see: See, workspace: FakeWorkspace) -> None:
        self._see = see
        self._workspace = workspace
        self.told_usd: defaultdict[SessionId, float] = defaultdict(float)
        self.turns: Counter[SessionId] = Counter()
        self.explained: Counter[Cause] = Counter()
        self._dearest_usd: dict[tuple[SessionId, str], float] = {}
        self._telling: Callable[[], None] | None = None
        self._prompts: dict[SessionId, str] = {}
        self._runs: dict[SessionId, RunId] = {}
        self._asked: list[str] = []
        self._answered: set[str] = set()
        self._copies: dict[str, bytes] = {}
        self._limits = Limits()
        self._max_turns = 0
        self._to_recover: TransitionRecord | None = None
        self._doubt: tuple[str, tuple[Any, ...], Any] | None = None
        self._hears: Mapping[str, Callable[[tuple[Any, ...], Any], None]] = {
            "journal.append": self._appended,
            "journal.note": self._noted,
            "journal.record_usage": lambda given, result: self._heard(),
            "journal.raise_cost": lambda given, result: self._heard(),
            "journal.keep": lambda given, result: self._copies.__setitem__(given[0], given[1]),
            "journal.newest": self._read_copy,
            "workspace.restore_feature_list": self._restored,
        }

    # --- a manager's life -------------------------------------------------------------------------------------

    async def begin_life(self, journal: Journal, settings: Mapping[str, Any]) -> None:
        """A manager is about to be started with these settings; whether a torn write is there is seen now."""
        if self._doubt is not None:
            operation, given, result = self._doubt
            self._doubt = None
            if await _is_there(journal, operation, given, result):
                self._hears[operation](given, result)
        self._telling = None
        self._limits, self._max_turns = _limits(settings), settings.get("max_turns", 1000)
        last = await journal.last()
        self._to_recover = None if last is None or last.dest == State.SHUTDOWN else last

    async def check(self, journal: Journal) -> None:
        """Compare what the record says was used with what was; nothing is said while a write is in doubt."""
        if self._doubt is not None:
            return
        for session_id, told_usd in self.told_usd.items():
            record = await journal.session(session_id)
            if record is None:
                self._see("no session is lost", session_id)
            elif not _is_equal(record.cost_usd, told_usd):
                self._see("every cost is counted, and once", f"{record.cost_usd} of {told_usd} in {session_id}")
            elif record.turns != self.turns[session_id]:
                self._see("every turn is counted, and once", f"{record.turns} of {self.turns[session_id]}")
        last = await journal.last()
        if last is None or last.dest != State.SHUTDOWN:
            return
        spent, due_usd = await journal.spent(last.run_id), self._run_usd(last.run_id)
        if not _is_equal(spent.cost_usd, due_usd):
            self._see("a run costs what its sessions cost", f"{spent.cost_usd} of {due_usd}")
        if last.trigger == Trigger.ENDED and not _is_equal(last.facts.cost_usd, due_usd):
            self._see("a run is judged by what it has cost", f"{last.facts.cost_usd} of {due_usd}")

    # --- what happens -----------------------------------------------------------------------------------------

    def hears_of(self, operation: str) -> bool:
        """Whether this call tells anything."""
        return operation in self._hears

    def hear(self, operation: str, given: tuple[Any, ...], result: Any, *, is_torn: bool = False) -> None:
        """A call was carried out; a torn one may turn out not to have been."""
        if operation not in self._hears:
            return
        if is_torn:
            self._doubt = (operation, given, result)
        else:
            self._hears[operation](given, result)

    def explains(self, cause: Cause, *, times: int = 1) -> None:
        """Something happened that may be an outcome."""
        self.explained[cause] += times

    def tells(self, session_id: SessionId, message_id: str, cost_usd: float) -> None:
        """The agent is about to report a message; it counts from when the record has it, or the agent was answered."""

        def count() -> None:
            before = self._dearest_usd.get((session_id, message_id))
            self.turns[session_id] += before is None
            self.told_usd[session_id] += max(0.0, cost_usd - (before or 0.0))
            self._dearest_usd[session_id, message_id] = max(cost_usd, before or 0.0)

        self._telling = count

    def tells_total(self, session_id: SessionId, total_usd: float) -> None:
        """The agent is about to report what the whole conversation cost."""
        self._telling = lambda: self.told_usd.__setitem__(session_id, max(self.told_usd[session_id], total_usd))

    def was_answered(self) -> None:
        """What the agent told was taken: now it counts, wherever it went."""
        self._heard()

    def asked_to_run(self, session_id: SessionId, prompt: str, max_turns: int, budget_usd: float | None) -> None:
        """The agent is given a session."""
        if self._to_recover is not None:
            self._see(_RECOVERY, f"nobody noted it in {self._to_recover.dest}")
        if prompt != self._prompts.get(session_id):
            self._see("a session is asked what was planned for it", prompt)
        if max_turns != self._max_turns - self.turns[session_id]:
            self._see("a session gets the turns that are left", f"{max_turns} after {self.turns[session_id]}")
        limit_usd = self._limits.max_budget_usd
        left_usd = None if limit_usd is None else limit_usd - self._run_usd(self._runs[session_id])
        if (budget_usd is None) != (left_usd is None) or not _is_equal(budget_usd or 0.0, left_usd or 0.0):
            self._see("a session gets the budget that is left", f"{budget_usd} of {left_usd}")

    # --- what follows from it ---------------------------------------------------------------------------------

    def _appended(self, given: tuple[Any, ...], result: Any) -> None:
        move: Move = given[0]
        session: SessionRecord | None = given[1] if len(given) > 1 else None
        facts = move.facts
        if self._to_recover is not None:
            self._see(_RECOVERY, f"nobody noted it in {self._to_recover.dest}")
        if facts.limits != self._limits:
            self._see("the newest start's limits decide", f"{facts.limits} instead of {self._limits}")
        if move.trigger in (Trigger.FINISHED, Trigger.FAILED) and facts.outcome is not None:
            self._is_explained(facts.outcome.cause)
        if move.trigger == Trigger.START and facts.prompt is not None and facts.prompt not in self._asked:
            self._asked.append(facts.prompt)
        if session is not None and session.session_id not in self._prompts:
            self._prompts[session.session_id] = session.prompt
            self._runs[session.session_id] = facts.run_id
            self._begins(session.prompt)
        if move.dest == State.SHUTDOWN and facts.stop_reason is not StopReason.INTERRUPTED:
            if self._asked and facts.stop_reason is StopReason.COMPLETE:
                self._see(_PROMPT, f"complete without an answer to {self._asked[0]}")
            self._asked.clear()

    def _begins(self, prompt: str) -> None:
        if prompt in self._answered:
            self._see(_PROMPT, f"{prompt} is asked again")
        elif prompt in self._asked:
            self._asked.remove(prompt)
            self._answered.add(prompt)
        elif self._asked:
            self._see(_PROMPT, f"{self._asked[0]} waits, and {prompt!r} is asked")

    def _is_explained(self, cause: Cause) -> None:
        limits = self._limits
        has_reason = {
            Cause.DEADLINE: limits.max_duration_s is not None,
            Cause.BUDGET: limits.max_budget_usd is not None,
            Cause.MAX_TURNS: self._max_turns < 1000,
        }
        if self.explained[cause] > 0:
            self.explained[cause] -= 1
        elif not has_reason.get(cause, False):
            self._see("a crash alone changes no outcome", f"nothing that happened explains {cause.value!r}")

    def _noted(self, given: tuple[Any, ...], result: Any) -> None:
        note: Note = given[0]
        if note.kind == NoteKind.PROMPT:
            self._asked.append(note.data["prompt"])
        elif note.kind == NoteKind.RECOVERED and self._to_recover is not None:
            due = self._to_recover
            if (note.data["state"], note.seq) == (due.dest, due.seq):
                self._to_recover = None
        elif note.kind == NoteKind.SESSION_SAVED:
            left = self._list()
            if left is not None and self._copies.get(FEATURE_LIST) != left:
                self._see("what a session leaves is kept before it counts as saved", repr(left))

    def _read_copy(self, given: tuple[Any, ...], result: Any) -> None:
        if result != self._copies.get(given[0]):
            self._see("what was kept last is what is read", f"{given[0]}: {result!r}")

    def _restored(self, given: tuple[Any, ...], result: Any) -> None:
        is_rehearsal = True in given[1:]
        if result is not None and not is_rehearsal and self._list() != self._copies.get(FEATURE_LIST):
            self._see("the newest good list is what is restored", repr(self._list()))

    def _list(self) -> bytes | None:
        features = self._workspace.features
        return json.dumps(features).encode() if features and self._workspace.invalid is None else None

    def _heard(self) -> None:
        if self._telling is not None:
            self._telling()
            self._telling = None

    def _run_usd(self, run_id: RunId) -> float:
        return sum(self.told_usd[session_id] for session_id, run in self._runs.items() if run == run_id)


_RECOVERY = "work that is taken up again after a crash is on record as a recovery"
_PROMPT = "an explicit prompt is given to exactly one session, the next new one"


def _limits(settings: Mapping[str, Any]) -> Limits:
    """What these settings allow, with the documented defaults."""
    given = {name: None if value == "none" else value for name, value in settings.items()}
    return Limits(
        continue_delay_s=settings.get("continue_delay", 3.0),
        max_iterations=given.get("max_iterations"),
        max_budget_usd=given.get("max_budget_usd"),
        max_duration_s=given.get("max_duration"),
        max_failures=given.get("max_failures", 5),
        stall_after=given.get("stall_after", 3),
    )


async def _is_there(journal: Journal, operation: str, given: tuple[Any, ...], result: Any) -> bool:
    """Whether a write that was torn is in the record."""
    if operation == "journal.append":
        return bool(await journal.transitions(after=result.seq - 1))
    if operation == "journal.note":
        return any((note.kind, note.data) == (given[0].kind, given[0].data) for note in await journal.notes())
    if operation == "journal.keep":
        return bool(await journal.newest(given[0]) == given[1])
    if operation in ("journal.record_usage", "journal.raise_cost"):
        record = await journal.session(given[0])
        return record is not None and Spent(record.turns, record.cost_usd) == result
    return False


def _is_equal(one: float, other: float) -> bool:
    return abs(one - other) < 1e-9
