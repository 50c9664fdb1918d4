"""SIGKILL of the manager in END, with the real CLI, while it verifies and writes the record.

The long form: `pytest tests/e2e/crash/test_end_killed.py --kills 100 --timeout 7200 -n 0 -s`.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter

from lifecycle.journal.notes import NoteKind

KILLS = 6
VERIFY = "sleep 0.4; python3 -m unittest"


def test_a_manager_killed_in_end_verifies_and_records_every_session_once(new_laboratory, dice: random.Random, request) -> None:
    kills_left = request.config.getoption("--kills") or KILLS
    killed_in: Counter[str] = Counter()
    while kills_left > 0:
        laboratory = new_laboratory()
        while True:
            manager = laboratory.start("--verify-command", VERIFY)
            while kills_left > 0 and manager.poll() is None:
                status = laboratory.status()
                if status is None or status.state != "END":
                    time.sleep(0.02)
                    continue
                try:
                    manager.wait(dice.uniform(0.0, 1.2))
                except subprocess.TimeoutExpired:
                    manager.kill()
                    since = time.monotonic()
                    laboratory.finish(manager)
                    laboratory.assert_all_gone(since)
                    kills_left -= 1
                    after = laboratory.status()
                    killed_in[after.state if after else "NEW"] += 1
                break
            code, output = laboratory.finish(manager)
            if code == 0:
                assert json.loads(output)["stop_reason"] == "complete"
            if laboratory.status().state == "SHUTDOWN":
                break
        laboratory.assert_as_if_nothing_had_happened()
        _assert_recorded_once(laboratory)
    print(f"killed in {dict(killed_in)}")


def _assert_recorded_once(laboratory) -> None:
    ends = [t for t in laboratory.transitions() if t.dest == "END" and t.source == "RUN"]
    for kind in (NoteKind.SESSION_SAVED, NoteKind.VERIFIED):
        seqs = [note.seq for note in laboratory.notes(kind)]
        assert len(seqs) == len(set(seqs)), f"{kind} once for each END"
        assert set(seqs) <= {t.seq for t in ends}
    assert [note.seq for note in laboratory.notes(NoteKind.SESSION_SAVED)] == [t.seq for t in ends]
    assert all(note.data["verdict"] == "passed" for note in laboratory.notes(NoteKind.VERIFIED))
    assert laboratory.notes(NoteKind.RULE_BROKEN) == []
    assert laboratory.notes(NoteKind.FEATURES_CHANGED) == []
