"""What the agent's commands may write, see and reach, in bubblewrap's words. The walls, and nothing that stands in them.

The commands of one session share one world: a server that one of them starts is there for the next, on a loopback of
their own. Owns the list of places. Making that world is `walled`'s business, whether it can be made here is
`sandbox`'s.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lifecycle.agent.credentials import CREDENTIAL_VARIABLES

__all__ = ["WITHHELD", "Confinement", "hidden_places"]


@dataclass(frozen=True, slots=True)
class Confinement:
    """The walls around one project's commands.

    Attributes:
        project_dir: can be read and written, but for what is sealed in it.
        scratch_dir: can be written as well: temporary files, and the caches of package managers, which must not be the
            person's own, where a hostile package could lie in wait for them.
        hidden: neither read nor written.
        hosts: can be reached, through our proxy; `*.` in front stands for all below, `:PORT` behind for one port only.
        sealed: names at the top of the project that cannot be written, whether they are there or not.
    """

    project_dir: Path
    scratch_dir: Path
    hidden: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    sealed: tuple[str, ...] = (".claude", "lifecycle.toml")

    def walls(self, command: Sequence[str]) -> list[str]:
        """The argument vector that runs `command` within: processes, network and devices of its own, read-only files.

        `prepare` comes before it is used.
        """
        arguments = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", *_no_worlds_within()]
        # Empty, for there lie the sockets of the machine's services; a container engine's is as good as root.
        arguments += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp"]  # noqa: S108
        # A place with something sealed in it is a mount of its own, or it could be moved away from what is sealed.
        bound = (self.scratch_dir, self.cli_dir, self.project_dir, *self._repository())
        hidden = sorted(self.hidden, key=lambda place: len(place.parts))
        # What is itself to be written, or holds it, is hidden before, or it would not be there.
        within = [place for place in hidden if any(_is_within(place, each) and place != each for each in bound)]
        for place in hidden:
            arguments += _hiding(place) if place not in within else []
        for place in _pythons():
            arguments += ["--ro-bind", str(place), str(place)]
        for place in bound:
            arguments += ["--bind", str(place), str(place)]
        for place in (self.cli_dir / f"claude-{os.getuid()}", *self._sealed()):
            arguments += ["--ro-bind", str(place), str(place)]
        for place in within:  # what was bound has uncovered it
            arguments += _hiding(place)
        return [*arguments, "--", *command]

    @property
    def cli_dir(self) -> Path:
        """Where the CLI, outside, and its commands, within, leave notes for each other."""
        return self.scratch_dir / "cli"

    def prepare(self) -> None:
        """Make the places that must be there. What the CLI itself writes in its own is read-only within."""
        (self.cli_dir / f"claude-{os.getuid()}").mkdir(mode=0o700, parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Variables that lead programs to places that they can write."""
        return {"TMPDIR": "/tmp", **{name: str(self.scratch_dir / place) for name, place in _CACHES.items()}}  # noqa: S108

    def _repository(self) -> list[Path]:
        """What git writes."""
        inside = self.project_dir / ".git"
        if inside.is_dir() and not inside.is_symlink():
            return [inside]
        return [place for place in _linked_repository(inside) if not self._is_hidden(place)]

    def _sealed(self) -> list[Path]:
        names = [self.project_dir / name for name in self.sealed]
        inside = self.project_dir / ".git"
        linked = [inside] if inside.is_file() else []  # whoever writes it chooses the repository
        of_git = [place / name for place in self._repository() for name in _OF_GIT]
        return [place for place in (*names, *linked, *of_git) if place.exists() and not place.is_symlink()]

    def _is_hidden(self, place: Path) -> bool:
        return any(place.is_relative_to(each) for each in self.hidden)


def hidden_places(environment: Mapping[str, str], project_dir: Path) -> tuple[Path, ...]:
    """Where a person's credentials and histories are kept, as far as that is known; nothing that holds the project."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    places = [*(home / name for name in _AT_HOME), *(config / name for name in _OF_THE_CLI)]
    project = Path(os.path.realpath(project_dir))
    return tuple(place for place in places if not project.is_relative_to(os.path.realpath(place)))


@functools.cache
def _no_worlds_within() -> tuple[str, ...]:
    """What keeps a command from making a world of its own within, where it could take a seal's mount away.

    bubblewrap knows it since 0.8.0; before, that takes an attacker who knows the kernel well.
    """
    try:
        told = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return ("--disable-userns",) if "--disable-userns" in told else ()


def _hiding(place: Path) -> list[str]:
    if place.is_dir():
        return ["--tmpfs", os.path.realpath(place)]
    return ["--ro-bind", os.devnull, os.path.realpath(place)] if place.exists() else []


def _linked_repository(file: Path) -> list[Path]:
    """The repository of a linked worktree, whose `.git` is a file that says where it is."""
    try:
        gitdir = file.parent / file.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        common = gitdir / (gitdir / "commondir").read_text(encoding="utf-8").strip()
        worktree = gitdir / (gitdir / "gitdir").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return []
    # Only the repository that names this very worktree as its own: our file is in the agent's reach, that one is not.
    is_ours = _is_within(gitdir, common / "worktrees") and os.path.realpath(worktree) == os.path.realpath(file)
    is_ours = is_ours and not file.is_symlink()
    return [Path(os.path.realpath(common))] if is_ours and (common / "objects").is_dir() else []


def _is_within(place: Path, other: Path) -> bool:
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(other))


def _pythons() -> list[Path]:
    """Where our own Python is, if that would be hidden: what serves within the walls is run by it."""
    places = {Path(os.path.realpath(place)) for place in (sys.prefix, sys.base_prefix, _HERE)}
    return sorted(place for place in places if place.is_relative_to("/tmp") or place.is_relative_to("/run"))  # noqa: S108


_HERE: Final = Path(__file__).parent

WITHHELD: Final = (
    *(name for name in CREDENTIAL_VARIABLES if "_USE_" not in name),
    *("ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_FOUNDRY_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
"""The variables by which the CLI logs in; no command needs them."""

_OF_GIT: Final = ("hooks", "config", "config.worktree", "commondir")
_AT_HOME: Final = (
    *(".ssh", ".gnupg", ".1password", ".password-store", ".local/share/keyrings"),
    *(".aws", ".azure", ".kube", ".config/gcloud", ".config/doctl", ".terraform.d", ".vault-token"),
    *(".docker", ".config/containers", ".netrc", ".git-credentials", ".config/git/credentials"),
    *(".config/gh", ".config/hub", ".config/glab-cli"),
    *(".npmrc", ".yarnrc.yml", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials"),
    *(".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", ".pgpass"),
    *(".claude.json", ".config/op", ".mozilla", ".config/google-chrome", ".config/chromium"),
)
_OF_THE_CLI: Final = (".credentials.json", ".claude.json", "history.jsonl", "projects", "file-history", "backups")

_CACHES: Final = {
    "XDG_CACHE_HOME": "cache",  # pip, uv, yarn, go build, and many more
    "npm_config_cache": "npm",
    "YARN_GLOBAL_FOLDER": "yarn",
    "CARGO_HOME": "cargo",
    "GOMODCACHE": "go-mod",
}
