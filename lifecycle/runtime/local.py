"""Binds the ports to this machine: asyncio's time, the operating system's chance, SQLite, the directory, the SDK."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from states.vocabulary import RunId, SessionId

if TYPE_CHECKING:
    from lifecycle.config import Config
    from lifecycle.ports import Agent, Clock, Prompts, Verifier, Workspace

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


def local_verifier(project_dir: Path, config: Config) -> Verifier | None:
    """The person's verification command on the agent's leash; None where there is none."""
    if config.verify_command is None:
        return None
    from lifecycle.agent.leash_control import SESSION_MARKER, leashed
    from lifecycle.workspace.verification import CommandVerifier

    return CommandVerifier(
        config.verify_command,
        project_dir,
        timeout_s=config.verify_timeout,
        on_leash=leashed,
        environment=os.environ,
        marker=SESSION_MARKER,
    )


def local_prompts(config: Config) -> Prompts:
    """The built-in prompts, with the person's own in their place where there are any."""
    from lifecycle.agent.prompt_library import PromptLibrary

    return PromptLibrary(config.prompts_dir)


def local_agent(project_dir: Path, state_dir: Path, config: Config, clock: Clock) -> Agent:
    """The coding agent behind claude-agent-sdk, which is imported when the first session starts."""
    from lifecycle.agent.command_rule import commands_by
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
    )
    profile = fence_of(config)
    rules = [] if profile is None else [commands_by(profile, project_dir)]
    return SdkAgent(
        settings,
        project_dir,
        prompts=PromptLibrary(config.prompts_dir),
        rules=rules,
        now=clock.now,
    )
