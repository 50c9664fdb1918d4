"""Decisions on record in time: however slow or broken the log is, it never ends on a call let through that was not."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.agent import on_record
from lifecycle.agent.gate import Gate
from lifecycle.agent.on_record import DecisionRecord
from lifecycle.agent.rules import ALLOWED, ToolCall, Verdict
from lifecycle.guard import AuditLog, Decision, read_audit

NO = Verdict(False, "no", "a.rule")


def call(number: int) -> ToolCall:
    return ToolCall("Bash", {"command": str(number)}, Path("/"))


class Log:
    """A real audit log behind a writer that is as slow, or as broken, as it is told to be."""

    def __init__(self, path: Path) -> None:
        self._log = AuditLog(path)
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def keep(self, call: ToolCall, verdict: Verdict) -> None:
        self.before()
        self._log.append(Decision(0.0, call.tool, call.input, verdict.allowed, verdict.rule, verdict.reason))
        self.after()

    def lines(self) -> list[tuple[str, str]]:
        """The command and the rule of each line."""
        return [(str(each.input["command"]), each.rule) for each in read_audit(self._log.path)]

    async def holds(self, lines: list[tuple[str, str]]) -> bool:
        """Wait for the lines, as long as a late writer may take."""
        until = time.monotonic() + 10.0
        while self.lines() != lines and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return self.lines() == lines


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl")


@pytest.fixture
def record(log: Log, monkeypatch: pytest.MonkeyPatch) -> DecisionRecord:
    monkeypatch.setattr(on_record, "TIMEOUT_S", 0.05)
    return DecisionRecord(log.keep)


class Held:
    """Holds up whoever comes first, until it is told to let go."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._comers = iter([self._free])

    def __call__(self) -> None:
        free = next(self._comers, None)
        if free is not None:
            assert free.wait(timeout=30)

    def let_go(self) -> None:
        self._free.set()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_line_that_comes_too_late_is_followed_by_one_that_says_so(log: Log, record: DecisionRecord, moment: str) -> None:
    held = Held()
    setattr(log, moment, held)
    with pytest.raises(TimeoutError):
        await record.put(call(1), ALLOWED)
    held.let_go()
    assert await log.holds([("1", "allowed"), ("1", "gate.audit")])
    await record.put(call(1), ALLOWED)
    assert log.lines()[2:] == [("1", "allowed")], "the same call is accepted again"


async def test_what_waits_behind_a_line_that_hangs_is_on_record_as_refused(log: Log, record: DecisionRecord) -> None:
    log.before = held = Held()
    outcomes = await asyncio.gather(record.put(call(1), ALLOWED), record.put(call(2), ALLOWED), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError, TimeoutError]
    held.let_go()
    assert await log.holds([("1", "allowed"), ("1", "gate.audit"), ("2", "gate.audit")])


async def test_a_refusal_that_comes_too_late_was_one(log: Log, record: DecisionRecord) -> None:
    log.before = held = Held()
    with pytest.raises(TimeoutError):
        await record.put(call(1), NO)
    held.let_go()
    assert await log.holds([("1", "a.rule")])


async def test_a_line_that_may_have_been_written_is_put_right_before_anything_is_let_through(
    log: Log, record: DecisionRecord
) -> None:
    """A full disk can take the whole line but for its end, and the log cannot tell."""
    faults = iter([True, True])

    def full() -> None:
        if next(faults, False):
            raise OSError(28, "No space left on device")

    log.after = full
    for number in (1, 2):  # the second one's own line is not even tried
        with pytest.raises(OSError, match="No space"):
            await record.put(call(number), ALLOWED)
    await record.put(call(3), ALLOWED)
    assert log.lines() == [("1", "allowed"), ("1", "gate.audit"), ("1", "gate.audit"), ("3", "allowed")]


async def test_a_cancel_refuses_too(log: Log) -> None:
    record = DecisionRecord(log.keep)
    log.before = held = Held()
    asking = asyncio.create_task(record.put(call(1), ALLOWED))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    held.let_go()
    assert await log.holds([("1", "allowed"), ("1", "gate.audit")])


async def test_at_the_very_limit_the_gate_and_its_record_say_the_same(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers that need about as long as they may, beside each other: whatever wins, both sides know."""
    limit_s = 0.01
    monkeypatch.setattr(on_record, "TIMEOUT_S", limit_s)
    chance = random.Random(1)
    log.before = lambda: time.sleep(limit_s * chance.uniform(0.0, 1.2))
    gate = Gate([lambda call: ALLOWED], record=log.keep)
    answers: dict[str, bool] = {}
    for number in range(0, 200, 2):
        pair = [{"tool_name": "Bash", "tool_input": {"command": str(each)}, "cwd": "/"} for each in (number, number + 1)]
        given = await asyncio.gather(*(gate.before_tool(data, str(data["tool_input"])) for data in pair))
        answers |= {str(data["tool_input"]["command"]): answer == {} for data, answer in zip(pair, given, strict=True)}
    log.before = lambda: None
    monkeypatch.setattr(on_record, "TIMEOUT_S", 10.0)
    assert await gate.before_tool({"tool_name": "Bash", "tool_input": {"command": "last"}, "cwd": "/"}, "last") == {}
    until = time.monotonic() + 10.0
    while len(last_word := dict(log.lines())) < len(answers) + 1 and time.monotonic() < until:
        await asyncio.sleep(0.01)  # late writers
    assert {command: rule == "allowed" for command, rule in last_word.items()} == {**answers, "last": True}
    assert len(set(answers.values())) == 2, "both came about"


async def test_a_log_that_hangs_holds_up_nothing_else_of_the_program(log: Log, record: DecisionRecord) -> None:
    """However many calls are refused meanwhile, no thread that others need waits for it."""
    going_on = threading.Event()
    log.before = going_on.wait
    before = set(threading.enumerate())
    try:
        for number in range(40):
            with pytest.raises(TimeoutError):
                await record.put(call(number), ALLOWED)
        assert len(set(threading.enumerate()) - before) == 1
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "done") == "done"
    finally:
        going_on.set()
    assert await log.holds([("0", "allowed"), ("0", "gate.audit"), *((str(number), "gate.audit") for number in range(1, 40))])


def test_a_loop_that_is_closed_by_then_is_not_told(log: Log, record: DecisionRecord) -> None:
    going_on = threading.Event()
    log.before = going_on.wait

    async def refused() -> None:
        with pytest.raises(TimeoutError):
            await record.put(call(1), ALLOWED)

    asyncio.run(refused())
    going_on.set()
    asyncio.run(record.put(call(2), NO))
    assert log.lines() == [("1", "allowed"), ("1", "gate.audit"), ("2", "a.rule")]
