"""One project, the scripted model, and managers that come and go: a scenario played to its end, killed or not.

Owns what must hold after every single kill, whatever the scenario: nothing of the dead manager runs or asks any more,
the record can be read, and no cost was taken back. What is there in the end is `record`'s to tell.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lifecycle.errors import JournalCorrupt
from lifecycle.offline import ModelServer
from lifecycle.testing.crash_matrix.models import unhurried
from lifecycle.testing.crash_matrix.plan import Plan
from lifecycle.testing.crash_matrix.record import Record, account
from lifecycle.testing.crash_matrix.scenarios import Scenario
from states.vocabulary import StopReason

__all__ = ["Played", "play"]

GONE_WITHIN_S: Final = 2.0
"""The promise: however the manager dies, nothing of it is left after this."""

LAST_REQUEST_S: Final = 0.5
"""A request that was on its way when the manager died may still arrive."""

LIVES_MAX: Final = 12
PLAY_MAX_S: Final = 170.0
"""All lives of one play. A few seconds are usual; a machine that is shared takes its time."""

DEAD_WITHIN_S: Final = 10.0
"""After SIGKILL, before it is given up."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario went.

    Attributes:
        account: what happened and what is there; see `record`.
        kills: how often the manager died where it was to die.
        lives: how many managers there were.
        requests: of the main conversation, that the model got.
        unbooked: how many of them the journal knows no cost of.
        wrong: what must never be, in words.
        stderr: what the managers told.
    """

    account: Counter[str]
    kills: int
    lives: int
    requests: int
    unbooked: int
    wrong: tuple[str, ...]
    stderr: str


def play(
    scenario: Scenario,
    directory: Path,
    *,
    die_at: str = "",
    kills: int = 2,
    proof: Path | None = None,
    tally: Path | None = None,
) -> Played:
    """Play the scenario in an empty directory until it is complete.

    Args:
        die_at: the point where the first managers die; empty for none.
        kills: how many of them.
        proof: that the agent's gate holds, from an earlier play; without it the first session proves it.
        tally: where each life writes how often it crossed each point, with its number added to the name.
    """
    with ModelServer(unhurried(scenario.model())) as server:
        laboratory = _Laboratory(scenario, directory, server, die_at, kills)
        laboratory.furnish(None if scenario.is_first else proof)
        while laboratory.lives < LIVES_MAX and not laboratory.wrong:
            laboratory.live(tally)
            if laboratory.record.reason == StopReason.COMPLETE:
                break
        else:
            if not laboratory.wrong:
                laboratory.wrong.append(f"not complete after {laboratory.lives} lives")
        return laboratory.played()


class _Laboratory:
    def __init__(
        self, scenario: Scenario, directory: Path, server: ModelServer, die_at: str, kills: int
    ) -> None:
        self._scenario = scenario
        self._die_at, self._kills = die_at, kills
        self._directory = directory
        self._server = server
        self._mark = secrets.token_hex(16)
        self.project = directory / "project" / scenario.folder
        self.state_root = directory / "state"
        self._until = time.monotonic() + PLAY_MAX_S
        self.lives = 0
        self.record = Record()
        self.wrong: list[str] = []
        for path in (self.project, *(directory / name for name in ("state", "home", "tmp", "marks"))):
            path.mkdir(parents=True)

    def furnish(self, proof: Path | None) -> None:
        """Put what stands there before the first start."""
        (self._directory / "spec.txt").write_text("Two small things.\n", encoding="utf-8")
        self._scenario.prepare(self._directory / "project", self.project)
        if proof is not None:
            shutil.copy(proof, self.state_root / proof.name)

    def live(self, tally: Path | None) -> None:
        """One manager's life, and what must hold after it."""
        self.lives += 1
        plan = Plan(
            marks=str(self._directory / "marks"),
            project=str(self.project),
            happenings=self._scenario.happenings,
            die_at=self._die_at,
            kills=self._kills,
            tally="" if tally is None else f"{tally}-{self.lives}",
        )
        command = [sys.executable, "-m", "lifecycle.testing.crash_matrix.life", plan.to_json()]
        command += [self._scenario.command, str(self.project)]
        if self._scenario.command == "run":
            command += ["--spec", str(self._directory / "spec.txt"), "--json", *self._scenario.arguments]
        with (self._directory / "stderr.txt").open("ab") as stderr:
            manager = subprocess.Popen(command, env=self._environment(), stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                status = manager.wait(max(0.0, self._until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._give_up(manager)
                return
        died = time.monotonic()
        if status == -signal.SIGKILL:
            self._wait_until_gone(died)
        elif status not in _STATUSES:
            self.wrong.append(f"life {self.lives} ended with status {status}: {self._last_words()}")
        self._look(died)
        if self.record.reason not in _REASONS:  # what failed over and over would do so in the next life, too
            self.wrong.append(f"life {self.lives} ended with {self.record.reason}: {self._last_words()}")

    def _give_up(self, manager: subprocess.Popen[bytes]) -> None:
        manager.kill()
        self.wrong.append(
            f"not complete within {PLAY_MAX_S:g} s, in life {self.lives}, which told last: {self._last_words()}"
        )
        try:
            manager.wait(DEAD_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"life {self.lives} cannot be killed: pid {manager.pid}")

    def _last_words(self) -> str:
        told = (self._directory / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip()
        return told.rpartition("\n")[2]

    def _wait_until_gone(self, since: float) -> None:
        while left := self._processes():
            if time.monotonic() - since > GONE_WITHIN_S:
                self.wrong.append(f"still there {GONE_WITHIN_S:g} s after life {self.lives}: {', '.join(left)}")
                return
            time.sleep(0.02)

    def _processes(self) -> list[str]:
        """What runs and carries our mark, or stands in our directory, as git does, which gets nobody's environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                is_ours = self._mark.encode() in (entry / "environ").read_bytes()
                is_ours = is_ours or Path(os.readlink(entry / "cwd")).is_relative_to(self._directory)
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # another's, or gone meanwhile
            if is_ours and state not in (b"Z", b"X") and not words.startswith(_ESCAPED):
                found.append(words[:80])
        return found

    def _look(self, died: float) -> None:
        """The record holds together, no cost was taken back, and nobody asked the model after the death."""
        before = self.record.cost_usd
        try:
            self.record = Record.read(self.project, self.state_root)
        except JournalCorrupt as corrupt:
            self.wrong.append(str(corrupt))
            return
        if self.record.cost_usd < before:
            self.wrong.append(f"the cost fell from {before} to {self.record.cost_usd}")
        if any(contact.at > died + LAST_REQUEST_S for contact in self._server.contacts):
            self.wrong.append(f"a request came after life {self.lives}")

    def played(self) -> Played:
        requests = sum(request.is_main for request in self._server.requests)
        booked = sum(session.turns for session in self.record.sessions)
        return Played(
            account=account(self.record, self.project, self.state_root),
            kills=len(list((self._directory / "marks").glob("died *"))),
            lives=self.lives,
            requests=requests,
            unbooked=requests - booked,
            wrong=tuple(self.wrong),
            stderr=(self._directory / "stderr.txt").read_text(encoding="utf-8", errors="replace"),
        )

    def _environment(self) -> dict[str, str]:
        """Nothing of the person's own, and a mark that all children carry."""
        home = self._directory / "home"
        return {
            "PATH": os.environ["PATH"],
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
            "HOME": str(home),
            "TMPDIR": str(self._directory / "tmp"),
            "CLAUDE_CONFIG_DIR": str(home / "claude"),
            "LIFECYCLE_STATE_DIR": str(self.state_root),
            "LIFECYCLE_CONTINUE_DELAY": "0.1",
            "LIFECYCLE_SANDBOX": "off",  # but where a scenario asks for it: the same points on every machine
            "CRASH_MATRIX": self._mark,
            **self._server.environment(),
        }


_STATUSES: Final = (0, 5, 143)
"""Complete, fatal (a person starts again), interrupted (the next start goes on)."""

_REASONS: Final = ("", StopReason.COMPLETE, StopReason.FATAL, StopReason.INTERRUPTED)
"""A run that has not ended, and the ends that scenarios have in store."""

_ESCAPED: Final = "sleep 60"
"""What a scenario leaves behind on purpose, for the next manager to end."""
