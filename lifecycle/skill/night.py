"""The worked example of the references: one whole night on the real machine, with fakes around it.

Owns the story. The journal that it prints is the journal of the run, told in UTC.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from lifecycle.cli.chronicle import chronicle
from lifecycle.diagram.mermaid import render
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.paint import paint
from lifecycle.journal.memory import MemoryJournal
from lifecycle.manager import SessionManager
from lifecycle.ports import AgentTask, Note, TransitionRecord
from lifecycle.testing.fakes import (
    Behaviour,
    FakeAgent,
    FakeChance,
    FakeClock,
    FakePrompts,
    FakeWorkspace,
    build,
)
from states.facts import Outcome
from states.vocabulary import Cause

__all__ = ["PowerCut", "night_journal", "night_picture"]


class PowerCut(BaseException):
    """What ends a manager without asking it, as a SIGKILL would: nothing that runs can catch or save anything."""


def night_journal() -> str:
    """What `lifecycle history` prints of the night."""
    return "\n".join(chronicle(*_lived(), zone=UTC))


def night_picture() -> str:
    """The night painted on the lifecycle, in Mermaid."""
    records, recoveries = _lived()
    return render(diagram_of(name="a whole night"), paint(records, recoveries))


@cache
def _lived() -> tuple[tuple[TransitionRecord, ...], tuple[Note, ...]]:
    return asyncio.run(_night())


async def _night() -> tuple[tuple[TransitionRecord, ...], tuple[Note, ...]]:
    clock = FakeClock(_at("22:00").timestamp())
    journal, workspace, chance = MemoryJournal(), FakeWorkspace(), FakeChance()
    agent = FakeAgent(workspace, _story(clock), cost_usd=0.8)
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory) / "my-app"
        project.mkdir()
        (project / "app_spec.txt").write_text("A habit tracker.\n")

        def manager() -> SessionManager:
            return SessionManager(
                project,
                clock=clock,
                chance=chance,
                journal=journal,
                workspace=workspace,
                agent=agent,
                prompts=FakePrompts(),
                state_dir=Path(directory) / "state",
            )

        try:
            async with manager() as session:
                await session.run_until_shutdown()
        except PowerCut:
            clock.advance(25 * 60)  # until somebody, or systemd, starts it again
        async with manager() as session:
            await session.run_until_shutdown()
    return tuple(await journal.transitions()), tuple(await journal.notes(kind="recovered"))


def _story(clock: FakeClock) -> list[Behaviour]:
    """What the agent does, leg by leg."""

    def works(minutes: int) -> Behaviour:
        def leg(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
            clock.advance(minutes * 60)
            return build(task, workspace)

        return leg

    def limited(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        clock.advance(12 * 60)
        return Outcome(Cause.RATE_LIMIT, "the account's limit is used up", until=_at("03:00", day=6).timestamp())

    def cut_off(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        clock.advance(15 * 60)
        raise PowerCut

    return [works(25), works(40), limited, cut_off, works(20), works(30)]


def _at(time: str, *, day: int = 5) -> datetime:
    return datetime.fromisoformat(f"2026-01-{day:02}T{time}:00").replace(tzinfo=UTC)
