"""The cases that every `lifecycle.ports.Journal` must pass. Subclass, give it a journal, and pytest runs them.

    class TestMyJournal(JournalConformance):
        @pytest.fixture
        async def journal(self, tmp_path):
            journal = await MyJournal.open(tmp_path)
            yield journal
            await journal.close()
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

from lifecycle.errors import JournalUnavailable
from lifecycle.ports import Journal, MessageUsage, Move, Note, SessionRecord, Spent
from lifecycle.processes import ProcessIdentity
from states.facts import Counters, Facts, FeatureCount, Limits, Outcome, Session
from states.vocabulary import Cause, RunId, SessionId, SessionType, State, StopReason, Trigger

RUN = RunId("run-1")
OTHER_RUN = RunId("run-2")
SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000001")
OTHER_SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000002")
OWNER = ProcessIdentity(pid=4711, start=100, boot_id="boot", host="here")


def facts(run_id: RunId = RUN, *, at: float = 1000.0, **more: Any) -> Facts:
    """Facts with little in them."""
    return Facts(run_id=run_id, at=at, started_at=1000.0, **more)


def move(source: str, dest: str, run_id: RunId = RUN, *, trigger: str = Trigger.START, **more: Any) -> Move:
    """A transition about to be made."""
    return Move(source, trigger, dest, facts(run_id, **more))


def start(run_id: RunId = RUN, **more: Any) -> Move:
    """A run's first transition."""
    return move(State.NEW, State.DETECT, run_id, **more)


def planned(session_id: SessionId = SESSION, run_id: RunId = RUN, **more: Any) -> SessionRecord:
    """A session as CREATE plans it."""
    return SessionRecord(
        session_id=session_id,
        run_id=run_id,
        number=1,
        iteration=1,
        type=SessionType.INIT,
        prompt="Write the list.",
        baseline={"head": "a" * 40},
        **more,
    )


def message(message_id: str, cost_usd: float = 0.25, *, is_turn: bool = True, **more: Any) -> MessageUsage:
    """A message's usage."""
    return MessageUsage(message_id, "claude-sonnet", 10, 20, 30, 40, cost_usd, is_turn=is_turn, **more)


async def with_session(journal: Journal, session_id: SessionId = SESSION, run_id: RunId = RUN) -> None:
    """Append what makes a session durable, as a run of its own does."""
    await journal.append(start(run_id), planned(session_id, run_id))


@pytest.mark.asyncio
class JournalConformance:
    """Subclass it with a fixture `journal` that gives an empty journal."""

    @pytest.fixture
    async def journal(self) -> Any:
        """An empty journal; yours, returned or yielded."""
        raise NotImplementedError("give a journal to test")

    # --- transitions -----------------------------------------------------------------------------------------

    async def test_an_empty_journal_has_nothing(self, journal: Journal) -> None:
        assert await journal.last() is None
        assert list(await journal.transitions()) == []
        assert list(await journal.notes()) == []
        assert await journal.session(SESSION) is None
        assert await journal.newest("feature_list.json") is None
        assert await journal.spent(RUN) == Spent(0, 0.0)
        assert await journal.stop_requested(RUN, OWNER) is None

    async def test_what_was_appended_is_the_last_record(self, journal: Journal) -> None:
        record = await journal.append(start(at=1234.5))
        assert await journal.last() == record
        assert (record.seq, record.at, record.run_id) == (1, 1234.5, RUN)
        assert (record.source, record.trigger, record.dest) == ("NEW", "start", "DETECT")
        assert record.facts == facts(at=1234.5)

    async def test_states_come_back_as_plain_strings(self, journal: Journal) -> None:
        """A host's own states have no place in our enumerations, so nobody gets members of them."""
        appended = await journal.append(start())
        for record in (appended, await journal.last()):
            assert record is not None
            assert {type(record.source), type(record.trigger), type(record.dest)} == {str}

    async def test_numbers_have_no_gaps_over_the_projects_life(self, journal: Journal) -> None:
        for number in range(1, 4):
            run = RunId(f"run-{number}")
            await journal.append(start(run))
            await journal.append(move(State.DETECT, State.END, run))
            await journal.append(move(State.END, State.SHUTDOWN, run))
        assert [record.seq for record in await journal.transitions()] == list(range(1, 10))

    async def test_transitions_come_oldest_first_and_above_the_number_asked_for(self, journal: Journal) -> None:
        appended = [await journal.append(start(RunId(f"run-{number}"))) for number in range(5)]
        assert list(await journal.transitions()) == appended
        assert list(await journal.transitions(after=2)) == appended[2:]
        assert list(await journal.transitions(after=5)) == []
        assert list(await journal.transitions(after=99)) == []

    async def test_every_fact_comes_back_as_it_was(self, journal: Journal) -> None:
        full = Facts(
            run_id=RUN,
            at=1.5,
            started_at=0.1 + 0.2,
            limits=Limits(1.0, 2, 3.0, 4.0, None, None),
            counters=Counters(1, 2, 3, 4, 5),
            suspended_s=1e-9,
            features=FeatureCount(10_000, 9_999),
            session_type=SessionType.CONTINUE,
            session=Session(SESSION, SessionType.INIT, 1, 2, True, True, True),
            prompt='line\n"quoted" \u2028 \U0001f600 \ud800 \x00 end',
            outcome=Outcome(Cause.RATE_LIMIT, "words", 1e10, progressed=False),
            stop_requested=True,
            save_error="disk",
            cost_usd=1 / 3,
            jitter=0.999,
            resume_at=2e9,
            stop_reason=StopReason.INTERRUPTED,
        )
        await journal.append(Move("NEW", "start", "DETECT", full))
        last = await journal.last()
        assert last is not None
        assert last.facts == full

    async def test_a_move_from_where_the_run_does_not_stand_is_refused(self, journal: Journal) -> None:
        """Only a second writer can try that, and its record would not hold together."""
        await journal.append(start())
        with pytest.raises(JournalUnavailable):
            await journal.append(move(State.RUN, State.END))
        assert len(await journal.transitions()) == 1

    async def test_a_suspended_run_begins_again_under_its_id(self, journal: Journal) -> None:
        await journal.append(start())
        await journal.append(move(State.DETECT, State.SHUTDOWN))
        assert (await journal.append(start())).seq == 3

    async def test_what_cannot_be_written_leaves_nothing(self, journal: Journal) -> None:
        with pytest.raises(ValueError):
            await journal.append(start(cost_usd=math.nan), planned())
        with pytest.raises((ValueError, TypeError)):
            await journal.append(start(), replace(planned(), baseline={"not": object()}))
        assert await journal.last() is None
        assert await journal.session(SESSION) is None
        assert (await journal.append(start())).seq == 1

    async def test_appends_at_the_same_time_do_not_mix(self, journal: Journal) -> None:
        runs = [RunId(f"run-{number}") for number in range(20)]
        records = await asyncio.gather(*(journal.append(start(run)) for run in runs))
        assert sorted(record.seq for record in records) == list(range(1, 21))
        assert {record.seq: record for record in records} == {
            record.seq: record for record in await journal.transitions()
        }

    @pytest.mark.parametrize("cancels", [1, 2])
    async def test_a_cancelled_append_is_there_whole_or_not_at_all(self, journal: Journal, cancels: int) -> None:
        task = asyncio.ensure_future(journal.append(start(), planned()))
        await asyncio.sleep(0)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        last, session = await journal.last(), await journal.session(SESSION)
        assert (last is None) == (session is None)
        if not task.cancelled():
            assert last == task.result()

    # --- sessions --------------------------------------------------------------------------------------------

    async def test_a_session_is_durable_with_its_transition(self, journal: Journal) -> None:
        await journal.append(start(), planned())
        assert await journal.session(SESSION) == planned()
        assert await journal.session(OTHER_SESSION) is None

    async def test_a_resumption_brings_a_new_baseline_and_keeps_the_rest(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("m1", 0.5)])
        again = replace(planned(), prompt="Another.", number=9, iteration=9, baseline={"head": "b"}, turns=77)
        await journal.append(move(State.DETECT, State.RUN), again)
        assert await journal.session(SESSION) == replace(
            planned(), baseline={"head": "b"}, prompted=True, turns=1, cost_usd=0.5
        )

    async def test_changing_what_was_given_or_got_changes_no_record(self, journal: Journal) -> None:
        baseline = {"features": ["a"]}
        await journal.append(start(), replace(planned(), baseline=baseline))
        baseline["features"].append("b")
        got = await journal.session(SESSION)
        assert got is not None
        got.baseline["features"].append("c")
        kept = await journal.session(SESSION)
        assert kept is not None
        assert kept.baseline == {"features": ["a"]}

    async def test_mark_prompted_is_kept(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.mark_prompted(SESSION)
        record = await journal.session(SESSION)
        assert record is not None
        assert record.prompted

    async def test_a_session_that_was_never_appended_has_no_account(self, journal: Journal) -> None:
        for call in (
            journal.mark_prompted(SESSION),
            journal.record_usage(SESSION, [message("m")]),
            journal.raise_cost(SESSION, 1.0),
        ):
            with pytest.raises(LookupError):
                await call

    # --- what was spent --------------------------------------------------------------------------------------

    async def test_usage_adds_up(self, journal: Journal) -> None:
        await with_session(journal)
        assert await journal.record_usage(SESSION, [message("a", 0.25), message("b", 0.5)]) == Spent(2, 0.75)
        assert await journal.record_usage(SESSION, [message("c", 1.0)]) == Spent(3, 1.75)
        assert await journal.spent(RUN) == Spent(3, 1.75)

    async def test_a_later_report_of_a_message_replaces_it(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.record_usage(SESSION, [message("a", 0.25)])
        assert await journal.record_usage(SESSION, [message("a", 0.75)]) == Spent(1, 0.75)
        assert await journal.record_usage(SESSION, [message("a", 0.75), message("a", 0.75)]) == Spent(1, 0.75)

    async def test_a_report_that_falls_and_rises_again_is_not_charged_twice(self, journal: Journal) -> None:
        await with_session(journal)
        for cost_usd in (1.0, 0.5, 1.0, 0.0):
            assert await journal.record_usage(SESSION, [message("a", cost_usd)]) == Spent(1, 1.0)
        assert await journal.record_usage(SESSION, [message("a", 1.25)]) == Spent(1, 1.25)

    async def test_turns_are_the_messages_that_are_turns(self, journal: Journal) -> None:
        await with_session(journal)
        side = message("side", is_turn=False)
        assert (await journal.record_usage(SESSION, [side, message("main")])).turns == 1
        assert (await journal.record_usage(SESSION, [replace(side, is_turn=True)])).turns == 2
        assert (await journal.record_usage(SESSION, [side])).turns == 2

    async def test_a_message_id_means_another_message_in_another_session(self, journal: Journal) -> None:
        await with_session(journal)
        await with_session(journal, OTHER_SESSION, OTHER_RUN)
        await journal.record_usage(SESSION, [message("a", 1.0)])
        assert await journal.record_usage(OTHER_SESSION, [message("a", 2.0)]) == Spent(1, 2.0)
        assert await journal.spent(RUN) == Spent(1, 1.0)
        assert await journal.spent(OTHER_RUN) == Spent(1, 2.0)

    async def test_a_run_has_spent_what_its_sessions_have(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.append(move(State.DETECT, State.RUN), planned(OTHER_SESSION))
        await journal.record_usage(SESSION, [message("a", 0.1)])
        await journal.record_usage(OTHER_SESSION, [message("b", 0.2)])
        assert await journal.spent(RUN) == Spent(2, math.fsum((0.1, 0.2)))

    async def test_the_agents_total_raises_the_cost(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("a", 1.0)])
        assert await journal.raise_cost(SESSION, 1.5) == Spent(1, 1.5)

    async def test_the_cost_never_falls(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("a", 2.0)])
        assert await journal.raise_cost(SESSION, 0.5) == Spent(1, 2.0)
        assert await journal.raise_cost(SESSION, 0.0) == Spent(1, 2.0)

    async def test_a_total_that_knows_the_earlier_legs_is_the_total(self, journal: Journal) -> None:
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("a", 1.0)])
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("b", 0.5)])
        assert await journal.raise_cost(SESSION, 1.75) == Spent(2, 1.75)
        assert await journal.raise_cost(SESSION, 1.25) == Spent(2, 1.75)

    async def test_a_total_that_forgot_the_earlier_legs_is_this_legs(self, journal: Journal) -> None:
        """After a SIGKILL the agent tells less than it cost before: what it tells was spent since."""
        await with_session(journal)
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("a", 4.0)])
        await journal.mark_prompted(SESSION)
        await journal.record_usage(SESSION, [message("b", 0.5)])
        assert await journal.raise_cost(SESSION, 0.75) == Spent(2, 4.75)
        assert await journal.raise_cost(SESSION, 0.25) == Spent(2, 4.75)

    @pytest.mark.parametrize("cost_usd", [math.nan, math.inf, -0.01])
    async def test_what_is_no_cost_is_refused(self, journal: Journal, cost_usd: float) -> None:
        await with_session(journal)
        with pytest.raises(ValueError):
            await journal.raise_cost(SESSION, cost_usd)
        with pytest.raises(ValueError):
            await journal.record_usage(SESSION, [message("fine"), message("a", cost_usd)])
        assert await journal.spent(RUN) == Spent(0, 0.0)

    # --- notes and copies ------------------------------------------------------------------------------------

    async def test_notes_come_back_oldest_first(self, journal: Journal) -> None:
        first = Note("warning", 5.0, {"text": "\u00e9", "list": [1, None, True]}, RUN, SESSION, 7)
        second = Note("fault", 4.0, {}, OTHER_RUN, None, 8)
        await journal.note(first)
        await journal.note(second)
        assert list(await journal.notes()) == [first, second]
        assert list(await journal.notes(kind="fault")) == [second]
        assert list(await journal.notes(run_id=RUN)) == [first]
        assert list(await journal.notes(kind="fault", run_id=RUN)) == []

    async def test_a_note_tells_after_which_transition_it_came(self, journal: Journal) -> None:
        await journal.note(Note("warning", 1.0, {}))
        await journal.append(start())
        await journal.note(Note("warning", 2.0, {}))
        assert [note.seq for note in await journal.notes()] == [0, 1]

    async def test_the_newest_copy_is_kept(self, journal: Journal) -> None:
        for content in (b"one", b"two", b"two"):
            await journal.keep("feature_list.json", content)
        await journal.keep("other", b"\x00\xff" * 1000)
        await journal.keep("empty", b"")
        assert await journal.newest("feature_list.json") == b"two"
        assert await journal.newest("other") == b"\x00\xff" * 1000
        assert await journal.newest("empty") == b""

    # --- stop requests ---------------------------------------------------------------------------------------

    async def test_a_stop_request_reaches_its_owner(self, journal: Journal) -> None:
        await journal.append(start())
        assert await journal.stop_requested(RUN, OWNER) is None
        await journal.request_stop(RUN, OWNER, "lifecycle stop")
        await journal.request_stop(RUN, OWNER, "somebody later")
        assert await journal.stop_requested(RUN, OWNER) == "lifecycle stop"
        assert await journal.stop_requested(RUN, OWNER) == "lifecycle stop"

    @pytest.mark.parametrize("change", [{"pid": 1}, {"start": 1}, {"boot_id": "x"}, {"host": "x"}])
    async def test_a_stop_request_is_void_for_another_owner(self, journal: Journal, change: dict[str, Any]) -> None:
        await journal.request_stop(None, replace(OWNER, **change), "x")
        assert await journal.stop_requested(RUN, OWNER) is None

    async def test_a_stop_request_is_void_for_another_run_where_one_is_named(self, journal: Journal) -> None:
        await journal.request_stop(OTHER_RUN, OWNER, "x")
        assert await journal.stop_requested(RUN, OWNER) is None
        assert await journal.stop_requested(None, OWNER) is None
        await journal.request_stop(None, OWNER, "y")
        assert await journal.stop_requested(RUN, OWNER) == "y"
        assert await journal.stop_requested(None, OWNER) == "y"
        assert await journal.stop_requested(OTHER_RUN, OWNER) == "x"

    async def test_a_stop_request_before_the_start_holds(self, journal: Journal) -> None:
        await journal.request_stop(None, OWNER, "x")
        await journal.append(start())
        assert await journal.stop_requested(RUN, OWNER) == "x"

    async def test_a_stop_request_ends_with_the_run_that_it_stopped(self, journal: Journal) -> None:
        """Else a suspended run could never go on in the same process."""
        await journal.append(start())
        await journal.request_stop(RUN, OWNER, "x")
        assert await journal.stop_requested(RUN, OWNER) == "x"
        await journal.append(move(State.DETECT, State.SHUTDOWN))
        await journal.append(start())
        assert await journal.stop_requested(RUN, OWNER) is None

    # --- the end ---------------------------------------------------------------------------------------------

    async def test_a_closed_journal_says_so(self, journal: Journal) -> None:
        await journal.append(start())
        await journal.close()
        await journal.close()
        with pytest.raises(JournalUnavailable):
            await journal.last()
        with pytest.raises(JournalUnavailable):
            await journal.append(start(OTHER_RUN))
