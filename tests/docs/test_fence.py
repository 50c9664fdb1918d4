"""What the page about the fence says is shown by tests is shown by tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from lifecycle.guard.audit import FILES_MAX, SIZE_MAX_BYTES
from lifecycle.guard.decisions import Decision, line_of_decision
from lifecycle.guard.profiles import PROFILES

ROOT = Path(__file__).parents[2]
FENCE = ROOT / "diagrams" / "FENCE.md"
TEXT = FENCE.read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", TEXT)))


@cache
def _tests(path: Path) -> frozenset[str]:
    """The tests of a module, as pytest names them without parameters."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(found)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name.rpartition("::")[2].startswith("test_")
    assert name in _tests(ROOT / path)


def test_every_threat_names_what_stops_it_and_a_test() -> None:
    threats = TEXT[TEXT.index("## Threats") : TEXT.index("## The audit log")]
    rows = [row.strip("|").split("|") for row in threats.splitlines() if row.startswith("| ") and not row.startswith("| threat")]
    assert len(rows) > 20
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row) or "::test_" not in row[2]] == []
    assert len(NAMED) > 25


def test_what_it_says_of_the_log_is_so() -> None:
    line = line_of_decision(Decision(0.0, "Bash", {}, True, "allowed"), str).decode()
    fields = re.findall(r'"(\w+)":', line)
    assert ", ".join(f"`{name}`" for name in fields) in TEXT.replace("\n", " ")
    assert (FILES_MAX, SIZE_MAX_BYTES) == (4, 8 << 20)
    assert len(PROFILES["minimal"].programs - {"[", "test", "true", "false", ":", "break", "continue", "cd"}) == 17


@pytest.mark.parametrize("document", ["README.md", "diagrams/ARCHITECTURE.md"])
def test_it_can_be_found(document: str) -> None:
    assert "FENCE.md)" in (ROOT / document).read_text("utf-8")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((\.\./[^)#]+)\)", TEXT):
        assert (FENCE.parent / target).exists(), target
