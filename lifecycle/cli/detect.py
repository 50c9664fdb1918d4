"""`lifecycle detect`: what kind of session a project needs next."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, project_dir
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.detection import Detection

__all__ = ["detect"]


@click.command()
@project_dir
@as_json
def detect(project_dir: Path, is_json: bool) -> None:
    """Tell what DIR needs next, INIT or CONTINUE, and how one can tell.

    INIT where there is no feature list yet, CONTINUE where there is one; where every feature of it passes, that too is
    told: there is nothing to do, and a run would start no session. Reads the project and changes nothing.

    \b
    Examples:
      lifecycle detect my-app
      lifecycle detect my-app --json

    \b
    Exit status:
      0  told
      2  DIR is no directory, or its feature_list.json is no feature list
    """
    from lifecycle.detection import detect as look
    from lifecycle.status import features_to_json

    found = look(project_dir)
    if is_json:
        print_document(
            {
                "session_type": found.session_type,
                "features": features_to_json(found.features),
                "evidence": list(found.evidence),
            }
        )
    else:
        width = terminal_width()
        evidence = (paragraph(each, indent="  ", hanging=" " * 6, width=width) for each in found.evidence)
        print_text([_headline(found), *chain.from_iterable(evidence)])


def _headline(found: Detection) -> str:
    if found.features is None or not found.features.is_complete:
        return found.session_type.name
    count = found.features.total
    passing = "its only feature passes" if count == 1 else f"all {count} features pass"
    return f"{found.session_type.name} (finished: {passing}; nothing to do)"
