"""`lifecycle verify`: prove a table over everything there is, and simulate it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lifecycle.cli.drawing import chosen_format, write_drawing
from lifecycle.cli.exits import Exit
from lifecycle.cli.layout import paragraph, terminal_width
from lifecycle.cli.options import as_json
from lifecycle.cli.output import print_document, print_text

if TYPE_CHECKING:
    from lifecycle.diagram.sequence import Way
    from lifecycle.testing.simulation.report import Report
    from states.definition import Definition
    from states.explore import Search, Step
    from states.properties import Verdict

__all__ = ["verify"]


@click.command()
@click.option("--table", metavar="MODULE:NAME", help="A table of your own, instead of the built-in one.")
@click.option(
    "--transitions", type=click.IntRange(min=0), default=2_000, help="How many to simulate. (default: 2000)"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The first simulated scenario's seed. (default: 0)")
@click.option("--quick", is_flag=True, help="Search within smaller limits, and only until a promise is broken.")
@click.option("--witnesses", is_flag=True, help="Also print the shortest lifecycle that shows each `sometimes`.")
@click.option("-o", "--output", metavar="FILE", help="Draw the first counterexample on the table, as FILE's name ends; - is text.")
@as_json
def verify(
    table: str | None, transitions: int, seed: int, quick: bool, witnesses: bool, output: str | None, is_json: bool
) -> int:
    """Check the lifecycle: every promise over every state and every class of facts, then random lifecycles with faults.

    The search is exhaustive within small limits; the simulation drives the real manager, driver and journal through
    crashes, errors, cancels, stop requests and clock jumps at the calls of every port. A promise that does not hold is
    told with the shortest lifecycle that breaks it.

    \b
    Examples:
      lifecycle verify
      lifecycle verify --table my_host.review:TABLE -o broken.svg
      lifecycle verify --transitions 1000000 --json

    \b
    Exit status:
      0  every promise holds
      1  one does not, or the table is no lifecycle: the counterexample is printed
      2  there is no such table, its module is wrong, or a state has no work
         in WORKS to be simulated
      5  FILE cannot be written
    """
    from lifecycle.driver import ensure_works
    from lifecycle.testing.simulation.report import simulated
    from lifecycle.testing.simulation.simulate import Simulator
    from lifecycle.testing.tables import definition_named, works_named
    from states.errors import DefinitionError

    if is_json and output == "-":
        raise click.UsageError("--json has standard output for itself: draw into a FILE")
    kind = None if output is None else chosen_format(output)
    try:
        definition = definition_named(table)
    except DefinitionError as error:
        _print_no_lifecycle(error, is_json=is_json)
        return Exit.NO
    works = works_named(table)
    if transitions:
        ensure_works(definition, works, f"--table {table}")
    search, verdicts = _searched(definition, is_quick=quick)
    report = None
    if all(verdict.holds for verdict in verdicts) and transitions:
        with Simulator(definition, works) as simulator:
            report = simulated(simulator, transitions=transitions, first_seed=seed)
    holds = all(verdict.holds for verdict in verdicts) and (report is None or report.failed is None)
    if is_json:
        print_document(_document(search, verdicts, report, holds))
    else:
        print_text(_words(search, verdicts, report, holds, witnesses))
    if output is not None and not holds:
        write_drawing(_drawn(definition, table, kind, verdicts, report), output)
    return Exit.DONE if holds else Exit.NO


def _print_no_lifecycle(error: Any, *, is_json: bool) -> None:
    if is_json:
        print_document({"holds": False, "definition": {"problem": error.problem, "row": error.row}})
    else:
        print_text(f"FAILS  the table is no lifecycle: {error}")


def _searched(definition: Definition, *, is_quick: bool) -> tuple[Search, list[Verdict]]:
    from states.explore import Search
    from states.promises import promises
    from states.properties import check
    from states.world import LIMITS, SMALL

    limits = SMALL if is_quick else LIMITS
    search = Search(definition, limits)
    return search, check(promises(definition, limits), definition, limits, search=search, is_hasty=is_quick)


# --- for people ----------------------------------------------------------------------------------------------


def _words(
    search: Search, verdicts: list[Verdict], report: Report | None, holds: bool, witnesses: bool
) -> list[str]:
    counted = "" if search.is_whole else ", not searched to the end"
    lines = [f"{len(search.graph)} configurations, {search.edges} steps{counted}", ""]
    width = terminal_width()
    for verdict in verdicts:
        indent = f"{'holds' if verdict.holds else 'FAILS'}  {verdict.kind:<10} "
        lines += paragraph(verdict.claim.name, indent=indent, hanging=" " * len(indent), width=width)
        if not verdict.holds or (witnesses and verdict.path):
            lines += [f"         {number:>2}  {step}" for number, step in enumerate(verdict.path, start=1)]
        if verdict.cycle:
            lines += ["       and so on for ever:", *(f"             {step}" for step in verdict.cycle)]
    if report is not None:
        # What failed has commands in it, which are copied whole.
        lines += ["", *(paragraph(str(report), width=width) if report.failed is None else [str(report)])]
    count = sum(not verdict.holds for verdict in verdicts)
    broken = f"{count} of {len(verdicts)} promises do not hold" if count else "the simulation broke a promise"
    if count and not search.is_whole:
        broken = "a promise does not hold"
    return [*lines, "", f"verified: {len(verdicts)} promises hold" if holds else f"not verified: {broken}"]


def _drawn(
    definition: Definition, table: str | None, kind: Any, verdicts: list[Verdict], report: Report | None
) -> str | bytes:
    from lifecycle.diagram.formats import render
    from lifecycle.diagram.hosts import host_groups
    from lifecycle.diagram.model import diagram_of
    from lifecycle.diagram.paint import complete
    from lifecycle.diagram.sequence import painted_sequence

    model = diagram_of(definition.table, name=table or "lifecycle", groups=host_groups(table) if table else None)
    caption, ways = _counterexample(definition, verdicts, report)
    paint = painted_sequence(ways, caption)
    return render(complete(model, paint), kind, paint)


def _counterexample(
    definition: Definition, verdicts: list[Verdict], report: Report | None
) -> tuple[str, list[Way]]:
    broken = next((verdict for verdict in verdicts if not verdict.holds), None)
    if broken is not None:
        steps = (*broken.path, *broken.cycle)
        return f"does not hold: {broken.claim.name}", [_way(step, definition) for step in steps]
    assert report is not None, "what does not hold is in one of them"
    assert report.small is not None, "what failed was shrunk"
    ways = [(str(r.source), str(r.trigger), str(r.dest)) for r in report.small.transitions]
    return f"broken in a simulation: {report.small.violation}", ways


def _way(step: Step, definition: Definition) -> Way:
    """As the table has it: a suspended run is taken up before its start."""
    row = step.row
    source = str(row.source) if row is not None else str(step.source)
    return source, str(step.trigger), str(step.dest)


# --- for programs --------------------------------------------------------------------------------------------


def _document(search: Search, verdicts: list[Verdict], report: Report | None, holds: bool) -> dict[str, Any]:
    from lifecycle.testing.simulation.simulate import steps_of

    document: dict[str, Any] = {
        "holds": holds,
        "configurations": len(search.graph),
        "steps": search.edges,
        "is_whole": search.is_whole,
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
                    {**_step(step), "source": record.source, "dest": record.dest}
                    for record, step in zip(small.transitions, steps_of(small.transitions, search.definition), strict=True)
                ],
            },
        }
    return document


def _step(step: Step) -> dict[str, str | None]:
    guard = step.row.guard if step.row else None
    dest = str(step.dest) if step.row else None
    return {"source": str(step.source), "trigger": str(step.trigger), "guard": guard, "dest": dest}
