"""Where a start puts the sandbox: around what it starts itself, and what it asks of an agent that a host brings along.

Owns that `sandbox = "required"` holds for everything that runs what the agent wrote. Whether a sandbox can be had, and
what it is, is `agent.sandbox`'s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lifecycle.agent.sandbox import Sandbox, Sandboxed, SandboxMode, choose_sandbox
from lifecycle.config import Config
from lifecycle.errors import ConfigurationError
from lifecycle.ports import Agent, Verifier

__all__ = ["Walls", "Wish", "decide"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a start is told.

    Attributes:
        source: where the setting `sandbox` stands.
        agent, verifier: the host's own, or None for ours.
    """

    project_dir: Path
    config: Config
    source: str
    agent: Agent | None
    verifier: Verifier | None

    @property
    def starts_something(self) -> bool:
        """Whether we start anything ourselves that runs what the agent wrote: our agent, or the verification."""
        return self.agent is None or (self.verifier is None and self.config.verify_command is not None)


@dataclass(frozen=True, slots=True)
class Walls:
    """What was decided for one start.

    Attributes:
        agent: around the agent's commands, for the record; None where a host's own agent does not say.
        ours: around what we start ourselves; None where that is nothing.
    """

    agent: Sandbox | None
    ours: Sandbox | None


async def decide(wish: Wish, decided: Walls | None = None) -> Walls:
    """What this start does about the sandbox. Makes nothing.

    Args:
        decided: before; then only another mode is a reason to try anew whether walls can be had.

    Raises:
        ConfigurationError: the sandbox is required, and there can be none here, or the host's agent does not say that
            it has one.
    """
    told = None if wish.agent is None else _told(wish.agent, wish)
    ours = await _ours(wish, decided) if wish.starts_something else None
    return Walls(ours if wish.agent is None else told, ours)


def _told(agent: Agent, wish: Wish) -> Sandbox | None:
    told = agent.sandbox if isinstance(agent, Sandboxed) else None
    if wish.config.sandbox == SandboxMode.REQUIRED and (told is None or not told.is_on):
        reason = "does not say that it has one" if told is None else f"has none ({told.problem or 'it is off'})"
        problem = f"the sandbox is required, and the agent that was given {reason}; {_TO_DO}"
        raise ConfigurationError(wish.source, problem)
    return told


async def _ours(wish: Wish, decided: Walls | None) -> Sandbox:
    mode, hosts = wish.config.sandbox, wish.config.sandbox_hosts or ""
    if decided is not None and decided.ours is not None and decided.ours.mode == mode:
        return replace(decided.ours, hosts=hosts if decided.ours.is_on else "")
    return await asyncio.to_thread(choose_sandbox, mode, wish.project_dir, hosts=hosts, source=wish.source)


_TO_DO: Final = (
    "give SdkAgent settings with a confinement, or an agent of your own an attribute `sandbox` that says what confines "
    "it; or ask for sandbox = auto"
)
