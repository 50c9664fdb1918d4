"""`lifecycle explain`: why a decision in the journal fell as it did."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    the nearest change that would have led elsewhere. Nothing is written, and a running manager is not disturbed.

    \b
    Examples:
      lifecycle explain my-app
      lifecycle explain my-app 12 --json
      lifecycle explain my-app --table my_host.review:TABLE

    \b
    Exit status:
      0  told
      2  DIR is no directory, nothing was decided there, there is no such transition or table, or the record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate, transitions_in
    from lifecycle.testing.tables import definition_named

    definition = definition_named(table)
    directory = locate(project_dir, state_dir=state_dir, config_file=config_file)
    records = asyncio.run(transitions_in(directory))
    document = _document(_chosen(records, seq, definition), definition)
    if is_json:
        print_document(document)
    else:
        print_text(list(_lines(document)))


def _chosen(records: Sequence[TransitionRecord], seq: int | None, definition: Definition) -> TransitionRecord:
    if not records:
        raise ConfigurationError("DIR", "there is no run yet; begin one with `lifecycle run`")
    if seq is not None:
        found = next((record for record in records if record.seq == seq), None)
        if found is None:
            raise ConfigurationError("SEQ", f"there is no transition {seq}; the newest is {records[-1].seq}")
        return found
    guarded = {(row.source, row.trigger) for row in definition.table if row.guard}
    decided = [record for record in records if (record.source, record.trigger) in guarded]
    if not decided:
        raise ConfigurationError("DIR", "nothing was decided here yet; `lifecycle history` tells how far it is")
    return decided[-1]


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
    yield f"    because {document['why']}"
    if document["stop_reason"] is not None:
        yield f"    stopped: {document['stop_reason']}"
    if document["resume_at"] is not None:
        yield f"    goes on at {document['resume_at']}"
    if document["guards"]:
        yield from ("", "guards")
    for guard in document["guards"]:
        yield f"{_mark(guard)} {guard['name']:<18} {_verdict(guard)}  to {guard['leads_to']}"
        yield from _inputs(guard["inputs"])
    if document["reasons"]:
        yield from ("", "reasons to stop, in order of precedence")
    for reason in document["reasons"]:
        yield f"{_mark(reason)} {reason['name']:<18} {_verdict(reason)}  {reason['words']}"
    yield from _otherwise(document)


def _otherwise(document: Mapping[str, Any]) -> Iterator[str]:
    change = document["nearest_change"]
    if change is not None:
        yield from ("", f"otherwise: with {change['change']} it would have been {change['result']}")
    elif not document["guards"]:
        yield from ("", "no guard was asked: this trigger leads to one place only")
    if document["decided_now"] is not None:
        yield f"today's table and guards would lead to {document['decided_now']}"


def _mark(question: Mapping[str, Any]) -> str:
    return "->" if question["decides"] else "  "


def _verdict(question: Mapping[str, Any]) -> str:
    return "yes" if question["holds"] else "no "


def _inputs(inputs: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{path} {_short(value)}" for path, value in inputs.items())
    return textwrap.wrap(told, 100, initial_indent=" " * 6, subsequent_indent=" " * 6) if told else []


def _short(value: object) -> str:
    if isinstance(value, str):
        return value if len(value) <= 40 else f"{value[:37]}..."
    return f"{value:.10g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
