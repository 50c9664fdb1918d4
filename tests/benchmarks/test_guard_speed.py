"""A typical command is judged in well under 300 microseconds, so that the gate is never what an agent waits for."""

from __future__ import annotations

import statistics
import time

import pytest

from lifecycle.guard import validate_command

TYPICAL = [
    "ls -la src",
    "npm run build 2>&1 | tail -20",
    'git add -A && git commit -m "feat: a login page"',
    "cd client && npm ci && npm test",
    'for f in *.js; do wc -l "$f"; done',
    "[ -f .env ] || cp .env.example .env",
    "NODE_ENV=test node --test tests/",
    'pkill -f "node server.js"; sleep 1; node server.js > log.txt 2>&1 &',
    "cat > src/a.js <<'EOF'\nconsole.log(`x ${1}`)\nEOF\nnode src/a.js",
]
LIMIT_US = 300


@pytest.mark.alone
def test_a_typical_command_is_judged_in_under_300_microseconds() -> None:
    """The median over typical commands, each at its best of many, so that a busy machine does not decide."""
    best_us = []
    for command in TYPICAL:
        runs = []
        for _ in range(50):
            started = time.perf_counter()
            assert validate_command(command, "minimal", "/work/project", home="/root").allowed
            runs.append((time.perf_counter() - started) * 1e6)
        best_us.append(min(runs))
    assert statistics.median(best_us) < LIMIT_US, best_us
