"""SIGKILL of the manager at random moments, with the real CLI, over repeated runs to completion.

The long form: `pytest tests/e2e/crash --kills 200 --timeout 7200 -n 0 -s`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import psutil
import pytest

KILLS = 8
LONGEST_S = 5.0
"""A manager lives for a random time up to this before it is killed; a whole run takes about 10 s."""


def test_a_manager_killed_at_random_moments_loses_nothing(new_laboratory, dice: random.Random, request) -> None:
    kills_left = request.config.getoption("--kills") or KILLS
    gone_s: list[float] = []
    rounds = resumed = 0
    while kills_left > 0:
        laboratory = new_laboratory()
        rounds += 1
        cost_usd, iterations = 0.0, 0
        while True:
            manager = laboratory.start()
            if kills_left > 0:
                try:
                    manager.wait(dice.uniform(0.05, LONGEST_S))
                except subprocess.TimeoutExpired:
                    manager.kill()
                    killed_at, since = time.time(), time.monotonic()
                    laboratory.finish(manager)
                    gone_s.append(laboratory.assert_all_gone(since))
                    kills_left -= 1
                    status = laboratory.status()
                    if status is not None:
                        assert status.cost_usd >= cost_usd, "cost never falls"
                        assert status.iteration >= iterations
                        cost_usd, iterations = status.cost_usd, status.iteration
                    assert laboratory.requests_after(killed_at) == []
                    if status is not None and status.state == "SHUTDOWN":
                        break  # it was done, and killed on its way out
                    continue
            code, output = laboratory.finish(manager)
            assert code == 0, laboratory.stderr.read_text()
            document = json.loads(output)
            assert document["stop_reason"] == "complete"
            assert document["cost_usd"] >= cost_usd
            break
        laboratory.assert_as_if_nothing_had_happened()
        resumed += laboratory.assert_conversations_were_resumed()
    print(
        f"{len(gone_s)} kills over {rounds} runs to completion; all gone after {max(gone_s):.2f} s at most, "
        f"median {sorted(gone_s)[len(gone_s) // 2]:.2f} s"
    )


def test_a_cli_killed_at_random_moments_loses_nothing(new_laboratory, dice: random.Random, request) -> None:
    """SIGKILL of the CLI under a living manager: the manager resumes the conversation by itself."""
    kills_left = request.config.getoption("--kills") or KILLS
    done = rounds = 0
    while kills_left > 0:
        laboratory = new_laboratory()
        rounds += 1
        manager = laboratory.start()
        while manager.poll() is None and kills_left > 0:
            time.sleep(dice.uniform(0.05, 4.0))
            for process in _clis(laboratory):
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
                kills_left -= 1
                done += 1
        code, output = laboratory.finish(manager, timeout_s=240)
        assert code == 0, laboratory.stderr.read_text()
        assert json.loads(output)["stop_reason"] == "complete"
        laboratory.assert_as_if_nothing_had_happened()
        laboratory.assert_conversations_were_resumed()
        assert laboratory.agents() == []
    print(f"{done} kills of the CLI over {rounds} runs to completion")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_suspends_and_leaves_nothing_running(
    laboratory, dice: random.Random, number: signal.Signals, status: int
) -> None:
    """The exit status tells the signal, and the next start goes on under the same run and counters."""
    run_ids = set()
    for _ in range(3):
        manager = laboratory.start()
        try:
            manager.wait(dice.uniform(0.8, 3.0))
        except subprocess.TimeoutExpired:
            os.kill(manager.pid, number)
        code, output = laboratory.finish(manager)
        laboratory.assert_all_gone(time.monotonic())
        if not output:
            continue  # the signal came before there was a run to suspend
        document = json.loads(output)
        assert (code, document["stop_reason"]) in ((status, "interrupted"), (0, "complete"))
        run_ids.add(document["run_id"])
    code, output = laboratory.finish(laboratory.start())
    assert code == 0
    assert len({json.loads(output)["run_id"], *run_ids}) == 1 or laboratory.status().iteration == 0
    laboratory.assert_as_if_nothing_had_happened()


def _clis(laboratory) -> list[psutil.Process]:
    """The CLI's own process, not its leash nor what it started."""
    found = []
    for process in laboratory.agents():
        try:
            if os.path.basename(process.exe()) == "claude":
                found.append(process)
        except psutil.Error:
            continue
    return found
