"""What a state's work is given, and what it gives back."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.events import Event, Fault
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Note, Ports, SessionRecord
from states.facts import Facts
from states.observation import Observation


@dataclass(frozen=True, slots=True)
class WorkContext:
    """The facts that the state was entered with, and the world.

    Attributes:
        seq: the number of the transition that entered the state.
        max_turns: turns a session may take, over all its resumptions.
        session_timeout_s: how long a session may take, over all its resumptions, or None.
    """

    facts: Facts
    ports: Ports
    seq: int
    max_turns: int
    session_timeout_s: float | None = None

    def now(self) -> float:
        """The wall clock."""
        return self.ports.clock.now()

    async def note(self, kind: NoteKind, data: Mapping[str, Any]) -> None:
        """Make something durable that is no transition."""
        session = self.facts.session
        await self.ports.journal.note(
            Note(
                kind=kind, at=self.now(), data=data, run_id=self.facts.run_id,
                session_id=session.id if session else None, seq=self.seq,
            )
        )

    async def noted(self, kind: NoteKind) -> Note | None:
        """The newest note of this kind under this transition."""
        notes = await self.ports.journal.notes(kind=kind, run_id=self.facts.run_id)
        return next((note for note in reversed(notes) if note.seq == self.seq), None)

    async def note_once(self, kind: NoteKind, data: Mapping[str, Any]) -> bool:
        """Make a note unless this transition has one of this kind; return whether it was made."""
        if await self.noted(kind) is not None:
            return False
        await self.note(kind, data)
        return True

    def emit(self, event: Event) -> None:
        """Tell whoever watches. An observer that raises must not touch the lifecycle: it is told of, once."""
        emit(self.ports, event)


def emit(ports: Ports, event: Event) -> None:
    """Tell every observer; one that raises is reported to the others and never to the lifecycle."""
    broken: list[str] = []
    for observer in ports.observers:
        try:
            observer(event)
        except Exception:  # noqa: BLE001  # an observer is a host's code: anything can come, nothing may pass
            broken.append(traceback.format_exc(limit=-3))
    for detail in broken:
        fault = Fault(at=event.at, run_id=event.run_id, state="", error="an observer raised", detail=detail)
        for observer in ports.observers:
            try:
                observer(fault)
            except Exception:  # noqa: BLE001, S112  # the one that raised before raises again
                continue


@dataclass(frozen=True, slots=True)
class Done:
    """A state's work is done: what it observed, and the session it planned, to be made durable together."""

    observation: Observation
    session: SessionRecord | None = None


Work = Callable[[WorkContext], Awaitable[Done]]
