"""`lifecycle audit`: what the agent asked of the gate, and what it was told."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.complaint import complain
from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_text

if TYPE_CHECKING:
    from lifecycle.guard import Decision

__all__ = ["audit"]


@click.command()
@project_dir
@click.option("--denied", is_flag=True, help="Only what agents were refused, without our own tests of the gate.")
@click.option("--session", metavar="ID", default=None, help="Only this session's; the first characters will do.")
@click.option("--last", metavar="N", type=click.IntRange(min=1), default=None, help="Only the last N.")
@state_dir
@config_file
@as_json
def audit(
    project_dir: Path,
    denied: bool,
    session: str | None,
    last: int | None,
    state_dir: str | None,
    config_file: Path | None,
    is_json: bool,
) -> None:
    """Print what DIR's agents asked for, oldest first: every tool call that came to the gate, and its verdict.

    "allow" means that the gate let the call through; the agent's own permissions were asked after it. Inputs are
    shortened, and what looks like a secret is taken out. The log may be read while a manager writes it, and keeps the
    newest 32 MiB or so.

    The tests by which the gate and the sandbox are proven are in it, marked as such: no agent asked for them.

    With --json, one JSON object a line: at (ISO 8601, UTC), run_id, session_id, tool, input, cwd, verdict (allow or
    deny), rule, reason, test (true for a test of ours).

    \b
    Examples:
      lifecycle audit my-app --denied
      lifecycle audit my-app --last 20
      lifecycle audit my-app --denied --json | jq -r .rule | sort | uniq -c

    \b
    Exit status:
      0  told
      2  DIR is no directory
      5  the log cannot be read
    """
    from lifecycle.cli.record import locate
    from lifecycle.guard.audit import AUDIT_NAME
    from lifecycle.guard.audit_reading import is_refusal, read_audit

    reading = read_audit(locate(project_dir, state_dir=state_dir, config_file=config_file) / AUDIT_NAME)
    wanted = (
        decision
        for decision in reading
        if (is_refusal(decision) or not denied) and (decision.session_id or "").startswith(session or "")
    )
    found = list(deque(wanted, last)) if last else list(wanted)
    if is_json:
        print_text([json.dumps(_document(decision)) for decision in found])
    elif found:
        print_text(list(_lines(found)))
    else:
        print_text("nothing was refused" if denied else "no tool call yet")
    if reading.damaged:
        complain(f"{reading.damaged} damaged lines of the audit log were passed over")


def _document(decision: Decision) -> dict[str, Any]:
    from lifecycle.moments import to_iso

    return {
        "at": to_iso(decision.at),
        "run_id": decision.run_id,
        "session_id": decision.session_id,
        "tool": decision.tool,
        "input": dict(decision.input),
        "cwd": decision.cwd,
        "verdict": "allow" if decision.allowed else "deny",
        "rule": decision.rule,
        "reason": decision.reason,
        "test": decision.is_test,
    }


def _lines(found: list[Decision]) -> Iterator[str]:
    from datetime import UTC, datetime

    session: str | None = ""
    width = terminal_width()
    for decision in found:
        if decision.session_id != session:
            session = decision.session_id
            yield f"session {session or 'unknown'}"
        when = datetime.fromtimestamp(decision.at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        verdict = "allowed" if decision.allowed else "refused"
        mark = "(our own test)  " if decision.is_test else ""
        called = f"  {when}  {verdict}  {decision.tool or '?':<5}  {mark}"
        yield called + _what(decision, _WIDTH_MAX_CHARS if width is None else max(_WIDTH_MIN_CHARS, width - len(called)))
        if not decision.allowed:
            yield from paragraph(f"{_on_one_line(decision.reason)} ({decision.rule})", indent=" " * 25, width=width)


def _what(decision: Decision, width: int) -> str:
    """The input's first telling text, on one line that is no wider; --json has it whole."""
    texts = [value for value in decision.input.values() if isinstance(value, str) and value]
    shown = _on_one_line(texts[0]) if texts else ""
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


_WIDTH_MAX_CHARS = 160
_WIDTH_MIN_CHARS = 20
