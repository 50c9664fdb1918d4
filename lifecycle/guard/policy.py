"""The command policy's face: is this command line accepted, and if not, why.

Owns the verdict and the way from a text to it. Fails closed: whatever goes wrong in here is a refusal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lifecycle.guard.call import Call
from lifecycle.guard.paths import absolute
from lifecycle.guard.profiles import DEFAULT_PROFILE, PROFILES, Profile
from lifecycle.guard.programs import Analysis, Program
from lifecycle.guard.refusal import Refused
from lifecycle.guard.rules.always import check_always
from lifecycle.guard.rules.output import output_of
from lifecycle.guard.second_reading import check_second_reading
from lifecycle.guard.syntax import check_characters, parse

__all__ = ["Allowlist", "CommandVerdict", "validate_command"]

_SYSTEM_DIRECTORIES = ("/bin/", "/usr/bin/", "/usr/local/bin/")


@dataclass(frozen=True, slots=True)
class CommandVerdict:
    """The answer for one command line.

    Attributes:
        allowed: whether it may run.
        reason: why not, and what would be accepted; "" when it may.
        rule: the rule that decided, a stable dotted name; "allowed" when none refused.
        programs: what would be started, in the order of the text; of a refused one, what was found until then.
    """

    allowed: bool
    reason: str
    rule: str
    programs: tuple[Program, ...] = ()


class Allowlist:
    """A profile whose programs can be added and taken away.

    What a program's arguments may be, and the fixed list that no profile opens, stay as they are.

    >>> allowlist = Allowlist("minimal")
    >>> allowlist.add("jq")
    >>> "jq" in allowlist
    True
    """

    def __init__(self, profile: str | Profile = DEFAULT_PROFILE) -> None:
        self._profile = _profile(profile)

    @property
    def profile(self) -> Profile:
        """The profile as it stands."""
        return self._profile

    def add(self, *programs: str) -> None:
        """Accept these programs, too."""
        self._profile = self._profile.with_programs(self._profile.programs | set(programs))

    def remove(self, *programs: str) -> None:
        """Accept these programs no longer; ones that are not there are no error."""
        self._profile = self._profile.with_programs(self._profile.programs - set(programs))

    def __contains__(self, program: object) -> bool:
        return program in self._profile.programs

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._profile.programs))


def validate_command(
    text: str,
    profile: str | Profile | Allowlist = DEFAULT_PROFILE,
    project: str | os.PathLike[str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    home: str | None = None,
) -> CommandVerdict:
    """Judge a command line that would run as `bash -c text`. Runs nothing and looks at no file.

    Args:
        text: the command line.
        profile: a profile's name, a profile, or an allowlist.
        project: the directory to be held to; it need not exist. The current directory by default.
        cwd: where the command would start; the project by default. Relative to the project.
        home: what `~` means; `$HOME` by default.

    Returns:
        A verdict, also for what cannot be judged: that is refused.
    """
    found: list[Program] = []
    try:
        _judge(text, _profile(profile), project, cwd, home, found)
    except Refused as refused:
        return CommandVerdict(False, refused.reason, refused.rule, tuple(found))
    except RecursionError:
        return CommandVerdict(False, "the command is nested too deeply to be judged; split it", "syntax.depth", tuple(found))
    except Exception as error:  # noqa: BLE001  # fail closed: a fault in the judge is never a permission
        return CommandVerdict(False, f"the command could not be judged ({type(error).__name__}: {error})", "fault", tuple(found))
    return CommandVerdict(True, "", "allowed", tuple(found))


def _judge(
    text: str,
    profile: Profile,
    project: str | os.PathLike[str] | None,
    cwd: str | os.PathLike[str] | None,
    home: str | None,
    found: list[Program],
) -> None:
    if not isinstance(text, str):
        raise Refused("input", "the command must be a string")
    check_characters(text)
    script = parse(text)
    root = absolute(os.path.abspath(os.fspath(project) if project is not None else os.getcwd()))
    start = absolute(os.path.join(root, os.fspath(cwd))) if cwd is not None else root
    known_home = home if home is not None else os.environ.get("HOME", "")
    if not known_home.startswith("/") or root == absolute(known_home):
        known_home = "/~"  # a home that is unknown, or is the project itself, is never inside it
    analysis = Analysis(lambda call: _program(call, profile), output_of, root, start, known_home, profile.protection)
    analysis.programs = found
    analysis.run(script)
    check_second_reading(text, {program.name for program in found} | analysis.functions)


def _program(call: Call, profile: Profile) -> None:
    """Judge one program: its name, its place, its arguments."""
    check_always(call)
    name = call.program
    if name in profile.paths:
        call.require_directory_inside()
        return
    if "/" in name:
        directory, _, plain = name.rpartition("/")
        is_projects_own = directory + "/" not in _SYSTEM_DIRECTORIES
        if is_projects_own and not (profile.runs_project_files and _is_project_file(call)):
            raise Refused(
                "program.path",
                f"the program {name!r} is not accepted by its path; names alone, {', '.join(_SYSTEM_DIRECTORIES)} and "
                f"{'files inside the project' if profile.runs_project_files else ', '.join(sorted(profile.paths))} are",
            )
        name = call.program = plain
        if is_projects_own and name not in profile.programs:
            return  # what a file of the project does is the sandbox's business
        if name in _BUILTINS_ONLY:
            raise Refused("program.path", f"{name!r} is a builtin of the shell; name it without a path")
    if name not in profile.programs:
        raise Refused(
            "program.unknown",
            f"the program {name!r} is not in the profile {profile.name!r}; accepted are {_listed(profile)}",
        )
    rule = profile.rule(name)
    if rule is not None:
        rule(call)
    narrowed = profile.narrowed.get(name)
    if narrowed is not None:
        narrowed(call)


def _is_project_file(call: Call) -> bool:
    call.require_directory_inside()
    return call.inside(call.program) and not call.names_protected(call.program)


_BUILTINS_ONLY = frozenset({"cd", "break", "continue", ":", "source", ".", "export", "local", "readonly", "declare", "read", "unset", "set"})


def _listed(profile: Profile) -> str:
    names: Iterable[str] = sorted(name for name in profile.programs if name[0].isalpha())
    return " ".join([*names, *sorted(profile.paths)])


def _profile(profile: str | Profile | Allowlist) -> Profile:
    if isinstance(profile, Allowlist):
        return profile.profile
    if isinstance(profile, Profile):
        return profile
    found = PROFILES.get(profile)
    if found is None:
        raise Refused("profile", f"the profile {profile!r} is unknown; {', '.join(PROFILES)} are accepted")
    return found
