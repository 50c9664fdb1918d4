"""The face for hosts: one project's manager, and `auto_continue`.

Owns the order in which a manager comes to life (lock, journal, leftovers, settings, machine) and goes. Installs
no signal handler, configures no logging, and reads no `LIFECYCLE_*` environment unless it is handed one.
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
from typing import Any, Self

from lifecycle.config import (
    FILE_NAME,
    Config,
    Layer,
    from_environment,
    from_file,
    from_host,
    layer,
    resolve,
    to_record,
)
from lifecycle.driver import Driver
from lifecycle.errors import ConfigurationError, JournalUnavailable
from lifecycle.events import Event, LeftoversReaped, SpecificationChanged, StopRequested
from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.lock import acquire, owner
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Agent, Chance, Clock, Journal, Note, Observer, Ports, Prompts, Workspace
from lifecycle.processes import ProcessIdentity, this_process
from lifecycle.runtime.local import SystemChance, SystemClock, local_agent, local_prompts, local_workspace
from lifecycle.status import RunResult, Status, read_status, result_of
from lifecycle.stopping import LocalStopFlag
from lifecycle.watching import EventHub
from lifecycle.work.context import Work, emit
from lifecycle.workspace.spec import SpecChange, ensure_project_dir, ensure_workable, install_spec
from states.definition import BUILT_IN, Definition
from states.new import begin, go_on, is_suspended
from states.vocabulary import RunId, SessionId, State

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
        clock, chance, journal, workspace, agent, prompts: a port of your own in place of the local one.
        definition: a table of your own in place of the built-in one; see `states.definition.extended`.
        works: what each of your own states does; see `lifecycle.work.context.Work`.
        settings: any setting of `lifecycle.config.Config` by name; beats environment and file.

    Raises:
        ConfigurationError: a setting is not accepted. Nothing was touched.
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
        definition: Definition = BUILT_IN,
        works: Mapping[str, Work] = MappingProxyType({}),
        **settings: object,
    ) -> None:
        self.project_dir = Path(project_dir)
        self._spec = spec
        self._environment = environment
        self._config_file = None if config_file is None else Path(config_file)
        self._given = from_host(settings)
        self._from_environment = from_environment(environment or {})
        self._clock = clock or SystemClock()
        self._chance = chance or SystemChance()
        self._given_ports: dict[str, Any] = {"journal": journal, "workspace": workspace, "agent": agent, "prompts": prompts}
        self._definition = definition
        self._works = works
        self._hub = EventHub()
        self._observers = (*observers, self._hub)
        self._stop = LocalStopFlag()
        self._open: _Open | None = None
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
            self._open = await self._take()
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

    async def _take(self) -> _Open:
        ensure_project_dir(self.project_dir)
        file, error = self._read_file()
        state_dir = self._state_dir(file)
        if error is not None and not (state_dir / JOURNAL_NAME).exists():
            raise error
        self._closing.enter_context(acquire(state_dir, self.project_dir))
        journal = await self._open_journal(state_dir)
        journalled = await _file_as_journalled(journal)
        if journalled is None and error is not None:
            raise error
        file = journalled or file
        config = resolve(self._given, self._from_environment, file)
        ports = self._bind(journal, state_dir, config)
        driver = Driver(
            ports, limits=config.limits, max_turns=config.max_turns, works=self._works, definition=self._definition
        )
        await driver.load()
        opened = _Open(state_dir, config, file, ports, driver)
        await self._reap(opened)
        return opened

    def _read_file(self) -> tuple[Layer, ConfigurationError | None]:
        """The file's layer. A fault in the project's own file is kept for later: a run that goes on needs it not."""
        if self._config_file is not None:
            return from_file(self._config_file, must_exist=True), None
        try:
            return from_file(self.project_dir / FILE_NAME, must_exist=False), None
        except ConfigurationError as error:
            return Layer({}, {}), error

    def _state_dir(self, file: Layer) -> Path:
        asked = resolve(self._given, self._from_environment, file).state_dir
        environment = self._environment
        if environment is None:
            environment = {name: os.environ[name] for name in ("HOME", "XDG_STATE_HOME") if name in os.environ}
        return state_directory(self.project_dir, asked, environment)

    async def _open_journal(self, state_dir: Path) -> Journal:
        given: Journal | None = self._given_ports["journal"]
        if given is not None:
            return given
        journal = await SqliteJournal.open(state_dir / JOURNAL_NAME)
        self._closing.push_async_callback(journal.close)
        return journal

    def _bind(self, journal: Journal, state_dir: Path, config: Config) -> Ports:
        given = self._given_ports
        return Ports(
            clock=self._clock,
            chance=self._chance,
            journal=journal,
            workspace=given["workspace"] or local_workspace(self.project_dir),
            agent=given["agent"] or local_agent(self.project_dir, state_dir, config, self._clock),
            prompts=given["prompts"] or local_prompts(config),
            stop=self._stop,
            observers=self._observers,
        )

    async def _reap(self, opened: _Open) -> None:
        """End what a dead manager left behind, before anything else runs."""
        journal, facts = opened.ports.journal, opened.driver.facts
        processes: list[ProcessIdentity] = []
        sessions: dict[SessionId, None] = {}
        run_id = facts.run_id if facts else None
        for note in await journal.notes(kind=NoteKind.AGENT_STARTED, run_id=run_id):
            processes.append(ProcessIdentity.from_record(note.data["process"]))
            if note.session_id is not None:
                sessions[note.session_id] = None
        if facts is not None and facts.session is not None:
            sessions[facts.session.id] = None
        count = await opened.ports.agent.reap(processes, tuple(sessions))
        if count:
            now = self._clock.now()
            await journal.note(
                Note(kind=NoteKind.AGENT_REAPED, at=now, data={"processes": count}, run_id=run_id)
            )
            emit(opened.ports, LeftoversReaped(at=now, run_id=run_id, processes=count))

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
        driver = opened.driver
        async with self._listening(opened):
            await self._prepare(opened, prompt)
            await driver.drive(pause_in=pause_in)
        if not driver.is_under_way:
            self._stop.clear()  # honoured; one asked before a run begins counts for that run
        assert driver.facts is not None, "a driven run has facts"
        return result_of(driver.state, driver.facts)

    async def _prepare(self, opened: _Open, prompt: str | None) -> None:
        driver, facts = opened.driver, opened.driver.facts
        if driver.is_under_way:
            await self._install_spec(opened, facts.run_id if facts else None)
            if prompt is not None:
                driver.ask(prompt)
            return
        goes_on = facts is not None and is_suspended(facts)
        if prompt is None and self._spec is None:
            ensure_workable(self.project_dir, has_spec=False)
        if facts is None or not goes_on or facts.counters.iterations == 0:
            await opened.ports.workspace.read()
        now = self._clock.now()
        if facts is not None and goes_on:
            observation = go_on(facts, at=now, limits=opened.config.limits, prompt=prompt)
        else:
            sessions = facts.counters.sessions if facts else 0
            observation = begin(
                self._chance.run_id(), at=now, limits=opened.config.limits, sessions=sessions, prompt=prompt
            )
        await self._install_spec(opened, observation.facts.run_id)
        await self._note_start(opened, observation.facts.run_id)
        await driver.start(observation)

    async def _install_spec(self, opened: _Open, run_id: RunId | None) -> None:
        if self._spec is None:
            return
        change = await asyncio.to_thread(install_spec, self.project_dir, self._spec)
        if change is SpecChange.UNCHANGED:
            return
        now = self._clock.now()
        await opened.ports.journal.note(
            Note(kind=NoteKind.SPEC_CHANGED, at=now, data={"change": change}, run_id=run_id)
        )
        emit(opened.ports, SpecificationChanged(at=now, run_id=run_id, change=change))

    async def _note_start(self, opened: _Open, run_id: RunId) -> None:
        data = {
            "process": this_process().to_record(),
            "file": to_record(opened.file.values),
            "given": to_record({**self._from_environment.values, **self._given.values}),
        }
        await opened.ports.journal.note(
            Note(kind=NoteKind.STARTED, at=self._clock.now(), data=data, run_id=run_id)
        )

    # --- stopping and watching ------------------------------------------------------------------------------

    def stop(self, by: str = "the host") -> None:
        """Ask for a graceful stop: the present state saves first, and the run is suspended. Moves nothing itself."""
        if not self._stop.is_set():
            self._stop.set(by)
            if self._open is not None:
                facts = self._open.driver.facts
                run_id = facts.run_id if facts else None
                emit(self._open.ports, StopRequested(at=self._clock.now(), run_id=run_id, by=by))

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
    async def _listening(self, opened: _Open) -> AsyncIterator[None]:
        """Hear `lifecycle stop` while a run is driven."""
        listening = asyncio.create_task(self._listen(opened))
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, opened: _Open) -> None:
        me = this_process()
        while not self._stop.is_set():
            facts = opened.driver.facts
            try:
                by = await opened.ports.journal.stop_requested(facts.run_id if facts else None, me)
            except JournalUnavailable:
                by = None  # the driver meets the same fault, and tells it
            if by is not None:
                self.stop(by)
            await asyncio.sleep(_STOP_POLL_S)

    def _opened(self) -> _Open:
        if self._open is None:
            raise RuntimeError("use the manager inside `async with SessionManager(...) as session:`")
        return self._open

    def _again(self, **settings: object) -> SessionManager:
        """A manager of the same project with the same arguments, but for some settings."""
        return SessionManager(
            self.project_dir,
            environment=self._environment,
            config_file=self._config_file,
            observers=self._observers[:-1],
            clock=self._clock,
            chance=self._chance,
            definition=self._definition,
            works=self._works,
            **{**self._given_ports, **self._given.values, **settings},
        )


class _Open:
    """What a manager has while it has the project."""

    __slots__ = ("config", "driver", "file", "ports", "state_dir")

    def __init__(self, state_dir: Path, config: Config, file: Layer, ports: Ports, driver: Driver) -> None:
        self.state_dir = state_dir
        self.config = config
        self.file = file
        self.ports = ports
        self.driver = driver


async def auto_continue(
    delay_seconds: float = 3, project_dir: str | os.PathLike[str] | None = None
) -> RunResult:
    """Wait out CONTINUE with this delay and run on to SHUTDOWN.

    Args:
        delay_seconds: between sessions; a backoff or a stated reset is not shortened by it.
        project_dir: the project; None takes this context's last manager with all its arguments, and without one the
            current directory.
    """
    last = _last_manager.get()
    if last is not None and (project_dir is None or Path(project_dir) == last.project_dir):
        if last._open is not None:  # noqa: SLF001  # same module, the class's own function
            last._open.driver.use(replace(last._open.config.limits, continue_delay_s=delay_seconds))  # noqa: SLF001
            return await last.run_until_shutdown()
        manager = last._again(continue_delay=delay_seconds)  # noqa: SLF001
    else:
        manager = SessionManager(project_dir or Path.cwd(), continue_delay=delay_seconds)
    async with manager:
        return await manager.run_until_shutdown()


async def _file_as_journalled(journal: Journal) -> Layer | None:
    """The file's values as they were when the run that goes on began: since then the agent may have written it.

    None when no run goes on, and the file counts.
    """
    last = await journal.last()
    if last is None or (last.dest == State.SHUTDOWN and not is_suspended(last.facts)):
        return None
    for note in reversed(await journal.notes(kind=NoteKind.STARTED, run_id=last.run_id)):
        return layer(note.data["file"], lambda setting: f"the journal, {setting.name!r}", place="the journal")
    return None
