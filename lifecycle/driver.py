"""One run's driver: fires the pending observation until the state is final. Nothing else fires triggers.

Owns the order that durability rests on: the journal first, then whoever watches, then the machine; and how a
driver that lost its memory (a crash, a cancel, an exception) gets it back from the record. It knows no rule of the
lifecycle: what follows from what is in the table, what it means in `states`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from lifecycle.errors import (
    ConfigurationError,
    FeatureListInvalid,
    JournalCorrupt,
    JournalForeign,
    JournalUnavailable,
    ProjectInvalid,
)
from lifecycle.events import Fault, Recovered, Transitioned
from lifecycle.journal.notes import NoteKind
from lifecycle.machine import LifecycleMachine
from lifecycle.ports import Move, Ports, TransitionRecord
from lifecycle.processes import this_process
from lifecycle.status import describe
from lifecycle.stopping import was_stopped
from lifecycle.work.context import Done, Work, WorkContext
from lifecycle.work.continue_ import continue_
from lifecycle.work.create import create
from lifecycle.work.detect import detect
from lifecycle.work.end import end
from lifecycle.work.run import run
from states.continue_ import rescheduled
from states.definition import BUILT_IN, Definition
from states.facts import Facts, Limits
from states.observation import Observation, failed, stop_requested
from states.vocabulary import Cause, State

WORKS: Mapping[str, Work] = MappingProxyType(
    {
        State.DETECT: detect,
        State.CREATE: create,
        State.RUN: run,
        State.END: end,
        State.CONTINUE: continue_,
    }
)


def ensure_works(definition: Definition, works: Mapping[str, Work], source: str = "works") -> None:
    """Check that something says what each state of the definition does.

    Args:
        works: those of the host.
        source: where they were given.

    Raises:
        ConfigurationError: a state has no work; names it.
    """
    given = {str(state) for state, work in {**WORKS, **works}.items() if callable(work)}
    missing = [str(state) for state in definition.states if state not in {definition.initial, *definition.final, *given}]
    if missing:
        entries = ", ".join(f'"{state}": ...' for state in missing)
        raise ConfigurationError(
            source,
            f"nothing says what {' and '.join(missing)} {'does' if len(missing) == 1 else 'do'}: give {{{entries}}}, each a"
            " function of a WorkContext, as `works=` of a SessionManager, or as `WORKS` beside the table",
        )


_HEEDING = frozenset({State.RUN, State.END, State.CONTINUE})
"""States whose work heeds stop requests itself; any other's, a host's too, the driver races with the flag."""

_JOURNAL_ERRORS = (JournalUnavailable, JournalCorrupt, JournalForeign)
"""Faults of the record itself: no transition can be made of them, so they go to the caller."""


class Driver:
    """Drives one project's runs, one after the other.

    Args:
        limits: the newest start's.
        max_turns: turns a session may take.
        session_timeout_s: how long one may take, or None.
        works: what each of a host's own states does; it may put its own in place of a built-in one.
        definition: the table that is driven.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        limits: Limits,
        max_turns: int,
        session_timeout_s: float | None = None,
        works: Mapping[str, Work] = MappingProxyType({}),
        definition: Definition = BUILT_IN,
    ) -> None:
        self._ports = ports
        self._limits = limits
        self._max_turns = max_turns
        self._session_timeout_s = session_timeout_s
        self._works = {**WORKS, **works}
        self._make_machine = partial(
            LifecycleMachine, self, table=definition.table, guards=definition.guards, states=definition.states,
            triggers=definition.triggers, initial=definition.initial, final=definition.final,
        )  # fmt: skip
        self._machine = self._make_machine()
        self._facts: Facts | None = None
        self._pending: Done | None = None
        self._seq = 0
        self._is_stale = True
        self._pause_in: Collection[str] = ()
        self._is_paused = False

    @property
    def state(self) -> str:
        """Where the machine stands; equal to the journal's last record whenever no trigger is under way."""
        return self._machine.state

    @property
    def facts(self) -> Facts | None:
        """The facts of the last transition, or None before the first."""
        return self._facts

    @property
    def is_under_way(self) -> bool:
        """Whether a run has begun and not reached SHUTDOWN."""
        return self.state not in (State.NEW, State.SHUTDOWN)

    async def load(self) -> None:
        """Rebuild memory from the journal: the last record is the state."""
        last = await self._ports.journal.last()
        self._machine.rebase(State.NEW if last is None else last.dest)
        self._facts = None if last is None else _under(self._limits, last.facts, last.dest)
        self._seq = 0 if last is None else last.seq
        if self._facts is not None and self._facts.prompt is None:
            self._facts = replace(self._facts, prompt=await self._asked_since())
        self._pending = None
        self._is_paused = False
        self._is_stale = False

    async def start(self, observation: Observation) -> None:
        """Begin a run, or go on with a suspended one, in a machine that stands before its start."""
        self._machine = self._make_machine()
        self._pending = Done(observation)

    def use(self, limits: Limits) -> None:
        """Let other limits apply from here on; a wait that has begun is reckoned anew from its beginning."""
        self._limits = limits
        if self._facts is not None:
            self._facts = _under(limits, self._facts, self.state)

    async def ask(self, prompt: str) -> None:
        """Give the run that is under way an explicit prompt, durably: it is work for the next new session."""
        context = self._context()
        self._is_stale = True  # until memory has it too: a cancel in between leaves it in the record alone
        await context.note(NoteKind.PROMPT, {"prompt": prompt})
        self._facts = replace(context.facts, prompt=prompt)
        self._is_stale = False

    async def ensure_loaded(self) -> None:
        """Load unless memory is known to agree with the journal."""
        if self._is_stale:
            await self.load()

    async def drive(self, *, pause_in: Collection[str] = ()) -> None:
        """Fire the pending observation until the state is final, or one of `pause_in` is entered.

        After an exception or a cancel, memory is rebuilt from the journal, so that both agree.

        Raises:
            JournalUnavailable: the record cannot be written; the machine stays where it is.
            JournalCorrupt: the record does not hold together.
        """
        await self.ensure_loaded()
        self._pause_in = pause_in
        try:
            if self._pending is None and self.is_under_way:
                await self._recover()
            while not self._machine.is_final and self._pending is not None:
                await self._machine.fire(self._pending.observation.trigger, self._pending.observation.facts)
        except BaseException:
            self._is_stale = True
            await self._rebuild()
            raise

    async def _asked_since(self) -> str | None:
        """The explicit prompt that came after the last transition, if one did."""
        assert self._facts is not None, "a run has begun"
        notes = await self._ports.journal.notes(kind=NoteKind.PROMPT, run_id=self._facts.run_id)
        return next((str(note.data["prompt"]) for note in reversed(notes) if note.seq == self._seq), None)

    async def _rebuild(self) -> None:
        """Load again, without letting a second cancel or a journal that is gone hide what is being raised."""
        loading = asyncio.ensure_future(self.load())
        try:
            await asyncio.shield(loading)
        except asyncio.CancelledError:
            loading.add_done_callback(_retrieve)
        except _JOURNAL_ERRORS:
            return  # still stale: the next drive loads, and tells

    async def _recover(self) -> None:
        """Do the present state's work again, as its predecessor died in it or paused before it."""
        if self._is_paused:
            self._is_paused = False
        else:
            context = self._context()
            await context.note(
                NoteKind.RECOVERED, {"state": str(self.state), "process": this_process().to_record()}
            )
            context.emit(
                Recovered(at=context.now(), run_id=context.facts.run_id, state=str(self.state), seq=self._seq)
            )
        await self._work(self.state)

    # --- the machine's host ---------------------------------------------------------------------------------

    async def before_move(self, source: str, trigger: str, dest: str, facts: Facts) -> None:
        """The journal has it before the machine moves."""
        done = self._pending
        session = None if done is None else done.session
        record = await self._ports.journal.append(Move(source, trigger, dest, facts), session)
        self._seq = record.seq
        self._facts = record.facts
        self._context().emit(_transitioned(record))

    async def entered(self, state: str) -> None:
        """The machine moved: what was pending is spent, and the new state's work begins."""
        self._pending = None
        if state in self._pause_in:
            self._is_paused = True
            return
        if state in self._works:
            await self._work(state)

    async def _work(self, state: str) -> None:
        context = self._context()
        work = self._works[state]
        try:
            self._pending = await (work(context) if state in _HEEDING else self._raced(work, context))
        except _JOURNAL_ERRORS:
            raise
        except (ConfigurationError, FeatureListInvalid, ProjectInvalid) as error:
            cause = Cause.CONFIGURATION if isinstance(error, ConfigurationError) else Cause.PROJECT
            self._pending = self._failed(context, cause, str(error))
        except OSError as error:
            self._pending = self._failed(context, Cause.OPERATING_SYSTEM, str(error))
        except Exception as error:  # noqa: BLE001  # a fault of ours: named, told and durable, never a crash
            context.emit(
                Fault(
                    at=context.now(), run_id=context.facts.run_id, state=str(state),
                    error=repr(error), detail=traceback.format_exc(),
                )
            )
            self._pending = self._failed(context, Cause.INTERNAL, repr(error))

    async def _raced(self, work: Work, context: WorkContext) -> Done:
        results: list[Done] = []

        async def keep_result() -> None:
            results.append(await work(context))

        if await was_stopped(keep_result(), context.ports.stop):
            return Done(stop_requested(context.facts, self.state, at=context.now()))
        return results[0]

    def _failed(self, context: WorkContext, cause: Cause, detail: str) -> Done:
        return Done(failed(context.facts, self.state, at=context.now(), cause=cause, detail=detail))

    def _context(self) -> WorkContext:
        assert self._facts is not None, "a run is under way"
        return WorkContext(
            facts=self._facts,
            ports=self._ports,
            seq=self._seq,
            max_turns=self._max_turns,
            session_timeout_s=self._session_timeout_s,
        )


def _under(limits: Limits, facts: Facts, state: str) -> Facts:
    """The newest start's limits apply to the run that it takes up."""
    if state == State.CONTINUE:
        return rescheduled(facts, limits)
    return replace(facts, limits=limits)


def _retrieve(task: asyncio.Future[None]) -> None:
    if not task.cancelled():
        task.exception()


def _transitioned(record: TransitionRecord) -> Transitioned:
    facts = record.facts
    is_over = record.dest == State.SHUTDOWN  # a host's state may stand between END's decision and that
    return Transitioned(
        at=record.at,
        run_id=facts.run_id,
        seq=record.seq,
        source=record.source,
        trigger=record.trigger,
        dest=record.dest,
        iteration=facts.counters.iterations,
        session_id=facts.session.id if facts.session else None,
        session_type=facts.session.type if facts.session else facts.session_type,
        features_passing=facts.features.passing if facts.features else None,
        features_total=facts.features.total if facts.features else None,
        cost_usd=facts.cost_usd,
        outcome=facts.outcome.cause if facts.outcome else None,
        detail=describe(facts) if is_over else facts.outcome.detail if facts.outcome else None,
        reason=facts.stop_reason if is_over else None,
        resume_at=facts.resume_at,
    )
