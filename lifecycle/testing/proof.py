"""What the exhaustive search finds, as tables for the documents: how much there is, and what holds of all of it.

`python -m lifecycle.testing.proof` brings diagrams/VERIFICATION.md up to date, in the repository's root; with `--check` it
changes nothing, and exits with 1 when it is not.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from states.explore import Search
from states.promises import promises
from states.properties import Verdict, check

__all__ = ["DOCUMENT", "main", "proof_blocks", "with_proof"]

DOCUMENT = Path("diagrams") / "VERIFICATION.md"


def main(arguments: list[str]) -> int:
    """Write or check; return the exit status."""
    search = Search()
    verdicts = check(promises(), search=search)
    before = DOCUMENT.read_text("utf-8")
    after = with_proof(before, proof_blocks(search, verdicts))
    if "--check" not in arguments and after != before:
        DOCUMENT.write_text(after, encoding="utf-8")
    is_stale = after != before and "--check" in arguments
    return 1 if is_stale or not all(verdict.holds for verdict in verdicts) else 0


def proof_blocks(search: Search, verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """Marker -> what stands between `<!-- proof:MARKER -->` and `<!-- /proof:MARKER -->`."""
    return {"counts": _counts(search), "promises": _promises(verdicts)}


def with_proof(document: str, blocks: Mapping[str, str]) -> str:
    """The document with each of its blocks as it is found now."""
    for marker, content in blocks.items():
        begin, end = f"<!-- proof:{marker} -->", f"<!-- /proof:{marker} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        document = pattern.sub(lambda _, told=f"{begin}\n{content}\n{end}": told, document)  # type: ignore[misc]
    return document


def _counts(search: Search) -> str:
    states = Counter(str(state) for state, *_ in search.graph)
    classes = Counter(str(state) for state, _ in search.pairs)
    rows = [f"| {state} | {count:,} | {classes[state]:,} |" for state, count in states.items()]
    total = f"| **all** | **{len(search.graph):,}** | **{len(search.pairs):,}** |"
    head = ["| state | configurations | classes of facts |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *rows, total, "", f"Steps between them: **{search.edges:,}**."])


def _promises(verdicts: Sequence[Verdict]) -> str:
    head = ["| kind | promise | holds | shown by a lifecycle of |", "| --- | --- | --- | ---: |"]
    return "\n".join([*head, *map(_row, verdicts)])


def _row(verdict: Verdict) -> str:
    shown = f"{len(verdict.path)} steps" if verdict.path and verdict.kind == "sometimes" else ""
    name = verdict.claim.name.replace("|", "\\|")
    return f"| {verdict.kind} | {name} | {'yes' if verdict.holds else '**no**'} | {shown} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
