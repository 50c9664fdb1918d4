"""Whether the operating system's sandbox can be had here, and what becomes of a start without it.

Owns the meaning of the setting `sandbox`, and the proof by which "it works here" is known: bubblewrap may be
installed and still be forbidden what it needs, so walls are made and something tries to leave them. Where they stand
is `confinement`'s.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from lifecycle.agent.confinement import Confinement
from lifecycle.agent.strays import WALLS_DIR
from lifecycle.errors import ConfigurationError

__all__ = ["Sandbox", "SandboxMode", "Sandboxed", "choose_sandbox", "sandbox_problem"]


class SandboxMode(StrEnum):
    """What the person wants."""

    AUTO = "auto"
    """The sandbox where it works; elsewhere none, and that is said aloud."""

    REQUIRED = "required"
    """The sandbox, or no start."""

    OFF = "off"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What was decided for one start.

    Attributes:
        problem: why there is none though one was wanted, and what to do about it; empty otherwise.
        hosts: that can be reached from it, with commas between.
    """

    mode: SandboxMode
    problem: str = ""
    hosts: str = ""

    @property
    def is_on(self) -> bool:
        """Whether the agent's commands run in it."""
        return self.mode is not SandboxMode.OFF and not self.problem

    def to_record(self) -> dict[str, Any]:
        """As the journal keeps it and `lifecycle status --json` prints it."""
        return {"mode": self.mode.value, "on": self.is_on, "problem": self.problem}


@runtime_checkable
class Sandboxed(Protocol):
    """An agent that says what was decided for it, so that the record has it."""

    @property
    def sandbox(self) -> Sandbox | None:
        """The decision."""


def choose_sandbox(
    mode: str, project_dir: Path, *, hosts: str = "", source: str = "sandbox", search_path: str | None = None
) -> Sandbox:
    """Decide what this start does. Blocks for some 30 ms unless the mode is off.

    Args:
        hosts: that may be reached from it.
        source: where the mode was set.
        search_path: instead of PATH.

    Raises:
        ConfigurationError: the sandbox is required and cannot be had here.
    """
    chosen = SandboxMode(mode)
    if chosen is SandboxMode.OFF:
        return Sandbox(chosen)
    problem = _foreign(project_dir) or _uncovering(project_dir) or sandbox_problem(search_path=search_path)
    if problem and chosen is SandboxMode.REQUIRED:
        raise ConfigurationError(source, f"the sandbox is required, and cannot be had: {problem}")
    return Sandbox(chosen, problem, "" if problem else hosts)


def sandbox_problem(*, search_path: str | None = None, platform: str = sys.platform) -> str:
    """Why there can be no sandbox here, and what to do about it; empty when there can.

    Proven, not guessed: bubblewrap may be there and be forbidden what it needs. So walls are made, and a command within
    must be able to write where it may, and must leave no trace where it may not.
    """
    if not platform.startswith("linux"):
        return f"it is made for Linux, and this is {platform}; a container or a virtual machine can stand in for it"
    if os.statvfs(WALLS_DIR).f_flag & os.ST_NOEXEC:
        return f"no program can be run from {WALLS_DIR}, where its shell lies; mount it without noexec"
    bwrap = shutil.which("bwrap", path=search_path)
    if bwrap is None:
        return "bwrap is not installed; on Debian and Ubuntu: apt-get install bubblewrap"
    try:
        with tempfile.TemporaryDirectory(prefix="lifecycle-sandbox-") as place:
            return _tried(bwrap, Path(os.path.realpath(place)))
    except OSError as error:
        return f"it cannot be tried: {error}"


def _foreign(project_dir: Path) -> str:
    """Within the walls there is one user, and no privilege: root cannot write there what is somebody else's."""
    owner = os.stat(project_dir).st_uid
    if os.geteuid() == owner or os.geteuid() != 0:
        return ""
    return f"{project_dir} is another user's (uid {owner}), and root has no privilege in a sandbox; run as that user"


def _uncovering(project_dir: Path) -> str:
    """What is empty or another one within would come back with a project that is it, or holds it."""
    project = Path(os.path.realpath(project_dir))
    held = [place for place in _COVERED if Path(os.path.realpath(place)).is_relative_to(project)]
    if not held:
        return ""
    return f"{project_dir} is or holds {', '.join(held)}, which commands in a sandbox must not see; give the project a directory of its own"


def _tried(bwrap: str, place: Path) -> str:
    inside, outside = place / "inside", place / "outside"
    inside.mkdir()
    outside.touch()
    attempt = f"echo in > sign && echo out > {shlex.quote(str(outside))}; exit 0"
    confinement = Confinement(inside, place / "scratch", sealed=())
    confinement.prepare()
    walls = confinement.walls(["/bin/sh", "-c", attempt])
    try:
        done = subprocess.run(
            [bwrap, *walls[1:]],
            cwd=inside,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"bwrap did not end within {_TIMEOUT_S:g} s; try it by hand"
    if outside.read_text() or not (inside / "sign").exists():
        said = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.returncode}")
        return f"bwrap makes none that holds ({said.strip()[:200]}); {_FORBIDDEN}"
    return ""


_COVERED: Final = ("/tmp", "/run", "/proc", "/dev", "/sys")  # noqa: S108  # names, not places to write
"""Within, these are empty, or others."""

_TIMEOUT_S: Final = 10.0
_FORBIDDEN: Final = (
    "allow user namespaces (kernel.unprivileged_userns_clone; on Ubuntu 24.04 "
    "kernel.apparmor_restrict_unprivileged_userns=0 or a profile for bwrap; in a container, its security options)"
)
