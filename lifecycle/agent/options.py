"""How the agent is started: everything that we choose about the CLI, in one place.

Locked down to the six tools, the project directory and our gate; the user's account, endpoint and git settings
reach the CLI as they are. Each choice says why. Owns no process and no policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lifecycle.agent.confinement import Confinement
from lifecycle.agent.gate import HOOK_TIMEOUT_S, Gate
from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.agent.rules import TOOLS
from lifecycle.agent.sandbox import Sandbox

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher
    from claude_agent_sdk.types import HookEvent

    from states.vocabulary import SessionId

__all__ = ["SWITCHES_OFF", "AgentSettings", "Errand", "session_options"]

SWITCHES_OFF: Final = ("CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE")
"""Inherited variables that are emptied, because they switch off hooks or what hooks rest on.

Measured with CLI 2.1.330: CLAUDE_CODE_SIMPLE silences every SDK hook; "" turns it off again. CLAUDE_CODE_SAFE_MODE
leaves SDK hooks alone today and is documented to skip customisations, so it goes too. Nothing else is scrubbed.
"""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What a person or a host chooses about the agent.

    Attributes:
        max_retries: how often the CLI repeats a failed request before the lifecycle's own, durable backoff takes over.
            The CLI's default of 10 would hold a session for three minutes without a record.
        idle_timeout_s: how long nothing may arrive while no tool runs. 300 s outlasts every silence that ends well
            (120 s to the first byte, answers that are not streamed), and cuts the stalls that the CLI itself notices
            after more than 800 s, or never when the service keeps pinging.
        session_timeout_s: how long any leg of a session may take, or None; the lifecycle itself gives a task's time.
        tool_timeout_s: the longest that one Bash command may ask for.
        cli_path: the CLI; None takes the one that came with the SDK.
        env: variables set for the CLI, over the inherited ones.
        state_dir: where the leash's wrapper is kept; None uses a temporary directory.
        proof_dir: where the gate's proof is kept, for all projects; None takes `state_dir`.
        protect_claude_md: whether CLAUDE.md is not the agent's to write.
        mcp_servers: a host's own servers by name, as claude-agent-sdk takes them; no others are ever started.
        host_tools: the tools of those servers that the agent may use, by full name: `mcp__SERVER__TOOL`. They pass the
            gate like any other, and run in the host: what they may do is the host's to say.
        confinement: the walls that Bash runs within, or None for none.
        sandbox: the decision that this follows from, for the record; None where nobody decided.
    """

    model: str = "claude-sonnet-4-5-20250929"
    max_retries: int = 3
    idle_timeout_s: float = 300.0
    session_timeout_s: float | None = None
    tool_timeout_s: float = 600.0
    cli_path: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    state_dir: Path | None = None
    proof_dir: Path | None = None
    protect_claude_md: bool = True
    mcp_servers: Mapping[str, Any] = field(default_factory=dict)
    host_tools: tuple[str, ...] = ()
    confinement: Confinement | None = None
    sandbox: Sandbox | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """What one process of the CLI is started for.

    Attributes:
        is_resumption: the conversation `session_id` exists and is taken up; otherwise it is begun under that id.
        cli_path: what is executed: the leash's wrapper.
        max_turns: turns that are left.
        budget_usd: what may be spent, or None.
        deadline: wall-clock moment to cut off, or None.
        time_left_s: seconds after which the session is over, or None.
    """

    session_id: SessionId
    is_resumption: bool
    prompt: str
    project_dir: Path
    cli_path: Path
    max_turns: int
    budget_usd: float | None = None
    deadline: float | None = None
    time_left_s: float | None = None


def session_options(
    settings: AgentSettings, errand: Errand, gate: Gate, on_stderr: Callable[[str], None]
) -> ClaudeAgentOptions:
    """The SDK's options for one process of the CLI. Imports the SDK, which takes up to a second the first time.

    Args:
        on_stderr: gets the CLI's stderr, line by line.
    """
    from claude_agent_sdk import ClaudeAgentOptions

    return ClaudeAgentOptions(
        # Exactly these exist for the model. Bash needs a bare permission; the file tools must not have one, since
        # that would lift their limit to the project. `dontAsk` refuses whatever is not permitted: nobody is there.
        tools=list(TOOLS),
        allowed_tools=["Bash", *settings.host_tools],
        permission_mode="dontAsk",
        settings=json.dumps({"permissions": {"allow": ["Read(./**)", "Edit(./**)"]}}),
        extra_args={"restricted": None, "disable-slash-commands": None},
        # Nothing that lies in the project or in the user's home may add hooks, servers, skills or permissions.
        setting_sources=[],
        strict_mcp_config=True,
        mcp_servers=dict(settings.mcp_servers),
        skills=[],
        # A prompt holds text from the project; `@/etc/passwd` in it must stay text.
        verbatim_prompts=True,
        system_prompt={"type": "preset", "preset": "claude_code", "append": _told(settings.confinement)},
        hooks=_hooks(gate),
        # Every piece of the stream is a sign of life for the watchdog, and tells usage before a message is whole.
        include_partial_messages=True,
        # A whole file can travel in one message; the default of 1 MB ends the session there.
        max_buffer_size=64 * 1024 * 1024,
        model=settings.model,
        max_turns=errand.max_turns,
        max_budget_usd=errand.budget_usd,
        session_id=None if errand.is_resumption else errand.session_id,
        resume=errand.session_id if errand.is_resumption else None,
        cwd=errand.project_dir,
        cli_path=errand.cli_path,
        env=environment(settings, errand.session_id),
        stderr=on_stderr,
    )


def environment(settings: AgentSettings, session_id: SessionId) -> dict[str, str]:
    """What is set over the inherited environment, which the SDK passes on by itself."""
    return {
        "CLAUDE_CODE_MAX_RETRIES": str(settings.max_retries),
        "API_TIMEOUT_MS": "120000",
        # The CLI gives up on a silent stream, and asks once more without streaming, before the watchdog gives up on
        # the CLI. 10 s is the least that it accepts.
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": str(max(10_000, round(settings.idle_timeout_s * 300))),
        # A command that times out would otherwise go on in the background, beyond the session's bookkeeping.
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "BASH_MAX_TIMEOUT_MS": str(round(settings.tool_timeout_s * 1000)),
        "BASH_DEFAULT_TIMEOUT_MS": str(round(min(settings.tool_timeout_s, 120.0) * 1000)),
        # No update of the CLI in the middle of a run, and nothing to anybody but the model's service.
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # What the session knows is in the project, where a person can read it.
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        **settings.env,
        **dict.fromkeys(SWITCHES_OFF, ""),
        SESSION_MARKER: session_id,
    }


UNATTENDED: Final = (
    "You are working unattended: nobody reads along or answers questions, so decide for yourself and go on. "
    "Your turn ends when you reply without calling a tool, so do that only when the work you were asked for is "
    "finished and saved. Work only inside the project directory. Commands must end by themselves: start servers in "
    "the background with their output redirected to a file, and stop them before you finish."
)

WALLED: Final = (
    " Commands run in a sandbox: they write in the project and in /tmp and nowhere else, so install packages in the "
    "project (node_modules, a virtual environment). git's configuration and hooks in .git are read-only; commits need "
    "no identity. Servers are reached on localhost from any command of this session, and from nowhere else. Of other "
    "hosts, only these can be reached: {hosts}."
)


def _told(confinement: Confinement | None) -> str:
    if confinement is None:
        return UNATTENDED
    return UNATTENDED + WALLED.format(hosts=", ".join(confinement.hosts) or "none")


def _hooks(gate: Gate) -> dict[HookEvent, list[HookMatcher]]:
    from claude_agent_sdk import HookMatcher

    def closed(callback: Any) -> list[HookMatcher]:
        # Without a matcher it is asked about every tool. Any failure of it, a timeout too, refuses the call.
        return [HookMatcher(hooks=[callback], timeout=HOOK_TIMEOUT_S, on_failure="block")]

    return {
        "UserPromptSubmit": closed(gate.on_prompt),
        "PreToolUse": closed(gate.before_tool),
        "PostToolUse": closed(gate.after_tool),
        "PostToolUseFailure": closed(gate.after_tool),
    }
