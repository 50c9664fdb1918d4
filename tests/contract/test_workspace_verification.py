"""The verification command, run for real on a real leash: its verdicts, its bounds, its environment."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.agent.leash_control import SESSION_MARKER, leashed
from lifecycle.ports import Verdict, VerdictKind
from lifecycle.stopping import LocalStopFlag
from lifecycle.workspace.verification import CommandVerifier
from states.vocabulary import SessionId

SESSION = SessionId("5f3a9c12-0000-4000-8000-000000000003")
KEY = "sk-ant-secret-0123456789"


def verifier(project: Path, command: str, timeout_s: float = 20.0, **environment: str) -> CommandVerifier:
    return CommandVerifier(
        command,
        project,
        timeout_s=timeout_s,
        on_leash=leashed,
        environment={"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": KEY, **environment},
        marker=SESSION_MARKER,
    )


async def verify(project: Path, command: str, **options: Any) -> Verdict:
    return await verifier(project, command, **options).verify(SESSION, LocalStopFlag())


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("test -f here", VerdictKind.PASSED),
        ("echo no >&2; exit 3", VerdictKind.FAILED),
        ("kill -SEGV $$", VerdictKind.FAILED),
        ("no-such-program --at-all", VerdictKind.MISSING),
        ("./here", VerdictKind.MISSING),
        ("sleep 60", VerdictKind.TIMED_OUT),
    ],
)
async def test_how_it_ends_is_the_verdict(tmp_path: Path, command: str, kind: VerdictKind) -> None:
    (tmp_path / "here").touch()
    verdict = await verify(tmp_path, command, timeout_s=0.7 if "60" in command else 20.0)
    assert verdict.kind is kind, verdict
    assert verdict.is_failure is (kind in (VerdictKind.MISSING, VerdictKind.TIMED_OUT))


async def test_it_sees_no_credentials_and_what_it_prints_is_redacted(tmp_path: Path) -> None:
    others = {"GH_TOKEN": "ghp_0123456789abcdefghij", "DATABASE_URL": "pg://me:hunter22@db/x", "EDITOR": "vi"}
    verdict = await verify(tmp_path, f"env; echo the key is {KEY}", **others)
    names = {line.partition("=")[0] for line in verdict.output.splitlines()}
    assert {"PATH", "EDITOR", SESSION_MARKER} <= names
    assert not names & {"ANTHROPIC_API_KEY", "GH_TOKEN", "DATABASE_URL"}
    assert KEY not in verdict.output
    assert "[redacted]" in verdict.output


async def test_output_is_bounded_and_its_beginning_and_end_are_kept(tmp_path: Path) -> None:
    command = "echo the beginning; yes 'a line' | head -c 5000000; echo the end; printf '\\033[31m\\377\\000'; exit 1"
    verdict = await verify(tmp_path, command)
    assert len(verdict.output) < 8_200
    assert verdict.output.startswith("the beginning")
    assert "the end" in verdict.output
    assert "\x1b" not in verdict.output
    assert "\x00" not in verdict.output


async def test_nothing_that_it_started_outlives_it(tmp_path: Path) -> None:
    command = "setsid sleep 77 & (sleep 77 &) ; exit 0"
    verdict = await verify(tmp_path, command)
    assert verdict.kind is VerdictKind.PASSED
    assert not _marked()


async def test_a_stop_cuts_it_short(tmp_path: Path) -> None:
    stop = LocalStopFlag()
    running = asyncio.ensure_future(verifier(tmp_path, "touch begun; sleep 60").verify(SESSION, stop))
    await _until((tmp_path / "begun").exists)
    begin = time.monotonic()
    stop.set("a test")
    verdict = await running
    assert verdict.kind is VerdictKind.STOPPED
    assert time.monotonic() - begin < 3
    assert not _marked()
    assert (await verifier(tmp_path, "touch again").verify(SESSION, stop)).kind is VerdictKind.STOPPED
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_cancel_ends_it_and_goes_on(tmp_path: Path, cancels: int) -> None:
    running = asyncio.ensure_future(verifier(tmp_path, "trap '' TERM; touch begun; sleep 60").verify(SESSION, LocalStopFlag()))
    await _until((tmp_path / "begun").exists)
    for _ in range(cancels):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not _marked()


async def test_a_project_that_is_gone_is_the_machine_s_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await verify(tmp_path / "gone", "true")


def _marked() -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(SESSION_MARKER) == SESSION and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


async def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
