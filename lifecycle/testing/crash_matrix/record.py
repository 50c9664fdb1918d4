"""What is on the disk after a life: the journal, read as another process reads it, and the project, as plain lines.

An *account* is a bag of lines that say what happened and what is there, with nothing in them that differs between two
runs of one scenario. What a crash cost is then a difference of two bags: lines that are missing were lost, lines that
are there too often were repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Note, SessionRecord, TransitionRecord
from lifecycle.workspace.progress import PROGRESS_NAME
from states.vocabulary import State

__all__ = ["OF_A_LIFE", "Record", "account"]


@dataclass(frozen=True, slots=True)
class Record:
    """The journal of one project.

    Attributes:
        sessions: in the order in which they first ran.
        cost_usd: of all runs.
    """

    transitions: Sequence[TransitionRecord] = ()
    notes: Sequence[Note] = ()
    sessions: Sequence[SessionRecord] = ()
    cost_usd: float = 0.0

    @classmethod
    def read(cls, project: Path, state_root: Path) -> Self:
        """The project's journal; an empty record where there is none.

        Raises:
            JournalCorrupt: it does not hold together.
        """
        path = state_directory(project, state_root, {}) / JOURNAL_NAME
        return cls(*asyncio.run(_read(path))) if path.exists() else cls()

    @property
    def reason(self) -> str:
        """Why the last run ended; empty while it has not."""
        last = self.transitions[-1] if self.transitions else None
        return "" if last is None or last.dest != State.SHUTDOWN else str(last.facts.stop_reason)


async def _read(
    path: Path,
) -> tuple[Sequence[TransitionRecord], Sequence[Note], Sequence[SessionRecord], float]:
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        transitions = await journal.transitions()
        ids = dict.fromkeys(each.facts.session.id for each in transitions if each.facts.session is not None)
        found = [await journal.session(id_) for id_ in ids]
        runs = dict.fromkeys(each.run_id for each in transitions)
        costs = [(await journal.spent(run_id)).cost_usd for run_id in runs]
        sessions = [each for each in found if each is not None]
        return transitions, await journal.notes(), sessions, sum(costs)
    finally:
        await journal.close()


def account(record: Record, project: Path, state_root: Path) -> Counter[str]:
    """Everything that happened to the project and its record, as lines."""
    numbers = {str(session.session_id): str(session.number) for session in record.sessions}
    lines = [
        *_transitions(record),
        *(f"session {each.number}: {each.type}, iteration {each.iteration}" for each in record.sessions),
        *(f"note {each.kind} after transition {each.seq}" for each in record.notes if each.kind not in OF_A_LIFE),
        *_features(project),
        *(f"commit {subject}" for subject in _git(project, "log", "--format=%s", "--reverse")),
        *(f"entry of session {numbers.get(id_, id_)}" for id_ in _entries(project)),
        *_files(project),
        *(line for place in (project, *_submodules(project)) for line in _salvages(place, numbers)),
        *(f"left behind: {path.name}" for path in _leftovers(project, state_root)),
    ]
    return Counter(lines)


GIT_MAX_S: Final = 60.0

OF_A_LIFE: Final = frozenset(
    {NoteKind.STARTED, NoteKind.RECOVERED, NoteKind.AGENT_STARTED, NoteKind.AGENT_REAPED, NoteKind.LAST_WORDS}
)
"""Notes of which each life, or each leg of a conversation, has its own."""


def _transitions(record: Record) -> Iterator[str]:
    runs = list(dict.fromkeys(each.run_id for each in record.transitions))
    for each in record.transitions:
        facts, session = each.facts, each.facts.session
        where = f"run {runs.index(each.run_id) + 1}, iteration {facts.counters.iterations}"
        if session is not None:
            where += f", session {session.number}{' resumed' if session.is_resumption else ''}"
        if facts.outcome is not None:
            where += f", {facts.outcome.cause}"
        if facts.stop_reason is not None:
            where += f", {facts.stop_reason}"
        counts = f"{facts.counters.failures} failures"
        yield f"transition {each.seq} {each.source} {each.trigger} {each.dest} ({where}, {counts})"


def _features(project: Path) -> Iterator[str]:
    path = project / "feature_list.json"
    if path.exists():
        for number, feature in enumerate(json.loads(path.read_text(encoding="utf-8")), 1):
            yield f"feature {number} {feature['description']!r} {'passes' if feature['passes'] else 'fails'}"


def _entries(project: Path) -> list[str]:
    path = project / PROGRESS_NAME
    return re.findall(r"^--- session \d+ \(([^()\s]+)\), noted", path.read_text(), re.MULTILINE) if path.is_file() else []


def _files(project: Path) -> Iterator[str]:
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project)
        if ".git" in name.parts or not path.is_file() or name == Path(PROGRESS_NAME):
            continue
        yield f"file {name} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def _submodules(project: Path) -> list[Path]:
    return sorted(place.parent for place in project.glob("*/.git"))


def _salvages(project: Path, numbers: dict[str, str]) -> Iterator[str]:
    for ref in _git(project, "for-each-ref", "--format=%(refname)", "refs/lifecycle"):
        session, _, nth = ref.rpartition("/")[2].rpartition("-")
        files = _git(project, "ls-tree", "-r", "--name-only", ref)
        yield f"salvage {nth} of session {numbers.get(session, session)} in {project.name}: {' '.join(files)}"


def _leftovers(project: Path, state_root: Path) -> Iterator[Path]:
    for root in (project, state_root):
        for path in root.rglob("*"):
            if ".lifecycle-" in path.name or path.name.endswith(".new"):
                yield path


def _git(project: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False, timeout=GIT_MAX_S)
    return done.stdout.splitlines() if done.returncode == 0 else []
