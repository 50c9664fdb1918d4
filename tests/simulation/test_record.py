"""The record in the whole lifecycle, in memory: what is undone, verified, kept and told, across crashes."""

from __future__ import annotations

import pytest

from lifecycle import SessionManager, StopReason
from lifecycle.events import (
    ClaimsVerified,
    FeaturesAppended,
    FeaturesChanged,
    PersonsFilesTouched,
    RuleBroken,
    Transitioned,
    WorkSalvaged,
)
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import AgentTask, Verdict, VerdictKind
from lifecycle.testing.fakes import FakeAgent, FakeVerifier, FakeWorkspace, build, idle
from states.facts import FeatureCount, Outcome
from states.vocabulary import Cause, State

FAILED = Verdict(VerdictKind.FAILED, "the verification failed (exit status 1)", "2 tests fail")
PASSED = Verdict(VerdictKind.PASSED, "the verification succeeded")
MISSING = Verdict(VerdictKind.MISSING, "the verification command cannot be run (exit status 127)")
TIMED_OUT = Verdict(VerdictKind.TIMED_OUT, "the verification took more than 5 s")


async def run(world, **arguments):
    async with world.manager(**arguments) as session:
        return await session.run_until_shutdown()


async def notes(world, kind: NoteKind) -> list[dict]:
    return [dict(note.data) for note in await world.journal.notes(kind=kind)]


def told(events: list, kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def ending(cause: Cause, change=lambda workspace: None):
    def behave(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        change(workspace)
        return Outcome(cause, "")

    return behave


def remove_all(workspace: FakeWorkspace) -> None:
    workspace.features = workspace.features[:1]


class TestTheRule:
    async def test_what_is_removed_comes_back_and_is_recorded_and_told_to_the_next_session(self, world) -> None:
        world.behaving(build, ending(Cause.END_TURN, remove_all), build)
        events: list = []
        result = await run(world, observers=[events.append])
        assert (result.stop_reason, result.features) == (StopReason.COMPLETE, FeatureCount(3, 3))
        (noted,) = await notes(world, NoteKind.RULE_BROKEN)
        assert noted["broken"][0]["rule"] == "removed"
        assert [event.count for event in told(events, RuleBroken)] == [2]
        assert "2 features were removed (1, 2)" in world.agent.tasks[2].prompt
        assert "removed" not in world.agent.tasks[3].prompt

    async def test_appended_features_are_kept_and_recorded(self, world) -> None:
        def append(workspace: FakeWorkspace) -> None:
            workspace.features.append(False)

        world.behaving(build, ending(Cause.END_TURN, append), build)
        events: list = []
        result = await run(world, observers=[events.append])
        assert result.features == FeatureCount(4, 4)
        assert await notes(world, NoteKind.FEATURES_APPENDED) == [{"features": ["3"], "count": 1}]
        assert len(told(events, FeaturesAppended)) == 1

    async def test_a_regression_is_allowed_and_recorded(self, world) -> None:
        def regress(workspace: FakeWorkspace) -> None:
            workspace.features = [False, True, False]

        world.behaving(build, build, ending(Cause.END_TURN, regress), build)
        await run(world)
        saved = await notes(world, NoteKind.SESSION_SAVED)
        assert [note["regressed"] for note in saved[:4]] == [[], [], ["0"], []]

    async def test_what_a_person_changes_between_sessions_is_accepted_recorded_and_told(self, world) -> None:
        def person(event) -> None:
            if isinstance(event, Transitioned) and event.dest == State.CONTINUE and event.seq == 5:
                world.workspace.features = [False, False]

        events: list = []
        result = await run(world, observers=[events.append, person])
        assert result.features == FeatureCount(2, 2)
        assert await notes(world, NoteKind.RULE_BROKEN) == []
        assert len(await notes(world, NoteKind.FEATURES_CHANGED)) == len(told(events, FeaturesChanged)) == 1
        assert "changed by a person" in world.agent.tasks[1].prompt

    async def test_a_tool_that_breaks_the_rule_is_undone_at_once_and_the_agent_told(self, world) -> None:
        words = []

        class Watched(FakeAgent):
            async def run(self, task, log, stop):
                if len(self.tasks) == 1:
                    world.workspace.features = None
                    words.append(await log.tool_finished())
                    words.append(await log.tool_finished())
                    assert world.workspace.features == [False, False, False]
                return await super().run(task, log, stop)

        world.agent = Watched(world.workspace)
        result = await run(world)
        assert result.stop_reason is StopReason.COMPLETE
        assert "the list was deleted" in words[0]
        assert words[1] is None
        assert len(await notes(world, NoteKind.RULE_BROKEN)) == 1

    async def test_a_session_that_did_not_run_is_not_saved_again(self, world) -> None:
        """A conversation waits to be resumed while DETECT fails: what a person did meanwhile is not the agent's."""
        world.behaving(build, ending(Cause.RATE_LIMIT), build)
        read = world.workspace.read
        detections: list[Transitioned] = []

        def watch(event) -> None:
            if isinstance(event, Transitioned) and event.dest == State.DETECT:
                detections.append(event)
                if len(detections) == 3:
                    world.workspace.features = [False]
                    world.workspace.read = failing_read

        async def failing_read():
            world.workspace.read = read
            raise OSError("no more files")

        result = await run(world, observers=[watch])
        assert [t.source for t in await world.journal.transitions() if t.trigger == "failed"] == ["DETECT"]
        assert result.features == FeatureCount(1, 1)
        assert await notes(world, NoteKind.RULE_BROKEN) == []


class TestVerification:
    async def test_claims_count_when_it_succeeds(self, world) -> None:
        verifier = FakeVerifier(PASSED)
        events: list = []
        result = await run(world, verifier=verifier, observers=[events.append])
        assert (result.stop_reason, verifier.calls) == (StopReason.COMPLETE, 3)
        assert [event.verdict for event in told(events, ClaimsVerified)] == ["passed"] * 3

    async def test_nothing_claimed_is_not_verified(self, world) -> None:
        world.behaving(build, idle)
        verifier = FakeVerifier(PASSED)
        assert (await run(world, verifier=verifier, stall_after=2)).stop_reason is StopReason.STALLED
        assert verifier.calls == 0

    async def test_claims_revert_when_it_fails_and_its_output_is_told_and_that_is_no_failure(self, world) -> None:
        verifier = FakeVerifier(PASSED, FAILED, PASSED)
        result = await run(world, verifier=verifier, max_failures=1)
        assert (result.stop_reason, result.iterations) == (StopReason.COMPLETE, 5)
        first, second, third = (world.agent.tasks[number].prompt for number in (2, 3, 4))
        assert ("verification" in first, "verification" in third) == (False, False)
        assert "set back to false" in second
        assert "2 tests fail" in second
        ends = [t.facts for t in await world.journal.transitions() if t.source == "END"]
        assert [facts.features.passing for facts in ends] == [0, 1, 1, 2, 3]

    @pytest.mark.parametrize("verdict", [MISSING, TIMED_OUT])
    async def test_missing_or_timed_out_is_a_failure_too_and_says_why(self, world, verdict: Verdict) -> None:
        result = await run(world, verifier=FakeVerifier(verdict), max_failures=2)
        assert (result.stop_reason, result.features) == (StopReason.MAX_FAILURES, FeatureCount(3, 0))
        assert verdict.detail in result.detail
        ends = [t.facts for t in await world.journal.transitions() if t.source == "END"]
        assert [facts.counters.failures for facts in ends] == [0, 1, 2]

    async def test_everything_marked_as_passing_without_a_check_that_succeeds_is_not_complete(self, world) -> None:
        def mark_all(workspace: FakeWorkspace) -> None:
            workspace.features = [True] * len(workspace.features)

        world.behaving(build, ending(Cause.END_TURN, mark_all))
        result = await run(world, verifier=FakeVerifier(FAILED), stall_after=2)
        assert (result.stop_reason, result.features) == (StopReason.STALLED, FeatureCount(3, 0))

    async def test_claims_of_the_first_list_are_claims_too(self, world) -> None:
        def write_finished_list(workspace: FakeWorkspace) -> None:
            workspace.features = [True, True]

        world.behaving(ending(Cause.END_TURN, write_finished_list), idle)
        result = await run(world, verifier=FakeVerifier(FAILED), stall_after=1)
        assert result.features == FeatureCount(2, 0)

    async def test_the_check_itself_cannot_write_the_list(self, world) -> None:
        def meddle() -> None:
            world.workspace.features = [True] * 3

        verifier = FakeVerifier(PASSED, effect=meddle)
        result = await run(world, verifier=verifier)
        assert (result.stop_reason, verifier.calls) == (StopReason.COMPLETE, 3)

    async def test_a_stop_while_it_runs_takes_the_claims_back_and_the_resumed_session_is_told(self, world) -> None:
        world.behaving(build, ending(Cause.RATE_LIMIT, lambda workspace: workspace.features.__setitem__(0, True)), build)
        sessions: list[SessionManager] = []

        def stop_in_end(event) -> None:
            if isinstance(event, Transitioned) and event.dest == State.END and event.outcome == "rate_limit":
                sessions[0].stop("a test")

        async with world.manager(verifier=FakeVerifier(PASSED), observers=[stop_in_end]) as session:
            sessions.append(session)
            result = await session.run_until_shutdown()
        assert (result.stop_reason, result.features) == (StopReason.INTERRUPTED, FeatureCount(3, 0))
        result = await run(world, verifier=FakeVerifier(PASSED))
        assert result.stop_reason is StopReason.COMPLETE
        resumed = world.agent.tasks[2]
        assert resumed.may_resume
        assert "set back to false" in resumed.news


class TestSalvageAndEntries:
    async def test_work_of_a_cut_off_session_is_kept_told_and_in_the_status(self, world) -> None:
        def leave_work(workspace: FakeWorkspace) -> None:
            workspace.uncommitted = True

        def commit_it(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
            workspace.uncommitted = False
            return build(task, workspace)

        world.behaving(build, ending(Cause.PROMPT_TOO_LONG, leave_work), commit_it)
        events: list = []
        async with world.manager(observers=[events.append]) as session:
            await session.run_until_shutdown()
            status = await session.status()
        (ref,) = status.salvages
        assert status.to_json()["salvages"] == [ref]
        assert [event.ref for event in told(events, WorkSalvaged)] == [ref]
        assert f"git show {ref}" in world.agent.tasks[2].prompt

    async def test_a_normal_end_is_not_salvaged(self, world) -> None:
        world.workspace.uncommitted = True
        await run(world)
        assert world.workspace.salvages == []

    async def test_every_session_leaves_one_entry_and_its_own_where_it_wrote_one(self, world) -> None:
        def write_notes(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
            workspace.notes.append("mine")
            return build(task, workspace)

        world.behaving(build, write_notes, ending(Cause.RATE_LIMIT), build)
        await run(world)
        sessions = list(dict.fromkeys(task.session_id for task in world.agent.tasks))
        assert world.workspace.entries == [sessions[0], *sessions[2:]]


class OnlyTheThird(FakeVerifier):
    """Fails the third session, however often it is asked."""

    async def verify(self, session_id, stop):
        return FAILED if session_id.endswith("3") else PASSED


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("dies_before", range(1, 19))
async def test_end_that_dies_at_any_write_ends_the_same_when_it_is_taken_up(new_world, dies_before: int) -> None:
    """Every durable step of END is cut before and after, in a session that broke, claimed and left everything."""

    def wreck(task: AgentTask, workspace: FakeWorkspace) -> Outcome:
        workspace.features = [True, True]
        workspace.uncommitted = True
        return Outcome(Cause.PROMPT_TOO_LONG, "")

    async def story(world, dies_before: int | None) -> tuple:
        world.behaving(build, build, wreck, build)
        verifier = OnlyTheThird()
        count = 0

        def counted(method):
            async def call(*arguments, **options):
                nonlocal count
                last = await world.journal.last()
                if last is None or last.dest != State.END or last.facts.outcome.cause is not Cause.PROMPT_TOO_LONG:
                    return await method(*arguments, **options)
                count += 1
                if count == dies_before:
                    raise Crash
                result = await method(*arguments, **options)
                count += 1
                if count == dies_before:
                    raise Crash
                return result

            return call

        journal, workspace = world.journal, world.workspace
        for owner, name in (
            (journal, "note"), (journal, "keep"), (workspace, "replace_features"), (workspace, "salvage"),
            (workspace, "leave_entry"), (workspace, "set_aside_feature_list"),
        ):  # fmt: skip
            setattr(owner, name, counted(getattr(owner, name)))
        for _ in range(3):
            try:
                result = await run(world, verifier=verifier, max_iterations=4)
                break
            except Crash:
                continue
        kinds = {}
        for note in await journal.notes():
            if note.kind not in (NoteKind.STARTED, NoteKind.RECOVERED, NoteKind.AGENT_REAPED):
                kinds.setdefault((note.kind, note.seq), []).append(dict(note.data))
        facts = [
            (t.seq, t.dest, t.facts.features, t.facts.counters) for t in await journal.transitions()
        ]
        return result.features, result.stop_reason, kinds, facts, workspace.entries, workspace.salvages, count

    *expected, steps = await story(new_world(), None)
    assert steps == 18, "every one of them is cut"
    *found, _ = await story(new_world(), dies_before)
    assert found == expected


@pytest.mark.parametrize("dies", ["before the note", "after the note", "after the mending"])
async def test_what_a_leg_broke_is_put_right_before_the_conversation_goes_on_and_noted_once(
    world, dies: str
) -> None:
    """The agent of the next leg would else read the broken list, and put it right or not."""
    note, replace = world.journal.note, world.workspace.replace_features

    async def dying_note(made) -> None:
        if made.kind == NoteKind.RULE_BROKEN:
            world.journal.note = note
            if dies == "before the note":
                raise Crash
            await note(made)
            if dies == "after the note":
                raise Crash
            return
        await note(made)

    async def dying_replace(content: bytes) -> None:
        world.workspace.replace_features = replace
        await replace(content)
        if dies == "after the mending":
            raise Crash

    class Breaks(FakeAgent):
        async def run(self, task: AgentTask, log, stop) -> Outcome:
            if len(self.tasks) == 1:
                self.tasks.append(task)
                await log.agent_started(None)
                await log.prompted()
                remove_all(world.workspace)
                await log.tool_finished()
                raise AssertionError("it dies there")
            if len(self.tasks) == 2:
                assert len(world.workspace.features) == 3, "put right before the agent goes on"
            return await super().run(task, log, stop)

    world.agent = Breaks(world.workspace)
    world.journal.note, world.workspace.replace_features = dying_note, dying_replace
    with pytest.raises(Crash):
        await run(world)
    result = await run(world)
    assert (result.stop_reason, result.features) == (StopReason.COMPLETE, FeatureCount(3, 3))
    assert len(await notes(world, NoteKind.RULE_BROKEN)) == 1


async def test_what_end_could_not_save_is_saved_before_the_project_is_read_again(world) -> None:
    """Else the agent's tampering would pass for a person's change."""
    failures = 2
    replace = world.workspace.replace_features

    async def failing(content: bytes) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(28, "No space left on device")
        await replace(content)

    world.workspace.replace_features = failing
    world.behaving(build, ending(Cause.END_TURN, remove_all), build)
    result = await run(world)
    assert (result.stop_reason, result.features) == (StopReason.COMPLETE, FeatureCount(3, 3))
    assert len(await notes(world, NoteKind.RULE_BROKEN)) == 1
    assert len(await notes(world, NoteKind.SAVE_FAILED)) == 1
    assert await notes(world, NoteKind.FEATURES_CHANGED) == []
    assert "2 features were removed" in world.agent.tasks[2].prompt


class TestAPersonsFiles:
    """The specification and the settings: sessions read them."""

    async def test_what_is_gone_comes_back_and_what_was_changed_is_told_and_left(self, world) -> None:
        def attack(workspace: FakeWorkspace) -> None:
            workspace.persons.update({"app_spec.txt": None, "lifecycle.toml": b"another"})

        world.workspace.persons = {"app_spec.txt": b"Build it.", "lifecycle.toml": b"mine", "absent": None}
        world.behaving(build, ending(Cause.END_TURN, attack), build)
        events: list = []
        result = await run(world, observers=[events.append])
        assert result.stop_reason is StopReason.COMPLETE
        assert world.workspace.persons == {"app_spec.txt": b"Build it.", "lifecycle.toml": b"another", "absent": None}
        assert await notes(world, NoteKind.PERSONS_FILES) == [{"restored": ["app_spec.txt"], "changed": ["lifecycle.toml"]}]
        (event,) = told(events, PersonsFilesTouched)
        assert (event.restored, event.changed, event.problem) == ("app_spec.txt", "lifecycle.toml", "")

    async def test_what_a_person_removes_between_sessions_stays_removed(self, world) -> None:
        world.workspace.persons = {"lifecycle.toml": b"mine"}
        world.behaving(build, build, build)
        await run(world, max_iterations=1)
        world.workspace.persons["lifecycle.toml"] = None
        await run(world)
        assert world.workspace.persons == {"lifecycle.toml": None}
        assert await notes(world, NoteKind.PERSONS_FILES) == []

    async def test_what_cannot_be_put_back_is_told(self, world) -> None:
        class Blocked(FakeWorkspace):
            async def restore_persons_file(self, name: str, content: bytes) -> str | None:
                return f"{name} is a directory"

        world.workspace = Blocked(features=[False], persons={"app_spec.txt": b"Build it."})
        world.behaving(ending(Cause.END_TURN, lambda workspace: workspace.persons.update({"app_spec.txt": None})), build)
        events: list = []
        assert (await run(world, observers=[events.append])).stop_reason is StopReason.COMPLETE
        assert {event.problem for event in told(events, PersonsFilesTouched)} == {"app_spec.txt is a directory"}
