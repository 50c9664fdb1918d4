"""`lifecycle verify`: prove a table over everything there is, and simulate it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.exits import Exit
from lifecycle.cli.options import as_json
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.testing.simulation.report import Report
    from states.explore import Search, Step
    from states.properties import Verdict

__all__ = ["verify"]


@click.command()
@click.option("--table", metavar="MODULE:NAME", help="A table of your own, instead of the built-in one.")
@click.option(
    "--transitions", type=click.IntRange(min=0), default=2_000, help="How many to simulate. (default: 2000)"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The first simulated scenario's seed. (default: 0)")
@click.option("--witnesses", is_flag=True, help="Also print the shortest lifecycle that shows each `sometimes`.")
@as_json
def verify(table: str | None, transitions: int, seed: int, witnesses: bool, is_json: bool) -> int:
    """Check the lifecycle: every promise over every state and every class of facts, then random lifecycles with faults.

    The search is exhaustive within small limits; the simulation drives the real manager, driver and journal through
    crashes, errors, cancels, stop requests and clock jumps at the calls of every port. A promise that does not hold is
    told with the shortest lifecycle that breaks it.

    \b
    Examples:
      lifecycle verify
      lifecycle verify --table my_host.review:TABLE
      lifecycle verify --transitions 1000000 --json

    \b
    Exit status:
      0  every promise holds
      1  one does not: the counterexample is printed
      2  there is no such table, or it is none
    """
    from lifecycle.testing.simulation.report import simulated
    from lifecycle.testing.simulation.simulate import Simulator
    from lifecycle.testing.tables import definition_named, works_named
    from states.errors import DefinitionError
    from states.explore import Search
    from states.promises import promises
    from states.properties import check

    try:
        definition = definition_named(table)
    except DefinitionError as error:
        if is_json:
            print_document({"holds": False, "definition": {"problem": error.problem, "row": error.row}})
        else:
            print_text(f"FAILS  the table is no lifecycle: {error}")
        return Exit.NO
    search = Search(definition)
    verdicts = check(promises(definition), definition, search=search)
    report = None
    if all(verdict.holds for verdict in verdicts) and transitions:
        with Simulator(definition, works_named(table)) as simulator:
            report = simulated(simulator, transitions=transitions, first_seed=seed)
    holds = all(verdict.holds for verdict in verdicts) and (report is None or report.failed is None)
    if is_json:
        print_document(_document(search, verdicts, report, holds))
    else:
        print_text(_words(search, verdicts, report, holds, witnesses))
    return Exit.DONE if holds else Exit.NO


def _words(
    search: Search, verdicts: list[Verdict], report: Report | None, holds: bool, witnesses: bool
) -> list[str]:
    lines = [f"{len(search.graph)} configurations, {search.edges} steps", ""]
    for verdict in verdicts:
        lines.append(f"{'holds' if verdict.holds else 'FAILS'}  {verdict.kind:<10} {verdict.claim.name}")
        if not verdict.holds or (witnesses and verdict.path):
            lines += [f"         {step}" for step in verdict.path]
        if verdict.cycle:
            lines += ["       and so on for ever:", *(f"         {step}" for step in verdict.cycle)]
    if report is not None:
        lines += ["", str(report)]
    count = sum(not verdict.holds for verdict in verdicts)
    broken = f"{count} of {len(verdicts)} promises do not hold" if count else "the simulation broke a promise"
    return [*lines, "", f"verified: {len(verdicts)} promises hold" if holds else f"not verified: {broken}"]


def _document(search: Search, verdicts: list[Verdict], report: Report | None, holds: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "holds": holds,
        "configurations": len(search.graph),
        "steps": search.edges,
        "promises": [
            {
                "kind": verdict.kind,
                "name": verdict.claim.name,
                "holds": verdict.holds,
                "path": [_step(step) for step in verdict.path],
                "cycle": [_step(step) for step in verdict.cycle],
            }
            for verdict in verdicts
        ],
        "simulation": None,
    }
    if report is not None:
        small = report.small
        document["simulation"] = {
            "first_seed": report.first_seed,
            "scenarios": report.seeds,
            "transitions": report.transitions,
            "faults": report.faults,
            "violation": None
            if small is None or report.failed is None
            else {
                "seed": report.failed.scenario.seed,
                "promise": str(small.violation),
                "scenario": small.scenario.to_json(),
                "path": [
                    {"source": r.source, "trigger": r.trigger, "guard": None, "dest": r.dest} for r in small.transitions
                ],
            },
        }
    return document


def _step(step: Step) -> dict[str, str | None]:
    guard = step.row.guard if step.row else None
    dest = str(step.dest) if step.row else None
    return {"source": str(step.source), "trigger": str(step.trigger), "guard": guard, "dest": dest}
