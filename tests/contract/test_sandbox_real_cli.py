"""The sandbox around the real CLI's commands: what an attacker meets in it, and what honest work does not."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.cli_path import find_cli
from lifecycle.agent.confinement import Confinement
from lifecycle.agent.homes import hidden_places
from lifecycle.agent.sandbox import sandbox_problem
from lifecycle.agent.walled import SUFFIX
from lifecycle.config import Config
from lifecycle.events import HostRefused
from lifecycle.offline import ToolUse
from lifecycle.offline.scenarios import endless, steps, text_only
from lifecycle.ports import VerdictKind
from lifecycle.runtime.local import local_verifier
from lifecycle.stopping import LocalStopFlag
from states.facts import Outcome
from states.vocabulary import Cause, SessionId

pytestmark = pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")

KEY = "sk-ant-a-secret-key"
ROOT = Path(__file__).parents[2]


def python(*attempts: str) -> str:
    """A command that makes each attempt and tells every failure."""
    code = (
        f"import os, socket\nfor attempt in {attempts!r}:\n    try:\n        exec(attempt)\n"
        "    except Exception as error:\n        print(type(error).__name__, error)"
    )
    return f"python3 -c {shlex.quote(code)}"


@pytest.fixture
def walls(agent_lab: Any, proven_state_dir: Path) -> Confinement:
    """Walls as a run has them, with a person's secrets behind them."""
    home = agent_lab.root
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("SWORDFISH")
    (home / ".netrc").write_text("SWORDFISH")
    state = home / "states"
    (state / "another").mkdir(parents=True)
    (state / "another" / "journal.sqlite3").write_text("SWORDFISH")
    hidden = (state, *hidden_places({"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / "config")}, agent_lab.project))
    return Confinement(agent_lab.project, state / "this" / "scratch", hidden, hosts=("allowed.example",))


def bash(*commands: str) -> list[ToolUse]:
    return [ToolUse("Bash", {"command": command}) for command in commands]


async def patiently(agent_lab: Any, scenario: Any, **how: Any) -> tuple[Outcome, Any]:
    """A whole leg of many commands, however busy the machine is."""
    async with agent_lab.leg(scenario, **how) as leg:
        return await asyncio.wait_for(leg.run, 200), leg


def told(leg: Any) -> list[str]:
    return [result.text for result in leg.server.requests[-1].tool_results.values()]


async def test_an_attacker_finds_nothing_and_leaves_nothing(agent_lab: Any, walls: Confinement, left_of: Any) -> None:
    """Through an interpreter that any policy would allow; the gate is not even asked."""
    project, root = agent_lab.project, agent_lab.root
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / ".claude").mkdir()
    (project / "lifecycle.toml").write_text("max_turns = 5\n")
    before = {path: path.read_bytes() for path in (project / "lifecycle.toml", project / ".git" / "config")}
    protected = ("lifecycle.toml", ".git/config", ".git/hooks/pre-commit", ".claude/settings.json")
    outside = (root, root / "states/this", root / "states/another", Path("/usr"), Path.home())
    listening = socket.create_server(("127.0.0.1", 0))
    attacks = {
        "protected": python(*(f"open('{name}', 'a').write('evil')" for name in protected)),
        "moved": python(*(f"os.rename('{name}', 'x')" for name in (".git", ".claude", "lifecycle.toml", ".git/hooks"))),
        "removed": python(*(f"os.unlink('{name}')" for name in ("lifecycle.toml", ".git/config"))),
        "outside": python(*(f"open('{place}/evil', 'w')" for place in outside)),
        "records": f"cat {root}/states/another/journal.sqlite3 2>&1; ls -a {root}/states {root}/states/another 2>&1",
        "secrets": f"cat {root}/.ssh/id {root}/.netrc 2>&1; ls -a {root}/.ssh",
        "key": "echo key=$ANTHROPIC_API_KEY; env; cat /proc/*/environ | tr '\\0' '\\n'",
        "processes": "ls /proc | grep -c '^[0-9]'; kill -9 $CLAUDE_PID 2>&1; true",
        "network": python(
            "socket.create_connection(('1.1.1.1', 80), 3)",
            f"socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}), 3)",
        ),
        "proxy": "curl -sS -m 10 http://example.com/ 2>&1; curl -sS -m 10 https://example.com/ 2>&1",
        "sockets": "find /run/ /tmp /var/run/ -type s; ls -A /run/; echo none",
        "the cli's own": "touch $CLAUDE_CODE_TMPDIR/claude-$(id -u)/x 2>&1; mv $CLAUDE_CODE_TMPDIR $CLAUDE_CODE_TMPDIR-2 2>&1",
        "remount": "mount -o remount,rw / 2>&1; umount lifecycle.toml 2>&1; grep Cap /proc/self/status; unshare -U echo nested",
        "linger": "setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo started",
    }  # fmt: skip
    session_id = SessionId("c0ffee00-0000-4000-8000-000000000001")
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD"), KEY)
    with listening:
        outcome, leg = await patiently(
            agent_lab, steps(*bash(*attacks.values())), session_id=session_id, confinement=walls, env=keys
        )
    assert outcome.cause is Cause.END_TURN
    results = dict(zip(attacks, told(leg), strict=True))

    assert results["protected"].count("Read-only file system") == len(protected), results["protected"]
    assert results["moved"].count("Error") == 4, results["moved"]
    assert results["removed"].count("Error") == 2, results["removed"]
    assert {path: path.read_bytes() for path in before} == before
    # Directories of the temporary file system are there, and empty: what is written in them is nowhere.
    assert not any((place / "evil").exists() for place in outside)
    assert "SWORDFISH" not in str(results)
    assert "another" not in results["records"].splitlines()
    assert KEY not in str(results)
    assert "key=\n" in results["key"]
    assert int(results["processes"].splitlines()[0]) < 15, "the machine's processes are not to be seen"
    assert results["network"].count("Error") == 2, results["network"]
    assert "example.com:80 cannot be reached from the sandbox" in results["proxy"]
    assert "403" in results["proxy"]
    assert {(event.host, event.port) for event in leg.log.told(HostRefused)} == {("example.com", 80), ("example.com", 443)}
    assert results["sockets"].strip() == "none"
    assert results["the cli's own"].count("cannot") == 2, results["the cli's own"]
    assert "CapEff:\t0000000000000000" in results["remount"]
    assert "nested" not in results["remount"].splitlines(), "bubblewrap is older than 0.8.0"
    assert results["linger"].strip() == "started"
    assert left_of(session_id) == left_of(SessionId(session_id + SUFFIX)) == []
    assert sorted(path.name for path in project.iterdir()) == [".claude", ".git", "lifecycle.toml"]


async def test_honest_work_goes_on_as_without_it(agent_lab: Any, walls: Confinement) -> None:
    """From an empty directory: repository, commits, a server that outlives its command, caches, signals, statuses."""
    project = agent_lab.project
    (project / "app_spec.txt").write_text("An app.\n")
    work = {
        "repository": "git init -q && git config commit.gpgsign false && touch init.sh feature_list.json && git add -A && git commit -qm First && git status --short && git log --format='%an <%ae> %s' --name-only",
        "server": "mkdir -p public && echo hello > public/index.html && cd public && python3 -m http.server 8123 > ../server.log 2>&1 & sleep 0.1; echo up",
        "request": "for n in 1 2 3 4 5 6 7 8 9 10; do curl -sS localhost:8123/index.html 2>/dev/null && break; sleep 0.3; done",
        "seen": "pgrep -f 'http.serve[r]' | wc -l; pkill -f 'http.serve[r]'; echo stopped",
        "directory": "mkdir -p deep && cd deep && pwd",
        "stays": "pwd; basename $SHELL; python3 -c 'import pty; pty.openpty(); print(1)'",
        "temporary": "mktemp -d /tmp/x.XXXXXX && python3 -c 'import tempfile; print(tempfile.mkdtemp())'",
        "caches": "for each in $XDG_CACHE_HOME $npm_config_cache $CARGO_HOME; do mkdir -p $each && touch $each/x || echo bad; done; echo fine",
        "status": "exit 7",
        "signal": "kill -TERM $$",
        "streams": "echo out; echo err >&2; head -c 300000 /dev/zero | tr '\\0' x | wc -c",
        "branch": "cd .. && git checkout -q -b topic && echo b > b && git add -A && git commit -qm Second && git log --oneline | wc -l",
    }  # fmt: skip
    uses = bash(*work.values())
    uses.append(ToolUse("Bash", {"command": "python3 -c 'import time; time.sleep(99)'; echo no", "timeout": 1200}))
    uses += bash("pgrep -f 'time.slee[p]' | wc -l")
    outcome, leg = await patiently(agent_lab, steps(*uses), confinement=walls, env={"GIT_CONFIG_GLOBAL": os.devnull})
    assert outcome.cause is Cause.END_TURN
    results = dict(zip([*work, "slow", "gone"], told(leg), strict=True))
    assert results["repository"].split() == [
        "Claude", "<noreply@anthropic.com>", "First", "app_spec.txt", "feature_list.json", "init.sh"
    ]  # fmt: skip
    assert "up" in results["server"]
    assert results["request"].strip() == "hello"
    assert results["seen"].split()[1:] == ["stopped"]
    assert int(results["seen"].split()[0]) >= 1
    assert results["stays"].split() == [str(project / "deep"), "bash", "1"]
    assert len(results["temporary"].split()) == 2
    assert results["caches"].strip() == "fine"
    assert "Exit code 7" in results["status"]
    assert "Exit code 144" in results["signal"], "what the CLI makes of it without a sandbox too"
    assert results["streams"].split() == ["out", "300000", "err"] or set(results["streams"].split()) == {"out", "err", "300000"}
    assert results["branch"].strip() == "2"
    assert "timed out" in results["slow"]
    assert results["gone"].strip() == "0"
    # What stood in for sealed files went with the walls, and was never committed.
    assert not (project / "lifecycle.toml").exists()
    assert not (project / ".claude").exists()
    prompt = leg.server.requests[-1].system_text
    assert "Commands run in a sandbox" in prompt
    assert "allowed.example" in prompt


async def test_a_cli_that_takes_another_shell_is_found_out(agent_lab: Any, walls: Confinement, tmp_path: Path) -> None:
    """Before anything is paid: the proof, made with this very program, does not come about."""
    stubborn = tmp_path / "stubborn-claude"
    stubborn.write_text(f'#!/bin/sh\nunset CLAUDE_CODE_SHELL\nexec {find_cli()} "$@"\n')
    stubborn.chmod(0o755)
    outcome, leg = await agent_lab.run(text_only(), confinement=walls, cli_path=stubborn, state_dir=tmp_path / "state")
    assert outcome.cause is Cause.GATE
    assert "outside the sandbox" in outcome.detail
    assert leg.server.requests == ()
    assert not (tmp_path / "state" / "sandbox-proof.json").exists()


async def test_a_cancel_lets_the_walls_fall(agent_lab: Any, walls: Confinement, eventually: Any, left_of: Any) -> None:
    """The laboratory sees to it that nothing of the agent's is left; here it is the walls and what stood in them."""
    command = "setsid sleep 500 & touch begun; python3 -c 'import time; time.sleep(400)'"
    async with agent_lab.leg(endless(command), confinement=walls) as leg:
        await eventually((agent_lab.project / "begun").exists, 60)
        assert left_of(SessionId(leg.session_id + SUFFIX)) != []
        leg.run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leg.run
        assert left_of(leg.session_id) == left_of(SessionId(leg.session_id + SUFFIX)) == []
    assert not (agent_lab.project / "lifecycle.toml").exists()


async def test_a_verification_stands_within_the_same_walls(agent_lab: Any, walls: Confinement) -> None:
    project, root = agent_lab.project, agent_lab.root
    places = ("lifecycle.toml", root / "evil", "made")
    attack = (
        python(*(f"open('{place}', 'w').write('evil')" for place in places), "socket.create_connection(('1.1.1.1', 80), 3)")
        + f"; cat {root}/.ssh/id 2>&1; env | grep -i key; mktemp; exit 3"
    )
    verifier = local_verifier(project, replace(Config(), verify_command=attack), walls)
    assert verifier is not None
    verdict = await verifier.verify(SessionId("a-session"), LocalStopFlag())
    assert verdict.kind is VerdictKind.FAILED
    assert "exit status 3" in verdict.detail
    assert "SWORDFISH" not in verdict.output
    assert "unreachable" in verdict.output
    assert sorted(path.name for path in project.iterdir()) == ["made"]
    assert not (root / "evil").exists()


def test_the_walls_fall_with_a_killed_manager(tmp_path: Path, left_of: Any) -> None:
    """SIGKILL, which nobody can catch: within two seconds nothing that stood within is left."""
    (tmp_path / "project").mkdir()
    program = (
        "import asyncio, os, signal, subprocess, sys\n"
        "from pathlib import Path\n"
        "from lifecycle.agent.confinement import Confinement\n"
        "from lifecycle.agent.shell import agent_shell\n"
        "async def main():\n"
        f"    walls = Confinement(Path({str(tmp_path / 'project')!r}), Path({str(tmp_path / 'state' / 'scratch')!r}))\n"
        f"    async with agent_shell(walls, Path({str(tmp_path)!r}), 'killed-session', dict(os.environ)) as shell:\n"
        "        run = [shell['CLAUDE_CODE_SHELL'], '-c', 'setsid sleep 600 & sleep 600 & touch up; sleep 600']\n"
        f"        subprocess.Popen(run, cwd={str(tmp_path / 'project')!r}, env={{**os.environ, 'LIFECYCLE_SESSION_ID': 'killed-session'}})\n"
        f"        while not Path({str(tmp_path / 'project' / 'up')!r}).exists(): await asyncio.sleep(0.02)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -9
    for _ in range(100):
        if not (left := left_of(SessionId("killed-session")) + left_of(SessionId("killed-session" + SUFFIX))):
            break
        subprocess.run(["sleep", "0.02"], check=True)
    assert left == []
