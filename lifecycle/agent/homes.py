"""A person's home directory as commands see it: all of it but credentials, histories and the CLI's own files.

Owns which places those are. A home is put together anew, in memory, of what is not hidden: others write in it while a
session runs, and what hides a file by lying on it is taken away by the kernel when another file is renamed into its
place. What was never put there cannot come to light.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["hidden_places", "homes_of", "made_anew"]


def hidden_places(environment: Mapping[str, str], project_dir: Path) -> tuple[Path, ...]:
    """Where a person's credentials and histories are kept, as far as that is known; nothing that holds the project.

    What a variable names in the project is the project's own, and is seen.
    """
    home, config = homes_of(environment)
    at_home = (each / name for each in dict.fromkeys((home, _of_passwd())) for name in _AT_HOME)
    of_cli = (each / name for each in dict.fromkeys((config, home / ".claude")) for name in _OF_THE_CLI)
    backups = (place for each in dict.fromkeys((home, config)) for place in _found(each, ".claude.json."))
    project = Path(os.path.realpath(project_dir))
    named = (place for place in _named(environment) if _can_be_hidden(place, home, project))
    places = dict.fromkeys((*at_home, *of_cli, *backups, *named))
    return tuple(place for place in places if not project.is_relative_to(os.path.realpath(place)))


def homes_of(environment: Mapping[str, str]) -> tuple[Path, Path]:
    """The home directory, and the one where the CLI keeps its files."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    return home, Path(environment.get("CLAUDE_CONFIG_DIR") or home / ".claude")


def _named(environment: Mapping[str, str]) -> Iterator[Path]:
    """What variables name: a file or directory of credentials, or the place of one of the directories we know."""
    for name, within in _BY_VARIABLE.items():
        for value in environment.get(name, "").split(os.pathsep):
            if os.path.isabs(value):
                yield from (Path(value) / each for each in within)


def _can_be_hidden(place: Path, home: Path, project: Path) -> bool:
    """Whether nothing else goes with it: `/dev/null` is a common value, and so may a whole home be."""
    real = Path(os.path.realpath(place))
    if real.is_relative_to(project):
        return False
    return not Path(os.path.realpath(home)).is_relative_to(real) and (real.is_dir() or real.is_file() or not real.exists())


def _of_passwd() -> Path:
    """The home of the user, which programs go by that do not ask for HOME."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir or "/nonexistent")
    except KeyError:
        return Path("/nonexistent")


def _found(directory: Path, prefix: str) -> list[Path]:
    try:
        return [directory / name for name in sorted(os.listdir(directory)) if name.startswith(prefix)]
    except OSError:
        return []


def made_anew(homes: Iterable[Path], hidden: Collection[Path]) -> Iterator[str]:
    """Put directories together of all that is in them and not hidden, as it stands now: arguments for bubblewrap.

    Entries are read-only. A directory that holds something hidden is put together in the same way. Of very many entries
    in all of them the directories and the hidden files come first, and those at the top: those are what tools need.

    Args:
        homes: real paths.
        hidden: with links resolved, and as they are named.
    """
    homes = tuple(homes)
    hidden = frozenset(hidden)
    parting = frozenset(above for place in hidden for above in place.parents)
    found = [entry for home in homes for entry in _entries(home, hidden, parting, 0)]
    seen = {id(entry) for entry in sorted(found, key=lambda entry: entry.rank)[:ENTRIES_MAX]}
    for home in homes:
        yield from ("--tmpfs", str(home))
    for entry in found:
        if id(entry) in seen:
            yield from entry.arguments


@dataclass(frozen=True, slots=True)
class _Entry:
    rank: tuple[bool, int, bool, str]
    arguments: tuple[str, ...]


def _entries(directory: Path, hidden: frozenset[Path], parting: frozenset[Path], depth: int) -> Iterator[_Entry]:
    """What can be looked at; a directory before what is in it."""
    try:
        entries = sorted((entry for entry in os.scandir(directory) if _is_readable(entry)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        place = Path(entry.path)
        if place in hidden:
            continue
        is_dir = entry.is_dir()
        rank = (not is_dir and not entry.name.startswith("."), depth, not is_dir, entry.name)
        if entry.is_symlink():
            yield _Entry(rank, ("--symlink", os.readlink(place), str(place)))
        elif is_dir and place in parting:
            yield _Entry((False, -1, False, ""), ("--dir", str(place)))  # whatever else there is
            yield from _entries(place, hidden, parting, depth + 1)
        elif is_dir or entry.is_file():  # a socket leads out of the walls
            yield _Entry(rank, ("--ro-bind-try", str(place), str(place)))


def _is_readable(entry: os.DirEntry[str]) -> bool:
    try:
        entry.stat(follow_symlinks=False)
    except OSError:
        return False  # a file system that does not answer would keep the walls from being made
    return True


ENTRIES_MAX: Final = 1000
"""Of all directories together. Mounts cost more the more there are: a thousand take bubblewrap 0.7 s, two thousand 2.8 s;
and its arguments, three for each, may be 9000."""

_AT_HOME: Final = (
    *(".ssh", ".gnupg", ".1password", ".password-store", ".local/share/keyrings"),
    *(".aws", ".azure", ".kube", ".config/gcloud", ".config/doctl", ".terraform.d", ".vault-token"),
    *(".docker", ".config/containers", ".netrc", ".git-credentials", ".config/git/credentials"),
    *(".config/gh", ".config/hub", ".config/glab-cli"),
    *(".npmrc", ".yarnrc.yml", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials"),
    *(".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", ".pgpass"),
    *(".claude.json", ".config/op", ".mozilla", ".config/google-chrome", ".config/chromium"),
    *(".codex/auth.json", ".huggingface/token", ".cache/huggingface/token", ".m2/settings.xml"),
    *(".gradle/gradle.properties", ".config/pip/pip.conf", ".pip/pip.conf", ".config/pypoetry/auth.toml"),
    *(".composer/auth.json", ".config/composer/auth.json", ".bundle/config"),
    *(".config/rclone", ".fly", ".netlify", ".config/netlify", ".vercel", ".config/heroku", ".boto", ".s3cfg"),
    *(".node_repl_history", ".local/share/fish/fish_history"),
)
_OF_THE_CLI: Final = (".credentials.json", ".claude.json", "history.jsonl", "projects", "file-history", "backups")

_BY_VARIABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "XDG_CONFIG_HOME": tuple(name.removeprefix(".config/") for name in _AT_HOME if name.startswith(".config/")),
    "XDG_DATA_HOME": tuple(name.removeprefix(".local/share/") for name in _AT_HOME if name.startswith(".local/share/")),
    "XDG_CACHE_HOME": ("huggingface/token",),
    "CARGO_HOME": ("credentials", "credentials.toml"),
    "CODEX_HOME": ("auth.json",),
    "COMPOSER_HOME": ("auth.json",),
    "GRADLE_USER_HOME": ("gradle.properties",),
    "HF_HOME": ("token",),
    **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AZURE_CONFIG_DIR", "CLOUDSDK_CONFIG"), ("",)),
    **dict.fromkeys(("DOCKER_CONFIG", "GH_CONFIG_DIR", "GLAB_CONFIG_DIR", "GNUPGHOME", "GOOGLE_APPLICATION_CREDENTIALS"), ("",)),
    **dict.fromkeys(("HF_TOKEN_PATH", "HISTFILE", "KUBECONFIG", "NETRC", "NPM_CONFIG_USERCONFIG", "npm_config_userconfig"), ("",)),
    **dict.fromkeys(("PASSWORD_STORE_DIR", "PGPASSFILE", "PIP_CONFIG_FILE", "RCLONE_CONFIG", "BOTO_CONFIG"), ("",)),
}
"""Which variables lead to credentials, and where below what they name; an empty name is that itself."""
