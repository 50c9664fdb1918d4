"""The corpus of command lines: every row that must be refused is, every row that must pass does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifecycle.guard import validate_command

CORPUS = Path(__file__).parents[1] / "corpus" / "guard"
PROJECT = "/work/project"


def rows(name: str) -> list[tuple[str, str]]:
    """The (command, why) pairs of one corpus file."""
    lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()
    return [(row["command"], row["why"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize("profile", ["minimal", "standard"])
def test_no_row_to_refuse_is_let_through(profile: str) -> None:
    """A single bypass is a defect; the message lists them all."""
    let_through = [
        (command, why)
        for command, why in rows(f"{profile}-block.jsonl")
        if validate_command(command, profile, PROJECT, home="/root").allowed
    ]
    assert let_through == []


@pytest.mark.parametrize("profile", ["minimal", "standard"])
def test_no_row_to_allow_is_refused(profile: str) -> None:
    """The target is 1 %; on the corpus of ours it is none."""
    refused = [
        (command, verdict.reason)
        for command, _ in rows(f"{profile}-allow.jsonl")
        if not (verdict := validate_command(command, profile, PROJECT, home="/root")).allowed
    ]
    assert refused == []


def test_what_bash_reads_differently_than_it_looks_is_refused() -> None:
    """Rows written from the policy alone, then by hand against bash 5.2 where it reads a text differently."""
    let_through = [
        (command, why) for command, why in rows("unseen-block.jsonl") if validate_command(command, "minimal", PROJECT, home="/root").allowed
    ]
    assert let_through == []


def test_what_people_write_beside_such_tricks_passes() -> None:
    """The same constructs, meant honestly."""
    refused = [
        (command, verdict.reason)
        for command, _ in rows("unseen-allow.jsonl")
        if not (verdict := validate_command(command, "minimal", PROJECT, home="/root")).allowed
    ]
    assert refused == []


def test_what_minimal_allows_standard_allows_too() -> None:
    """The standard profile widens the minimal one."""
    refused = [
        command
        for command, _ in rows("minimal-allow.jsonl")
        if not validate_command(command, "standard", PROJECT, home="/root").allowed
    ]
    assert refused == []


@pytest.mark.parametrize("profile", ["minimal", "standard"])
def test_every_refusal_has_a_rule_and_a_reason(profile: str) -> None:
    """Nothing is refused because the judge broke, and every reason is a short text for a person."""
    for command, _ in rows(f"{profile}-block.jsonl"):
        verdict = validate_command(command, profile, PROJECT, home="/root")
        assert verdict.rule not in ("fault", "allowed"), (command, verdict)
        assert 15 < len(verdict.reason) < 1500, (command, verdict)


def test_the_corpus_is_as_large_as_promised() -> None:
    """Rows do not vanish unnoticed."""
    assert len(rows("minimal-block.jsonl")) >= 1750
    assert len(rows("minimal-allow.jsonl")) >= 680
    assert len(rows("standard-block.jsonl")) >= 335
    assert len(rows("standard-allow.jsonl")) >= 200
    assert len(rows("unseen-block.jsonl")) >= 1050
    assert len(rows("unseen-allow.jsonl")) >= 380
