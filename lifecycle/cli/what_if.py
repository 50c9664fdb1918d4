"""`lifecycle what-if`: a project's past runs under other limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.options import as_json, config_file, given_flags, limit_flags, project_dir, state_dir
from lifecycle.cli.output import print_document, print_text
from lifecycle.errors import ConfigurationError

if TYPE_CHECKING:
    from lifecycle.ports import TransitionRecord
    from states.facts import Limits

__all__ = ["what_if"]


@click.command("what-if")
@project_dir
@limit_flags
@state_dir
@config_file
@as_json
def what_if(
    project_dir: Path, state_dir: str | None, config_file: Path | None, is_json: bool, **limits: str | None
) -> None:
    """Replay DIR's past runs under other limits: which would have stopped where, and what that saves or loses.

    Each END's decision is taken again on the facts that the record has. Where a run would have gone on beyond its
    record, nobody can say how.

    \b
    Examples:
      lifecycle what-if my-app --stall-after 5
      lifecycle what-if my-app --max-budget-usd 10 --max-iterations none --json

    \b
    Exit status:
      0  told
      2  a limit is not accepted, none is given, or the record is damaged
      5  the record cannot be read
    """
    from lifecycle.cli.record import locate

    given = dict(given_flags(limits).values)
    if not given:
        raise ConfigurationError("what-if", "give at least one limit, as --stall-after 5")
    records = asyncio.run(_read(locate(project_dir, state_dir=state_dir, config_file=config_file)))
    runs = [_replayed(run, given) for run in _runs(records)]
    if is_json:
        print_document({"limits": {name: given[name] for name in given}, "runs": runs})
    elif not runs:
        print_text("no run yet; begin one with `lifecycle run`")
    else:
        print_text([line for run in runs for line in _words(run)])


async def _read(state_dir: Path) -> Sequence[TransitionRecord]:
    from lifecycle.cli.record import opened

    async with opened(state_dir) as journal:
        return () if journal is None else await journal.transitions()


def _runs(records: Sequence[TransitionRecord]) -> list[list[TransitionRecord]]:
    runs: dict[str, list[TransitionRecord]] = {}
    for record in records:
        runs.setdefault(record.run_id, []).append(record)
    return list(runs.values())


def _replayed(run: list[TransitionRecord], given: dict[str, Any]) -> dict[str, Any]:
    from states.reckoning import reason_under

    last = run[-1]
    document: dict[str, Any] = {
        "run_id": last.run_id,
        "stopped": {"seq": last.seq, "reason": last.facts.stop_reason},
        "would_stop": None,
        "saves": None,
        "loses": None,
    }
    for record in run:
        if record.trigger != "ended":
            continue
        reason = reason_under(record.facts, _under(record.facts.limits, given))
        if reason is None:
            continue
        document["would_stop"] = {"seq": record.seq, "reason": reason}
        if record.seq < last.seq and not (reason == "interrupted" == record.facts.stop_reason):
            document["saves"] = {
                "cost_usd": round(last.facts.cost_usd - record.facts.cost_usd, 6),
                "sessions": last.facts.counters.iterations - record.facts.counters.iterations,
                "seconds": round(last.at - record.at, 3),
            }
            document["loses"] = {"features": _passing(last) - _passing(record)}
            break
        document["would_stop"] = None if record.seq < last.seq else document["would_stop"]
    return document


def _under(limits: Limits, given: dict[str, Any]) -> Limits:
    names = {"max_duration": "max_duration_s"}
    return replace(limits, **{names.get(name, name): value for name, value in given.items()})


def _passing(record: TransitionRecord) -> int:
    return record.facts.features.passing if record.facts.features else 0


def _words(run: dict[str, Any]) -> list[str]:
    stopped, would = run["stopped"], run["would_stop"]
    was = f"stopped at {stopped['seq']} ({stopped['reason']})" if stopped["reason"] else "has not stopped"
    lines = [f"run {run['run_id']}: {was}"]
    if would is None:
        lines.append("  would have gone on" if stopped["reason"] not in (None, "interrupted") else "  the same")
    elif run["saves"] is None:
        same = would["reason"] == stopped["reason"]
        lines.append("  the same" if same else f"  would have stopped there as {would['reason']}")
    else:
        saves, loses = run["saves"], run["loses"]
        lines.append(f"  would have stopped at {would['seq']} ({would['reason']})")
        lines.append(
            f"  saves ${saves['cost_usd']:.2f}, {saves['sessions']} sessions, {saves['seconds']:.0f} s; "
            f"loses {loses['features']} features"
        )
    return lines
