"""Both journals pass the cases of the port, and agree with each other whatever is done to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lifecycle.journal.memory import MemoryJournal
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Journal, Note
from lifecycle.processes import ProcessIdentity
from lifecycle.testing.journal_conformance import JournalConformance, message, move, planned
from states.errors import LifecycleError
from states.vocabulary import RunId, SessionId, State


class TestMemoryJournal(JournalConformance):
    @pytest.fixture
    async def journal(self) -> AsyncIterator[Journal]:
        yield MemoryJournal()


class TestSqliteJournal(JournalConformance):
    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        journal = await SqliteJournal.open(tmp_path / "journal.sqlite3")
        yield journal
        await journal.close()


RUNS = st.sampled_from([RunId("run-1"), RunId("run-2")])
SESSIONS = st.sampled_from([SessionId(f"session-{number}") for number in range(3)])
STATES = st.sampled_from(list(State))
OWNERS = st.builds(
    ProcessIdentity, pid=st.integers(1, 2), start=st.integers(1, 2), boot_id=st.just("b"), host=st.just("h")
)
COSTS = st.floats(0, 10) | st.just(float("nan"))
MESSAGES = st.lists(
    st.builds(
        lambda number, cost_usd, is_turn: message(f"message-{number}", cost_usd, is_turn=is_turn),
        st.integers(0, 3),
        COSTS,
        st.booleans(),
    ),
    max_size=3,
)
NAMES = st.sampled_from(["feature_list.json", "other"])
PLAIN = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3)


class Twins(RuleBasedStateMachine):
    """The same calls on both; every answer and every refusal is the same, also after the file was opened anew."""

    @initialize()
    def open(self) -> None:
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "journal.sqlite3"
        self.runner = asyncio.Runner()
        self.memory = MemoryJournal()
        self.sqlite = self.runner.run(SqliteJournal.open(self.path))

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.sqlite.close())
            self.runner.close()
            self.directory.cleanup()

    def both(self, name: str, *args: Any, **more: Any) -> None:
        answers = []
        for journal in (self.memory, self.sqlite):
            try:
                answer = self.runner.run(getattr(journal, name)(*args, **more))
            except (LifecycleError, LookupError, ValueError) as error:
                answer = type(error)
            answers.append(list(answer) if isinstance(answer, list) else answer)
        assert answers[0] == answers[1], (name, args, more)

    @rule(source=STATES, dest=STATES, run=RUNS, session=SESSIONS | st.none(), at=st.floats(0, 1e9), baseline=PLAIN)
    def append(self, source: State, dest: State, run: RunId, session: Any, at: float, baseline: Any) -> None:
        record = None if session is None else planned(session, run)
        self.both("append", move(source, dest, run, at=at), record)

    @rule(dest=STATES, run=RUNS)
    def append_a_start(self, dest: State, run: RunId) -> None:
        self.both("append", move(State.NEW, dest, run))

    @rule(session=SESSIONS, usage=MESSAGES)
    def record_usage(self, session: SessionId, usage: Any) -> None:
        self.both("record_usage", session, usage)

    @rule(session=SESSIONS, cost_usd=COSTS)
    def raise_cost(self, session: SessionId, cost_usd: float) -> None:
        self.both("raise_cost", session, cost_usd)

    @rule(session=SESSIONS)
    def mark_prompted(self, session: SessionId) -> None:
        self.both("mark_prompted", session)

    @rule(kind=st.sampled_from(["fault", "warning"]), data=PLAIN, run=RUNS | st.none(), seq=st.integers(0, 3))
    def note(self, kind: str, data: Any, run: RunId | None, seq: int) -> None:
        self.both("note", Note(kind, 1.0, data, run, None, seq))

    @rule(name=NAMES, content=st.binary(max_size=20))
    def keep(self, name: str, content: bytes) -> None:
        self.both("keep", name, content)

    @rule(run=RUNS | st.none(), owner=OWNERS, by=st.sampled_from(["a", "b"]))
    def request_stop(self, run: RunId | None, owner: ProcessIdentity, by: str) -> None:
        self.both("request_stop", run, owner, by)

    @rule(run=RUNS | st.none(), owner=OWNERS)
    def stop_requested(self, run: RunId | None, owner: ProcessIdentity) -> None:
        self.both("stop_requested", run, owner)

    @rule(after=st.integers(-1, 6), session=SESSIONS, name=NAMES, run=RUNS, kind=st.sampled_from(["fault", None]))
    def look(self, after: int, session: SessionId, name: str, run: RunId, kind: str | None) -> None:
        self.both("transitions", after=after)
        self.both("session", session)
        self.both("newest", name)
        self.both("spent", run)
        self.both("notes", kind=kind, run_id=run)

    @rule()
    def open_anew(self) -> None:
        self.runner.run(self.sqlite.close())
        self.sqlite = self.runner.run(SqliteJournal.open(self.path))

    @invariant()
    def both_stand_at_the_same_place(self) -> None:
        if hasattr(self, "runner"):
            self.both("last")


TestTwins = Twins.TestCase
TestTwins.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
