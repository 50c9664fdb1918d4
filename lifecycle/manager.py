"""The face for hosts: one project's manager, and `auto_continue`.

Owns what a host sees: coming and going, driving, stopping, watching. Installs no signal handler, configures no
logging, and reads no `LIFECYCLE_*` environment unless it is handed one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, Unpack, cast

from lifecycle.config import Settings, from_environment, from_host, to_record
from lifecycle.driver import ensure_works
from lifecycle.errors import JournalCorrupt, JournalUnavailable
from lifecycle.events import Event, SpecificationChanged, SpecificationUnread, StopRequested
from lifecycle.journal.lock import owner
from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Agent, Chance, Clock, Journal, Note, Observer, Prompts, Verifier, Workspace
from lifecycle.processes import this_process
from lifecycle.runtime.local import SystemChance, SystemClock
from lifecycle.status import RunResult, Status, read_status, result_of
from lifecycle.stopping import LocalStopFlag
from lifecycle.taking import Request, Taken, take, tell_sandbox
from lifecycle.watching import EventHub
from lifecycle.work.context import Work, emit
from lifecycle.workspace.spec import SpecChange, SpecComparison, compare_spec, ensure_workable, install_spec
from states.definition import BUILT_IN, Definition
from states.new import begin, go_on, is_suspended
from states.vocabulary import RunId, State

_STOP_POLL_S = 0.25

_last_manager: ContextVar[SessionManager | None] = ContextVar("lifecycle_last_manager", default=None)


class SessionManager:
    """Manages one project's sessions: `async with SessionManager(directory) as session: await session.run()`.

    Args:
        project_dir: the directory that the agent works in.
        spec: the specification's text; becomes `app_spec.txt` unless that says the same already.
        environment: where `LIFECYCLE_*` variables and `XDG_STATE_HOME` are looked up; None takes the process's own
            for `XDG_STATE_HOME` and `HOME` only.
        config_file: instead of the project's `lifecycle.toml`.
        observers: called with every event, in order; see also `events`.
        clock, chance, journal, workspace, agent, prompts, verifier: a port of your own in place of the local one.
        definition: a table of your own in place of the built-in one; see `states.definition.extended`.
        works: what each of your own states does; see `lifecycle.work.context.Work`.
        settings: any setting of `lifecycle.config.Config` by name; beats environment and file.

    Raises:
        ConfigurationError: a setting is not accepted, or a state of your own has no work. Nothing was touched.
    """

    def __init__(
        self,
        project_dir: str | os.PathLike[str],
        *,
        spec: str | None = None,
        environment: Mapping[str, str] | None = None,
        config_file: str | os.PathLike[str] | None = None,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
        chance: Chance | None = None,
        journal: Journal | None = None,
        workspace: Workspace | None = None,
        agent: Agent | None = None,
        prompts: Prompts | None = None,
        verifier: Verifier | None = None,
        definition: Definition = BUILT_IN,
        works: Mapping[str, Work] = MappingProxyType({}),
        **settings: Unpack[Settings],
    ) -> None:
        ensure_works(definition, works)
        self.project_dir = Path(project_dir)
        self._spec = spec
        self._hub = EventHub()
        self._stop = LocalStopFlag()
        self._request = Request(
            project_dir=self.project_dir,
            config_file=None if config_file is None else Path(config_file),
            environment=environment,
            given=from_host(dict(settings)),
            from_environment=from_environment(environment or {}),
            clock=clock or SystemClock(),
            chance=chance or SystemChance(),
            journal=journal,
            workspace=workspace,
            agent=agent,
            prompts=prompts,
            verifier=verifier,
            definition=definition,
            works=works,
            stop=self._stop,
            observers=(*observers, self._hub),
        )
        self._open: Taken | None = None
        self._is_driving = False
        self._has_driven = False
        self._is_spec_due = False
        self._result: RunResult | None = None
        self._closing = AsyncExitStack()

    # --- coming and going -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Take the project.

        Raises:
            ProjectInvalid: the directory is none.
            ConfigurationError: the configuration file is wrong.
            ProjectBusy: another manager has it; nothing was touched.
            JournalUnavailable, JournalCorrupt, JournalForeign: the record cannot be used.
        """
        try:
            self._open = await take(self._request, self._closing)
        except BaseException:
            await self._closing.aclose()
            raise
        _last_manager.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the project back. A run that stands in CONTINUE stays there: this is no stop."""
        self._open = None
        self._hub.close()
        await self._closing.aclose()

    # --- running --------------------------------------------------------------------------------------------

    async def run(self, prompt: str | None = None) -> RunResult:
        """Run one session: drive to CONTINUE or SHUTDOWN.

        Begins a run where none is under way, goes on with one that is (waiting out what is left of CONTINUE first).

        Args:
            prompt: asked instead of the prompt for the session's type. It is work even when everything passes.

        Raises:
            ProjectInvalid: there is neither a specification nor a feature list nor a prompt.
            FeatureListInvalid: before the first session of a run; no run was begun.
            JournalUnavailable: the record cannot be written; start again when it can.
        """
        return await self._drive(prompt, pause_in=State.CONTINUE)

    async def run_until_shutdown(self) -> RunResult:
        """Run, or go on, session after session, until SHUTDOWN. Raises what `run` raises."""
        return await self._drive(None, pause_in=None)

    async def _drive(self, prompt: str | None, *, pause_in: str | None) -> RunResult:
        opened = self._opened()
        if self._is_driving:
            raise RuntimeError("this manager is driving its project already; one task drives, others watch")
        self._is_driving = True
        self._result = None
        try:
            async with self._listening(opened):
                await opened.driver.ensure_loaded()
                if prompt is None or await self._drive_what_was_asked_before(opened, prompt):
                    await self._drive_on(opened, prompt, pause_in)
        finally:
            self._is_driving, self._has_driven = False, True
        facts = opened.driver.facts
        assert facts is not None, "a driven run has facts"
        self._result = result_of(opened.driver.state, facts)
        return self._result

    async def _drive_what_was_asked_before(self, opened: Taken, prompt: str) -> bool:
        """Let a session take an earlier explicit prompt that none has taken. Return whether there is room for more."""
        driver = opened.driver
        asked = None if driver.facts is None else driver.facts.prompt
        goes_on = driver.is_under_way or (driver.facts is not None and is_suspended(driver.facts))
        if not goes_on or asked is None or asked == prompt:
            return True
        await self._drive_on(opened, None, State.CONTINUE)
        return driver.is_under_way

    async def _drive_on(self, opened: Taken, prompt: str | None, pause_in: str | None) -> None:
        """Begin a run or take one up, and drive it until it pauses with no explicit prompt left, or is over."""
        driver = opened.driver
        pauses = () if pause_in is None else (pause_in,)
        await self._prepare(opened, prompt)
        while True:
            await driver.drive(pause_in=(State.DETECT, *pauses) if self._is_spec_due else pauses)
            if not driver.is_under_way:
                self._stop.clear()  # honoured
                return
            if self._is_spec_due:
                await self._install_spec(opened)  # paused between two sessions
            # A conversation that was cut off comes before the prompt that was asked since.
            is_asked = driver.facts is not None and driver.facts.prompt is not None
            if driver.state in pauses and not is_asked:
                return

    async def _prepare(self, opened: Taken, prompt: str | None) -> None:
        driver, facts = opened.driver, opened.driver.facts
        self._is_spec_due = self._spec is not None
        if driver.is_under_way:
            tell_sandbox(opened)
            if driver.state in (State.DETECT, State.CONTINUE):
                await self._install_spec(opened)  # later, when the session that goes on is over
            if prompt is not None and not await _is_asked_already(opened, prompt):
                await driver.ask(prompt)
            return
        if self._has_driven:
            self._stop.clear()  # a stop is for the run under way, or the first one; one that came too late is void
        goes_on = facts is not None and is_suspended(facts)
        if facts is None or not goes_on or facts.counters.iterations == 0:
            asked = prompt or (facts.prompt if facts is not None and goes_on else None)
            await self._check_project(opened, asked)
        now = self._request.clock.now()
        if facts is not None and goes_on:
            observation = go_on(facts, at=now, limits=opened.limits, prompt=prompt)
        else:
            sessions = facts.counters.sessions if facts else 0
            observation = begin(
                self._request.chance.run_id(), at=now, limits=opened.limits, sessions=sessions, prompt=prompt
            )
        tell_sandbox(opened)
        has_changed = await self._install_spec(opened, observation.facts.run_id)
        if has_changed and not goes_on and not observation.facts.has_asked_work:
            await self._tell_unread(opened, observation.facts.run_id)
        await self._note_start(opened, observation.facts.run_id)
        await driver.start(observation)

    async def _check_project(self, opened: Taken, prompt: str | None) -> None:
        """Refuse, before the first session of a run, what DETECT would put right later or could not work with."""
        if prompt is None and self._spec is None:
            ensure_workable(self.project_dir, has_spec=False)
        await opened.ports.workspace.read()

    async def _install_spec(self, opened: Taken, run_id: RunId | None = None) -> bool:
        """Between two sessions: make the specification that was given with this start the project's, if it is not."""
        self._is_spec_due = False
        if self._spec is None:
            return False
        if run_id is None and opened.driver.facts is not None:
            run_id = opened.driver.facts.run_id
        compared = await asyncio.to_thread(compare_spec, self.project_dir, self._spec)
        if compared.change is SpecChange.UNCHANGED:
            return False
        now = self._request.clock.now()
        await self._note_spec(opened, compared, at=now, run_id=run_id)
        change = await asyncio.to_thread(install_spec, self.project_dir, self._spec)
        emit(opened.ports, SpecificationChanged(at=now, run_id=run_id, change=change))
        return True

    async def _tell_unread(self, opened: Taken, run_id: RunId) -> None:
        features = (await opened.ports.workspace.read()).features
        if features.is_complete:
            now = self._request.clock.now()
            emit(opened.ports, SpecificationUnread(at=now, run_id=run_id, features=features.total))

    async def _note_spec(
        self, opened: Taken, compared: SpecComparison, *, at: float, run_id: RunId | None
    ) -> None:
        """Before it is done: whoever dies in between is followed by one who finds it still to do, and noted already."""
        data = {"change": compared.change, "before": compared.before, "after": compared.after}
        journal = opened.ports.journal
        last = await journal.last()
        seq = 0 if last is None else last.seq
        known = await journal.notes(kind=NoteKind.SPEC_CHANGED)
        if not known or (known[-1].data, known[-1].seq) != (data, seq):
            await journal.note(Note(kind=NoteKind.SPEC_CHANGED, at=at, data=data, run_id=run_id, seq=seq))

    async def _note_start(self, opened: Taken, run_id: RunId) -> None:
        data = {
            "process": this_process().to_record(),
            "file": to_record(opened.file.values),
            "given": to_record({**self._request.from_environment.values, **self._request.given.values}),
            "sandbox": None if opened.sandbox is None else opened.sandbox.to_record(),
        }
        await opened.ports.journal.note(
            Note(kind=NoteKind.STARTED, at=self._request.clock.now(), data=data, run_id=run_id)
        )

    async def continue_with(self, delay_s: float) -> RunResult:
        """Run on to SHUTDOWN with this delay between sessions, in this context or, after it was left, in a new one.

        A run that is over stays so: its result is returned.
        """
        if self._result is not None and self._result.state == State.SHUTDOWN:
            return self._result
        if self._open is None:
            async with self._again(continue_delay=delay_s) as again:
                return await again.run_until_shutdown()
        delay = from_host({"continue_delay": delay_s}).values["continue_delay"]
        self._open.limits = replace(self._open.limits, continue_delay_s=delay)
        await self._open.driver.ensure_loaded()
        self._open.driver.use(self._open.limits)
        return await self.run_until_shutdown()

    # --- stopping and watching ------------------------------------------------------------------------------

    def stop(self, by: str = "the host") -> None:
        """Ask for a graceful stop: the present state saves first, and the run is suspended. Moves nothing itself."""
        if not self._stop.is_set():
            self._stop.set(by)
            if self._open is not None:
                facts = self._open.driver.facts
                run_id = facts.run_id if facts else None
                emit(self._open.ports, StopRequested(at=self._request.clock.now(), run_id=run_id, by=by))

    @property
    def stopped_by(self) -> str | None:
        """Who asked for the stop that is under way or was last, or None."""
        return self._stop.by

    async def status(self) -> Status:
        """Where the project stands, as the journal has it."""
        opened = self._opened()
        return await read_status(opened.ports.journal, owner(opened.state_dir))

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens, from the first event of this manager on, until its context is left."""
        return self._hub.watch()

    @asynccontextmanager
    async def _listening(self, opened: Taken) -> AsyncIterator[None]:
        """Hear `lifecycle stop` while a run is driven."""
        listening = asyncio.create_task(self._listen(opened))
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, opened: Taken) -> None:
        me = this_process()
        while not self._stop.is_set():
            facts = opened.driver.facts
            try:
                by = await opened.ports.journal.stop_requested(facts.run_id if facts else None, me)
            except (JournalUnavailable, JournalCorrupt):
                by = None  # the driver meets the same fault, and tells it
            if by is not None:
                self.stop(by)
            await asyncio.sleep(_STOP_POLL_S)

    def _opened(self) -> Taken:
        if self._open is None:
            raise RuntimeError("use the manager inside `async with SessionManager(...) as session:`")
        return self._open

    def _again(self, **settings: Unpack[Settings]) -> SessionManager:
        """A manager of the same project with the same arguments, but for some settings."""
        request = self._request
        return SessionManager(
            self.project_dir,
            environment=request.environment,
            config_file=request.config_file,
            observers=request.observers[:-1],
            clock=request.clock,
            chance=request.chance,
            journal=request.journal,
            workspace=request.workspace,
            agent=request.agent,
            prompts=request.prompts,
            verifier=request.verifier,
            definition=request.definition,
            works=request.works,
            **cast("Settings", {**request.given.values, **settings}),
        )


async def auto_continue(
    delay_seconds: float = 3, project_dir: str | os.PathLike[str] | None = None
) -> RunResult:
    """Wait out CONTINUE with this delay and run on to SHUTDOWN.

    A run that this context's last manager drove to SHUTDOWN is not begun again: its result is returned.

    Args:
        delay_seconds: between sessions; a backoff or a stated reset is not shortened by it.
        project_dir: the project; None takes this context's last manager with all its arguments, and without one the
            current directory.

    Raises:
        ConfigurationError: the delay is not accepted.
    """
    last = _last_manager.get()
    if last is None or not (project_dir is None or Path(project_dir) == last.project_dir):
        last = SessionManager(project_dir or Path.cwd(), continue_delay=delay_seconds)
        async with last:
            return await last.run_until_shutdown()
    return await last.continue_with(delay_seconds)


async def _is_asked_already(opened: Taken, prompt: str) -> bool:
    """Whether this prompt waits for its session, or the conversation that goes on is its own: asked before a crash."""
    facts = opened.driver.facts
    if facts is not None and facts.prompt == prompt:
        return True
    if facts is None or facts.session is None or opened.driver.state == State.CONTINUE:
        return False
    record = await opened.ports.journal.session(facts.session.id)
    return record is not None and record.prompt == prompt
