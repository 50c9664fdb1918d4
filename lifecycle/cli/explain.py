"""`lifecycle explain`: why a decision in the journal fell as it did."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text
from lifecycle.errors import ConfigurationError

if TYPE_CHECKING:
    from lifecycle.ports import TransitionRecord
    from states.definition import Definition
    from states.reckoning import Question

__all__ = ["explain"]


@click.command()
@project_dir
@click.argument("seq", metavar="[SEQ]", required=False, type=click.IntRange(min=1))
@click.option("--table", metavar="MODULE:NAME", help="The table of your own that DIR's runs follow.")
@state_dir
@config_file
@as_json
def explain(
    project_dir: Path,
    seq: int | None,
    table: str | None,
    state_dir: str | None,
    config_file: Path | None,
    is_json: bool,
) -> None:
    """Tell why a decision of DIR's runs fell as it did: each guard and each reason with its inputs and verdict.

    SEQ is a transition's number, as `lifecycle history` has it; without it, the newest decision is told. Also told is
    the nearest change that would have led elsewhere. Where nothing was decided yet, that is told; with --json
    every field is null or empty then. Nothing is written, and a running manager is not disturbed.

    \b
    Examples:
      lifecycle explain my-app
      lifecycle explain my-app 12 --json
      lifecycle explain my-app --table my_host.review:TABLE

    \b
    Exit status:
      0  told
      2  DIR is no directory, there is no such transition or table, or the
         record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate, no_run, transitions_in
    from lifecycle.testing.tables import definition_named

    definition = definition_named(table)
    directory = locate(project_dir, state_dir=state_dir, config_file=config_file)
    records = asyncio.run(transitions_in(directory))
    chosen = _chosen(records, seq, definition)
    if is_json:
        print_document(_NOTHING_DECIDED if chosen is None else _document(chosen, definition))
    elif chosen is not None:
        print_text(list(_lines(_document(chosen, definition))))
    elif records:
        print_text(f"nothing decided yet; `lifecycle history {shlex.quote(str(project_dir))}` tells how far it is")
    else:
        print_text(no_run(project_dir))


def _chosen(records: Sequence[TransitionRecord], seq: int | None, definition: Definition) -> TransitionRecord | None:
    """The transition that is asked for; without a number the newest decision, or None before the first one."""
    if seq is not None:
        found = next((record for record in records if record.seq == seq), None)
        if found is None:
            newest = f"the newest is {records[-1].seq}" if records else "there is no run yet"
            raise ConfigurationError("SEQ", f"there is no transition {seq}; {newest}")
        return found
    guarded = {(row.source, row.trigger) for row in definition.table if row.guard}
    decided = [record for record in records if (record.source, record.trigger) in guarded]
    return decided[-1] if decided else None


_NOTHING_DECIDED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **dict.fromkeys(("seq", "at", "run_id", "source", "trigger", "dest", "why", "stop_reason", "resume_at")),
        "guards": [],
        "reasons": [],
        "nearest_change": None,
        "decided_now": None,
    }
)
"""The document of a project where nothing was decided yet."""


def _document(record: TransitionRecord, definition: Definition) -> dict[str, Any]:
    from lifecycle.moments import to_iso
    from states.otherwise import nearest_change, result_of
    from states.reckoning import guards_asked, reasons_asked

    facts = replace(record.facts, stop_reason=None, resume_at=None)  # as they were when it was asked
    guards = guards_asked(record.source, record.trigger, facts, definition)
    is_ours = {"has_work", "may_continue"} & {guard.name for guard in guards}
    change = nearest_change(record.source, record.trigger, facts, definition) if guards else None
    now = result_of(record.source, record.trigger, facts, definition)
    return {
        "seq": record.seq,
        "at": to_iso(record.at),
        "run_id": record.run_id,
        "source": record.source,
        "trigger": record.trigger,
        "dest": record.dest,
        "why": _why(record, definition),
        "stop_reason": record.facts.stop_reason,
        "resume_at": None if record.facts.resume_at is None else to_iso(record.facts.resume_at),
        "guards": [_guard(question) for question in guards],
        "reasons": [_reason(question) for question in reasons_asked(record.trigger, facts)] if is_ours else [],
        "nearest_change": None if change is None else {"change": change.words, "result": change.result},
        "decided_now": now if guards and now.partition(":")[0] != record.dest else None,
    }


def _why(record: TransitionRecord, definition: Definition) -> str:
    from states.decide import next_cycle

    if record.dest == "CONTINUE" and record.trigger == "ended":
        return next_cycle(record.facts).why
    if record.trigger in ("failed", "finished") and record.facts.outcome is not None:
        outcome = record.facts.outcome
        told = f"{outcome.cause} ({outcome.kind}){': ' if outcome.detail else ''}{outcome.detail}"
        return f"{_row_why(record, definition)}; it was {told}"
    return _row_why(record, definition)


def _row_why(record: TransitionRecord, definition: Definition) -> str:
    rows = [row for row in definition.rows(record.source, record.trigger) if row.dest == record.dest]
    return rows[0].why if rows else "the record has it and this table has not: name the right one with --table"


def _guard(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "leads_to": question.leads_to,
        "inputs": _plain(question.inputs),
        "holds": question.holds,
        "decides": question.decides,
    }


def _reason(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "words": question.words,
        "inputs": _plain(question.inputs),
        "holds": question.holds,
        "decides": question.decides,
    }


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value.value if isinstance(value, StrEnum) else value for path, value in inputs.items()}


# --- for people ----------------------------------------------------------------------------------------------


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{document['seq']}  {document['source']} --{document['trigger']}--> {document['dest']}"
    yield from _wrapped("    because ", document["why"])
    if document["stop_reason"] is not None:
        yield f"    stopped: {document['stop_reason']}"
    if document["resume_at"] is not None:
        yield f"    goes on at {_local(datetime.fromisoformat(document['resume_at']).timestamp())}"
    if document["guards"]:
        yield from ("", "guards")
    for inputs, guards in groupby(document["guards"], key=lambda guard: guard["inputs"]):
        for guard in guards:
            yield from _wrapped(f"{_mark(guard)} {guard['name']:<18} {_verdict(guard)}  ", f"to {guard['leads_to']}")
        yield from _inputs(inputs)  # once for guards that look at the same
    if document["reasons"]:
        yield from ("", "reasons to stop, in order of precedence")
    told = set()
    for reason in document["reasons"]:
        if reason["name"] in told and not reason["holds"]:
            continue  # the second look at the time says nothing of its own, unless it decides
        told.add(reason["name"])
        yield from _wrapped(f"{_mark(reason)} {reason['name']:<18} {_verdict(reason)}  ", reason["words"])
    yield from _otherwise(document)


def _otherwise(document: Mapping[str, Any]) -> Iterator[str]:
    change = document["nearest_change"]
    if change is not None:
        yield from ("", *_wrapped("otherwise: ", f"with {change['change']} it would have been {change['result']}"))
    elif not document["guards"]:
        yield from ("", "no guard was asked: this trigger leads to one place only")
    if document["decided_now"] is not None:
        yield f"today's table and guards would lead to {document['decided_now']}"


def _wrapped(indent: str, words: str) -> list[str]:
    return paragraph(words, indent=indent, hanging=" " * len(indent), width=terminal_width())


def _mark(question: Mapping[str, Any]) -> str:
    return "->" if question["decides"] else "  "


def _verdict(question: Mapping[str, Any]) -> str:
    return "yes" if question["holds"] else "no "


def _inputs(inputs: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{path} {_local(value) if path in _MOMENTS and value else _short(value)}" for path, value in inputs.items())
    width = min(terminal_width() or _WIDEST, _WIDEST)
    return paragraph(told, indent=" " * 6, width=width) if told else []


_WIDEST: Final = 100
"""Also where it is no terminal: what a guard looked at is a long list."""


_MOMENTS: Final = frozenset({"at", "started_at", "resume_at", "outcome.until"})
"""The facts that are seconds since the epoch; people are told them by their own clock."""


def _local(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _short(value: object) -> str:
    if isinstance(value, str):
        return value if len(value) <= 40 else f"{value[:37]}..."
    return f"{value:.10g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool | None) else str(value)
