"""`lifecycle skill install`: put the engine's skill where coding agents look for skills."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.options import as_json
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.skill.installing import Installed

__all__ = ["skill"]


@click.group()
def skill() -> None:
    """Use the lifecycle from inside a coding agent, as a skill.

    \b
    Examples:
      lifecycle skill install my-app
      lifecycle skill install --user

    \b
    Exit status:
      0  done
      2, 5  as `lifecycle skill install --help` says
    """


@skill.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--user", "is_user", is_flag=True, help="For all projects of this user, instead of one in DIR.")
@click.option(
    "--force", "is_forced", is_flag=True, help="Replace files that were changed by hand too; each is kept as NAME.orig."
)
@as_json
def install(directory: Path | None, is_user: bool, is_forced: bool, is_json: bool) -> None:
    """Write the skill into DIR/.claude/skills/autonomous-session-manager, or bring the one there up to date.

    A file that you changed is left as it is and named; the rest is updated. Claude Code finds the skill by itself when
    it is started in DIR.

    \b
    Examples:
      lifecycle skill install my-app
      lifecycle skill install --user

    \b
    Exit status:
      0  installed, or nothing to do
      2  DIR is no directory, or something else is in a file's place
      5  it cannot be written
    """
    from lifecycle.skill.installing import install_skill
    from lifecycle.workspace.spec import ensure_project_dir

    if (directory is None) != is_user:
        raise click.UsageError("give either DIR or --user")
    if directory is None:
        home = _claude_home()
        shown = "anywhere"
    else:
        ensure_project_dir(directory)
        home = directory / ".claude"
        shown = f"in {directory}"
    installed = install_skill(home / "skills", is_forced=is_forced)
    if is_json:
        print_document(
            {
                "directory": str(installed.directory),
                "version": installed.version,
                "previous": installed.previous,
                "files": {name: str(change) for name, change in installed.changes.items()},
            }
        )
    else:
        print_text(_words(installed, shown))


def _claude_home() -> Path:
    """Where Claude Code keeps what is this user's."""
    named = os.environ.get("CLAUDE_CONFIG_DIR")
    return Path(named).expanduser() if named else Path.home() / ".claude"


def _words(installed: Installed, shown: str) -> list[str]:
    changed = [f"  {change:<9} {name}" for name, change in installed.changes.items() if change != "unchanged"]
    first = f"{_what(installed)} in {installed.directory}"
    hints = []
    if installed.kept:
        hints.append("Kept files were changed by hand; --force replaces them and keeps yours as NAME.orig.")
    if "replaced" in installed.changes.values():
        hints.append("What you had changed is kept beside each replaced file, as NAME.orig.")
    if installed.previous is None:
        hints.append(f"Claude Code, started {shown}, finds it by itself; ask it to resume or start a project.")
    return [first, *changed, *hints]


def _what(installed: Installed) -> str:
    if installed.previous is None:
        return f"skill {installed.version} installed"
    if installed.previous != installed.version:
        return f"skill brought from {installed.previous} to {installed.version}"
    return f"skill {installed.version} {'is' if _is_same(installed) else 'brought'} up to date"


def _is_same(installed: Installed) -> bool:
    return set(installed.changes.values()) <= {"unchanged", "kept"}
