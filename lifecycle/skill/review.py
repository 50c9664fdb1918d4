"""The example of a lifecycle with a state of its own, as the references show it: its picture, and its mistake as told."""

from __future__ import annotations

from lifecycle.diagram.mermaid import render
from lifecycle.diagram.model import diagram_of
from lifecycle.testing.examples.review import BROKEN, GROUPS, OBSERVATIONS, TABLE
from states.definition import extended
from states.promises import promises
from states.properties import check
from states.world import SMALL

__all__ = ["review_counterexample", "review_picture"]


def review_picture() -> str:
    """The table with the REVIEW, in Mermaid."""
    return render(diagram_of(TABLE, name="a lifecycle with a review", groups=GROUPS))


def review_counterexample() -> str:
    """What the search within small limits says of the mistake."""
    broken = extended(BROKEN, observations=OBSERVATIONS)
    [found] = check(promises(broken, SMALL), broken, SMALL, is_hasty=True)
    path = [f"         {number:>2}  {step}" for number, step in enumerate(found.path, start=1)]
    return "\n".join([f"FAILS  {found.kind:<10} {found.claim.name}", *path])
