"""`lifecycle demo`: the whole lifecycle with a script in the model's place."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import given_flags, log_options, state_dir
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.cli.driving import Driven
    from lifecycle.observe.log import EventLog
    from lifecycle.status import RunResult

__all__ = ["demo"]


@click.command()
@click.argument("project_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@state_dir
@log_options(level="debug")
def demo(project_dir: Path | None, state_dir: str | None, log_format: str, log_level: str) -> int:
    """Build a small program, session after session, with a script in the model's place.

    Needs no account, no network and no git identity, and costs nothing. Everything but the model is real: the agent,
    its tools, the files, the tests, the commits, and every part of the lifecycle. Interrupt it when you like (Ctrl-C,
    or kill -9) and give DIR to go on.

    DIR is made, or empty, or an earlier demo's; without it, a fresh temporary directory is used, and kept.

    \b
    Examples:
      lifecycle demo
      lifecycle demo my-demo

    \b
    Exit status:
      0    complete: the program is built
      2    DIR is something else than a demo
      5    it could not be built
      6    another manager has DIR
      129, 130, 143  interrupted; `lifecycle demo DIR` goes on
    """
    from lifecycle.cli.driving import conclude, result_words

    directory = Path()

    def work(log: EventLog) -> Driven:
        nonlocal directory
        settings = given_flags({"state_dir": state_dir}).values
        directory = _made(project_dir)
        print_text(_opening(directory))
        return asyncio.run(_drive(directory, settings, log))

    def answer(result: RunResult, status: int) -> None:
        print_text([*result_words(result), _NO_COST, "", *_closing(directory, is_built=status == 0)])

    return conclude(log_format, log_level, work, answer)


_NO_COST: Final = "             (what a real model's tokens would have cost; nothing was paid)"


async def _drive(directory: Path, settings: Mapping[str, Any], log: EventLog) -> Driven:
    from lifecycle.agent.options import AgentSettings
    from lifecycle.agent.sandbox import SandboxMode, choose_sandbox
    from lifecycle.agent.sdk_agent import SdkAgent
    from lifecycle.cli.driving import drive
    from lifecycle.config import Config
    from lifecycle.journal.location import state_directory
    from lifecycle.manager import SessionManager
    from lifecycle.offline import ModelServer
    from lifecycle.offline.demo import DEMO_SPEC, demo_scenario
    from lifecycle.runtime.local import local_confinement

    # The person's settings are for their own projects: of those only the place of the record counts here.
    environment = {name: os.environ[name] for name in _PLACES if name in os.environ}
    own_state = state_directory(directory, settings.get("state_dir"), environment)
    # Walls like any run's, without a host in them: the demo needs no network.
    sandbox = choose_sandbox(SandboxMode.AUTO, directory)
    walls = local_confinement(directory, own_state, Config(sandbox_hosts=None)) if sandbox.is_on else None
    async with ModelServer(demo_scenario()) as server:
        agent = SdkAgent(
            AgentSettings(
                env=_agent_environment(server.environment(), own_state / "claude"),
                state_dir=own_state,
                confinement=walls,
                sandbox=sandbox,
            ),
            directory,
        )
        manager = SessionManager(
            directory,
            spec=DEMO_SPEC,
            environment=environment,
            config_file=os.devnull,
            observers=[log],
            agent=agent,
            continue_delay=_DELAY_S,
            **settings,
        )
        return await drive(manager, log)


_PLACES: Final = ("HOME", "XDG_STATE_HOME", "LIFECYCLE_STATE_DIR")
_DELAY_S: Final = 0.5


def _agent_environment(offline: Mapping[str, str], config_dir: Path) -> dict[str, str]:
    """The agent sees the script for a model, and nothing of the person's account, settings and git."""
    return {
        **dict.fromkeys(_ACCOUNT, ""),
        "CLAUDE_CONFIG_DIR": str(config_dir),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **offline,
    }


_ACCOUNT: Final = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
)


def _made(project_dir: Path | None) -> Path:
    """The demo's directory: given and fit for it, or a fresh one.

    Raises:
        ProjectInvalid: there is something else in it.
        OSError: it cannot be made.
    """
    from lifecycle.errors import ProjectInvalid
    from lifecycle.offline.demo import DEMO_SPEC
    from lifecycle.workspace.files import FileUnusable, read_regular
    from lifecycle.workspace.spec import SPEC_NAME, ensure_project_dir

    if project_dir is None:
        return Path(tempfile.mkdtemp(prefix="lifecycle-demo-"))
    if not os.path.lexists(project_dir):
        project_dir.mkdir(parents=True)
        return project_dir
    ensure_project_dir(project_dir)
    if not os.listdir(project_dir):
        return project_dir
    wanted = DEMO_SPEC.encode()
    try:
        if read_regular(project_dir / SPEC_NAME, within=project_dir, limit_bytes=len(wanted)) == wanted:
            return project_dir
    except FileUnusable:
        pass  # too large for the demo's, or no file at all: somebody's project
    raise ProjectInvalid(project_dir, "there is something in it that is no demo; give an empty or a new directory")


def _opening(directory: Path) -> list[str]:
    told = "This is a demo: a script plays the model, on this machine only. The agent, its tools, the tests and the commits are real."
    width = terminal_width()
    return [*paragraph(told, width=width), *paragraph(f"It builds a small program in {directory}", width=width), ""]


def _closing(directory: Path, *, is_built: bool) -> list[str]:
    from lifecycle.offline.demo import HOW_TO_RUN

    place = shlex.quote(str(directory))
    look = [f"  lifecycle history {place}", f"  lifecycle status {place}"]
    if not is_built:
        return ["Go on with it:", f"  lifecycle demo {place}", "See where it is:", *look]
    return ["Try what was built:", f"  cd {place}", *(f"  {line}" for line in HOW_TO_RUN), "See how:", *look]
