"""What of a project is sealed against its own code, as it stands right now: settings, instructions, git's own programs.

Owns which places these are, and what becomes of those that no mount can hold: a symbolic link, or a name that nothing
may take. Mounts are made of them by `confinement`; whether they hold is watched by `sandbox_inside`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Seals", "is_within", "repositories", "seals_of", "stand_ins"]


@dataclass(frozen=True, slots=True)
class Seals:
    """What is sealed.

    Attributes:
        mounts: are made read-only. A link's target is among them, where it lies in the project.
        anchors: directories that hold one of those, and must be mounts of their own: else they could be moved away.
        links: symbolic links, with where they lead. A link cannot be mounted on, so it is put back when it was changed.
        absent: where nothing is and nothing may come to be; what does is taken away.
    """

    mounts: tuple[Path, ...] = ()
    anchors: tuple[Path, ...] = ()
    links: Mapping[Path, str] = field(default_factory=dict)
    absent: tuple[Path, ...] = ()

    def mend(self, aside: Path) -> list[Path]:
        """Put back the links and take away what may not be there, once nothing runs within; return what was wrong.

        Args:
            aside: a directory for what stood in their places. It may be a person's: nothing is deleted.

        Raises:
            OSError: that cannot be done.
        """
        changed = [place for place, target in self.links.items() if not _leads_to(place, target)]
        made = [place for place in self.absent if os.path.lexists(place)]
        failures = []
        for place in (*changed, *made):
            try:
                if os.path.lexists(place):
                    _set_aside(place, aside)
                if place in self.links:
                    place.symlink_to(self.links[place])
            except OSError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return [*changed, *made]


def seals_of(project_dir: Path, names: Iterable[str], repositories: Iterable[Path]) -> Seals:
    """What is sealed in a project.

    Args:
        names: of what is sealed at its top.
        repositories: whose settings and programs are sealed.

    Raises:
        OSError: a sealed name is a link to what holds the project, which cannot be sealed.
    """
    repositories = tuple(repositories)
    bound = (Path(os.path.realpath(project_dir)), *repositories)
    inside = project_dir / ".git"
    # Whoever writes a `.git` that is a file, or a link, chooses the repository.
    named = [project_dir / name for name in names] + ([inside] if inside.is_file() or inside.is_symlink() else [])
    wanted = [*named, *(place for each in repositories for place in _of_git(each, project_dir))]
    links = {place: os.readlink(place) for place in wanted if place.is_symlink()}
    leading = {place: Path(os.path.realpath(place)) for place in wanted if place != inside or not inside.is_symlink()}
    for place, target in leading.items():
        if any(each.is_relative_to(target) for each in bound):
            raise OSError(f"{place} leads to {target}, which holds the project, so that it cannot be sealed")
    within = [place for place in dict.fromkeys(leading.values()) if any(place.is_relative_to(each) for each in bound)]
    there = [place for place in within if place.exists()]
    mounts = [place for place in there if not any(place != each and place.is_relative_to(each) for each in there)]
    anchors = {parent for place in mounts for parent in _between(place, bound)}
    absent = [place for place in within if not place.exists() and not any(place.is_relative_to(each) for each in mounts)]
    return Seals(tuple(mounts), tuple(sorted(anchors)), links, tuple(absent))


def stand_ins(project_dir: Path, names: Iterable[str], repositories: Iterable[Path]) -> dict[Path, bool]:
    """What can lie, empty, in the place of something sealed that is not there; and whether it is a directory."""
    found = {project_dir / name: not Path(name).suffix for name in names}
    for repository in repositories:
        for each in (repository, *_modules(repository)):
            # Not a `commondir`: whatever it says, some program would take the repository for another kind.
            found |= {each / "hooks": True, each / "config.worktree": False}
    return found


def repositories(project_dir: Path) -> list[Path]:
    """The directories in which git writes for this project; none of them is one that the agent could have chosen."""
    inside = project_dir / ".git"
    if inside.is_dir():
        real = Path(os.path.realpath(inside))
        return [real] if is_within(real, project_dir) and real != Path(os.path.realpath(project_dir)) else []
    return _linked_repository(inside)


def is_within(place: Path, other: Path) -> bool:
    """Whether it is the other one or lies in it, links resolved."""
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(other))


def _of_git(repository: Path, project_dir: Path) -> Iterator[Path]:
    for each in (repository, *_modules(repository)):
        yield from (each / name for name in _GIT_NAMES)
        for linked in sorted(each.glob("worktrees/*")):
            # A work tree takes from these which repository is its own. One in the project can be taken down again.
            if not _is_in_project(linked, project_dir):
                yield from (place for name in _WORKTREE_NAMES if (place := linked / name).exists())


def _is_in_project(linked: Path, project_dir: Path) -> bool:
    """Whether the work tree of this part of a repository lies below the project."""
    try:
        file = Path((linked / "gitdir").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False
    return is_within(linked / file, project_dir) and not is_within(project_dir, (linked / file).parent)


def _modules(repository: Path) -> list[Path]:
    """The repositories of the submodules, theirs included."""
    found = []
    for directory, names, files in os.walk(repository / "modules"):
        if "HEAD" in files and "objects" in names:
            found.append(Path(directory))
            names[:] = [name for name in names if name == "modules"]
        names.sort()
    return found


def _linked_repository(file: Path) -> list[Path]:
    """The repository of a linked worktree, whose `.git` is a file that says where it is."""
    try:
        gitdir = file.parent / file.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        common = gitdir / (gitdir / "commondir").read_text(encoding="utf-8").strip()
        worktree = gitdir / (gitdir / "gitdir").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return []
    # Only the repository that names this very worktree as its own: our file is in the agent's reach, that one is not.
    is_ours = is_within(gitdir, common / "worktrees") and os.path.realpath(worktree) == os.path.realpath(file)
    is_ours = is_ours and not file.is_symlink()
    return [Path(os.path.realpath(common))] if is_ours and (common / "objects").is_dir() else []


def _between(place: Path, bound: Iterable[Path]) -> Iterator[Path]:
    """The directories above the place, up to one that is a mount already."""
    bound = set(bound)
    for parent in place.parents:
        if parent in bound:
            return
        yield parent


def _leads_to(place: Path, target: str) -> bool:
    return place.is_symlink() and os.readlink(place) == target


def _set_aside(place: Path, aside: Path) -> None:
    """Move it, never copy it: it may be anything, and of any size."""
    try:
        aside.mkdir(parents=True, exist_ok=True)
        place.rename(_free(aside, place.name))
    except OSError:  # on another file system
        place.rename(_free(place.parent, f"{place.name}.set-aside"))


def _free(directory: Path, name: str) -> Path:
    names = (name, *(f"{name}.{number}" for number in range(1, 10_000)))
    return next(place for each in names if not os.path.lexists(place := directory / each))


_GIT_NAMES: Final = ("hooks", "config", "config.worktree", "commondir")
_WORKTREE_NAMES: Final = ("commondir", "gitdir", "config.worktree")
