"""Taking a project: lock, journal, settings, ports, driver, leftovers, in the order in which a manager comes to life.

Nothing is touched before the lock is ours, and nothing runs before what a dead manager left behind is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lifecycle.agent.sandbox import Sandbox
from lifecycle.config import FILE_NAME, Config, Layer, from_file, layer, resolve
from lifecycle.driver import Driver
from lifecycle.errors import ConfigurationError
from lifecycle.events import ConfigurationKept, LeftoversReaped, SandboxMissing, SandboxOff, SandboxOn
from lifecycle.journal.location import JOURNAL_NAME, state_directory, state_environment
from lifecycle.journal.lock import acquire
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import (
    Agent,
    Chance,
    Clock,
    Journal,
    Note,
    Observer,
    Ports,
    Prompts,
    StopFlag,
    Verifier,
    Workspace,
)
from lifecycle.processes import ProcessIdentity
from lifecycle.runtime.local import (
    local_agent,
    local_confinement,
    local_prompts,
    local_verifier,
    local_workspace,
)
from lifecycle.walls import Wish, decide
from lifecycle.work.context import Work, emit
from lifecycle.workspace.spec import ensure_project_dir
from states.definition import Definition
from states.facts import Limits
from states.new import is_suspended
from states.vocabulary import SessionId, State

__all__ = ["Request", "Taken", "file_as_journalled", "take", "tell_sandbox"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a host asked for.

    Attributes:
        config_file: instead of the project's own file, or None.
        environment: where `XDG_STATE_HOME` and `HOME` are looked up; None takes the process's own.
        given: the settings that the host gave by name.
        from_environment: the settings that the environment gives.
        journal, workspace, agent, prompts, verifier: a port of the host's own, or None for the local one.
        definition: the table that is driven.
        works: what each of the host's own states does.
    """

    project_dir: Path
    config_file: Path | None
    environment: Mapping[str, str] | None
    given: Layer
    from_environment: Layer
    clock: Clock
    chance: Chance
    journal: Journal | None
    workspace: Workspace | None
    agent: Agent | None
    prompts: Prompts | None
    verifier: Verifier | None
    definition: Definition
    works: Mapping[str, Work]
    stop: StopFlag
    observers: tuple[Observer, ...]


@dataclass(slots=True)
class Taken:
    """A project that is ours until its locks and files are let go of.

    Attributes:
        limits: the effective ones; a host may change the delay.
        file: the configuration file's layer that counts, as it is journalled.
        sandbox: what this start decided about it; None where a host's own agent has not said.
    """

    state_dir: Path
    limits: Limits
    file: Layer
    ports: Ports
    driver: Driver
    sandbox: Sandbox | None
    is_sandbox_told: bool = False


async def take(request: Request, closing: AsyncExitStack) -> Taken:
    """Take the project; what must be let go of again is left in `closing`, also when this raises.

    Raises:
        ProjectInvalid: the directory is none.
        ConfigurationError: the configuration file is wrong, and no run goes on that began without its fault; or the
            sandbox is required, and there can be none, or the host's agent does not say that it has one.
        ProjectBusy: another manager has it; nothing was touched.
        JournalUnavailable, JournalCorrupt, JournalForeign: the record cannot be used.
    """
    ensure_project_dir(request.project_dir)
    written, error = _read_file(request)
    state_dir = _state_dir(request, written)
    if error is not None and not (state_dir / JOURNAL_NAME).exists():
        raise error
    walls = await decide(_wish(request, written))
    closing.enter_context(acquire(state_dir, request.project_dir))
    journal = await _open_journal(request, state_dir, closing)
    journalled = None if request.config_file else await file_as_journalled(journal)
    if journalled is None and error is not None:
        raise error
    file = journalled or written
    config = resolve(request.given, request.from_environment, file)
    walls = await decide(_wish(request, file), walls)
    ports = _bind(request, journal, state_dir, config, walls.ours)
    driver = Driver(
        ports,
        limits=config.limits,
        max_turns=config.max_turns,
        session_timeout_s=config.session_timeout,
        works=request.works,
        definition=request.definition,
    )
    await driver.load()
    taken = Taken(state_dir, config.limits, file, ports, driver, walls.agent)
    await _reap(taken)
    if journalled is not None:
        _tell_difference(taken, written)
    return taken


def _read_file(request: Request) -> tuple[Layer, ConfigurationError | None]:
    """The file's layer. A fault in the project's own file is kept for later: a run that goes on needs it not."""
    if request.config_file is not None:
        return from_file(request.config_file, must_exist=True), None
    try:
        return from_file(request.project_dir / FILE_NAME, must_exist=False), None
    except ConfigurationError as error:
        return Layer({}, {}), error


def _state_dir(request: Request, file: Layer) -> Path:
    asked = resolve(request.given, request.from_environment, file).state_dir
    return state_directory(request.project_dir, asked, state_environment(request.environment))


def _wish(request: Request, file: Layer) -> Wish:
    layers = (request.given, request.from_environment, file)
    source = next((each.sources["sandbox"] for each in layers if "sandbox" in each.sources), "sandbox")
    return Wish(request.project_dir, resolve(*layers), source, request.agent, request.verifier)


async def _open_journal(request: Request, state_dir: Path, closing: AsyncExitStack) -> Journal:
    if request.journal is not None:
        return request.journal
    journal = await SqliteJournal.open(state_dir / JOURNAL_NAME)
    closing.push_async_callback(journal.close)
    return journal


async def file_as_journalled(journal: Journal) -> Layer | None:
    """The file's values as they were when the run that goes on began: since then the agent may have written it.

    None when no run goes on, and the file counts.
    """
    last = await journal.last()
    if last is None or (last.dest == State.SHUTDOWN and not is_suspended(last.facts)):
        return None
    for note in reversed(await journal.notes(kind=NoteKind.STARTED, run_id=last.run_id)):
        return layer(note.data["file"], lambda setting: f"the journal, {setting.name!r}", place="the journal")
    return None


def _bind(request: Request, journal: Journal, state_dir: Path, config: Config, sandbox: Sandbox | None) -> Ports:
    project_dir = request.project_dir
    is_confined = sandbox is not None and sandbox.is_on
    confinement = local_confinement(project_dir, state_dir, config) if is_confined else None
    return Ports(
        clock=request.clock,
        chance=request.chance,
        journal=journal,
        workspace=request.workspace or local_workspace(project_dir, config),
        agent=request.agent or local_agent(project_dir, state_dir, config, request.clock, confinement),
        prompts=request.prompts or local_prompts(config),
        stop=request.stop,
        observers=request.observers,
        verifier=request.verifier or local_verifier(project_dir, config, confinement),
    )


async def _reap(taken: Taken) -> None:
    """End what a dead manager left behind, before anything else runs."""
    journal, facts = taken.ports.journal, taken.driver.facts
    processes: list[ProcessIdentity] = []
    sessions: dict[SessionId, None] = {}
    run_id = facts.run_id if facts else None
    for note in await journal.notes(kind=NoteKind.AGENT_STARTED, run_id=run_id):
        processes.append(ProcessIdentity.from_record(note.data["process"]))
        if note.session_id is not None:
            sessions[note.session_id] = None
    if facts is not None and facts.session is not None:
        sessions[facts.session.id] = None
    count = await taken.ports.agent.reap(processes, tuple(sessions))
    if count:
        now = taken.ports.clock.now()
        await journal.note(Note(kind=NoteKind.AGENT_REAPED, at=now, data={"processes": count}, run_id=run_id))
        emit(taken.ports, LeftoversReaped(at=now, run_id=run_id, processes=count))


def tell_sandbox(taken: Taken) -> None:
    """Say once, when a run is driven, whether the agent's commands run in a sandbox."""
    if taken.sandbox is None or taken.is_sandbox_told:
        return
    taken.is_sandbox_told = True
    now, facts = taken.ports.clock.now(), taken.driver.facts
    run_id = facts.run_id if facts else None
    if taken.sandbox.is_on:
        emit(taken.ports, SandboxOn(at=now, run_id=run_id, hosts=taken.sandbox.hosts))
    elif taken.sandbox.problem:
        emit(taken.ports, SandboxMissing(at=now, run_id=run_id, problem=taken.sandbox.problem))
    else:
        emit(taken.ports, SandboxOff(at=now, run_id=run_id))


def _tell_difference(taken: Taken, written: Layer) -> None:
    """A person who edited the file must hear that the run that goes on keeps to what it began with."""
    names = {**taken.file.values, **written.values}
    changed = sorted(name for name in names if taken.file.values.get(name) != written.values.get(name))
    if changed:
        now, facts = taken.ports.clock.now(), taken.driver.facts
        run_id = facts.run_id if facts else None
        emit(taken.ports, ConfigurationKept(at=now, run_id=run_id, settings=", ".join(changed)))
