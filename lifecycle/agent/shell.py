"""Which shell the CLI runs its commands with: ours, which keeps the key from them, and the walls around them.

The CLI takes the program that CLAUDE_CODE_SHELL names for every command. What it names here first forgets the variables
by which the CLI logs in, and then becomes bash; or, with a sandbox, forgets every other credential, too, and sends
everything within.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from lifecycle.agent.confinement import WITHHELD, Confinement
from lifecycle.agent.strays import remove_strays
from lifecycle.agent.walled import PROXY_PORT, Walled
from lifecycle.errors import AgentFailed
from lifecycle.redaction import without_credentials
from states.vocabulary import SessionId

__all__ = ["agent_shell"]


@asynccontextmanager
async def agent_shell(
    confinement: Confinement | None,
    directory: Path,
    session_id: SessionId,
    environment: Mapping[str, str],
    refused: Callable[[str, int], None] = lambda host, port: None,
) -> AsyncIterator[dict[str, str]]:
    """Inside, the CLI can be started with these variables over its environment.

    Args:
        confinement: the walls, or None for none.
        directory: where the shell is kept when there are none.
        environment: the CLI's, without these variables.
        refused: told of each host and port that a command in the sandbox asked for and may not reach.

    Raises:
        AgentFailed: the sandbox cannot be made, or the shell cannot be written.
    """
    await asyncio.to_thread(remove_strays)
    bash = shutil.which("bash", path=environment.get("PATH"))
    if confinement is None:
        plain = f'exec {shlex.quote(bash or "")} "$@"'
        yield {} if bash is None else {"CLAUDE_CODE_SHELL": str(_written(directory, plain, WITHHELD))}
        return
    if bash is None:
        raise AgentFailed("the sandbox cannot be made: there is no bash")
    async with Walled(confinement, session_id, environment, refused) as walled:
        additions = await asyncio.to_thread(_additions, confinement, environment, walled.ignored)
        client = [sys.executable, "-I", "-S", str(_CLIENT), str(walled.socket_path), bash, json.dumps(additions)]
        yield {
            "CLAUDE_CODE_SHELL": str(_written(walled.directory, f'exec {shlex.join(client)} "$@"', _secrets(environment))),
            "CLAUDE_CODE_TMPDIR": str(confinement.cli_dir),
        }


def _written(directory: Path, command: str, withheld: Iterable[str]) -> Path:
    """The shell, as a script whose name says that it is a bash, since the CLI goes by that.

    Raises:
        AgentFailed: it cannot be written.
    """
    place = directory / "shell.d" / "bash"
    text = f"#!/bin/sh\nunset {' '.join(withheld)}\n{command}\n"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".bash.{os.getpid()}")
        part.write_bytes(os.fsencode(text))
        part.chmod(0o700)
        part.replace(place)
    except OSError as error:
        raise AgentFailed(f"{place}: cannot be written ({error.strerror}); nothing was started") from error
    return place


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """The variables that commands within do not see: what holds a credential or leads to one, as for the verification."""
    dropped = environment.keys() - without_credentials(environment).keys() - _HARMLESS
    return sorted({*WITHHELD, *(name for name in dropped if _VARIABLE.fullmatch(name))})


def _additions(confinement: Confinement, environment: Mapping[str, str], ignored: Sequence[str]) -> dict[str, str]:
    """What commands within find in their environment, over the CLI's."""
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    kinds = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
    proxies = dict.fromkeys((*kinds, *(kind.lower() for kind in kinds)), proxy)
    local = dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1")
    return {
        **confinement.environment(),
        **proxies,
        **local,
        "NODE_USE_ENV_PROXY": "1",
        "SHELL": shutil.which("bash", path=environment.get("PATH")) or "/bin/bash",
        **{name: "" for name in _secrets(environment) if _GIT_VALUE.fullmatch(name)},  # git counts them
        **_identity(confinement.project_dir, environment),
        **_ignoring(confinement.scratch_dir, environment, ignored),
    }


def _identity(project_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Who commits, where nobody has told git: its configuration cannot be written within the walls."""
    wanted = {"user.name": ("Claude", "NAME"), "user.email": ("noreply@anthropic.com", "EMAIL")}
    missing = {
        f"GIT_{role}_{kind}": value
        for key, (value, kind) in wanted.items()
        if not _git_says(key, project_dir, environment)
        for role in ("AUTHOR", "COMMITTER")
    }
    return {name: value for name, value in missing.items() if not environment.get(name)}


def _ignoring(scratch_dir: Path, environment: Mapping[str, str], ignored: Sequence[str]) -> dict[str, str]:
    """What makes git overlook the placeholders, and still all that the person has it ignore."""
    if not ignored:
        return {}
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    said = _git_says("core.excludesFile", home, environment)
    person = Path(said.replace("~", str(home), 1) if said.startswith("~/") else said) if said else config / "git/ignore"
    try:
        lines = person.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        lines = ""
    place = scratch_dir / "gitignore"
    place.write_text("\n".join([lines, *ignored, ""]), encoding="utf-8")
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    pairs = {f"GIT_CONFIG_KEY_{count}": "core.excludesFile", f"GIT_CONFIG_VALUE_{count}": str(place)}
    return {"GIT_CONFIG_COUNT": str(count + 1), **pairs}


def _git_says(key: str, directory: Path, environment: Mapping[str, str]) -> str:
    """A value of git's configuration; empty where there is none, or no git."""
    try:
        # Only reads configuration, which runs nothing, also where an agent may have written it.
        done = subprocess.run(
            ["git", "config", "--get", key],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


_TIMEOUT_S: Final = 10.0
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GIT_VALUE: Final = re.compile(r"GIT_CONFIG_(?:KEY|VALUE)_\d+")
_HARMLESS: Final = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"})
_CLIENT: Final = Path(__file__).with_name("sandbox_shell.py").absolute()
