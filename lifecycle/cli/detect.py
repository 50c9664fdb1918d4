"""`lifecycle detect`: what kind of session a project needs next."""

from __future__ import annotations

from pathlib import Path

import click

from lifecycle.cli.options import as_json, project_dir
from lifecycle.cli.output import print_document, print_text

__all__ = ["detect"]


@click.command()
@project_dir
@as_json
def detect(project_dir: Path, is_json: bool) -> None:
    """Tell what DIR needs next, INIT or CONTINUE, and how one can tell.

    INIT where there is no feature list yet, CONTINUE where there is one. Reads the project and changes nothing.

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
        print_text([found.session_type.name, *(f"  {each}" for each in found.evidence)])
