"""`lifecycle what-if`: a project's past runs under other limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json, config_file, given_flags, limit_flags, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text
from lifecycle.errors import ConfigurationError

if TYPE_CHECKING:
    from lifecycle.ports import Note, TransitionRecord
    from states.definition import Definition
    from states.facts import Limits

__all__ = ["what_if"]


@click.command("what-if")
@project_dir
@limit_flags
@click.option("--table", metavar="MODULE:NAME", help="The table of your own that DIR's runs follow.")
@state_dir
@config_file
@as_json
def what_if(
    project_dir: Path,
    table: str | None,
    state_dir: str | None,
    config_file: Path | None,
    is_json: bool,
    **limits: str | None,
) -> None:
    """Replay DIR's past runs under other limits: which would have stopped where, and what that saves or loses.

    Each END's decision is taken again on the facts that the record has; limits that are not given stay what they were.
    Where a run would have gone on beyond its record, nobody can say how. A limit on money or time also cuts a session
    short: what is saved there is the least.

    \b
    Examples:
      lifecycle what-if my-app --stall-after 5
      lifecycle what-if my-app --max-budget-usd 10 --max-iterations none --json
      lifecycle what-if my-app --stall-after 5 --table my_host.review:TABLE

    \b
    Exit status:
      0  told
      2  DIR is no directory, a limit is not accepted, none is given, there is
         no such table, or the record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate, no_run
    from lifecycle.testing.tables import definition_named

    definition = definition_named(table)
    directory = locate(project_dir, state_dir=state_dir, config_file=config_file)
    given = dict(given_flags(limits).values)
    if not given:
        raise ConfigurationError("what-if", "give at least one limit, as --stall-after 5")
    records, notes = asyncio.run(_read(directory))
    runs = [_replayed(run, notes, given, definition) for run in _runs(records)]
    if is_json:
        print_document({"limits": given, "runs": runs, "total": _total(runs)})
    elif not runs:
        print_text(no_run(project_dir))
    else:
        print_text(list(_lines(runs)))


async def _read(state_dir: Path) -> tuple[Sequence[TransitionRecord], Sequence[Note]]:
    from lifecycle.cli.record import opened
    from lifecycle.journal.notes import NoteKind

    async with opened(state_dir) as journal:
        if journal is None:
            return (), ()
        return await journal.transitions(), await journal.notes(kind=NoteKind.SESSION_SAVED)


def _runs(records: Sequence[TransitionRecord]) -> list[list[TransitionRecord]]:
    runs: dict[str, list[TransitionRecord]] = {}
    for record in records:
        runs.setdefault(record.run_id, []).append(record)
    return list(runs.values())


# --- the replay ----------------------------------------------------------------------------------------------

_NAMES: Final = {"max_duration": "max_duration_s"}
_CUTTING: Final = ("max_budget", "max_duration")
"""Reasons whose limit also cuts a session short."""


def _replayed(
    run: Sequence[TransitionRecord], notes: Sequence[Note], given: Mapping[str, Any], definition: Definition
) -> dict[str, Any]:
    """One run: where it stopped, where it would have, and the difference.

    `verdict` is "same", "earlier", "longer" (it would have gone on from where it stopped) or "other reason" (it would
    have stopped there all the same).
    """
    last, decided = run[-1], _stopping_decision(run)
    stop = _first_stop(run, given, definition, decided)
    is_there = stop is not None and stop[0] is decided
    reason = last.facts.stop_reason
    document: dict[str, Any] = {
        "run_id": last.run_id,
        "stopped": None if reason is None else {"seq": last.seq, "reason": reason},
        "verdict": "same",
        "would_stop": None if stop is None else {"seq": last.seq if is_there else stop[0].seq, "reason": stop[1]},
        "saves": None,
        "loses": None,
    }
    if stop is None:
        # A fault of ours stops a run without a decision; a stop request suspends it under any limits.
        document["verdict"] = "same" if decided is None else "longer"
        document["would_stop"] = document["stopped"] if document["verdict"] == "same" else None
    elif not is_there:
        document |= {"verdict": "earlier", **_difference(stop[0], stop[1], last, notes)}
    elif stop[1] != reason:
        document["verdict"] = "other reason"
    return document


def _stopping_decision(run: Sequence[TransitionRecord]) -> TransitionRecord | None:
    """END's decision that ended the run, if one did; a host's states may stand between it and SHUTDOWN."""
    newest = next((record for record in reversed(run) if record.trigger == "ended"), None)
    reason = run[-1].facts.stop_reason
    return newest if newest is not None and reason is not None and newest.facts.stop_reason is reason else None


def _first_stop(
    run: Sequence[TransitionRecord],
    given: Mapping[str, Any],
    definition: Definition,
    decided: TransitionRecord | None,
) -> tuple[TransitionRecord, str] | None:
    """The first END that would have stopped the run for good, or that stopped it and would have again."""
    for record in run:
        if record.trigger != "ended":
            continue
        reason = _reason_under(record, given, definition)
        if reason is not None and not (reason == "interrupted" and record is not decided):
            return record, reason
    return None


def _reason_under(record: TransitionRecord, given: Mapping[str, Any], definition: Definition) -> str | None:
    """Why END would have stopped there; where a guard of the table's own stops it, the guard's name."""
    from states.reckoning import reason_under

    facts = record.facts
    limits = _under(facts.limits, given)
    reason = reason_under(facts, limits)
    facts = replace(facts, limits=limits, stop_reason=None, resume_at=None)
    rows = definition.rows(record.source, record.trigger)
    taken = [row for row in rows if row.guard is None or definition.guards[row.guard](facts)]
    if len(taken) != 1:
        return reason
    leads_to = _built_in_after(taken[0].dest, definition)
    if leads_to == {"SHUTDOWN"}:
        return reason or taken[0].guard
    return reason if "SHUTDOWN" in leads_to else None


def _built_in_after(state: str, definition: Definition) -> set[str]:
    """The built-in states that a row's work leads to, when nothing goes wrong."""
    from states.passage import is_own

    found, todo = {str(state)}, [str(state)]
    while todo:
        here = todo.pop()
        onward = [row for row in definition.table if row.source == here and row.trigger not in ("failed", "stop_requested")]
        for row in onward if is_own(here) else ():
            if row.dest not in found:
                found.add(str(row.dest))
                todo.append(str(row.dest))
    return {each for each in found if not is_own(each)}


def _under(limits: Limits, given: Mapping[str, Any]) -> Limits:
    return replace(limits, **{_NAMES.get(name, name): value for name, value in given.items()})


def _difference(
    stop: TransitionRecord, reason: str, last: TransitionRecord, notes: Sequence[Note]
) -> dict[str, Any]:
    commits = sum(
        int(note.data.get("new_commits", 0)) for note in notes if note.run_id == last.run_id and note.seq > stop.seq
    )
    lay_s = last.facts.suspended_s - stop.facts.suspended_s
    return {
        "saves": {
            "cost_usd": round(last.facts.cost_usd - stop.facts.cost_usd, 6),
            "sessions": last.facts.counters.iterations - stop.facts.counters.iterations,
            "seconds": round(max(0.0, last.at - stop.at - lay_s), 3),
            "is_least": reason in _CUTTING,
        },
        "loses": {"features": _passing(last, stop) - _passing(stop), "commits": commits},
    }


def _passing(record: TransitionRecord, otherwise: TransitionRecord | None = None) -> int:
    """How many features pass; where nobody could tell, as many as before."""
    if record.facts.features is None:
        return 0 if otherwise is None else _passing(otherwise)
    return record.facts.features.passing


def _total(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    earlier = [run for run in runs if run["verdict"] == "earlier"]
    return {
        "runs": len(runs),
        "earlier": len(earlier),
        "longer": sum(run["verdict"] == "longer" for run in runs),
        "saves": {
            name: round(sum(run["saves"][name] for run in earlier), 6) for name in ("cost_usd", "sessions", "seconds")
        },
        "loses": {name: sum(run["loses"][name] for run in earlier) for name in ("features", "commits")},
    }


# --- for people ----------------------------------------------------------------------------------------------


def _lines(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = terminal_width()
    for run in runs:
        yield from paragraph(f"run {run['run_id']}: {_was(run)}", hanging="  ", width=width)
        yield f"  {_would(run)}"
        if run["saves"] is not None:
            least = "at least " if run["saves"]["is_least"] else ""
            yield from paragraph(f"saves {least}{_saved(run['saves'])}; loses {_lost(run['loses'])}", indent="  ", width=width)
    if len(runs) > 1:
        total = _total(runs)
        yield f"all {len(runs)} runs: {total['earlier']} stop earlier, {total['longer']} would have gone on"
        if total["earlier"]:
            yield f"  saves {_saved(total['saves'])}; loses {_lost(total['loses'])}"


def _was(run: Mapping[str, Any]) -> str:
    stopped = run["stopped"]
    return "has not stopped" if stopped is None else f"stopped at {stopped['seq']} ({stopped['reason']})"


def _would(run: Mapping[str, Any]) -> str:
    would = run["would_stop"]
    match run["verdict"]:
        case "earlier":
            return f"would have stopped at {would['seq']} ({would['reason']})"
        case "longer":
            return "would have gone on; how far, nobody can say"
        case "other reason":
            return f"would have stopped there too, as {would['reason']}"
        case _:
            return "the same"


def _saved(saves: Mapping[str, Any]) -> str:
    sessions = "1 session" if saves["sessions"] == 1 else f"{saves['sessions']} sessions"
    return f"${saves['cost_usd']:.2f}, {sessions}, {saves['seconds']:.0f} s"


def _lost(loses: Mapping[str, Any]) -> str:
    features, commits = loses["features"], loses["commits"]
    named = [f"{features} passing feature{'' if features == 1 else 's'}"] if features > 0 else []
    named += [f"{commits} commit{'' if commits == 1 else 's'}"] if commits else []
    return " and ".join(named) or "nothing"
