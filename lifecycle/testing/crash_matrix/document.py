"""The matrix as a table in Markdown, and the table read back: a test holds its points equal to the code's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lifecycle.testing.crash_matrix.matrix import NOT_PLAYED, Verdict
from lifecycle.testing.crash_matrix.models import THINKING_S
from lifecycle.testing.crash_matrix.points import Group, points
from lifecycle.testing.crash_matrix.record import OF_A_LIFE
from lifecycle.testing.crash_matrix.scenarios import SCENARIOS

__all__ = ["cells_of", "measured_in", "rendered", "rows_of"]

_HEAD = """# The crash matrix

What a `kill -9` of the manager costs, at every point where one can come between two steps. Written by

    {command}

which plays one small scenario for each point: the real `lifecycle run`, the real agent, a scripted model on loopback that
takes {thinking_s:g} s for a turn. The sandbox is off, on every machine, but where a scenario says so. The first manager is killed at the point's first crossing, the next one too if it comes there, and a third goes on in peace.
Then the record and the project are compared, line by line, with the same scenario undisturbed: transitions, counts,
sessions, notes, features, commits, files, salvaged work, and the one entry of each session in the progress file. After each
kill: nothing of the dead manager is left within 2 s, no request reaches the model any more, the record can be
read, and the cost has not fallen. Not compared are notes of which every life has its own
({of_a_life}), and what was told on the terminal.

The points are read off the code (`lifecycle.testing.crash_matrix.points`): the rows of the table, the kinds of notes, the
calls of the ports, and every place in the manager's modules that calls what changes the disk, or git. A test holds this
file to them, so one that is new fails until it was played.

- **lost** and **repeated**: of that comparison.
- **asked again**: requests that the model got beyond those of the undisturbed scenario. A turn that was under way when the
  manager died is asked for again; its tools are not run again once their result is in the conversation.
- **not booked**: how many of all requests the journal knows no cost of, because the manager died before the answer came to
  it. At most the one under way, for each kill.

{measured}

## Scenarios

{scenarios}

## Points

"""


def rendered(rows: Mapping[str, Sequence[str]], *, command: str, measured: str) -> str:
    """The whole document.

    Args:
        rows: point -> the other cells of its row, as of `cells_of`.
        measured: what the whole play took.
    """
    scenarios = "\n".join(f"- **{each.name}**: {each.words}." for each in SCENARIOS)
    of_a_life = ", ".join(sorted(OF_A_LIFE))
    parts = [
        _HEAD.format(
            command=command, measured=measured, scenarios=scenarios, of_a_life=of_a_life, thinking_s=THINKING_S
        )
    ]
    parts += [f"### {group.capitalize()}\n\n{_table(group, rows)}\n" for group in Group]
    parts.append("### Not played\n\n" + "".join(f"- `{place}`: {why}.\n" for place, why in NOT_PLAYED.items()))
    return "".join(parts)


def cells_of(verdict: Verdict) -> Sequence[str]:
    """A row's cells behind the point."""
    return (
        verdict.scenario,
        str(verdict.kills),
        _words(verdict.lost),
        _words((*verdict.repeated, *verdict.wrong)),
        str(max(0, verdict.asked_again)),
        str(max(0, verdict.unbooked)),
    )


def measured_in(document: str) -> str:
    """What the whole play took, as the document says; empty where it does not."""
    found = re.search(r"^Measured: .*$", document, re.MULTILINE)
    return found[0] if found else ""


def rows_of(document: str) -> Mapping[str, Sequence[str]]:
    """Point -> the other cells of its row."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", document, re.MULTILINE)
    return {point: cells.split(" | ") for point, cells in rows}


def _table(group: Group, rows: Mapping[str, Sequence[str]]) -> str:
    head = "| killed | in | kills | lost | repeated | asked again | not booked |\n| --- | --- | --: | --- | --- | --: | --: |\n"
    there = [point.name for point in points() if point.group is group and point.name in rows]
    return head + "".join(f"| `{name}` | {' | '.join(rows[name])} |\n" for name in there)


def _words(lines: Sequence[str]) -> str:
    return "; ".join(lines).replace("|", "\\|") or "nothing"
