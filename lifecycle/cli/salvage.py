"""`lifecycle salvage`: the work that cut-off sessions had not committed, and getting it back."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.workspace.salvage import Salvaged

__all__ = ["salvage"]


@click.command()
@project_dir
@click.argument("ref", metavar="[REF]", required=False)
@click.option("--restore", "is_restoring", is_flag=True, help="Write the files of REF into DIR.")
@click.option(
    "--overwrite", is_flag=True, help="Restore also over uncommitted changes and over what was committed since."
)
@state_dir
@config_file
@as_json
def salvage(
    project_dir: Path,
    ref: str | None,
    is_restoring: bool,
    overwrite: bool,
    state_dir: str | None,
    config_file: Path | None,
    is_json: bool,
) -> None:
    """List the work that sessions left uncommitted when they were cut off, or write one of them back.

    Each is a commit under refs/lifecycle/salvage/, so that git can show it too. REF is such a reference, or the
    beginning of what stands behind that prefix; alone, it lists the files. Only files that the session had changed are
    written; the index, HEAD, feature_list.json and claude-progress.txt stay as they are.

    \b
    Examples:
      lifecycle salvage my-app
      lifecycle salvage my-app 3f2a
      lifecycle salvage my-app 3f2a --restore

    \b
    Exit status:
      0  listed, or restored
      2  no such salvage; or DIR has changes that would be lost, and nothing
         was touched
      5  git could not
      6  a manager runs in DIR
    """
    from lifecycle.errors import ConfigurationError
    from lifecycle.workspace.salvage import salvages
    from lifecycle.workspace.salvage_restore import files_of, find_salvage
    from lifecycle.workspace.spec import ensure_project_dir

    ensure_project_dir(project_dir)
    if ref is None and (is_restoring or overwrite):
        raise ConfigurationError("--restore", "say which: give REF too")
    with _git_as_error():
        known = salvages(project_dir)
        if ref is None:
            _print_list(known, is_json=is_json)
            return
        found = find_salvage(known, ref, project_dir)
        if is_restoring:
            _restore(project_dir, found, state_dir, config_file, overwrite=overwrite, is_json=is_json)
            return
        files = files_of(project_dir, found)
    if is_json:
        print_document({**_to_json(found), "files": list(files)})
    else:
        print_text([f"{found.ref}  {found.at}  {found.words}", *(f"  {_shown(path)}" for path in files)])


def _restore(
    project_dir: Path,
    found: Salvaged,
    state_dir: str | None,
    config_file: Path | None,
    *,
    overwrite: bool,
    is_json: bool,
) -> None:
    from lifecycle.cli.record import locate
    from lifecycle.journal.lock import acquire
    from lifecycle.workspace.salvage_restore import restore_salvage

    place = locate(project_dir, state_dir=state_dir, config_file=config_file)
    with acquire(place, project_dir):  # no agent works there meanwhile
        restored = restore_salvage(project_dir, found, overwrite=overwrite)
    if is_json:
        print_document(
            {**_to_json(found), "written": list(restored.written), "removed": list(restored.removed)}
        )
        return
    lines = [f"  {_shown(path)}" for path in restored.written]
    lines += [f"  {_shown(path)} (removed)" for path in restored.removed]
    print_text([f"restored from {found.ref}:", *lines] if lines else f"everything of {found.ref} is there already")


def _print_list(known: tuple[Salvaged, ...], *, is_json: bool) -> None:
    if is_json:
        print_document({"salvages": [_to_json(one) for one in known]})
    elif known:
        print_text([f"{one.ref}  {one.at}  {one.words}" for one in known])
    else:
        print_text("nothing was salvaged")


def _to_json(one: Salvaged) -> dict[str, str]:
    return {"ref": one.ref, "commit": one.commit, "at": one.at, "words": one.words}


def _shown(path: str) -> str:
    from lifecycle.workspace.untrusted import one_line

    return one_line(path, 300)


@contextmanager
def _git_as_error() -> Iterator[None]:
    """What git could not do, as an error that the command line has words for."""
    from lifecycle.workspace.bounded_command import CommandFailed

    try:
        yield
    except CommandFailed as failure:
        raise OSError(errno.EIO, failure.reason) from None
