"""Every small mistake in the table and in what decides is found by the check of tables or by a promise.

The long form, over all of the pure core's counting and deciding: `pytest tests/mutation --all-mutants -n 0 -s`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import states.decide
import states.end
import states.guards
import states.world
from lifecycle.testing.mutants import SMALL, caught_by, guard_mutants, row_mutants
from lifecycle.testing.mutated_code import code_mutants, functions_of
from states.definition import BUILT_IN
from states.promises import promises
from states.properties import check
from states.world import LIMITS


def test_the_lifecycle_itself_passes_in_the_small_world() -> None:
    """Otherwise everything would be caught, by a promise that never held."""
    assert [found.claim.name for found in check(promises(limits=SMALL), limits=SMALL) if not found.holds] == []


def test_every_mistake_in_a_row_or_a_guard_is_caught() -> None:
    mutants = [mutant for mutant in (*row_mutants(), *guard_mutants()) if mutant.definition != BUILT_IN]
    catchers = {mutant.name: caught_by(mutant) for mutant in mutants}
    kinds = Counter(catcher.partition(":")[0] if catcher else "survived" for catcher in catchers.values())
    print(f"{len(mutants)} mutants of rows and guards: {dict(kinds)}")
    assert [name for name, catcher in catchers.items() if catcher is None] == []
    assert dict(kinds) == {"validate": 257, "always": 181}


@pytest.mark.parametrize("index", range(len(states.decide.REASONS)))
def test_every_reason_left_out_or_out_of_order_is_caught(index: int, monkeypatch) -> None:
    reasons = states.decide.REASONS
    without = (*reasons[:index], *reasons[index + 1 :])
    swapped = (*without[: index + 1], reasons[index], *without[index + 1 :])
    for mistaken in (without, swapped):
        if [reason for reason, _ in mistaken] == [reason for reason, _ in reasons]:
            continue  # the two ways to run out of time stand side by side
        monkeypatch.setattr(states.decide, "REASONS", mistaken)
        assert any(not found.holds for found in check(promises(limits=SMALL), limits=SMALL, is_hasty=True)), mistaken


@pytest.mark.parametrize("index", range(len(states.decide.LIMITS)))
def test_every_limit_that_detect_forgets_is_caught(index: int, monkeypatch) -> None:
    limits = states.decide.LIMITS
    monkeypatch.setattr(states.decide, "LIMITS", (*limits[:index], *limits[index + 1 :]))
    assert any(not found.holds for found in check(promises(limits=SMALL), limits=SMALL, is_hasty=True))


EQUIVALENT = {
    "_what_failed": "words for people",
    "32 -> 33": "both are far beyond the longest backoff",
    "outcome.kind is OutcomeKind.CUT_OFF and (not outcome.progressed) -> not outcome.progressed": (
        "what gets nothing done and is not cut off is retryable, which backs off anyway"
    ),
    "next_cycle(facts).resume_at >= facts.deadline": (
        "a cycle that would begin at the very deadline does not: the limit is reached then, with the same reason"
    ),
    "if facts.has_open_session": "the same moment, in other words for people",
    "facts.outcome is not None and facts.outcome.kind is OutcomeKind.CUT_OFF -> facts.outcome.kind is": (
        "it is asked only of a cycle that went wrong, which has an outcome"
    ),
}
"""Mistakes that change nothing which is promised: part of the name -> why."""


def test_every_mistake_in_the_code_of_guards_decisions_and_counts_is_caught(request) -> None:
    mutants, equivalent = mutants_of_code()
    if not request.config.getoption("--all-mutants"):
        mutants = mutants[::12]
    survivors = [mutant.name for mutant in mutants if not _is_caught(mutant)]
    print(f"{len(mutants)} mutants of code, {len(survivors)} survive; {len(equivalent)} change nothing that is promised")
    assert survivors == []


def test_what_is_said_to_change_nothing_is_there() -> None:
    names = [mutant.name for mutant in mutants_of_code()[1]]
    assert [part for part in EQUIVALENT if not any(part in name for name in names)] == []


def test_the_report_in_the_documents_has_these_numbers() -> None:
    report = (Path(__file__).parents[2] / "diagrams" / "VERIFICATION.md").read_text()
    mutants, equivalent = mutants_of_code()
    assert f"| code of guards, decisions and counts | {len(mutants)} | 0 | {len(mutants)} | 0 |" in report
    assert f"\n{len(equivalent)} mutants of the code change nothing that is promised" in report
    assert f"| limits that DETECT forgets | {len(states.decide.LIMITS)} |" in report
    assert "| rows and guards | 438 | 257 | 181 | 0 |" in report, "as the test above counts them"


def mutants_of_code() -> tuple[list, list]:
    """Those that make a mistake, and those that change nothing that is promised."""
    functions = [*functions_of(states.guards), *functions_of(states.decide)]
    counting = [f for f in functions_of(states.end) if f.__name__ in ("_count", "_failures", "_stalled", "_retries")]
    found = [mutant for function in (*functions, *counting) for mutant in code_mutants(function)]
    equivalent = [mutant for mutant in found if any(part in mutant.name for part in EQUIVALENT)]
    return [mutant for mutant in found if mutant not in equivalent], equivalent


def _is_caught(mutant) -> bool:
    """In the small world, or else in the larger one, where it takes several failures in a row."""
    return _is_caught_within(mutant, SMALL) or _is_caught_within(mutant, LIMITS)


def _is_caught_within(mutant, limits) -> bool:
    for value in vars(states.world).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    with mutant.in_place():
        try:
            return any(not found.holds for found in check(promises(limits=limits), limits=limits, is_hasty=True))
        except Exception:
            return True  # it cannot be overlooked
