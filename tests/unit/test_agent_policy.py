"""What holds whoever makes the agent: its decisions on record, its walls, its command policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.confinement import Confinement
from lifecycle.agent.placeholders import Placeholders
from lifecycle.agent.rules import ALLOWED, ToolCall, Verdict
from lifecycle.agent.sandbox_proof import _as_canary
from lifecycle.runtime.local import _WalledVerifier


async def test_placeholders_are_taken_away_when_putting_them_fails_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    put = Placeholders.put

    def fails_midway(self: Placeholders) -> None:
        put(self)
        raise OSError("disk full")

    monkeypatch.setattr(Placeholders, "put", fails_midway)
    walled = _WalledVerifier(None, Confinement(project, tmp_path / "state" / "scratch", sealed=("CLAUDE.md",)))
    with pytest.raises(OSError, match="disk full"):
        await walled.verify("session", None)
    assert list(project.iterdir()) == []


def test_the_sandbox_canary_is_on_record_under_its_own_rule() -> None:
    kept: list[Verdict] = []
    _as_canary(lambda call, verdict: kept.append(verdict))(ToolCall("Bash", {}, Path(".")), ALLOWED)
    assert [(verdict.allowed, verdict.rule) for verdict in kept] == [(True, "sandbox.canary")]
