"""The coding agent behind `ports.Agent`: claude-agent-sdk and the real CLI. Made without importing either.

Owns which process is started for a task (a fresh conversation or a resumption, the other one if that is refused),
and the promise that none outlives `run`, however it ends.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from lifecycle.agent.canary import prove_gate
from lifecycle.agent.cli_path import find_cli
from lifecycle.agent.command_rule import command_fence
from lifecycle.agent.evidence import Cut, Evidence
from lifecycle.agent.faults import classify, is_id_taken, is_unknown_conversation
from lifecycle.agent.gate import Gate
from lifecycle.agent.leash_control import find_leash, kill, wait_gone, write_wrapper
from lifecycle.agent.leftovers import reap_leftovers
from lifecycle.agent.options import AgentSettings, Errand
from lifecycle.agent.prompt_library import PromptLibrary
from lifecycle.agent.proofs import Proof, gate_proof, sandbox_proof
from lifecycle.agent.protection import nothing_protected
from lifecycle.agent.rules import TOOLS, Rule, ToolCall, Verdict, files_inside, only_tools
from lifecycle.agent.sandbox import Sandbox, SandboxMode
from lifecycle.agent.sandbox_proof import prove_sandbox
from lifecycle.agent.session import AgentProcess
from lifecycle.agent.shell import agent_shell
from lifecycle.agent.summary import summary
from lifecycle.errors import AgentFailed
from lifecycle.events import HostRefused, ToolDenied, ToolStarted
from lifecycle.guard.audit import AUDIT_NAME, AuditLog
from lifecycle.guard.decisions import AuditSink, Decision
from lifecycle.guard.profiles import DEFAULT_PROFILE, Profile
from lifecycle.guard.protected import protection
from lifecycle.ports import AgentTask, SessionLog, StopFlag
from lifecycle.processes import ProcessIdentity
from lifecycle.redaction import Redactor, one_line, secrets_in
from states.facts import Outcome
from states.outcomes import OUTCOMES
from states.vocabulary import Cause, SessionId

__all__ = ["SdkAgent"]

Recording = Callable[[ToolCall, Verdict], None]
Prove = Callable[[AgentSettings, Path, StopFlag, Recording], Awaitable[Evidence | None]]


class SdkAgent:
    """Implements `lifecycle.ports.Agent`. One instance may run several tasks, one after the other or at once."""

    def __init__(
        self,
        settings: AgentSettings,
        project_dir: Path,
        *,
        prompts: PromptLibrary | None = None,
        profile: str | Profile = DEFAULT_PROFILE,
        rules: Sequence[Rule] = (),
        audit: AuditSink | None = None,
        now: Callable[[], float] = time.time,  # noqa: TID251  # unless the host has another clock
    ) -> None:
        """Args:
        prompts: where the prompt of a resumption comes from.
        profile: the command policy: the name of a built-in profile, or one of your own making. "none" must be said for
             Bash to be judged by nobody but the CLI.
        rules: further rules that must allow a tool call, after those that hold it to our tools and the project.
        audit: keeps every decision of the gate, or raises; None takes `audit.jsonl` in the settings' `state_dir`.
        now: the wall clock, for deadlines and events.

        Raises:
            ConfigurationError: no profile has that name.
        """
        self._settings = settings
        self._project_dir = project_dir.absolute()
        self._prompts = prompts or PromptLibrary()
        ours = only_tools((*TOOLS, *settings.host_tools))
        self._rules: tuple[Rule, ...] = (
            ours,
            files_inside(self._project_dir),
            nothing_protected(self._project_dir, protection(claude_md=settings.protect_claude_md)),
            *command_fence(profile, self._project_dir, protect_claude_md=settings.protect_claude_md),
            *rules,
        )
        self._audit = audit
        self._now = now
        self._state_dir = settings.state_dir
        self._proven: set[Proof] = set()

    @property
    def sandbox(self) -> Sandbox | None:
        """What stands around its commands, for the record: walls that it really makes, or why it makes none.

        None where it makes none and nobody has said why.
        """
        decided, walls = self._settings.sandbox, self._settings.confinement
        is_on = decided is not None and decided.is_on
        if walls is None:
            return None if is_on else decided
        return decided if is_on else Sandbox(SandboxMode.AUTO, hosts=",".join(walls.hosts))

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        """Work on the task until its turn is over, however that ends. See the port.

        A cancel kills the agent before anything else happens, and goes on when the agent is gone: about 0.1 s later,
        however often it is repeated.
        """
        work = asyncio.ensure_future(self._work(task, log, stop))
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            _pull(task.session_id)
            await _carry_through(self._end(work, task.session_id), again=lambda: _pull(task.session_id))
            raise
        return work.result()

    async def reap(self, processes: Sequence[ProcessIdentity], sessions: Sequence[SessionId]) -> int:
        """End what a dead manager left behind; return how many processes were ended."""
        reaped = await asyncio.to_thread(reap_leftovers, processes, sessions)
        return len(reaped.gone)

    async def _work(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        redact = Redactor(secrets_in({**os.environ, **self._settings.env}))
        if not self._project_dir.is_dir():
            return _never_started(Cause.PROJECT, f"{self._project_dir} is not a directory")
        if task.budget_usd is not None and task.budget_usd <= 0:
            return _never_started(Cause.BUDGET, "the budget is used up")
        try:
            evidence = await self._evidence(task, log, stop, redact)
        except AgentFailed as failure:
            is_ours = not isinstance(failure.__cause__, OSError)
            return _never_started(Cause.CONFIGURATION if is_ours else Cause.OPERATING_SYSTEM, str(failure))
        finally:
            await self._make_sure(task.session_id)
        return classify(evidence, redact)

    async def _evidence(
        self, task: AgentTask, log: SessionLog, stop: StopFlag, redact: Callable[[str], str]
    ) -> Evidence:
        if stop.is_set():
            return Evidence(cut=_STOPPED)
        cli_path = self._settings.cli_path or find_cli()
        wrapper = write_wrapper(self._directory(), cli_path)
        # A second of importing, off the event loop.
        await asyncio.to_thread(importlib.import_module, "claude_agent_sdk")
        # At once: each takes a second of waiting for the CLI, once per version of it.
        record = self._recorder(replace(task, run_id=None), redact)
        proving = (self._prove(cli_path, stop, record), self._prove_sandbox(cli_path, stop, record))
        for broken in await asyncio.gather(*proving, return_exceptions=True):
            if isinstance(broken, BaseException):
                raise broken
            if broken is not None:
                return broken
        async with self._shell(task, log) as settings:
            return await self._legs(task, log, stop, redact, settings, wrapper)

    async def _legs(
        self,
        task: AgentTask,
        log: SessionLog,
        stop: StopFlag,
        redact: Callable[[str], str],
        settings: AgentSettings,
        wrapper: Path,
    ) -> Evidence:
        """Begin the conversation or take it up, or the other way about where the CLI says so."""
        is_resumption = task.may_resume
        for _ in range(STARTS_MAX):
            errand = Errand(
                session_id=task.session_id,
                is_resumption=is_resumption,
                prompt=self._resumed(task) if is_resumption else task.prompt,
                project_dir=self._project_dir,
                cli_path=wrapper,
                max_turns=task.max_turns,
                budget_usd=task.budget_usd,
                deadline=task.deadline,
                time_left_s=task.time_left_s,
            )
            gate = self._gate(task, log, redact)
            process = AgentProcess(settings, errand, gate, log, now=self._now, redact=redact)
            evidence = await process.run(stop)
            if is_resumption and is_unknown_conversation(evidence):
                is_resumption = False  # killed before the first prompt arrived: nothing was lost
            elif not is_resumption and is_id_taken(evidence):
                is_resumption = True
            else:
                break
        return evidence

    @asynccontextmanager
    async def _shell(self, task: AgentTask, log: SessionLog) -> AsyncIterator[AgentSettings]:
        """The settings for one task: its commands get a shell that keeps the key from them, within walls if so set."""
        settings = self._settings
        told: set[tuple[str, int]] = set()

        def refused(host: str, port: int) -> None:
            if (host, port) in told:
                return
            told.add((host, port))
            log.happened(HostRefused(at=self._now(), session_id=task.session_id, host=host, port=port))

        environment = {**os.environ, **settings.env}
        arguments = (settings.confinement, self._directory(), task.session_id, environment, refused)
        async with agent_shell(*arguments) as shell:
            yield replace(settings, env={**settings.env, **shell})

    async def _prove(self, cli_path: Path, stop: StopFlag, record: Recording) -> Evidence | None:
        """Make sure that the gate holds with this program; None when it does."""
        return await self._proof(gate_proof(cli_path), prove_gate, cli_path, stop, record)

    async def _prove_sandbox(self, cli_path: Path, stop: StopFlag, record: Recording) -> Evidence | None:
        """Make sure that commands run within the walls, where there are any; None when they do."""
        if self._settings.confinement is None:
            return None
        return await self._proof(sandbox_proof(cli_path), prove_sandbox, cli_path, stop, record)

    async def _proof(self, proof: Proof, prove: Prove, cli_path: Path, stop: StopFlag, record: Recording) -> Evidence | None:
        """None when it was proven before, or is now."""
        place = self._settings.proof_dir or self._directory()
        if proof in self._proven or proof.is_kept(place):
            return None
        broken = await prove(self._settings, cli_path, stop, record)
        if broken is None:
            self._proven.add(proof)
            proof.keep(place)
        return broken

    def _resumed(self, task: AgentTask) -> str:
        prompt = self._prompts.resumed(task.type)
        return f"{prompt.rstrip()}\n\n{task.news}\n" if task.news else prompt

    def _gate(self, task: AgentTask, log: SessionLog, redact: Callable[[str], str]) -> Gate:
        session_id = task.session_id

        def started(call: ToolCall) -> None:
            text = one_line(redact(summary(call, self._project_dir)))
            log.happened(ToolStarted(at=self._now(), session_id=session_id, tool=call.tool, summary=text))

        def denied(call: ToolCall, reason: str) -> None:
            text = one_line(redact(reason))
            log.happened(ToolDenied(at=self._now(), session_id=session_id, tool=call.tool, reason=text))

        return Gate(
            self._rules,
            on_allowed=started,
            on_denied=denied,
            on_finished=log.tool_finished,
            record=self._recorder(task, redact),
        )

    def _recorder(self, task: AgentTask, redact: Callable[[str], str]) -> Recording:
        """What puts the gate's decisions on this task's record."""
        append = self._audit or AuditLog(self._directory() / AUDIT_NAME, redact=redact).append

        def record(call: ToolCall, verdict: Verdict) -> None:
            append(
                Decision(
                    self._now(), call.tool, call.input, verdict.allowed, verdict.rule, verdict.reason,
                    run_id=task.run_id, session_id=task.session_id, cwd=str(call.cwd),
                )
            )  # fmt: skip

        return record

    def _directory(self) -> Path:
        if self._state_dir is None:
            self._state_dir = Path(tempfile.mkdtemp(prefix="lifecycle-agent-"))
            weakref.finalize(self, shutil.rmtree, self._state_dir, ignore_errors=True)
        return self._state_dir

    async def _end(self, work: asyncio.Future[Outcome], session_id: SessionId) -> None:
        """End the work and its process, whichever await it stands at."""
        work.cancel()
        while not work.done():
            # Asked again and again: a process that is only just being started cannot be found yet.
            await asyncio.wait({work}, timeout=PULL_INTERVAL_S)
            _pull(session_id)
        await asyncio.gather(work, return_exceptions=True)
        await self._make_sure(session_id)

    async def _make_sure(self, session_id: SessionId) -> None:
        """See to it that nothing of the session is left; normally nothing is."""
        leash = _pull(session_id)
        if leash is not None and not await wait_gone(leash, GONE_TIMEOUT_S):
            await asyncio.to_thread(reap_leftovers, [leash], [session_id])


async def _carry_through(work: Coroutine[None, None, None], again: Callable[[], object]) -> None:
    """Await `work` to its end, whoever cancels meanwhile; each cancel calls `again`."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            again()
    task.result()


def _pull(session_id: SessionId) -> ProcessIdentity | None:
    """Kill the session's process if there is one; does not wait."""
    leash = find_leash(session_id)
    if leash is not None:
        kill(leash)
    return leash


def _never_started(cause: Cause, problem: str) -> Outcome:
    advice = OUTCOMES[cause].advice
    return Outcome(cause, f"{problem}; {advice}" if advice else problem, progressed=False)


_STOPPED: Final = Cut(Cause.STOP, "asked to stop before the agent was started")
STARTS_MAX: Final = 3
PULL_INTERVAL_S: Final = 0.02
GONE_TIMEOUT_S: Final = 2.0
