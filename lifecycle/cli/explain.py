"""`lifecycle explain`: why a decision in the journal fell as it did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.options import as_json, config_file, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text
from lifecycle.errors import ConfigurationError

if TYPE_CHECKING:
    from lifecycle.ports import TransitionRecord
    from states.reckoning import Question

__all__ = ["explain"]


@click.command()
@project_dir
@click.argument("seq", metavar="[SEQ]", required=False, type=click.IntRange(min=1))
@state_dir
@config_file
@as_json
def explain(
    project_dir: Path, seq: int | None, state_dir: str | None, config_file: Path | None, is_json: bool
) -> None:
    """Tell why a decision of DIR's runs fell as it did: each guard and each reason with its inputs and verdict.

    SEQ is a transition's number, as `lifecycle history` has it; without it, the newest decision is told. Also told is
    the nearest change that would have led elsewhere.

    \b
    Examples:
      lifecycle explain my-app
      lifecycle explain my-app 12 --json

    \b
    Exit status:
      0  told
      2  DIR is no directory, there is no such transition, or the record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate

    records = asyncio.run(_read(locate(project_dir, state_dir=state_dir, config_file=config_file)))
    document = _document(_chosen(records, seq))
    if is_json:
        print_document(document)
    else:
        print_text(list(_words(document)))


async def _read(state_dir: Path) -> Sequence[TransitionRecord]:
    from lifecycle.cli.record import opened

    async with opened(state_dir) as journal:
        return () if journal is None else await journal.transitions()


def _chosen(records: Sequence[TransitionRecord], seq: int | None) -> TransitionRecord:
    if seq is not None:
        found = next((record for record in records if record.seq == seq), None)
        if found is None:
            raise ConfigurationError("SEQ", f"there is no transition {seq}; the newest is {len(records)}")
        return found
    decided = [record for record in records if record.trigger in ("ended", "detected")]
    if not decided:
        raise ConfigurationError("DIR", "nothing was decided here yet")
    return decided[-1]


def _document(record: TransitionRecord) -> dict[str, Any]:
    from states.reckoning import guards_asked, nearest_change, questions

    facts = record.facts
    guards = guards_asked(record.source, record.trigger, facts)
    change = nearest_change(record.source, record.trigger, facts) if guards else None
    return {
        "seq": record.seq,
        "run_id": record.run_id,
        "source": record.source,
        "trigger": record.trigger,
        "dest": record.dest,
        "why": _why(record),
        "stop_reason": facts.stop_reason,
        "guards": [_plain(question) for question in guards],
        "reasons": [_plain(question) for question in questions(facts)] if guards else [],
        "nearest_change": None if change is None else {"change": change.words, "result": change.result},
    }


def _why(record: TransitionRecord) -> str:
    from states.decide import next_cycle
    from states.table import TABLE

    if record.dest == "CONTINUE":
        return next_cycle(record.facts).why
    rows = [row for row in TABLE if (row.source, row.trigger, row.dest) == (record.source, record.trigger, record.dest)]
    return rows[0].why if rows else "the record has it, the built-in table has not"


def _plain(question: Question) -> dict[str, Any]:
    return {
        "name": question.name, "inputs": question.inputs, "holds": question.holds, "decides": question.decides
    }  # fmt: skip


def _words(document: dict[str, Any]) -> list[str]:
    lines = [
        f"{document['seq']}  {document['source']} --{document['trigger']}--> {document['dest']}",
        f"   because {document['why']}",
    ]
    for title, questions in (("guards", document["guards"]), ("reasons to stop", document["reasons"])):
        if questions:
            lines += ["", title]
        for question in questions:
            mark = "->" if question["decides"] else "  "
            verdict = "yes" if question["holds"] else "no"
            lines.append(f"{mark} {question['name']:<20} {verdict:<4} {question['inputs']}")
    change = document["nearest_change"]
    if change is not None:
        lines += ["", f"otherwise: with {change['change']} it would have been {change['result']}"]
    elif not document["guards"]:
        lines += ["", "no guard was asked: this trigger leads to one place only"]
    return lines
