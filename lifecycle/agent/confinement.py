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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lifecycle.agent.credentials import CREDENTIAL_VARIABLES
from lifecycle.agent.homes import made_anew
from lifecycle.agent.seals import Seals, is_within, repositories, seals_of, stand_ins

__all__ = ["WITHHELD", "Confinement"]


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
        homes: directories with something hidden in them, where others write meanwhile; they are made anew of the rest.
    """

    project_dir: Path
    scratch_dir: Path
    hidden: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    sealed: tuple[str, ...] = (".claude", "lifecycle.toml")
    homes: tuple[Path, ...] = ()

    def walls(self, command: Sequence[str]) -> list[str]:
        """The argument vector that runs `command` within: processes, network and devices of its own, read-only files.

        `prepare` comes before it is used.

        Raises:
            OSError: something cannot be sealed.
        """
        arguments = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", *_no_worlds_within()]
        # The first process of a world cannot be stopped or killed by the others in it, and when it ends, they do.
        arguments += ["--as-pid-1"]
        # Empty, for there lie the sockets of the machine's services; a container engine's is as good as root.
        arguments += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp"]  # noqa: S108  # an empty one is made
        before, within = self._hidden_by_mounts()
        for place in before:
            arguments += _hiding(place)
        homes = self._homes()
        arguments += made_anew(homes, {*self.hidden, *_real(self.hidden)})
        for place in _pythons():
            arguments += ["--ro-bind", str(place), str(place)]
        seals = self.seals()
        for place in (*self._bound(), *seals.anchors):
            arguments += ["--bind", str(place), str(place)]
        for place in (self.cli_dir / f"claude-{os.getuid()}", *seals.mounts):
            arguments += ["--ro-bind", str(place), str(place)]
        for place in within:  # what was bound has uncovered it
            arguments += _hiding(place)
        for home in homes:  # last, for what is bound below it needs a place to lie on
            arguments += ["--remount-ro", str(home)]
        return [*arguments, "--", *command]

    def seals(self) -> Seals:
        """What is sealed, as it stands now.

        Raises:
            OSError: something cannot be sealed.
        """
        return seals_of(self.project_dir, self.sealed, self._repositories())

    def stand_ins(self) -> dict[Path, bool]:
        """What can lie, empty, in the place of something sealed that is not there; and whether it is a directory."""
        return stand_ins(self.project_dir, self.sealed, self._repositories())

    def watched(self) -> dict[str, Any]:
        """What `sandbox_inside` watches: mounts that the kernel can take away, links, and what may not come to be.

        Raises:
            OSError: something cannot be sealed.
        """
        seals = self.seals()
        hidden = [place for each in self._hidden_by_mounts() for place in each if place.exists()]
        mounts = [*seals.mounts, *self._homes(), *_real(hidden)]
        return {
            "mounts": [str(place) for place in mounts],
            "links": {str(place): target for place, target in seals.links.items()},
            "absent": [str(place) for place in seals.absent],
        }

    @property
    def cli_dir(self) -> Path:
        """Where the CLI, outside, and its commands, within, leave notes for each other."""
        return self.scratch_dir / "cli"

    @property
    def set_aside_dir(self) -> Path:
        """What stood where a link must be, or nothing may be, is kept here."""
        return self.scratch_dir.parent / "set-aside"

    def prepare(self) -> None:
        """Make the places that must be there. What the CLI itself writes in its own is read-only within."""
        (self.cli_dir / f"claude-{os.getuid()}").mkdir(mode=0o700, parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Variables that lead programs to places that they can write."""
        caches = {name: str(self.scratch_dir / place) for name, place in _CACHES.items()}
        # Read only, and too large to be fetched for each project.
        browsers = next((place for home in self.homes if (place := home / ".cache" / "ms-playwright").is_dir()), None)
        if browsers is not None and not os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
            caches["PLAYWRIGHT_BROWSERS_PATH"] = str(browsers)
        return {"TMPDIR": "/tmp", **caches}  # noqa: S108  # that of the walls, nobody else's

    def _bound(self) -> tuple[Path, ...]:
        """What can be written. A place with something sealed in it is a mount of its own, or it could be moved away."""
        return (self.scratch_dir, self.cli_dir, self.project_dir, *self._repositories())

    def _repositories(self) -> list[Path]:
        found = repositories(self.project_dir)
        own = is_within  # the project's own cannot be hidden from it
        return [place for place in found if own(place, self.project_dir) or not self._is_hidden(place)]

    def _homes(self) -> list[Path]:
        """The homes that are made anew: those that are to be seen, are a person's, and hold no part of what is written."""
        real = [home for home in _real(self.homes) if home.is_dir() and not _is_the_systems(home) and not _is_gone(home)]
        apart = [home for home in real if not any(is_within(home, each) for each in (*self._bound(), *self.hidden))]
        return [home for home in dict.fromkeys(apart) if not any(home != each and home.is_relative_to(each) for each in apart)]

    def _hidden_by_mounts(self) -> tuple[list[Path], list[Path]]:
        """What is hidden and not in a home: to be hidden before, and after, what can be written is bound."""
        homes, bound = self._homes(), self._bound()
        hidden = sorted(self.hidden, key=lambda place: len(place.parts))
        outside = [place for place in hidden if not any(is_within(place, home) for home in homes)]
        # What is itself to be written, or holds it, is hidden before, or it would not be there.
        within = [place for place in hidden if any(is_within(place, each) and place != each for each in bound)]
        return [place for place in outside if place not in within], within

    def _is_hidden(self, place: Path) -> bool:
        return any(place.is_relative_to(each) for each in self.hidden)


def _no_worlds_within() -> tuple[str, ...]:
    """What keeps a command from making a world of its own within, where it could take a seal's mount away.

    bubblewrap knows it since 0.8.0; before, that takes an attacker who knows the kernel well.

    Raises:
        OSError: bubblewrap does not say whether it knows it.
    """
    try:
        return ("--disable-userns",) if "--disable-userns" in _options() else ()
    except FileNotFoundError:
        return ()  # there is none, and whoever runs the arguments is told so
    except subprocess.TimeoutExpired as error:
        raise OSError("bwrap --help does not answer") from error


@functools.cache
def _options() -> str:
    """What bubblewrap tells of itself; a failure is not remembered."""
    return subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=10, check=False).stdout


def _hiding(place: Path) -> list[str]:
    if place.is_dir():
        return ["--tmpfs", os.path.realpath(place)]
    return ["--ro-bind", os.devnull, os.path.realpath(place)] if place.exists() else []


def _real(places: Iterable[Path]) -> list[Path]:
    return [Path(os.path.realpath(place)) for place in places]


def _is_gone(place: Path) -> bool:
    """Whether it lies where there is nothing within."""
    return place.is_relative_to("/tmp") or place.is_relative_to("/run")  # noqa: S108  # a name, not a place to write


def _is_the_systems(place: Path) -> bool:
    """Whether it holds what programs need: services have such homes."""
    return place == Path("/") or any(place.is_relative_to(each) for each in _SYSTEM)


def _pythons() -> list[Path]:
    """Where our own Python is, if that would be hidden: what serves within the walls is run by it."""
    places = {Path(os.path.realpath(place)) for place in (sys.prefix, sys.base_prefix, _HERE)}
    return sorted(place for place in places if _is_gone(place))


_HERE: Final = Path(__file__).parent
_SYSTEM: Final = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr")

WITHHELD: Final = (
    *(name for name in CREDENTIAL_VARIABLES if "_USE_" not in name),
    *("ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_FOUNDRY_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
"""The variables by which the CLI logs in; no command needs them."""

_CACHES: Final = {
    "XDG_CACHE_HOME": "cache",  # pip, uv, yarn, go build, and many more
    "npm_config_cache": "npm",
    "YARN_GLOBAL_FOLDER": "yarn",
    "npm_config_store_dir": "pnpm",
    "GRADLE_USER_HOME": "gradle",
    "CARGO_HOME": "cargo",
    "GOMODCACHE": "go-mod",
}
