"""The table as a Markdown table, for documents; painted, for reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lifecycle.diagram import figures
from lifecycle.diagram.model import Arrow, Diagram
from lifecycle.diagram.names import apart, shown, visible
from lifecycle.diagram.paint import Paint

__all__ = ["render"]


def render(diagram: Diagram, paint: Paint | None = None) -> str:
    """Write the transitions as a Markdown table. Rows that differ only in their source share one."""
    if paint is not None:
        return _table(_PAINTED, _painted(diagram, paint))
    return _table(_PLAIN, _plain(diagram))


_PLAIN = ("from", "trigger", "guard", "to", "why")
_PAINTED = ("from", "trigger", "guard", "to", "times", "time before", "cost", "went wrong")
_RIGHT = frozenset({"times", "time before", "cost"})


def _plain(diagram: Diagram) -> Iterator[Sequence[str]]:
    shared: dict[tuple[str, Arrow], list[str]] = {}
    for edge in diagram.edges:
        for arrow in edge.arrows:
            shared.setdefault((edge.dest, arrow), []).append(edge.source)
    for (dest, arrow), sources in shared.items():
        names = ", ".join(_cell(source) for source in sources)
        yield names, _code(arrow.trigger), _code(arrow.guard), _cell(dest), _prose(arrow.why)


def _painted(diagram: Diagram, paint: Paint) -> Iterator[Sequence[str]]:
    for edge in diagram.edges:
        for arrow in edge.arrows:
            used = paint.arrow(edge, arrow)
            failures, others = figures.troubles(used)
            yield (
                _cell(edge.source),
                _code(arrow.trigger),
                _code(arrow.guard),
                _cell(edge.dest),
                f"{used.count:,}" if used.count else "",
                figures.duration(used.time_s) if used.time_s else "",
                figures.cost(used.cost_usd) if used.cost_usd else "",
                _cell(", ".join((*failures, *others))) if failures or others else "",
            )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---:" if name in _RIGHT else "---" for name in head]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def _cell(words: str) -> str:
    return "".join(f"\\{letter}" if letter in _MARKS else letter for letter in shown(words))


_MARKS = frozenset("\\`*[]<>#|~$_")
"""What Markdown would take for something else."""


def _prose(words: str) -> str:
    """Words that may hold Markdown of their author's, on one line of a table."""
    return apart(" ".join(visible(word) for word in words.split()).replace("|", "\\|"))


def _code(words: str | None) -> str:
    if words is None:
        return ""
    told = visible(words).replace("|", "\\|")
    if "`" not in told:
        return apart(f"`{told}`")
    fence = "`" * (max(len(run) for run in re.findall("`+", told)) + 1)
    return apart(f"{fence} {told} {fence}")
