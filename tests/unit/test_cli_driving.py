"""Driving a manager with signals, in this very process, with an agent that does as it is told."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from lifecycle import SessionManager
from lifecycle.cli.driving import Driven, drive, telling
from lifecycle.cli.exits import Exit, message_of, status_of_error, status_of_stop
from lifecycle.cli.signals import Interrupted, ending_on_signals
from lifecycle.errors import (
    AgentFailed,
    ConfigurationError,
    FeatureListInvalid,
    JournalCorrupt,
    JournalForeign,
    JournalUnavailable,
    ProjectBusy,
    ProjectInvalid,
)
from lifecycle.journal.memory import MemoryJournal
from lifecycle.observe.log import EventLog, configure
from lifecycle.ports import AgentTask, SessionLog, StopFlag
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace
from states.facts import Outcome
from states.vocabulary import Cause, StopReason

SIGNALS = [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
ME = os.getpid()


class Signalled(FakeAgent):
    """An agent in whose first session these signals arrive; it saves, if it is let, and then works as always."""

    def __init__(self, workspace: FakeWorkspace, *numbers: int) -> None:
        super().__init__(workspace)
        self._numbers = numbers
        self.was_cancelled = False

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        numbers, self._numbers = self._numbers, ()
        for number in numbers:
            os.kill(ME, number)
        if not numbers:
            return await super().run(task, log, stop)
        try:
            await stop.wait()
            await asyncio.sleep(60 if len(numbers) > 1 else 0)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return Outcome(Cause.STOP, "asked to stop")


class Bench:
    """A project in memory, and what drives it as the command line does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        self.directory.mkdir()
        (self.directory / "app_spec.txt").write_text("Build it.\n")
        self.state_dir = directory / "state"
        self.journal = MemoryJournal()
        self.workspace = FakeWorkspace()
        self.log_text = io.StringIO()

    def drive(self, agent: FakeAgent, *, opened: Callable[[], None] = lambda: None) -> Driven:
        log = configure("console", self.log_text)
        manager = SessionManager(
            self.directory, state_dir=self.state_dir, clock=FakeClock(), chance=FakeChance(), journal=self.journal,
            workspace=self.workspace, agent=agent, prompts=FakePrompts(), observers=[log],
        )  # fmt: skip
        try:
            return asyncio.run(drive(manager, log, opened=opened))
        finally:
            log.close(10)

    def moves(self) -> list[str]:
        return [f"{each.source} {each.dest}" for each in asyncio.run(self.journal.transitions())]


@pytest.fixture(autouse=True)
def _default_signals() -> Iterator[None]:
    """The harness itself may have been started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_finished_run_is_0(bench: Bench) -> None:
    driven = bench.drive(FakeAgent(bench.workspace))
    assert driven.status == 0
    assert driven.result is not None
    assert driven.result.stop_reason is StopReason.COMPLETE


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_the_first_signal_saves_suspends_and_is_a_status(number: int, status: int, bench: Bench) -> None:
    driven = bench.drive(Signalled(bench.workspace, number))
    assert driven.status == status
    assert driven.result is not None
    assert driven.result.stop_reason is StopReason.INTERRUPTED
    assert bench.moves()[-2:] == ["RUN END", "END SHUTDOWN"]
    assert f"stop requested by {signal.Signals(number).name}" in bench.log_text.getvalue()
    again = bench.drive(FakeAgent(bench.workspace))
    assert again.status == 0
    assert again.result is not None
    assert again.result.run_id == driven.result.run_id


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_before_the_run_has_begun_is_not_lost(number: int, status: int, bench: Bench) -> None:
    driven = bench.drive(FakeAgent(bench.workspace), opened=lambda: os.kill(ME, number))
    assert driven.status == status
    assert driven.result is not None
    assert driven.result.iterations == 0
    assert bench.drive(FakeAgent(bench.workspace)).status == 0


def test_a_second_signal_stops_at_once_without_a_transition_under_the_first_ones_status(bench: Bench) -> None:
    agent = Signalled(bench.workspace, signal.SIGINT, signal.SIGTERM)
    driven = bench.drive(agent)
    assert (driven.status, driven.result) == (130, None)
    assert agent.was_cancelled
    assert bench.moves()[-1] == "CREATE RUN"
    assert "stopped at once by a second signal after SIGINT" in bench.log_text.getvalue()
    assert bench.drive(FakeAgent(bench.workspace)).status == 0


def test_complete_beats_a_signal(bench: Bench) -> None:
    """The signal comes while the last feature is being built."""

    def build(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features = [True]
        os.kill(ME, signal.SIGTERM)
        return Outcome(Cause.END_TURN)

    driven = bench.drive(FakeAgent(bench.workspace, [build]))
    assert driven.status == 0


def test_a_signal_in_the_pause_stops_without_waiting_it_out(bench: Bench) -> None:
    """An hour to go: it is not waited for."""
    began_with = bench.workspace

    class Waiting(FakeClock):
        async def sleep_until(self, moment: float) -> None:
            os.kill(ME, signal.SIGTERM)
            await asyncio.sleep(3600)

    log = configure("console", bench.log_text)
    manager = SessionManager(
        bench.directory, state_dir=bench.state_dir, clock=Waiting(), chance=FakeChance(), journal=bench.journal,
        workspace=began_with, agent=FakeAgent(began_with), prompts=FakePrompts(), continue_delay=3600,
    )  # fmt: skip
    driven = asyncio.run(drive(manager, log))
    log.close(10)
    assert driven.status == 143
    assert bench.moves()[-1] == "CONTINUE SHUTDOWN"


def test_handlers_are_put_back(bench: Bench) -> None:
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    bench.drive(FakeAgent(bench.workspace))
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before


def test_sighup_stays_ignored_where_it_was(bench: Bench) -> None:
    """As `nohup` starts it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_on_signals():
            os.kill(ME, signal.SIGHUP)
            driven = bench.drive(FakeAgent(bench.workspace), opened=lambda: os.kill(ME, signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert driven.status == 0


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_outside_a_run_a_signal_ends_the_command_with_a_status(number: int, status: int) -> None:
    with pytest.raises(Interrupted) as caught, ending_on_signals():
        os.kill(ME, number)
    assert caught.value.status == status


# --- exit statuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (StopReason.COMPLETE, 0),
        (StopReason.MAX_ITERATIONS, 3),
        (StopReason.MAX_BUDGET, 3),
        (StopReason.MAX_DURATION, 3),
        (StopReason.STALLED, 4),
        (StopReason.FATAL, 5),
        (StopReason.MAX_FAILURES, 5),
        (StopReason.INTERRUPTED, 143),
    ],
)
def test_every_stop_reason_has_its_status(reason: StopReason, status: int) -> None:
    assert status_of_stop(reason) == status


def test_no_stop_reason_is_without_a_status() -> None:
    assert all(isinstance(status_of_stop(reason, "SIGINT"), Exit) for reason in StopReason)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("--model", "p"), 2),
        (ProjectInvalid(Path("p"), "p"), 2),
        (FeatureListInvalid(Path("p"), "p"), 2),
        (JournalCorrupt(Path("p"), "p"), 2),
        (JournalForeign(Path("p"), "p"), 2),
        (ProjectBusy(Path("p"), 1, "h", "s"), 6),
        (JournalUnavailable(Path("p"), "c"), 5),
        (AgentFailed("p"), 5),
        (OSError(28, "No space left on device"), 5),
        (ValueError("ours"), 5),
    ],
)
def test_every_error_has_its_status_and_one_line(error: Exception, status: int) -> None:
    assert status_of_error(error) == status
    assert message_of(error)
    assert "\n" not in message_of(error)


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_fault_of_ours_is_named_without_a_traceback(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(log: EventLog) -> Any:
        raise KeyError("surprise")

    with pytest.raises(click.exceptions.Exit) as caught, telling(form, "info") as log:
        broken(log)
    out, err = capfd.readouterr()
    assert caught.value.exit_code == 5
    assert out == ""
    assert "fault of ours" in err
    assert "KeyError('surprise')" in err
    assert ("Traceback" in err) is (form == "json")
