"""Compiles a table to a `transitions` machine. The only importer of that library, and the keeper of its traps.

The library's own conveniences that would add edges, swallow cancellation or lose refusals are all off: no
automatic transitions, no queue, exactly one callback of each kind. See the comments where one of them bites.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, Protocol

from transitions import EventData, MachineError
from transitions.extensions.asyncio import AsyncMachine

from states.definition import validate
from states.errors import IllegalTransition
from states.facts import Facts
from states.guards import GUARDS, Guard
from states.table import FINAL, INITIAL, TABLE, Transition
from states.vocabulary import State, Trigger


class Host(Protocol):
    """Who owns the machine: it is told before each move, and does each state's work after it."""

    async def before_move(self, source: str, trigger: str, dest: str, facts: Facts) -> None:
        """Make the move durable. When this raises, the machine stays where it is."""

    async def entered(self, state: str) -> None:
        """Do the state's work and keep what it observed."""


class LifecycleMachine:
    """One run's machine. Fire triggers from one task only.

    Args:
        host: see `Host`.
        state: where the machine stands to begin with; entering is not repeated, so nothing runs.

    Raises:
        DefinitionError: the table is not a lifecycle.
    """

    def __init__(
        self,
        host: Host,
        *,
        state: str = INITIAL,
        table: Iterable[Transition] = TABLE,
        guards: Mapping[str, Guard] = GUARDS,
        states: Collection[str] = tuple(State),
        triggers: Collection[str] = tuple(Trigger),
        initial: str = INITIAL,
        final: Collection[str] = FINAL,
    ) -> None:
        rows = _validated(
            tuple(table), tuple(guards.items()), tuple(states), tuple(triggers), initial, frozenset(final)
        )
        self._final = frozenset(str(name) for name in final)
        self._model = _Model(host)
        self._rows = rows
        self._machine = _CancellableMachine(
            model=self._model,
            states=[
                {"name": str(name), "final": str(name) in self._final, "on_enter": ["on_enter"]} for name in states
            ],
            initial=str(state),
            transitions=[
                {
                    "trigger": str(row.trigger),
                    "source": str(row.source),
                    "dest": str(row.dest),
                    "conditions": [] if row.guard is None else [partial(_holds, guards[row.guard])],
                }
                for row in rows
            ],
            before_state_change=["on_move"],
            auto_transitions=False,
            send_event=True,
            queued=False,
        )

    @property
    def state(self) -> str:
        """Where the machine stands."""
        return self._model.state

    @property
    def is_final(self) -> bool:
        """Whether no trigger can move it any more."""
        return self.state in self._final

    def rebase(self, state: str) -> None:
        """Stand where the journal says, without entering: used to rebuild memory, never to move."""
        self._machine.set_state(str(state), self._model)

    async def fire(self, trigger: str, facts: Facts) -> None:
        """Move along the one edge that `trigger` and `facts` allow, and do the entered state's work.

        Raises:
            IllegalTransition: no edge applies; nothing moved.
        """
        source = self.state
        try:
            moved = await self._machine.events[str(trigger)].trigger(self._model, facts=facts)
        except MachineError as error:
            raise IllegalTransition(source, str(trigger)) from error
        except KeyError as error:
            if str(trigger) in self._machine.events:
                raise
            raise IllegalTransition(source, str(trigger)) from error
        if not moved:
            asked = tuple(
                row.guard for row in self._rows if (row.source, row.trigger) == (source, trigger) and row.guard
            )
            raise IllegalTransition(source, str(trigger), asked)


class _Model:
    """What the library moves. It has no method with a trigger's name: that would silently disable the trigger."""

    state: str

    def __init__(self, host: Host) -> None:
        self._host = host

    async def on_move(self, event: EventData) -> None:
        await self._host.before_move(
            self.state, event.event.name, _destination(event), event.kwargs["facts"]
        )

    async def on_enter(self, event: EventData) -> None:
        await self._host.entered(_destination(event))


class _CancellableMachine(AsyncMachine):
    """The library turns every CancelledError inside a trigger into a refusal; here a cancel goes through."""

    async def process_context(self, func: Callable[[], Awaitable[None]], model: object) -> bool:
        return bool(await self._process_async(func, model))


@lru_cache(maxsize=16)
def _validated(
    rows: tuple[Transition, ...],
    guards: tuple[tuple[str, Guard], ...],
    states: tuple[str, ...],
    triggers: tuple[str, ...],
    initial: str,
    final: frozenset[str],
) -> tuple[Transition, ...]:
    """A host that makes machines by the hundred has its table checked once."""
    return validate(rows, dict(guards), states=states, triggers=triggers, initial=initial, final=final)


def _destination(event: EventData) -> str:
    assert event.transition is not None, "callbacks run within a transition"
    assert event.transition.dest is not None, "the table has no internal transitions"
    return event.transition.dest


def _holds(guard: Guard, event: Any) -> bool:
    return guard(event.kwargs["facts"])
