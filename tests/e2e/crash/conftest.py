"""A laboratory for crashes: the real command, the real CLI, the scripted model in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.offline.demo import DEMO_SPEC
from lifecycle.ports import Note, TransitionRecord
from lifecycle.status import Status, read_status

GONE_WITHIN_S = 2.0
"""The promise: however the manager dies, everything of its agent is gone within this."""

LAST_REQUEST_S = 0.5
"""A request that was on its way when the manager died may still arrive; the leash has pulled long before this."""


class Laboratory:
    """One project, its server, and managers that come and go."""

    def __init__(self, directory: Path, *, scenario: str = "demo") -> None:
        self.mark = uuid.uuid4().hex
        self.project = directory / "project"
        self.project.mkdir()
        self.spec = directory / "spec.txt"
        self.spec.write_text(DEMO_SPEC)
        self.state_root = directory / "state"
        self.log = directory / "requests.jsonl"
        self.stderr = directory / "stderr.txt"
        self.managers = 0
        self._scenario = scenario
        self._home = directory / "home"
        self._home.mkdir()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "lifecycle.offline", "--scenario", scenario, "--log", str(self.log)],
            stdout=subprocess.PIPE,
            env={**os.environ, "HOME": str(self._home)},
        )
        assert self._server.stdout is not None
        self.url = json.loads(self._server.stdout.readline())["url"]

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)
        assert self._server.stdout is not None
        self._server.stdout.close()
        for process in self.agents():
            process.kill()

    @property
    def environment(self) -> dict[str, str]:
        """What a manager is started with: nothing of the person's own, and a mark that all its children carry."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "CLAUDE_CONFIG_DIR": str(self._home / "claude"),
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-offline",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "LIFECYCLE_STATE_DIR": str(self.state_root),
            "LIFECYCLE_CONTINUE_DELAY": "0.2",
            "LABORATORY": self.mark,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "lifecycle.cli", "run", str(self.project), "--spec", str(self.spec), *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a manager."""
        self.managers += 1
        with self.stderr.open("ab") as stderr:
            return subprocess.Popen(
                self.command("--json", *arguments), env=self.environment, stdout=subprocess.PIPE, stderr=stderr
            )

    def finish(self, manager: subprocess.Popen[bytes], timeout_s: float = 120) -> tuple[int, bytes]:
        """Wait for a manager's end; return its exit status and what it printed."""
        output, _ = manager.communicate(timeout=timeout_s)
        return manager.returncode, output

    def agents(self) -> list[psutil.Process]:
        """Every living process that carries the mark."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("LABORATORY") == self.mark
                if is_ours and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def assert_all_gone(self, since: float) -> float:
        """Every process with the mark is gone within the promise; return how long after `since` it was so."""
        while agents := self.agents():
            assert time.monotonic() - since < GONE_WITHIN_S, f"still there: {[(p.pid, p.cmdline()) for p in agents]}"
            time.sleep(0.02)
        return time.monotonic() - since

    def requests(self) -> list[dict]:
        """The server's log."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requests_after(self, moment: float) -> list[dict]:
        """Requests that came later than the grace after `moment` (epoch seconds)."""
        return [r for r in self.requests() if _epoch(r) > moment + LAST_REQUEST_S]

    @property
    def journal(self) -> Path:
        return state_directory(self.project, self.state_root, {}) / JOURNAL_NAME

    def status(self) -> Status | None:
        """What the record says, read as `lifecycle status` reads it; None while there is none."""
        return asyncio.run(self._read(lambda journal: read_status(journal, None)))

    def transitions(self) -> list[TransitionRecord]:
        return asyncio.run(self._read(lambda journal: journal.transitions())) or []

    def notes(self, kind: str) -> list[Note]:
        return list(asyncio.run(self._read(lambda journal: journal.notes(kind=kind))) or [])

    async def _read(self, question):
        if not self.journal.exists():
            return None
        journal = await SqliteJournal.open(self.journal, read_only=True)
        try:
            return await question(journal)
        finally:
            await journal.close()

    def assert_as_if_nothing_had_happened(self) -> None:
        """The end result of the demo's project, and of its record."""
        transitions = self.transitions()
        assert transitions[-1].facts.stop_reason == "complete"
        assert len({t.run_id for t in transitions}) == 1
        begun = [t for t in transitions if t.dest == "RUN" and not t.facts.session.is_resumption]
        numbers = [t.facts.session.number for t in begun]
        assert numbers == list(range(1, len(begun) + 1)), "no iteration counted twice or lost"
        assert [t.facts.counters.iterations for t in begun] == numbers
        assert len({t.facts.session.id for t in begun}) == len(begun)
        assert [t.facts.session.type for t in begun].count("init") == 1, "exactly one INIT"
        features = json.loads((self.project / "feature_list.json").read_text())
        assert [f["passes"] for f in features] == [True] * 6
        tests = subprocess.run(
            [sys.executable, "-m", "unittest"], cwd=self.project, capture_output=True, check=False
        )
        assert tests.returncode == 0, tests.stderr.decode()
        log = subprocess.run(
            ["git", "log", "--format=%s"], cwd=self.project, capture_output=True, text=True, check=True
        )
        subjects = log.stdout.splitlines()
        # The CLI writes its transcript a moment late: after a kill the script may not know of a commit that it made
        # a moment before. It then commits what is left once more, or two features together. Nothing else may be there.
        assert subjects[-1] == "Set up the project and its feature list"
        assert len(set(subjects)) in (6, 7), subjects
        progress = (self.project / "claude-progress.txt").read_text()
        assert progress.strip()

    def assert_conversations_were_resumed(self) -> int:
        """No conversation that had got anywhere began anew; return how many requests continued an earlier one."""
        longest: dict[str, int] = {}
        for request in self.requests():
            if not request["is_main"]:
                continue
            session, count = request["session_id"], request["messages"]
            assert count > 1 or longest.get(session, 0) <= 3, f"{session} began anew after {longest[session]} messages"
            longest[session] = max(longest.get(session, 0), count)
        return len(longest)


def _epoch(request: dict) -> float:
    return datetime.fromisoformat(request["received_at"]).timestamp()


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    made = Laboratory(tmp_path)
    yield made
    made.close()


@pytest.fixture
def new_laboratory(tmp_path: Path) -> Iterator:
    """Laboratories one after the other, for the long forms."""
    made: list[Laboratory] = []

    def make() -> Laboratory:
        if made:
            made[-1].close()
        directory = tmp_path / f"laboratory-{len(made)}"
        directory.mkdir()
        made.append(Laboratory(directory))
        return made[-1]

    yield make
    if made:
        made[-1].close()


