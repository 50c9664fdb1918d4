"""A bad night, made up but decided for real: what the pure core makes of a scripted agent, as a journal would hold it.

For the documents and for tests. The script says only how each leg of the agent ended; states, counters, waits and
the stop follow from the table and `decide`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Note, TransitionRecord
from states.continue_ import delay_elapsed
from states.create import created, plan
from states.detect import detected
from states.end import Saved, ended
from states.facts import Facts, FeatureCount, Limits, Outcome
from states.new import begin
from states.observation import Observation
from states.run import finished
from states.step import step
from states.vocabulary import Cause, RunId, SessionId, State

__all__ = ["bad_night"]

_RUN = RunId("5b1f6c1e-7d2a-4c57-9d43-0c2a1a9be021")
_EVENING = 1_767_900_600.0
_FEATURES = 24


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg of the agent: how long it worked, what that cost, how it ended, and whether a feature passed."""

    minutes: float
    cost_usd: float
    cause: Cause
    passes: int = 0
    is_crash: bool = False


_SCRIPT = (
    _Leg(11, 0.84, Cause.END_TURN),
    *(_Leg(19, 1.42, Cause.END_TURN, passes=1) for _ in range(6)),
    _Leg(8, 0.61, Cause.RATE_LIMIT),
    _Leg(14, 0.97, Cause.END_TURN, passes=1),
    _Leg(23, 1.66, Cause.PROCESS_KILLED, is_crash=True),
    _Leg(17, 1.20, Cause.END_TURN, passes=1),
    _Leg(26, 0.35, Cause.IDLE),
    _Leg(26, 0.31, Cause.IDLE),
    _Leg(3, 0.22, Cause.PROCESS_FAILED),
    _Leg(26, 0.30, Cause.IDLE),
    _Leg(3, 0.19, Cause.PROCESS_FAILED),
)


def bad_night() -> tuple[Sequence[TransitionRecord], Sequence[Note]]:
    """The records and notes of a run that went well until the agent began to hang."""
    night = _Night()
    night.drive()
    return night.records, night.notes


class _Night:
    def __init__(self) -> None:
        self.records: list[TransitionRecord] = []
        self.notes: list[Note] = []
        self._at = _EVENING
        self._state: str = State.NEW
        self._facts: Facts = begin(_RUN, at=self._at, limits=Limits()).facts
        self._legs = iter(_SCRIPT)
        self._passing = 0
        self._gained = 0

    def drive(self) -> None:
        self._move(begin(_RUN, at=self._at, limits=Limits()))
        while self._state != State.SHUTDOWN:
            self._move(self._observe())

    def _move(self, seen: Observation) -> None:
        dest = step(self._state, seen.trigger, seen.facts)
        number = len(self.records) + 1
        self.records.append(
            TransitionRecord(number, self._at, _RUN, self._state, seen.trigger, dest, seen.facts)
        )
        self._state, self._facts = dest, seen.facts

    def _observe(self) -> Observation:
        facts = self._facts
        match self._state:
            case State.DETECT:
                total = _FEATURES if facts.counters.iterations else 0
                self._at += 0.3
                return detected(facts, at=self._at, features=FeatureCount(total, self._passing))
            case State.CREATE:
                self._at += 0.1
                return created(facts, plan(facts, self._session_id()), at=self._at)
            case State.RUN:
                return self._run(next(self._legs))
            case State.END:
                self._at += 2.4
                saved = Saved(FeatureCount(_FEATURES, self._passing), has_progressed=self._gained > 0)
                return ended(facts, saved, at=self._at, jitter=0.5)
            case _:
                assert facts.resume_at is not None, "CONTINUE waits for a moment"
                self._at = facts.resume_at
                return delay_elapsed(facts, at=self._at)

    def _run(self, leg: _Leg) -> Observation:
        self._at += leg.minutes * 60
        self._passing += leg.passes
        self._gained = leg.passes or self._facts.counters.iterations == 1
        if leg.is_crash:
            self.notes.append(
                Note(NoteKind.RECOVERED, self._at, {"state": str(State.RUN)}, run_id=_RUN, seq=len(self.records))
            )
        until = self._at + 2_400 if leg.cause is Cause.RATE_LIMIT else None
        outcome = Outcome(leg.cause, until=until)
        return finished(self._facts, outcome, at=self._at, cost_usd=self._facts.cost_usd + leg.cost_usd)

    def _session_id(self) -> SessionId:
        return SessionId(f"{self._facts.counters.sessions + 1:08d}-0000-4000-8000-000000000000")
