"""Drives managers through a scenario, one after the other as they die, and checks what they leave behind.

What is checked: every promise of `states.promises` on every transition in the journal, that the table allows each,
that numbers hold together over the project's life, what the `world` saw and its `witness` reckons for itself, and that
every run comes to SHUTDOWN once nothing goes wrong any more.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from lifecycle.driver import ensure_works
from lifecycle.errors import ConfigurationError, FeatureListInvalid, JournalUnavailable, ProjectInvalid
from lifecycle.journal.notes import NoteKind
from lifecycle.manager import SessionManager
from lifecycle.ports import Journal, TransitionRecord, VerdictKind
from lifecycle.status import RunResult
from lifecycle.testing.simulation.scenario import Scenario
from lifecycle.testing.simulation.world import Crash, Incarnation, OurFault, Violation, World
from lifecycle.work.context import Work
from states.definition import BUILT_IN, Definition
from states.explore import Step
from states.passage import Passage, is_own
from states.promises import always
from states.properties import Always
from states.vocabulary import RunId, SessionId, State, StopReason, Trigger

__all__ = ["Played", "Simulator", "steps_of"]

LIVES_MAX = 40
TURNS_MAX = 20_000
"""Of the event loop, in one scenario; those with the most transitions need some thousands."""
TRANSITIONS_MAX = 500


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a scenario.

    Attributes:
        transitions: as the journal has them.
        violation: what was broken, or None.
        faults: those that came to pass, in order.
        lives: how many managers it took.
    """

    scenario: Scenario
    transitions: tuple[TransitionRecord, ...]
    violation: Violation | None
    faults: tuple[str, ...]
    lives: int

    def __str__(self) -> str:
        return "\n".join(
            [
                *(f"  {r.seq:>3} {r.source} --{r.trigger}--> {r.dest}" for r in self.transitions),
                *(f"  fault: {fault}" for fault in self.faults),
                f"  broken: {self.violation}",
            ]
        )


class Simulator:
    """Plays scenarios. Use it as a context: it has a directory and an event loop with a time of its own.

    Args:
        definition: the table that the managers drive.
        works: what each of a host's own states does.
        world: makes the world; a test plants its mistakes there.
        manager: makes the managers.
    """

    def __init__(
        self,
        definition: Definition = BUILT_IN,
        works: Mapping[str, Work] = MappingProxyType({}),
        *,
        world: Callable[[Scenario], World] = World,
        manager: Callable[..., SessionManager] = SessionManager,
        promised: Sequence[Always] | None = None,
    ) -> None:
        ensure_works(definition, works)
        self._definition = definition
        self._works = works
        self._world = world
        self._manager = manager
        self._promised = tuple(always(definition)) if promised is None else tuple(promised)
        self._incarnation: Incarnation | None = None
        self._is_abandoned = False

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="lifecycle-simulation-")
        root = Path(self._directory.name)
        self._project, self._state = root / "project", root / "state"
        self._project.mkdir()
        (self._project / "app_spec.txt").write_text("Build it.\n")
        self._loop = _Loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # tasks of the dead
        # The library logs every exception that passes a trigger; a thousand simulated crashes need no log.
        self._log = logging.getLogger("transitions")
        self._log_level = self._log.level
        self._log.setLevel(logging.CRITICAL + 1)
        return self

    def __exit__(self, *error: object) -> None:
        self._log.setLevel(self._log_level)
        self._loop.close()
        self._directory.cleanup()

    def play(self, scenario: Scenario) -> Played:
        """Play a scenario to its end, or to its first violation. The same scenario always plays the same."""
        world = self._world(scenario)
        lives = 0
        self._loop.turns, self._is_abandoned = 0, False
        try:
            lives = self._loop.run_until_complete(self._play(world))
            violation = world.found[0] if world.found else None
        except Violation as found:
            violation = world.found[0] if world.found else found
            self._abandon()
        transitions = tuple(self._loop.run_until_complete(world.journal.transitions()))
        asked = self._loop.run_until_complete(_asked(world.journal))
        self._loop.run_until_complete(world.close())
        if violation is not None:
            violation = self._first(transitions, asked) or violation
            transitions = transitions[: violation.seq or TRANSITIONS_MAX]
        return Played(scenario, transitions, violation, tuple(world.fired), lives)

    def _abandon(self) -> None:
        """Leave nothing running of a world whose loop was stopped from inside."""
        self._loop.turns, self._is_abandoned = 0, True
        if self._incarnation is not None:
            self._incarnation.is_dead = True
        if left := asyncio.all_tasks(self._loop):
            for task in left:
                task.cancel()
            with suppress(Violation):  # what clings to life is left behind
                self._loop.run_until_complete(asyncio.wait(left, timeout=60.0))

    def _first(self, transitions: Sequence[TransitionRecord], asked: Mapping[int, str]) -> Violation | None:
        """The first transition that breaks something, where one does: what came after it is its consequence."""
        try:
            check_records(transitions[:TRANSITIONS_MAX], self._definition, self._promised, asked=asked)
        except Violation as found:
            return found
        return None

    async def _play(self, world: World) -> int:
        checked = 0
        ended: set[RunId] = set()
        for life in range(1, LIVES_MAX + 1):
            await self._live(world, ended)
            records = await world.journal.transitions()
            asked = await _asked(world.journal)
            check_records(records, self._definition, self._promised, asked=asked, after=checked)
            checked = len(records)
            if world.found:
                raise world.found[0]
            await world.witness.check(world.journal)
            if world.found:
                raise world.found[0]
            if len(ended) >= world.scenario.runs:
                await _check_claims(world)
                return life
        raise Violation("every run that has limits comes to SHUTDOWN", f"{LIVES_MAX} managers did not bring it there")

    async def _live(self, world: World, ended: set[RunId]) -> None:
        """One manager's life, to its death or to the end of what it has to do."""
        if self._is_abandoned:
            raise asyncio.CancelledError
        await world.begin_life()
        world.lives += 1
        settings = world.scenario.settings_of(world.lives)
        await world.witness.begin_life(world.journal, settings)
        incarnation = self._incarnation = Incarnation(world)
        incarnation.task = asyncio.ensure_future(self._drive(world, incarnation, settings, ended))
        try:
            await incarnation.task
        except Crash:
            return
        except asyncio.CancelledError:
            if not incarnation.was_cancelled:
                raise
        except (JournalUnavailable, OSError, OurFault):
            return  # told to whoever started it, who starts it again
        except (FeatureListInvalid, ProjectInvalid):
            world.mend()
        except Violation:
            raise
        except ConfigurationError as error:
            raise Violation("nothing is refused that was accepted before", str(error)) from error
        except Exception as error:
            raise Violation("nothing is raised that has no name", repr(error)) from error

    async def _drive(
        self, world: World, incarnation: Incarnation, settings: Mapping[str, Any], ended: set[RunId]
    ) -> None:
        manager = self._manager(
            self._project,
            state_dir=self._state,
            observers=[incarnation.observe],
            definition=self._definition,
            works=self._works,
            **{**incarnation.ports, **settings},
        )
        async with manager:
            incarnation.stop = manager.stop
            tries = 0
            while True:
                try:
                    result = await _run(manager, world)
                except (JournalUnavailable, asyncio.CancelledError):
                    # The same manager tries again, as a host may: it has rebuilt its memory from the record.
                    tries += 1
                    task = asyncio.current_task()
                    if task is not None and task.cancelling():
                        task.uncancel()
                    if incarnation.is_dead or tries > 1 or incarnation.is_full:
                        raise
                    continue
                if result.state == State.SHUTDOWN:
                    if result.stop_reason is not StopReason.INTERRUPTED:
                        ended.add(result.run_id)
                    return


async def _run(manager: SessionManager, world: World) -> RunResult:
    """What the host calls next: with a prompt where it has one, and session by session as long as one is to come."""
    world.asked += 1
    asks = world.scenario.asks
    if world.asked > max(asks, default=0):
        return await manager.run_until_shutdown()
    return await manager.run(f"ask {world.asked}" if world.asked in asks else None)


# --- what the journal says -----------------------------------------------------------------------------------


def steps_of(
    records: Sequence[TransitionRecord],
    definition: Definition = BUILT_IN,
    *,
    asked: Mapping[int, str] = MappingProxyType({}),
) -> Iterator[Step]:
    """A journal's transitions as steps, as the search has them; the first of them leaves a built-in state.

    Args:
        asked: explicit prompts that were given to a run under way, by the number of the transition that was last then.
    """
    last: TransitionRecord | None = None
    passage: Passage | None = None
    for record in records:
        source, before = record.source, record.facts
        if last is not None and last.run_id == record.run_id:
            prompt = last.facts.prompt or asked.get(last.seq)
            before = replace(last.facts, limits=record.facts.limits, prompt=prompt)
            source = last.dest if record.source == definition.initial else record.source
        rows = _rows(definition.table, record.source, record.trigger)
        rows = tuple(row for row in rows if row.guard is None or definition.guards[row.guard](record.facts))
        row = rows[0] if len(rows) == 1 and rows[0].dest == record.dest else None
        step = Step(source, before, record.trigger, record.facts, record.dest, row, len(rows), passage)
        yield step
        last, passage = record, step.onward()


def since(records: Sequence[TransitionRecord], after: int) -> int:
    """Where to begin so that `steps_of` has what comes after the first `after`, and knows what they follow."""
    begin = max(after - 1, 0)
    while 0 < begin < len(records) and is_own(records[begin].source):
        begin -= 1
    return begin


@lru_cache(maxsize=1024)
def _rows(table: tuple[Any, ...], source: str, trigger: str) -> tuple[Any, ...]:
    return tuple(row for row in table if (row.source, row.trigger) == (source, trigger))


def check_records(
    records: Sequence[TransitionRecord],
    definition: Definition,
    promised: Sequence[Always],
    *,
    asked: Mapping[int, str],
    after: int = 0,
) -> None:
    """Check every transition after the first `after`.

    Raises:
        Violation: the first that breaks something.
    """
    if len(records) > TRANSITIONS_MAX:
        raise Violation("every run that has limits comes to SHUTDOWN", f"{len(records)} transitions did not")
    begin = since(records, after)
    for record, step in zip(records[begin:], steps_of(records[begin:], definition, asked=asked), strict=True):
        if record.seq <= after:
            continue
        if record.seq > 1 and records[record.seq - 2].dest != record.source and record.source != definition.initial:
            raise Violation("every transition leaves where the one before led", f"transition {record.seq}", seq=record.seq)
        for promise in promised:
            if not promise.holds(step):
                raise Violation(promise.name, f"transition {record.seq}: {step}", seq=record.seq)
    begun = [record.facts.session for record in records if record.trigger == Trigger.CREATED]
    numbers = [session.number for session in begun if session is not None and not session.is_resumption]
    if numbers != list(range(1, len(numbers) + 1)):
        raise Violation("an iteration is counted exactly once: a new session that enters RUN", f"numbers {numbers}")


async def _asked(journal: Journal) -> dict[int, str]:
    return {note.seq: note.data["prompt"] for note in await journal.notes(kind=NoteKind.PROMPT)}


async def _check_claims(world: World) -> None:
    """What the person's check did not confirm does not pass, at the end of the leg in which it was claimed."""
    last: dict[object, tuple[bool, int]] = {}
    is_denied: dict[tuple[object, int], bool] = {}
    for note in await world.journal.notes():
        if note.kind == NoteKind.VERIFIED:
            is_denied[note.session_id, note.seq] = note.data["verdict"] != VerdictKind.PASSED
        elif note.kind == NoteKind.SESSION_SAVED and note.data["features"] is not None:
            last[note.session_id] = (is_denied.get((note.session_id, note.seq), False), note.data["features"]["passing"])
    for session_id, (was_denied, passing) in last.items():
        record = await world.journal.session(SessionId(str(session_id)))
        before = sum(record.baseline["features"] or ()) if record is not None else 0
        if was_denied and passing > before:
            raise Violation("a claim that the check did not confirm is taken back", f"{passing} pass, {before} passed")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while anything can run, and jumps to the next timer when nothing can.

    Attributes:
        turns: how often it went round; whoever goes round on the spot, waiting for what never comes, is stopped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self.turns = 0
        selector: Any = self._selector  # type: ignore[attr-defined]  # asyncio keeps it to itself
        select = selector.select

        def jump(timeout: float | None) -> Any:
            if timeout is None:
                raise Violation("a lifecycle never waits for nothing", "nobody would ever wake it")
            self.turns += 1
            if self.turns > TURNS_MAX:
                raise Violation("a lifecycle never turns on the spot", f"{TURNS_MAX} turns of the loop led nowhere")
            self._now += max(timeout, 0.0)
            return select(0)

        selector.select = jump

    def time(self) -> float:
        return self._now
