"""`lifecycle init`: a directory made ready for its first run."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import given_flags, project_dir, settings_flags
from lifecycle.cli.output import print_text
from lifecycle.config import DURATION_FORMS, FILE_NAME, SETTINGS, from_environment, from_file

__all__ = ["init"]


@click.command()
@project_dir
@click.option(
    "--spec",
    "spec_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What to build; becomes DIR/app_spec.txt. Without it a template is written.",
)
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Ask nothing: take the flags, and defaults for the rest.")
@settings_flags
def init(project_dir: Path, spec_file: Path | None, is_sure: bool, **flags: str | None) -> None:
    """Make DIR ready: a configuration file that explains itself, and a specification to fill in.

    Asks what is to be built and what it may cost, on a terminal. Settings that are given as flags go into the file.
    What is there already is left as it is, looked at, and told; when it is not valid, nothing is written.

    \b
    Examples:
      lifecycle init my-app
      lifecycle init my-app --yes --spec idea.txt --max-budget-usd 20

    \b
    Exit status:
      0  ready; the next command is told
      2  DIR cannot be used, a setting is not accepted, a file that is there is
         not valid, or nobody can be asked and --yes was not given
      5  it cannot be written
    """
    from lifecycle.journal.location import state_directory
    from lifecycle.workspace.spec import SPEC_NAME, ensure_project_dir, install_spec, load_spec
    from lifecycle.workspace.spec_template import is_unanswered, specification

    given = given_flags(flags).values
    chosen = {name: str(given[name] if isinstance(given[name], Path) else flags[name]) for name in given}
    if os.path.lexists(project_dir):
        ensure_project_dir(project_dir)
    kept = _kept(project_dir)
    states = chosen.pop("state_dir", None)  # what the agent can write may not say where the record is
    state_directory(project_dir, given.get("state_dir") or from_environment(os.environ).values.get("state_dir"), os.environ)
    spec = None if spec_file is None else load_spec(spec_file)
    needs_spec = not any(os.path.lexists(project_dir / name) for name in (SPEC_NAME, "feature_list.json"))
    if not is_sure:
        what, answers = _ask(chosen, needs_words=spec is None and needs_spec)
        chosen |= answers
        spec = spec or (specification(what) if what else None)

    project_dir.mkdir(parents=True, exist_ok=True)
    told = [_write_settings(project_dir, chosen)]
    if needs_spec:
        install_spec(project_dir, spec or specification())
        told.append(f"wrote   {project_dir / SPEC_NAME}")
        is_open = is_unanswered(spec or specification())
    else:
        told += kept
        if spec is not None:
            told.append(f"unused  {spec_file}: `lifecycle run --spec` puts it in the place of the specification")
        is_open = _is_open(project_dir)
    width = terminal_width()
    told = [line for each in told for line in paragraph(each, hanging=" " * 8, width=width)]
    print_text([*told, "", *_next(project_dir, states, is_open=is_open)])


def _kept(project_dir: Path) -> list[str]:
    """What is said of the specification and the feature list that are there; nothing is, where there is no such file.

    Raises:
        ConfigurationError, FeatureListInvalid: the settings or the list that are there are not valid.
    """
    from lifecycle.workspace.feature_list import FEATURE_LIST_NAME, read_feature_list
    from lifecycle.workspace.spec import SPEC_NAME

    if not os.path.lexists(project_dir):
        return []
    from_file(project_dir / FILE_NAME, must_exist=False)
    told = []
    features = read_feature_list(project_dir)
    if os.path.lexists(project_dir / SPEC_NAME):
        problem = _problem(project_dir / SPEC_NAME)
        told.append(f"kept    {project_dir / SPEC_NAME}: {problem or 'valid'}")
    if features is not None:
        count = features.count
        told.append(f"kept    {project_dir / FEATURE_LIST_NAME}: valid, {count.passing} of {count.total} pass")
    return told


def _problem(spec: Path) -> str:
    from lifecycle.errors import ProjectInvalid
    from lifecycle.workspace.spec import load_spec

    try:
        load_spec(spec)
    except ProjectInvalid as invalid:
        return invalid.problem.partition("; ")[0]
    return ""


def _is_open(project_dir: Path) -> bool:
    """Whether a run would ask for a specification."""
    from lifecycle.errors import ProjectInvalid
    from lifecycle.workspace.spec import ensure_workable

    try:
        ensure_workable(project_dir, has_spec=False)
    except ProjectInvalid:
        return True
    return False


def _ask(chosen: dict[str, str], *, needs_words: bool) -> tuple[str, dict[str, str]]:
    """What is to be built ("" for later), and the settings that were answered."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; give --yes, and what shall differ from the defaults as flags")
    what = ""
    if needs_words:
        what = click.prompt("What is to be built? (Enter: later, in a file)", default="", show_default=False, err=True)
    answers = {}
    for name, question in _QUESTIONS.items():
        if name not in chosen:
            answer = click.prompt(question, default="none", value_proc=_accepted(name), err=True)
            if answer != "none":
                answers[name] = answer
    return what.strip(), answers


_QUESTIONS: Final = {
    "max_budget_usd": "What may a run spend, in US dollars?",
    "max_duration": f"How long may a run take? ({DURATION_FORMS})",
}


class _accepted:  # noqa: N801  # used as a function
    """Checks an answer with the setting's own words."""

    def __init__(self, name: str) -> None:
        self._setting = SETTINGS[name]

    def __call__(self, answer: str) -> str:
        try:
            self._setting.parse(answer)
        except ValueError as error:
            raise click.UsageError(f"give {error}") from None
        return answer.strip()


def _write_settings(project_dir: Path, chosen: dict[str, str]) -> str:
    from lifecycle.cli.settings_file import settings_file
    from lifecycle.workspace.files import write_atomic

    path = project_dir / FILE_NAME
    if os.path.lexists(path):
        count = len(from_file(path, must_exist=False).values)
        said = f"valid, {count} {'setting' if count == 1 else 'settings'}" if count else "valid, all defaults"
        ignored = f"; {', '.join(chosen)} not written" if chosen else ""
        return f"kept    {path}: {said}{ignored}"
    write_atomic(path, settings_file(chosen).encode(), within=project_dir)
    return f"wrote   {path}"


def _next(project_dir: Path, states: str | None, *, is_open: bool) -> list[str]:
    from lifecycle.agent.credentials import CREDENTIAL_VARIABLES, has_credentials

    steps = []
    if is_open:
        steps.append(f"  say what to build in {project_dir / 'app_spec.txt'}")
    if not has_credentials(os.environ):
        steps.append(f"  export {CREDENTIAL_VARIABLES[0]}=...     (or log in with `claude`)")
    if states is not None:
        steps.append(f"  export {SETTINGS['state_dir'].variable}={shlex.quote(states)}     (for every command; no project's file may say it)")
    return ["Next:", *steps, f"  lifecycle run {shlex.quote(str(project_dir))}"]
