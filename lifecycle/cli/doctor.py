"""`lifecycle doctor`: what stands in the way of a run, and what to do about it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.exits import Exit
from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, given_flags, state_dir
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.doctor.finding import Finding

__all__ = ["doctor"]


@click.command()
@click.argument("project_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@state_dir
@config_file
@as_json
def doctor(project_dir: Path | None, state_dir: str | None, config_file: Path | None, is_json: bool) -> int:
    """Look at this machine, and at the project in DIR, for what would keep a run from working.

    Without DIR it looks at the records of all projects instead, and for what dead managers have left running. Changes
    nothing and asks nobody outside this machine; credentials are looked for, never read. Each finding is ok, a
    note, or something to mend, with what to do.

    \b
    Examples:
      lifecycle doctor
      lifecycle doctor my-app --json

    \b
    Exit status:
      0  a run can work
      1  something must be mended first
      2  wrong use
    """
    from lifecycle.doctor.finding import Verdict
    from lifecycle.doctor.machine import machine
    from lifecycle.doctor.project import project, state_root

    if project_dir is None and config_file is not None:
        raise click.UsageError("--config needs DIR")
    flags = given_flags({"state_dir": state_dir})
    findings = machine(os.environ, _existing(project_dir))
    if project_dir is None:
        findings += asyncio.run(state_root(os.environ, flags=flags))
    else:
        findings += asyncio.run(project(project_dir, os.environ, config_file=config_file, flags=flags))
    to_mend = sum(each.verdict is Verdict.MEND for each in findings)
    if is_json:
        print_document({"ok": not to_mend, "findings": [each.to_json() for each in findings]})
    else:
        print_text(_words(findings, to_mend))
    return Exit.NO if to_mend else Exit.DONE


def _existing(project_dir: Path | None) -> Path:
    return project_dir if project_dir is not None and project_dir.is_dir() else Path("/")


def _words(findings: Sequence[Finding], to_mend: int) -> list[str]:
    column, width = max(len(each.name) for each in findings), terminal_width()
    lines = []
    for each in findings:
        verdict = each.verdict.upper() if each.verdict == "mend" else each.verdict
        lines += paragraph(each.found, indent=f"{verdict:<5} {each.name:<{column}}  ", hanging=" " * (column + 8), width=width)
        if each.advice:
            hanging = " " * (column + 11)
            lines += paragraph(each.advice, indent=f"{' ' * (column + 8)}-> ", hanging=hanging, width=width)
    if not to_mend:
        return [*lines, "", "A run can work."]
    return [*lines, "", f"{to_mend} {'thing' if to_mend == 1 else 'things'} to mend before a run can work."]
