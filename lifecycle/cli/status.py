"""`lifecycle status`: where a project stands."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.status import Status

__all__ = ["status"]


@click.command()
@project_dir
@state_dir
@config_file
@as_json
def status(project_dir: Path, state_dir: str | None, config_file: Path | None, is_json: bool) -> None:
    """Tell where DIR stands: the state, the session, the features, the cost, and who runs it.

    Reads the record and disturbs nobody: it may be asked while a manager runs. A project without a record is NEW.

    \b
    Examples:
      lifecycle status my-app
      lifecycle status my-app --json

    \b
    Exit status:
      0  told
      2  DIR is no directory, or its record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate
    from lifecycle.status import status_in

    directory = locate(project_dir, state_dir=state_dir, config_file=config_file)
    found = asyncio.run(status_in(directory))
    if is_json:
        print_document(found.to_json())
    else:
        print_text(_laid_out([*_words(found, project_dir), *_refused(directory, found, project_dir)]))


def _laid_out(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = terminal_width()
    return [line for name, words in rows for line in paragraph(words, indent=f"{name:<9} ", hanging=" " * 10, width=width)]


def _words(found: Status, project_dir: Path) -> list[tuple[str, str]]:
    rows = [("state", _state(found, project_dir))]
    if found.run_id is not None:
        rows.append(("run", f"{found.run_id}, iteration {found.iteration}"))
    if found.session_id is not None:
        rows.append(("session", f"{found.session_id} ({found.session_type})"))
    if found.features is not None:
        rows.append(("features", f"{found.features.passing} of {found.features.total} pass"))
    if found.run_id is not None:
        rows.append(("cost", f"${found.cost_usd:.2f}"))
    if found.resume_at is not None:
        rows.append(("next", _local(found.resume_at)))
    if found.sandbox is not None:
        rows.append(("sandbox", _sandbox(found.sandbox)))
    rows += [("salvaged", ref) for ref in found.salvages]
    rows.append(("manager", _owner(found, project_dir)))
    return rows


def _refused(state_dir: Path, found: Status, project_dir: Path) -> list[tuple[str, str]]:
    """How often this run's gate said no, and where to read of it; nothing where it did not."""
    from lifecycle.guard.audit import AUDIT_NAME
    from lifecycle.guard.audit_reading import count_refused

    if found.run_id is None:
        return []
    try:
        count = count_refused(state_dir / AUDIT_NAME, found.run_id)
    except OSError as error:  # how the project stands can be told without it
        return [("refused", f"unknown: the audit log cannot be read ({(error.strerror or 'no reason').lower()})")]
    calls = "tool call" if count == 1 else "tool calls"
    told = f"{count} {calls}; `lifecycle audit {shlex.quote(str(project_dir))} --denied` tells which"
    return [("refused", told)] if count else []


def _state(found: Status, project_dir: Path) -> str:
    if found.run_id is None:
        from lifecycle.cli.record import no_run

        return f"{found.state}: {no_run(project_dir)}"
    reason = f": {found.stop_reason.replace('_', ' ')}" if found.stop_reason else ""
    return f"{found.state}{reason}{f' ({found.detail})' if found.detail else ''}"


def _sandbox(told: Mapping[str, Any]) -> str:
    if told["on"]:
        return "on"
    return f"NONE: {told['problem']}" if told["problem"] else "off, as set"


def _owner(found: Status, project_dir: Path) -> str:
    if found.owner is None:
        is_over = found.run_id is None or found.stop_reason not in (None, "interrupted")
        return "none runs" if is_over else f"none runs; `lifecycle run {shlex.quote(str(project_dir))}` goes on from here"
    if found.owner.pid is None:
        return "one runs, who cannot be told"
    return f"pid {found.owner.pid} on {found.owner.host} since {found.owner.since}"


def _local(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(sep=" ", timespec="seconds")
