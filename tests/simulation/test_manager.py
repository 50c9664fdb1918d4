"""The manager, driver and policies together, in memory: what a host sees."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

import lifecycle.manager
from lifecycle import RunResult, SessionManager, State, StopReason, auto_continue
from lifecycle.errors import (
    ConfigurationError,
    FeatureListInvalid,
    JournalUnavailable,
    ProjectBusy,
    ProjectInvalid,
)
from lifecycle.events import (
    Fault,
    FeatureListRestored,
    FeatureListSetAside,
    ModelUnpriced,
    Recovered,
    RuleBroken,
    SpecificationUnread,
    Transitioned,
)
from lifecycle.journal.memory import MemoryJournal
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import AgentTask, Move, SessionRecord, TransitionRecord
from lifecycle.testing.fakes import FakeAgent, FakeWorkspace, build, idle
from states.facts import FeatureCount, Outcome
from states.vocabulary import Cause, SessionType


async def run(world, **arguments) -> RunResult:
    async with world.manager(**arguments) as session:
        return await session.run_until_shutdown()


async def test_from_nothing_to_complete_in_one_init_and_three_coding_sessions(world) -> None:
    result = await run(world)
    assert (result.stop_reason, result.iterations, result.features) == (
        StopReason.COMPLETE,
        4,
        FeatureCount(3, 3),
    )
    assert [task.type for task in world.agent.tasks] == [SessionType.INIT] + [SessionType.CONTINUE] * 3
    cycle = ["DETECT detected CREATE", "CREATE created RUN", "RUN finished END"]
    again = ["END ended CONTINUE", "CONTINUE delay_elapsed DETECT"]
    expected = ["NEW start DETECT", *(cycle + again) * 3, *cycle, "END ended SHUTDOWN"]
    assert await world.edges() == expected


async def test_a_finished_project_starts_no_session(world) -> None:
    world.workspace.features = [True, True]
    result = await run(world)
    assert (result.stop_reason, result.iterations, world.agent.tasks) == (StopReason.COMPLETE, 0, [])
    assert await world.edges() == ["NEW start DETECT", "DETECT detected END", "END ended SHUTDOWN"]


async def test_completion_on_the_very_last_allowed_iteration_is_complete(world) -> None:
    assert (await run(world, max_iterations=4)).stop_reason is StopReason.COMPLETE


async def test_max_iterations_stops_and_the_next_run_counts_anew(world) -> None:
    first = await run(world, max_iterations=2)
    assert (first.stop_reason, first.iterations) == (StopReason.MAX_ITERATIONS, 2)
    second = await run(world, max_iterations=2)
    assert (second.stop_reason, second.iterations) == (StopReason.COMPLETE, 2)
    assert first.run_id != second.run_id
    numbers = [r.facts.session.number for r in await world.journal.transitions() if r.dest == "RUN"]
    assert numbers == [1, 2, 3, 4]


async def test_an_init_session_that_leaves_no_list_is_followed_by_init(world) -> None:
    world.behaving(idle, idle, build)
    await run(world)
    assert [task.type for task in world.agent.tasks[:4]] == [*[SessionType.INIT] * 3, SessionType.CONTINUE]


async def test_an_init_session_that_leaves_an_invalid_list_is_followed_by_init(world) -> None:
    def spoil(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features, workspace.invalid = [False], "truncated"
        return Outcome(Cause.END_TURN)

    world.behaving(spoil, build)
    events = []
    result = await run(world, observers=[events.append])
    assert result.stop_reason is StopReason.COMPLETE
    assert [task.type for task in world.agent.tasks[:3]] == [SessionType.INIT] * 2 + [SessionType.CONTINUE]
    assert world.workspace.set_aside == ["truncated"]
    assert any(isinstance(event, FeatureListSetAside) for event in events)


@pytest.mark.parametrize(("passing", "told"), [([True, True], [2]), ([True, False], [])])
async def test_a_new_specification_for_a_finished_list_is_said_to_be_read_by_nobody(world, passing, told) -> None:
    world.workspace.features = passing
    events = []
    await run(world, spec="Build something else.\n", observers=[events.append])
    assert [event.features for event in events if isinstance(event, SpecificationUnread)] == told
    events.clear()
    await run(world, spec="Build something else.\n", observers=[events.append])
    assert not any(isinstance(event, SpecificationUnread) for event in events), "it is no news"


async def test_zero_features_is_not_complete(world) -> None:
    def write_empty_list(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features = []
        return Outcome(Cause.END_TURN)

    world.behaving(write_empty_list)
    result = await run(world, stall_after=2)
    assert (result.stop_reason, result.features) == (StopReason.STALLED, FeatureCount(0, 0))


@pytest.mark.parametrize("damage", ["deleted", "emptied", "invalid"])
async def test_a_list_that_a_coding_session_loses_is_put_back(world, damage: str) -> None:
    def lose(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        if damage == "invalid":
            workspace.invalid = "truncated"
        else:
            workspace.features = None if damage == "deleted" else []
        return Outcome(Cause.END_TURN)

    world.behaving(build, build, lose, build)
    events = []
    result = await run(world, observers=[events.append])
    assert result.stop_reason is StopReason.COMPLETE
    assert [task.type for task in world.agent.tasks].count(SessionType.INIT) == 1
    rules = [event.rule for event in events if isinstance(event, RuleBroken)]
    assert rules == [{"deleted": "deleted", "emptied": "removed", "invalid": "malformed"}[damage]]


async def test_a_list_that_breaks_between_two_sessions_is_restored(world) -> None:
    def observe(event) -> None:
        if isinstance(event, Transitioned) and (event.source, event.seq > 8) == ("CONTINUE", True):
            world.workspace.invalid = "a person's slip"

    events = []
    result = await run(world, observers=[observe, events.append])
    assert result.stop_reason is StopReason.COMPLETE
    assert any(isinstance(event, FeatureListRestored) for event in events)


async def test_an_unreadable_list_before_the_first_session_is_refused_and_no_run_begins(world) -> None:
    world.workspace.invalid = "truncated"
    with pytest.raises(FeatureListInvalid):
        await run(world)
    assert await world.edges() == []


async def test_neither_specification_nor_list_nor_prompt_is_refused(world) -> None:
    (world.project_dir / "app_spec.txt").unlink()
    with pytest.raises(ProjectInvalid, match="spec"):
        await run(world)
    assert await world.edges() == []
    async with world.manager() as session:
        assert (await session.run("Just say hello.")).iterations == 1


async def test_run_drives_one_session_and_leaving_the_context_is_no_stop(world) -> None:
    async with world.manager() as session:
        result = await session.run()
        assert (result.state, result.stop_reason, result.iterations) == (State.CONTINUE, None, 1)
    assert (await world.journal.last()).dest == State.CONTINUE
    async with world.manager() as session:
        result = await session.run()
        assert (result.state, result.iterations) == (State.CONTINUE, 2)


async def test_an_explicit_prompt_is_work_even_when_everything_passes(world) -> None:
    world.workspace.features = [True]
    world.behaving(idle)
    async with world.manager() as session:
        result = await session.run("Tidy up.")
    assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 1)
    assert [task.prompt for task in world.agent.tasks] == ["Tidy up."]


async def test_a_second_explicit_prompt_waits_out_continue_and_is_asked_once(world) -> None:
    async with world.manager() as session:
        await session.run("First.")
        before = world.clock.now()
        await session.run("Second.")
        assert world.clock.now() - before == 3.0
        await session.run()
    assert [task.prompt for task in world.agent.tasks[:2]] == ["First.", "Second."]
    assert world.agent.tasks[2].prompt not in ("First.", "Second.")


async def test_auto_continue_takes_the_contexts_last_manager_and_runs_to_shutdown(world) -> None:
    async with world.manager() as session:
        await session.run()
    before = world.clock.now()
    result = await auto_continue(delay_seconds=10)
    assert result.stop_reason is StopReason.COMPLETE
    assert world.clock.now() - before == 30.0, "three waits of ten seconds, the first one that stood open too"


async def test_auto_continue_inside_the_context_uses_the_open_manager(world) -> None:
    async with world.manager() as session:
        await session.run()
        assert (await auto_continue(delay_seconds=0)).stop_reason is StopReason.COMPLETE


@pytest.mark.parametrize("state", ["DETECT", "CREATE", "RUN", "END", "CONTINUE"])
async def test_a_stop_request_is_honoured_in_every_state_and_the_next_start_goes_on(world, state: str) -> None:
    def stop_there(event) -> None:
        if isinstance(event, Transitioned) and event.dest == state and event.seq > 5:
            session.stop("a test")

    async with world.manager(observers=[stop_there]) as session:
        result = await session.run_until_shutdown()
        assert (result.state, result.stop_reason) == (State.SHUTDOWN, StopReason.INTERRUPTED)
        assert session.stopped_by == "a test"
    again = await run(world)
    assert (again.stop_reason, again.run_id) == (StopReason.COMPLETE, result.run_id)
    numbers = [r.facts.session.number for r in await world.journal.transitions() if r.dest == "RUN"]
    assert sorted(set(numbers)) == list(range(1, again.iterations + 1))


async def test_a_stop_that_loses_to_completion_is_complete(world) -> None:
    def stop_and_finish(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features = [True]
        session.stop()
        return Outcome(Cause.END_TURN)

    world.behaving(stop_and_finish)
    async with world.manager() as session:
        assert (await session.run_until_shutdown()).stop_reason is StopReason.COMPLETE


async def test_narrower_limits_hold_for_the_run_that_goes_on(world) -> None:
    """A stop during END hides that the iterations are used up; the next start must not pay for another."""
    def stop_in_the_second_end(event) -> None:
        if isinstance(event, Transitioned) and (event.dest, event.iteration) == ("END", 2):
            session.stop()

    async with world.manager(max_iterations=2, observers=[stop_in_the_second_end]) as session:
        assert (await session.run_until_shutdown()).stop_reason is StopReason.INTERRUPTED
    result = await run(world, max_iterations=2)
    assert (result.stop_reason, result.iterations) == (StopReason.MAX_ITERATIONS, 2)


async def test_faults_in_end_and_continue_stop_as_fatal_and_the_next_run_works(world) -> None:
    class Broken(FakeWorkspace):
        async def changes(self, baseline):
            raise RuntimeError("a fault of ours")

    good = world.workspace
    world.workspace = Broken(features=[False])
    world.behaving(idle)
    events = []
    result = await run(world, observers=[events.append])
    assert (result.stop_reason, result.state) == (StopReason.FATAL, State.SHUTDOWN)
    assert (await world.edges())[-1] == "END failed SHUTDOWN"
    assert "a fault of ours" in result.detail
    assert any(isinstance(event, Fault) and "RuntimeError" in event.detail for event in events)

    class BrokenClock(type(world.clock)):
        async def sleep_until(self, moment):
            raise RuntimeError("no time")

    world.workspace = good
    world.behaving(build)
    result = await run(world, clock=BrokenClock())
    assert (await world.edges())[-1] == "CONTINUE failed SHUTDOWN"
    assert result.stop_reason is StopReason.FATAL
    assert (await run(world)).stop_reason is StopReason.COMPLETE


async def test_a_full_disk_in_end_is_a_fact_and_counts_to_max_failures(world) -> None:
    class Full(FakeWorkspace):
        async def changes(self, baseline):
            raise OSError(28, "No space left on device")

    world.workspace = Full(features=[False])
    world.behaving(idle)
    result = await run(world, max_failures=3, stall_after=None)
    assert (result.stop_reason, result.iterations) == (StopReason.MAX_FAILURES, 1), "no other session is paid for"
    assert "No space left" in result.detail


async def test_fatal_stops_at_once_with_what_to_do(world) -> None:
    world.behaving(Outcome(Cause.AUTHENTICATION, "the key was refused"))
    result = await run(world)
    assert (result.stop_reason, len(world.agent.tasks)) == (StopReason.FATAL, 1)
    assert "the key was refused" in result.detail
    assert "ANTHROPIC_API_KEY" in result.detail


async def test_a_rate_limit_waits_until_the_stated_reset_and_resumes(world) -> None:
    reset = world.clock.now() + 5 * 3600
    world.behaving(Outcome(Cause.RATE_LIMIT, until=reset), build)
    result = await run(world)
    assert result.stop_reason is StopReason.COMPLETE
    assert world.clock.now() >= reset
    first, second = world.agent.tasks[:2]
    assert first.session_id == second.session_id
    assert (first.may_resume, second.may_resume) == (False, True)
    assert first.prompt == second.prompt


async def test_a_storm_of_unavailability_is_survived_and_never_counts(world) -> None:
    storm = [Outcome(Cause.UNAVAILABLE, progressed=False)] * 20
    world.behaving(*storm, build)
    before = world.clock.now()
    result = await run(world)
    assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 4)
    assert world.clock.now() - before > 3600, "the backoff has grown"


async def test_max_failures_stops_a_run_that_fails_in_a_row(world) -> None:
    world.behaving(Outcome(Cause.PROCESS_FAILED, "exit code 1", progressed=False))
    result = await run(world)
    assert (result.stop_reason, len(world.agent.tasks)) == (StopReason.MAX_FAILURES, 5)


async def test_max_turns_are_those_of_the_session_over_all_its_legs(world) -> None:
    world.behaving(Outcome(Cause.RATE_LIMIT), Outcome(Cause.RATE_LIMIT), build)
    await run(world, max_turns=3)
    assert [task.max_turns for task in world.agent.tasks[:3]] == [3, 2, 1]


async def test_the_budget_left_is_handed_on_and_used_up_stops(world) -> None:
    world.behaving(idle, cost_usd=0.4)
    result = await run(world, max_budget_usd=1.0, stall_after=None)
    assert (result.stop_reason, result.cost_usd) == (StopReason.MAX_BUDGET, 1.2)
    assert [round(task.budget_usd, 2) for task in world.agent.tasks] == [1.0, 0.6, 0.2]


async def test_a_model_whose_price_is_guessed_is_told_once_a_leg(world) -> None:
    class Stranger(FakeAgent):
        async def run(self, task, log, stop) -> Outcome:
            strange = replace(self._usage(0), message_id=task.session_id, model="a-gateways-own-name", is_priced=False)
            await log.used([strange])
            await log.used([strange])
            return await super().run(task, log, stop)

    events = []
    result = await run(world, agent=Stranger(world.workspace, [build]), observers=[events.append])
    told = [event.model for event in events if isinstance(event, ModelUnpriced)]
    assert told == ["a-gateways-own-name"] * result.sessions


async def test_max_duration_stops_and_is_handed_to_the_agent(world) -> None:
    def slow(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        world.clock.advance(50)
        return Outcome(Cause.END_TURN)

    world.behaving(slow)
    start = world.clock.now()
    result = await run(world, max_duration="2m", stall_after=None)
    assert result.stop_reason is StopReason.MAX_DURATION
    assert {task.deadline for task in world.agent.tasks} == {start + 120}


async def test_an_unwritable_journal_moves_nothing_and_the_next_start_goes_on(world) -> None:
    class Full(MemoryJournal):
        full = False

        async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
            if self.full and move.dest == "END":
                raise JournalUnavailable(self.path, "disk full")
            return await super().append(move, session)

    world.journal = Full()
    async with world.manager() as session:
        world.journal.full = True
        with pytest.raises(JournalUnavailable):
            await session.run_until_shutdown()
        assert (await session.status()).state == State.RUN
        world.journal.full = False
        result = await session.run_until_shutdown()
    assert result.stop_reason is StopReason.COMPLETE
    assert (await world.edges()).count("CREATE created RUN") == result.iterations


async def test_a_hosts_cancel_during_an_append_leaves_journal_and_memory_agreeing(world) -> None:
    class Slow(MemoryJournal):
        appending = asyncio.Event()

        async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
            self.appending.set()
            record = await super().append(move, session)
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                raise
            return record

    world.journal = Slow()
    async with world.manager() as session:
        for _ in range(12):
            world.journal.appending.clear()
            driving = asyncio.create_task(session.run_until_shutdown())
            await world.journal.appending.wait()
            driving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await driving
            last = await world.journal.last()
            assert (await session.status()).state == last.dest
            assert session._open.driver.state == last.dest
        result = await session.run_until_shutdown()
    assert result.stop_reason is StopReason.COMPLETE
    assert (await world.edges()).count("CREATE created RUN") == result.iterations


async def test_a_crash_is_recovered_from_and_noted_but_makes_no_transition(world) -> None:
    def die(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        raise Killed

    world.behaving(build, die, build)
    events = []
    with pytest.raises(Killed):
        await run(world)
    result = await run(world, observers=[events.append])
    assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 4)
    assert [event.state for event in events if isinstance(event, Recovered)] == [State.RUN]
    notes = await world.journal.notes(kind=NoteKind.RECOVERED)
    assert [note.data["state"] for note in notes] == ["RUN"]
    assert world.agent.tasks[1].session_id == world.agent.tasks[2].session_id
    assert (await world.edges()).count("CREATE created RUN") == 4


async def test_the_same_explicit_prompt_after_a_crash_is_not_asked_twice(world) -> None:
    def die(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        raise Killed

    world.behaving(die, idle)
    with pytest.raises(Killed):
        async with world.manager() as session:
            await session.run("Tidy up.")
    async with world.manager() as session:
        result = await session.run("Tidy up.")
    assert (result.state, result.iterations) == (State.CONTINUE, 1)
    assert [task.prompt for task in world.agent.tasks] == ["Tidy up."] * 2


async def test_another_explicit_prompt_comes_after_the_conversation_that_was_cut_off(world) -> None:
    def die(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        raise Killed

    world.behaving(die, idle)
    with pytest.raises(Killed):
        async with world.manager() as session:
            await session.run("First.")
    async with world.manager() as session:
        result = await session.run("Second.")
    assert result.iterations == 2
    assert [task.prompt for task in world.agent.tasks] == ["First.", "First.", "Second."]


async def test_a_stop_before_the_run_begins_is_for_that_run_and_no_other(world) -> None:
    async with world.manager() as session:
        session.stop("an early signal")
        result = await session.run_until_shutdown()
        assert (result.stop_reason, result.iterations) == (StopReason.INTERRUPTED, 0)
        assert (await session.run_until_shutdown()).stop_reason is StopReason.COMPLETE


async def test_money_spent_by_a_session_that_failed_is_counted(world) -> None:
    def fail(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        raise OSError(5, "Input/output error")

    world.behaving(fail, cost_usd=0.6)
    result = await run(world, max_budget_usd=1.0)
    assert (result.stop_reason, result.cost_usd) == (StopReason.MAX_BUDGET, 1.2)


async def test_a_restart_in_continue_waits_only_the_rest(world) -> None:
    async with world.manager(continue_delay=100) as session:
        await session.run()
    world.clock.advance(60)
    before = world.clock.now()
    async with world.manager(continue_delay=100) as session:
        await session.run()
    assert world.clock.now() - before == 40.0


async def test_a_second_manager_in_the_same_process_is_refused_and_told_who_has_it(world) -> None:
    async with world.manager():
        with pytest.raises(ProjectBusy) as caught:
            async with world.manager():
                pass
        assert caught.value.pid == os.getpid()
    async with world.manager():
        pass


async def test_bad_arguments_are_refused_before_anything_is_touched(world) -> None:
    for arguments in ({"max_turns": 0}, {"max_iteration": 3}, {"continue_delay": "soon"}):
        with pytest.raises(ConfigurationError):
            world.manager(**arguments)
    assert not world.state_dir.exists()


async def test_a_journalled_file_beats_what_the_agent_wrote_into_it_since(world) -> None:
    file = world.project_dir / "lifecycle.toml"
    file.write_text("max_iterations = 2\n")
    async with world.manager() as session:
        await session.run()
    file.write_text("max_iterations = 1000\n")
    result = await run(world)
    assert (result.stop_reason, result.iterations) == (StopReason.MAX_ITERATIONS, 2)
    file.write_text("broken [\n")
    with pytest.raises(ConfigurationError):
        await run(world)


async def test_a_file_that_the_agent_broke_does_not_brick_the_run_that_goes_on(world) -> None:
    async with world.manager(journal=None) as session:
        await session.run()
    (world.project_dir / "lifecycle.toml").write_text("broken [\n")
    async with world.manager(journal=None) as session:
        assert (await session.run_until_shutdown()).stop_reason is StopReason.COMPLETE


async def test_events_come_to_late_watchers_from_the_beginning_and_end_with_the_manager(world) -> None:
    async with world.manager() as session:
        await session.run_until_shutdown()
        watcher = session.events()
    names = [event.name async for event in watcher if isinstance(event, Transitioned)]
    assert len(names) == len(await world.edges())


async def test_an_observer_that_raises_does_not_touch_the_lifecycle(world) -> None:
    def broken(event) -> None:
        raise ValueError("an observer's fault")

    events = []
    result = await run(world, observers=[broken, events.append])
    assert result.stop_reason is StopReason.COMPLETE
    assert any(isinstance(event, Fault) and "an observer's fault" in event.detail for event in events)


async def test_a_manager_outside_its_context_says_how_to_use_it(world) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await world.manager().run()


def test_the_face_has_the_seeds_names() -> None:
    import lifecycle

    for name in ("SessionManager", "SessionType", "detect_session_type", "auto_continue"):
        assert hasattr(lifecycle, name)
    assert isinstance(SessionManager, type)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("settings", "behaviours", "reason"),
    [
        ({"max_iterations": 1}, (build,), StopReason.MAX_ITERATIONS),
        ({"max_budget_usd": 0.01}, (build,), StopReason.MAX_BUDGET),
        ({}, (Outcome(Cause.AUTHENTICATION),), StopReason.FATAL),
    ],
)
async def test_auto_continue_does_not_begin_again_what_is_over(world, settings, behaviours, reason) -> None:
    world.behaving(*behaviours)
    async with world.manager(**settings) as session:
        result = await session.run()
        assert result.stop_reason is reason
        assert await auto_continue(delay_seconds=0) == result
    assert await auto_continue(delay_seconds=0) == result
    assert len(world.agent.tasks) == 1


async def test_auto_continue_does_not_undo_a_stop(world) -> None:
    async with world.manager() as session:
        session.stop()
        result = await session.run()
    assert result.stop_reason is StopReason.INTERRUPTED
    assert await auto_continue(delay_seconds=0) == result


async def test_an_explicit_prompt_that_was_cut_off_is_finished_though_everything_passes(world) -> None:
    world.workspace.features = [True]
    world.behaving(Outcome(Cause.RATE_LIMIT), idle)
    async with world.manager() as session:
        assert (await session.run("Do it.")).state == State.CONTINUE
        result = await session.run()
    assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 1)
    assert [task.may_resume for task in world.agent.tasks] == [False, True]


async def test_an_explicit_prompt_is_asked_though_the_resumed_session_completes_the_list(world) -> None:
    def finish(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features = [True]
        return Outcome(Cause.END_TURN)

    world.workspace.features = [False]
    world.behaving(Outcome(Cause.RATE_LIMIT), finish, idle)
    async with world.manager() as session:
        await session.run()
        result = await session.run("Extra work please.")
    assert result.stop_reason is StopReason.COMPLETE
    assert world.agent.tasks[-1].prompt == "Extra work please."


async def test_a_prompt_asked_in_the_wait_survives_a_crash_there(world) -> None:
    class Dies(type(world.clock)):
        async def sleep_until(self, moment):
            raise Killed

    async with world.manager() as session:
        await session.run()
    with pytest.raises(Killed):
        async with world.manager(clock=Dies()) as session:
            await session.run("Remember me.")
    async with world.manager() as session:
        await session.run()
    assert world.agent.tasks[-1].prompt == "Remember me."


async def test_a_host_that_asks_again_after_a_crash_in_the_wait_is_noted_once(world) -> None:
    class Dies(type(world.clock)):
        async def sleep_until(self, moment):
            raise Killed

    async with world.manager() as session:
        await session.run()
    with pytest.raises(Killed):
        async with world.manager(clock=Dies()) as session:
            await session.run("Remember me.")
    async with world.manager() as session:
        await session.run("Remember me.")
    assert len(await world.journal.notes(kind=NoteKind.PROMPT)) == 1
    assert [task.prompt for task in world.agent.tasks].count("Remember me.") == 1


async def test_a_prompt_whose_asking_was_cancelled_once_it_was_durable_is_asked(world) -> None:
    """The same manager goes on: its memory must know what the record knows."""
    class Slow(MemoryJournal):
        async def note(self, note) -> None:
            await super().note(note)
            if note.kind == NoteKind.PROMPT:
                asyncio.current_task().cancel()
                await asyncio.sleep(0)

    world.journal = Slow()
    async with world.manager() as session:
        await session.run()
        with pytest.raises(asyncio.CancelledError):
            await session.run("Remember me.")
        asyncio.current_task().uncancel()
        await session.run()
    assert world.agent.tasks[-1].prompt == "Remember me."


async def test_a_second_prompt_comes_after_the_first_that_a_stop_left_unasked(world) -> None:
    async with world.manager() as session:
        session.stop()
        assert (await session.run("First.")).stop_reason is StopReason.INTERRUPTED
    async with world.manager() as session:
        await session.run("Second.")
    assert [task.prompt for task in world.agent.tasks] == ["First.", "Second."]


async def test_a_suspended_run_with_a_prompt_needs_no_specification(world) -> None:
    (world.project_dir / "app_spec.txt").unlink()
    async with world.manager() as session:
        session.stop()
        await session.run("Say hello.")
    async with world.manager() as session:
        assert (await session.run()).iterations == 1


async def test_a_prompt_after_a_journal_error_is_asked(world) -> None:
    class Fails(MemoryJournal):
        fails = False

        async def append(self, move: Move, session: SessionRecord | None = None) -> TransitionRecord:
            if self.fails:
                raise JournalUnavailable(self.path, "disk full")
            return await super().append(move, session)

        async def last(self):
            if self.fails:
                raise JournalUnavailable(self.path, "disk full")
            return await super().last()

    world.journal = Fails()
    async with world.manager() as session:
        await session.run()
        world.journal.fails = True
        with pytest.raises(JournalUnavailable):
            await session.run()
        world.journal.fails = False
        await session.run("Still there?")
    assert world.agent.tasks[-1].prompt == "Still there?"


async def test_one_task_drives(world) -> None:
    async with world.manager() as session:
        driving = asyncio.create_task(session.run_until_shutdown())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="driving its project already"):
            await session.run()
        assert (await driving).stop_reason is StopReason.COMPLETE
    assert len({record.run_id for record in await world.journal.transitions()}) == 1


async def test_a_list_that_a_person_removed_stays_removed_and_init_comes(world) -> None:
    """A stop in DETECT with a conversation open saves nothing: no session ran in that cycle."""

    def stop_there(event) -> None:
        if isinstance(event, Transitioned) and (event.source, event.dest) == ("NEW", "DETECT"):
            session.stop()

    world.behaving(build, Outcome(Cause.RATE_LIMIT), build)
    async with world.manager() as session:
        await session.run()
        await session.run()
        session.stop()
        await session.run()
    world.workspace.features = None
    async with world.manager(observers=[stop_there]) as session:
        await session.run()
    assert world.workspace.features is None


async def test_a_list_that_breaks_while_a_manager_is_dead_in_create_is_restored(world) -> None:
    class Dies(FakeWorkspace):
        deaths = 0

        async def baseline(self):
            self.deaths += 1
            if self.deaths == 2:
                raise Killed
            return await super().baseline()

    world.workspace = Dies()
    world.behaving(build)
    with pytest.raises(Killed):
        await run(world)
    assert (await world.journal.last()).dest == State.CREATE
    world.workspace.invalid = "damaged"
    assert (await run(world)).stop_reason is StopReason.COMPLETE


async def test_a_file_named_with_the_newest_start_counts_for_the_run_that_goes_on(world, tmp_path) -> None:
    (tmp_path / "mine.toml").write_text("max_iterations = 2\n")
    async with world.manager() as session:
        await session.run()
    result = await run(world, config_file=tmp_path / "mine.toml")
    assert (result.stop_reason, result.iterations) == (StopReason.MAX_ITERATIONS, 2)


async def test_the_agent_cannot_move_the_journal(world) -> None:
    def move_it(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        (world.project_dir / "lifecycle.toml").write_text('state_dir = "/tmp/evil"\n')
        return build(task, workspace)

    world.behaving(move_it)
    async with world.manager(journal=None) as session:
        first = await session.run()
    async with world.manager(journal=None) as session:
        result = await session.run_until_shutdown()
    assert (result.stop_reason, result.iterations, result.run_id) == (StopReason.COMPLETE, 4, first.run_id)


async def test_a_narrower_deadline_cuts_the_wait(world) -> None:
    start = world.clock.now()
    world.behaving(build, Outcome(Cause.RATE_LIMIT, until=start + 18_000))
    async with world.manager() as session:
        await session.run()
        await session.run()
    result = await run(world, max_duration=60)
    assert result.stop_reason is StopReason.MAX_DURATION
    assert world.clock.now() <= start + 61


async def test_a_sessions_time_is_counted_over_all_its_legs(world) -> None:
    def slow(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        world.clock.advance(50)
        return Outcome(Cause.UNAVAILABLE)

    world.behaving(slow, slow, slow, build)
    await run(world, session_timeout=120)
    assert [task.time_left_s for task in world.agent.tasks[:3]] == [120, 70, 20]
    assert world.agent.tasks[3].session_id != world.agent.tasks[2].session_id


async def test_a_specification_is_replaced_between_sessions_not_under_a_conversation_that_goes_on(world) -> None:
    seen = []

    def look(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        seen.append((world.project_dir / "app_spec.txt").read_text())
        if len(seen) == 1:
            raise Killed
        return build(task, workspace)

    world.behaving(look)
    with pytest.raises(Killed):
        await run(world)
    await run(world, spec="Build something else.\n")
    assert seen[:3] == ["Build it.\n", "Build it.\n", "Build something else.\n"]


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_a_specification_whose_installation_is_cut_off_is_installed_and_noted_once(
    world, monkeypatch, dies: str
) -> None:
    real = lifecycle.manager.install_spec

    def cut_off(project_dir, text):
        monkeypatch.undo()
        if dies == "after":
            real(project_dir, text)
        raise Killed

    monkeypatch.setattr(lifecycle.manager, "install_spec", cut_off)
    with pytest.raises(Killed):
        await run(world, spec="Build something else.\n")
    await run(world, spec="Build something else.\n")
    assert (world.project_dir / "app_spec.txt").read_text() == "Build something else.\n"
    (note,) = await world.journal.notes(kind=NoteKind.SPEC_CHANGED)
    assert note.data["change"] == "replaced"
    assert note.data["before"] != note.data["after"]


async def test_session_type_is_told_only_where_a_session_is_meant(world) -> None:
    await run(world)
    for record in await world.journal.transitions():
        if record.source == "CONTINUE":
            assert (record.facts.session, record.facts.session_type) == (None, None)
