"""The machine: Python, the agent's program, the account, git, the sandbox, room on the disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lifecycle.agent.cli_path import find_cli
from lifecycle.agent.credentials import CREDENTIAL_VARIABLES, has_credentials
from lifecycle.agent.sandbox import sandbox_problem
from lifecycle.doctor.finding import Finding, Verdict, examined
from lifecycle.errors import AgentFailed

__all__ = ["TESTED_CLI", "TESTED_PYTHONS", "TESTED_SDK", "disk", "machine"]

TESTED_PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
TESTED_SDK: Final = "0.2.187"
TESTED_CLI: Final = "2.1.330"
"""What the tests of this version were run with; a test holds them to what is installed."""

ROOM_LEAST_BYTES: Final = 100 << 20
ROOM_GOOD_BYTES: Final = 1 << 30
_PROGRAM_TIMEOUT_S: Final = 20.0


def machine(environment: Mapping[str, str], cwd: Path) -> tuple[Finding, ...]:
    """What is to be said of this machine.

    Args:
        environment: of the process; values of credentials are never looked at.
        cwd: where git is asked who commits there.
    """
    return (
        *examined("python", _python),
        *examined("claude-agent-sdk", _sdk),
        *examined("agent", lambda: _agent(environment)),
        *examined("credentials", lambda: _credentials(environment)),
        *examined("git", lambda: _git(environment, cwd)),
        *examined("sandbox", lambda: _sandbox(environment)),
    )


def disk(place: Path, what: str) -> Finding:
    """Whether there is room where `place` is, or will be."""
    there = next(each for each in (place, *place.parents) if os.path.isdir(each))
    status = os.statvfs(there)
    free = status.f_bavail * status.f_frsize
    found = f"{free / (1 << 30):.1f} GiB free for {what} ({there})"
    if free < ROOM_LEAST_BYTES:
        return Finding("disk", Verdict.MEND, found, f"make room: {ROOM_LEAST_BYTES >> 20} MiB at least")
    if free < ROOM_GOOD_BYTES:
        return Finding("disk", Verdict.NOTE, found, "make room: a night can fill this")
    return Finding("disk", Verdict.OK, found)


def _python() -> Iterator[Finding]:
    found = f"{sys.version.split()[0]} ({sys.executable})"
    if sys.version_info[:2] in TESTED_PYTHONS:
        yield Finding("python", Verdict.OK, found)
    else:
        tested = ", ".join(f"{major}.{minor}" for major, minor in TESTED_PYTHONS)
        yield Finding("python", Verdict.NOTE, found, f"not a version that we test: {tested}")


def _sdk() -> Iterator[Finding]:
    try:
        found = version("claude-agent-sdk")
    except PackageNotFoundError:
        advice = "install autonomous-session-manager again, with its dependencies"
        yield Finding("claude-agent-sdk", Verdict.MEND, "not installed", advice)
        return
    if found == TESTED_SDK:
        yield Finding("claude-agent-sdk", Verdict.OK, found)
    else:
        yield Finding("claude-agent-sdk", Verdict.NOTE, found, f"not the version that we test: {TESTED_SDK}")


def _agent(environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        program = find_cli()
    except AgentFailed as failure:
        yield Finding("agent", Verdict.MEND, "there is no program", str(failure))
        return
    said = _said([str(program), "--version"], environment)
    number = re.search(r"\d+\.\d+\.\d+\S*", said or "")
    if number is None:
        advice = f"try it yourself: {program} --version; then install claude-agent-sdk again"
        yield Finding("agent", Verdict.MEND, f"{program} does not run", advice)
    elif number[0] != TESTED_CLI:
        advice = f"not the version that we test: {TESTED_CLI}; the gate is proven anew when it is first used"
        yield Finding("agent", Verdict.NOTE, f"Claude Code {number[0]} ({program})", advice)
    else:
        yield Finding("agent", Verdict.OK, f"Claude Code {number[0]} ({program})")


def _credentials(environment: Mapping[str, str]) -> Iterator[Finding]:
    if not has_credentials(environment):
        advice = f"set {CREDENTIAL_VARIABLES[0]}, or log in with `claude`; `lifecycle demo` needs neither"
        yield Finding("credentials", Verdict.MEND, "none", advice)
        return
    named = next((name for name in CREDENTIAL_VARIABLES if environment.get(name, "").strip()), None)
    found = f"{named} is set" if named else "a login of `claude`"
    yield Finding("credentials", Verdict.OK, f"{found}; whether it is accepted, only the service can tell")
    if base := environment.get("ANTHROPIC_BASE_URL", "").strip():
        host = urlsplit(base).hostname or "an address that is none"
        yield Finding("endpoint", Verdict.NOTE, f"ANTHROPIC_BASE_URL leads to {host}", "unset it if that is not meant")


def _git(environment: Mapping[str, str], cwd: Path) -> Iterator[Finding]:
    program = shutil.which("git", path=environment.get("PATH"))
    said = _said([program, "--version"], environment) if program else None
    if said is None:
        advice = "install git: the agent commits, and what it commits is how progress is told"
        yield Finding("git", Verdict.MEND, "there is none", advice)
        return
    yield Finding("git", Verdict.OK, said.removeprefix("git version ").strip())
    missing = [key for key, variable in _IDENTITY if not _is_configured(key, variable, environment, cwd)]
    if missing:
        commands = "; ".join(f'git config --global {key} "..."' for key in missing)
        yield Finding("git identity", Verdict.NOTE, f"{' and '.join(missing)} not set", f"the agent makes one up otherwise; set yours: {commands}")
    else:
        yield Finding("git identity", Verdict.OK, "set")


_IDENTITY: Final = (("user.name", "GIT_AUTHOR_NAME"), ("user.email", "GIT_AUTHOR_EMAIL"))


def _is_configured(key: str, variable: str, environment: Mapping[str, str], cwd: Path) -> bool:
    if environment.get(variable, "").strip():
        return True
    # Only reads configuration, which runs nothing, also where an agent may have written it.
    return bool((_said(["git", "config", "--get", key], environment, cwd) or "").strip())


def _sandbox(environment: Mapping[str, str]) -> Iterator[Finding]:
    problem = sandbox_problem(search_path=environment.get("PATH"))
    if not problem:
        yield Finding("sandbox", Verdict.OK, "one was made, and it held")
        return
    # The same trial that a run makes; whether it can do without is the person's setting.
    found, _, advice = problem.partition("; ")
    yield Finding("sandbox", Verdict.NOTE, f"none: {found}; the agent's commands run without one", advice)


def _said(command: list[str], environment: Mapping[str, str], cwd: Path | None = None) -> str | None:
    """What a program prints, or None when it cannot be run, fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROGRAM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return done.stdout if done.returncode == 0 else None
