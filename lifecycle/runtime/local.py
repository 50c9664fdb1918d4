"""Binds the ports to this machine: asyncio's time, the operating system's chance, SQLite, the directory, the SDK."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from states.vocabulary import RunId, SessionId

if TYPE_CHECKING:
    from lifecycle.agent.confinement import Confinement
    from lifecycle.config import Config
    from lifecycle.ports import Agent, Clock, Prompts, StopFlag, Verdict, Verifier, Workspace

_LONGEST_SLEEP_S = 30.0
"""The wall clock can be set, and a laptop can sleep: look at it again at least this often."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    async def sleep_until(self, moment: float) -> None:
        while (left_s := moment - self.now()) > 0:
            await asyncio.sleep(min(left_s, _LONGEST_SLEEP_S))


class SystemChance:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def run_id(self) -> RunId:
        return RunId(str(uuid.uuid4()))

    def session_id(self) -> SessionId:
        return SessionId(str(uuid.uuid4()))

    def jitter(self) -> float:
        return self._random.random()


def local_workspace(project_dir: Path, config: Config) -> Workspace:
    """The project directory itself."""
    from lifecycle.workspace.project import ProjectWorkspace

    return ProjectWorkspace(project_dir, keeps_appended=config.appended_features == "keep")


def local_confinement(project_dir: Path, state_dir: Path, config: Config) -> Confinement:
    """The sandbox's walls around this project: no project's record is within them, nor this person's credentials."""
    from lifecycle.agent.confinement import Confinement
    from lifecycle.agent.homes import hidden_places, homes_of

    project, state = Path(os.path.realpath(project_dir)), Path(os.path.realpath(state_dir))
    # Where the records share a directory with everything else of a person, only this one can be hidden.
    is_home = Path(os.path.realpath(os.path.expanduser("~"))).is_relative_to(state.parent)
    return Confinement(
        project,
        state / "scratch",
        hidden=(state if is_home else state.parent, *hidden_places(os.environ, project)),
        sealed=(".claude", "lifecycle.toml", *(("CLAUDE.md", "CLAUDE.local.md") if config.protect_claude_md else ())),
        homes=homes_of(os.environ),
        hosts=tuple(config.sandbox_hosts.split(",")) if config.sandbox_hosts else (),
    )


def local_verifier(project_dir: Path, config: Config, confinement: Confinement | None = None) -> Verifier | None:
    """The person's verification command on the agent's leash and within its walls; None where there is none."""
    if config.verify_command is None:
        return None
    from lifecycle.agent.leash_control import SESSION_MARKER, leashed
    from lifecycle.agent.walled import watching
    from lifecycle.workspace.verification import CommandVerifier

    verifier = CommandVerifier(
        config.verify_command,
        project_dir,
        timeout_s=config.verify_timeout,
        on_leash=leashed if confinement is None else lambda command: leashed(confinement.walls(watching(command, confinement))),
        environment=os.environ if confinement is None else {**os.environ, **confinement.environment()},
        marker=SESSION_MARKER,
    )
    return verifier if confinement is None else _WalledVerifier(verifier, confinement)


class _WalledVerifier:
    """A verifier whose command cannot make what it must not write either."""

    def __init__(self, verifier: Verifier, confinement: Confinement) -> None:
        self._verifier = verifier
        self._confinement = confinement

    async def verify(self, session_id: SessionId, stop: StopFlag) -> Verdict:
        from lifecycle.agent.placeholders import Placeholders
        from lifecycle.agent.seals import Seals

        self._confinement.prepare()
        placeholders = Placeholders(self._confinement)
        seals, problem = Seals(), ""
        try:
            placeholders.put()
            seals = self._confinement.seals()
            verdict = await self._verifier.verify(session_id, stop)
        finally:
            try:
                seals.mend(self._confinement.set_aside_dir)
            except OSError as failure:
                problem = f"\n[the sandbox could not put back what was changed: {failure}]\n"
            placeholders.take_away()
        return replace(verdict, output=verdict.output + problem) if problem else verdict


def local_prompts(config: Config) -> Prompts:
    """The built-in prompts, with the person's own in their place where there are any."""
    from lifecycle.agent.prompt_library import PromptLibrary

    return PromptLibrary(config.prompts_dir)


def local_agent(
    project_dir: Path, state_dir: Path, config: Config, clock: Clock, confinement: Confinement | None = None
) -> Agent:
    """The coding agent behind claude-agent-sdk, which is imported when the first session starts."""
    from lifecycle.agent.command_rule import UNFENCED
    from lifecycle.agent.options import AgentSettings
    from lifecycle.agent.prompt_library import PromptLibrary
    from lifecycle.agent.sdk_agent import SdkAgent
    from lifecycle.guard.profiles import fence_of

    settings = AgentSettings(
        model=config.model,
        idle_timeout_s=config.idle_timeout,
        state_dir=state_dir,
        proof_dir=state_dir.parent,  # once for all projects of this person
        protect_claude_md=config.protect_claude_md,
        confinement=confinement,
    )
    return SdkAgent(
        settings,
        project_dir,
        prompts=PromptLibrary(config.prompts_dir),
        profile=fence_of(config) or UNFENCED,
        now=clock.now,
    )
