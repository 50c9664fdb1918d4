"""The sandbox without the agent: whether it can be had, where the walls stand, who gets through the proxy."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lifecycle.agent.confinement import WITHHELD, Confinement
from lifecycle.agent.homes import hidden_places
from lifecycle.agent.placeholders import Placeholders
from lifecycle.agent.sandbox import SandboxMode, choose_sandbox, sandbox_problem
from lifecycle.agent.sandbox_proxy import HostProxy, is_allowed
from lifecycle.agent.shell import agent_shell
from lifecycle.config import Config, from_environment, from_file, from_flags, resolve
from lifecycle.doctor.finding import Verdict
from lifecycle.doctor.machine import machine
from lifecycle.errors import ConfigurationError
from lifecycle.runtime.local import local_confinement
from states.vocabulary import SessionId

# --- can it be had? ---------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A search path with nothing on it yet."""
    place = tmp_path / "programs"
    place.mkdir()
    return place


def put(place: Path, name: str, script: str) -> None:
    path = place / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_required_refuses_where_there_is_none_and_says_what_to_install(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        choose_sandbox("required", tmp_path, source="--sandbox", search_path=str(programs))
    assert refusal.value.source == "--sandbox"
    for word in ("required", "bwrap", "apt-get install bubblewrap"):
        assert word in str(refusal.value)


def test_auto_goes_on_without_and_knows_why(programs: Path, tmp_path: Path) -> None:
    chosen = choose_sandbox("auto", tmp_path, hosts="pypi.org", search_path=str(programs))
    assert not chosen.is_on
    assert "bwrap is not installed" in chosen.problem
    assert chosen.to_record() == {"mode": "auto", "on": False, "problem": chosen.problem}
    assert chosen.hosts == ""


def test_off_does_not_even_look(tmp_path: Path) -> None:
    chosen = choose_sandbox("off", tmp_path / "nowhere", search_path="")
    assert (chosen.mode, chosen.is_on, chosen.problem) == (SandboxMode.OFF, False, "")


def test_a_bubblewrap_that_is_forbidden_its_work_is_found_out(programs: Path) -> None:
    """Installed is not enough: many machines do not allow user namespaces."""
    put(programs, "bwrap", "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    problem = sandbox_problem(search_path=str(programs))
    assert "setting up uid map: Permission denied" in problem
    assert "user namespaces" in problem


def test_a_bubblewrap_without_walls_is_found_out(programs: Path) -> None:
    """What it runs leaves a trace outside, so whatever it calls itself, it is none."""
    put(programs, "bwrap", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    assert "holds" in sandbox_problem(search_path=str(programs))


def test_a_bubblewrap_that_hangs_is_given_up(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifecycle.agent.sandbox._TIMEOUT_S", 0.2)
    put(programs, "bwrap", "exec sleep 20")
    assert "did not end" in sandbox_problem(search_path=str(programs))


def test_a_place_from_which_no_program_runs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.statvfs", lambda place: SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NODEV))
    assert "noexec" in sandbox_problem()


def test_elsewhere_than_on_linux_there_is_none() -> None:
    assert "made for Linux" in sandbox_problem(platform="darwin")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can meet a project of another user's")
def test_root_is_told_that_it_has_no_privilege_within(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    assert "another user's (uid 1234)" in choose_sandbox("auto", tmp_path).problem


@pytest.mark.parametrize("place", ["/", "/tmp", "/run", "/proc", "/dev", "/sys"])
def test_a_project_that_would_bring_back_what_is_covered_has_none(place: str, tmp_path: Path) -> None:
    """Also by a link. Binding it would lay the machine's own sockets, processes and devices open."""
    if os.stat(place).st_uid == os.geteuid():
        (tmp_path / "link").symlink_to(place)
        for project in (Path(place), tmp_path / "link"):
            assert "must not see" in choose_sandbox("auto", project).problem
        with pytest.raises(ConfigurationError, match="directory of its own"):
            choose_sandbox("required", Path(place))


def test_doctor_makes_the_same_trial(programs: Path) -> None:
    def found(script: str | None) -> tuple[str, str, str]:
        if script is not None:
            put(programs, "bwrap", script)
        each = next(each for each in machine({"PATH": str(programs)}, Path("/")) if each.name == "sandbox")
        return each.verdict, each.found, each.advice

    verdict, told, advice = found(None)
    assert (verdict, advice) == (Verdict.NOTE, "on Debian and Ubuntu: apt-get install bubblewrap")
    assert "run without one" in told
    verdict, told, _ = found("exit 1")
    assert verdict == Verdict.NOTE
    assert "none that holds" in told


# --- the settings -----------------------------------------------------------------------------------------------


def test_the_settings_stand_wherever_settings_stand(tmp_path: Path) -> None:
    file = tmp_path / "lifecycle.toml"
    file.write_text('sandbox = "required"\nsandbox_hosts = ["PyPI.org", "*.example.com:443"]\n')
    config = resolve(from_flags({"sandbox": "off"}), from_environment({"LIFECYCLE_SANDBOX": "auto"}), from_file(file, must_exist=True))
    assert config.sandbox == "off"
    assert config.sandbox_hosts == "pypi.org,*.example.com:443"
    assert Config().sandbox == "auto"
    assert from_flags({"sandbox_hosts": "none"}).values == {"sandbox_hosts": None}


@pytest.mark.parametrize("hosts", ["", "*", "a b", "http://pypi.org", "pypi.org:x", "-a.org", "*.*.org", 5, [5]])
def test_what_is_no_host_is_refused(hosts: object) -> None:
    with pytest.raises(ConfigurationError, match="names of hosts"):
        from_flags({"sandbox_hosts": hosts})


# --- the walls --------------------------------------------------------------------------------------------------


def pairs(arguments: list[str], option: str) -> list[str]:
    return [arguments[at + 1] for at, each in enumerate(arguments) if each == option]


def test_what_is_sealed_comes_last_and_is_a_mount_in_a_mount(tmp_path: Path) -> None:
    """A later mount lies on an earlier one; and only what is a mount itself cannot be moved away."""
    for name in (".git/hooks", ".claude"):
        (tmp_path / name).mkdir(parents=True)
    for name in (".git/config", "lifecycle.toml"):
        (tmp_path / name).touch()
    walls = Confinement(tmp_path, tmp_path.parent / "scratch").walls(["true"])
    order = [walls.index(str(tmp_path / name)) for name in ("", ".git", ".claude", "lifecycle.toml", ".git/hooks", ".git/config")]
    assert order == sorted(order)
    assert walls[-2:] == ["--", "true"]
    for flag in ("--unshare-net", "--unshare-pid", "--die-with-parent", "--new-session"):
        assert flag in walls


def test_what_holds_the_project_is_not_hidden(tmp_path: Path) -> None:
    inside = tmp_path / ".config" / "gcloud" / "app"
    inside.mkdir(parents=True)
    hidden = hidden_places({"HOME": str(tmp_path)}, inside)
    assert tmp_path / ".ssh" in hidden
    assert tmp_path / ".config" / "gcloud" not in hidden


def test_a_login_is_hidden_wherever_the_cli_keeps_it(tmp_path: Path) -> None:
    hidden = hidden_places({"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": "/elsewhere"}, tmp_path / "app")
    assert Path("/elsewhere/.credentials.json") in hidden


def test_tools_are_led_to_what_they_can_write_and_to_the_browsers_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    confinement = Confinement(tmp_path / "app", tmp_path / "scratch", homes=(tmp_path,))
    assert "PLAYWRIGHT_BROWSERS_PATH" not in confinement.environment()
    browsers = tmp_path / ".cache" / "ms-playwright"
    browsers.mkdir(parents=True)
    found = confinement.environment()
    assert found["PLAYWRIGHT_BROWSERS_PATH"] == str(browsers)
    assert found["GRADLE_USER_HOME"] == str(tmp_path / "scratch" / "gradle")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", "/opt/browsers")
    assert "PLAYWRIGHT_BROWSERS_PATH" not in confinement.environment()


def test_a_linked_worktree_can_write_its_repository_and_not_its_configuration(tmp_path: Path) -> None:
    main, linked = tmp_path / "main", tmp_path / "linked"
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@localhost"]
    subprocess.run([*git, "init", "-q", str(main)], check=True)
    subprocess.run([*git, "-C", str(main), "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    subprocess.run([*git, "-C", str(main), "worktree", "add", "-q", str(linked)], check=True, stderr=subprocess.DEVNULL)
    walls = Confinement(linked, tmp_path / "scratch").walls(["true"])
    assert str(main / ".git") in pairs(walls, "--bind")
    assert str(main / ".git" / "config") in pairs(walls, "--ro-bind")


def test_a_git_file_of_the_agents_opens_nothing(tmp_path: Path) -> None:
    """It may name any directory; only one that has this worktree among its own is believed."""
    (tmp_path / "treasure" / "objects").mkdir(parents=True)
    (tmp_path / "project" / "fake").mkdir(parents=True)
    (tmp_path / "project" / "fake" / "commondir").write_text(str(tmp_path / "treasure"))
    (tmp_path / "project" / ".git").write_text("gitdir: fake\n")
    walls = Confinement(tmp_path / "project", tmp_path / "scratch").walls(["true"])
    assert str(tmp_path / "treasure") not in walls


def test_a_git_file_that_names_another_worktree_opens_nothing(tmp_path: Path) -> None:
    """A repository of the person's is believed only when it names this project as its worktree."""
    victim, linked = tmp_path / "victim", tmp_path / "linked"
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@localhost"]
    subprocess.run([*git, "init", "-q", str(victim)], check=True)
    subprocess.run([*git, "-C", str(victim), "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    subprocess.run([*git, "-C", str(victim), "worktree", "add", "-q", str(linked)], check=True, stderr=subprocess.DEVNULL)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".git").write_text((linked / ".git").read_text())
    walls = Confinement(tmp_path / "project", tmp_path / "scratch").walls(["true"])
    assert str(victim / ".git") not in walls
    assert str(tmp_path / "project" / ".git") in pairs(walls, "--ro-bind")


def test_what_is_hidden_within_the_project_is_hidden_after_the_project_is_bound(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    walls = Confinement(tmp_path, tmp_path / "scratch", hidden=(tmp_path / ".ssh",)).walls(["true"])
    last = len(walls) - 1 - walls[::-1].index(str(tmp_path / ".ssh"))
    assert walls[last - 1] == "--tmpfs"
    assert last > walls.index(str(tmp_path))


@pytest.mark.skipif(bool(sandbox_problem()), reason="no sandbox here")
def test_a_secret_within_the_project_and_anothers_repository_are_out_of_reach(tmp_path: Path) -> None:
    """Shown by bubblewrap itself."""
    project = tmp_path / "project"
    (project / ".ssh").mkdir(parents=True)
    (project / ".ssh" / "id").write_text("SWORDFISH")
    foreign = tmp_path / "main" / ".git"
    (foreign / "worktrees" / "wt").mkdir(parents=True)
    (foreign / "objects").mkdir()
    (foreign / "worktrees" / "wt" / "commondir").write_text("../..\n")
    (foreign / "worktrees" / "wt" / "gitdir").write_text(f"{tmp_path}/wt/.git\n")
    (project / ".git").write_text(f"gitdir: {foreign}/worktrees/wt\n")
    confinement = Confinement(project, tmp_path / "scratch", hidden_places({"HOME": str(project)}, project))
    confinement.prepare()
    attack = f"cat .ssh/id; touch {foreign}/evil; echo gitdir: x > .git; touch fine"
    done = subprocess.run(
        confinement.walls(["sh", "-c", attack]), cwd=project, capture_output=True, text=True, timeout=30, check=False
    )
    assert "SWORDFISH" not in done.stdout
    assert (project / "fine").exists(), done.stderr
    assert not (foreign / "evil").exists()
    assert (project / ".git").read_text().startswith(f"gitdir: {foreign}")


def test_every_record_is_hidden_but_never_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    assert tmp_path / "states" in local_confinement(project, tmp_path / "states" / "project-1", Config()).hidden
    in_a_home = local_confinement(project, tmp_path / "home" / "project-1", Config()).hidden
    assert tmp_path / "home" not in in_a_home
    assert tmp_path / "home" / "project-1" in in_a_home


# --- what is sealed and not there -------------------------------------------------------------------------------


@pytest.fixture
def confinement(tmp_path: Path) -> Confinement:
    (tmp_path / "project").mkdir()
    (tmp_path / "state" / "scratch").mkdir(parents=True)
    return Confinement(tmp_path / "project", tmp_path / "state" / "scratch")


def test_placeholders_come_and_go(confinement: Confinement) -> None:
    (confinement.project_dir / ".claude").mkdir()
    placeholders = Placeholders(confinement)
    placeholders.put()
    assert (confinement.project_dir / "lifecycle.toml").read_bytes() == b""
    assert placeholders.ignored == ("/lifecycle.toml",)
    placeholders.take_away()
    assert [each.name for each in confinement.project_dir.iterdir()] == [".claude"]


def test_what_a_person_puts_in_its_place_stays(confinement: Confinement) -> None:
    placeholders = Placeholders(confinement)
    placeholders.put()
    (confinement.project_dir / "lifecycle.toml").write_text("max_turns = 5\n")
    (confinement.project_dir / ".claude" / "notes").touch()
    placeholders.take_away()
    assert (confinement.project_dir / "lifecycle.toml").read_text() == "max_turns = 5\n"
    assert (confinement.project_dir / ".claude" / "notes").exists()


def test_what_a_killed_manager_left_is_known_and_taken_away(confinement: Confinement) -> None:
    Placeholders(confinement).put()
    heir = Placeholders(confinement)
    heir.put()
    assert set(heir.ignored) == {"/.claude", "/lifecycle.toml"}
    heir.take_away()
    assert list(confinement.project_dir.iterdir()) == []


# --- without a sandbox ------------------------------------------------------------------------------------------


async def test_the_key_is_kept_from_commands_without_a_sandbox_too(tmp_path: Path) -> None:
    secret = dict.fromkeys(WITHHELD, "sk-ant-secret")
    environment = {**os.environ, **secret, "OTHER": "stays"}
    look = 'env; cat /proc/$$/environ /proc/self/environ; echo "$1"'
    async with agent_shell(None, tmp_path, SessionId("s"), environment) as shell:
        done = subprocess.run(
            [shell["CLAUDE_CODE_SHELL"], "-c", look, "bash", "an argument"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert "sk-ant-secret" not in done.stdout
    assert "OTHER=stays" in done.stdout
    assert done.stdout.endswith("an argument\n")


# --- the proxy --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "hosts", "expected"),
    [
        ("pypi.org", 443, ["pypi.org"], True),
        ("PyPI.org.", 443, ["pypi.org"], True),
        ("evil-pypi.org", 443, ["pypi.org"], False),
        ("pypi.org.evil.com", 443, ["pypi.org"], False),
        ("a.example.com", 80, ["*.example.com"], True),
        ("example.com", 80, ["*.example.com"], False),
        ("badexample.com", 80, ["*.example.com"], False),
        (".example.com", 80, ["*.example.com"], False),
        ("pypi.org", 22, ["pypi.org:443"], False),
        ("pypi.org", 443, ["pypi.org:443"], True),
        ("pypi.org", 443, [], False),
    ],
)
def test_hosts_are_told_apart(host: str, port: int, hosts: list[str], expected: bool) -> None:
    assert is_allowed(host, port, hosts) is expected


@asynccontextmanager
async def proxied(hosts: list[str], environment: dict[str, str] | None = None) -> AsyncIterator[tuple[int, list[tuple[str, int]]]]:
    refused: list[tuple[str, int]] = []
    proxy = HostProxy(hosts, environment or {}, lambda host, port: refused.append((host, port)))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    await proxy.start(listening)
    try:
        yield port, refused
    finally:
        await proxy.close()


@asynccontextmanager
async def far_away() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that keeps what it is sent and says hello."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def asked(port: int, *sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in sent:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_an_allowed_host_is_reached_by_tunnel_and_by_address() -> None:
    async with far_away() as (far, heard), proxied(["localhost"]) as (port, refused):
        tunnel = await asked(port, f"CONNECT localhost:{far} HTTP/1.1\r\n\r\n".encode(), b"GET / HTTP/1.1\r\n\r\n")
        plain = await asked(
            port,
            f"GET http://localhost:{far}/a?b HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: x\r\nConnection: keep-alive\r\n\r\n".encode(),
        )
    assert tunnel.startswith(b"HTTP/1.1 200 Connection established")
    assert tunnel.endswith(b"hello")
    assert plain.endswith(b"hello")
    assert heard[1] == b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert refused == []


async def test_other_hosts_are_refused_in_words() -> None:
    async with proxied(["pypi.org"]) as (port, refused):
        answers = [
            await asked(port, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n"),
            await asked(port, b"GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n"),
        ]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"sandbox_hosts" in answer
    assert refused == [("example.com", 443), ("127.0.0.1", 1)]


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"CONNECT :x HTTP/1.1\r\n\r\n", b"a" * 70_000, b"\0\r\n\r\n"])
async def test_nonsense_reaches_nobody_and_breaks_nothing(nonsense: bytes) -> None:
    async with proxied(["localhost"]) as (port, _):
        try:
            answer = await asked(port, nonsense)
        except ConnectionError:
            answer = b""
        assert not answer.startswith(b"HTTP/1.1 200")
        assert (await asked(port, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403")


async def test_the_machines_own_proxy_is_gone_through() -> None:
    async with far_away() as (upstream, heard):
        environment = {"HTTPS_PROXY": f"http://me:pass@127.0.0.1:{upstream}"}
        async with proxied(["pypi.org"], environment) as (port, _):
            answer = await asked(port, b"CONNECT pypi.org:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 Connection established")
    assert heard[0].startswith(b"CONNECT pypi.org:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in heard[0]


# --- the shell's end --------------------------------------------------------------------------------------------


def test_without_an_answer_from_within_nothing_runs(tmp_path: Path) -> None:
    from lifecycle.agent import sandbox_shell

    done = subprocess.run(
        [sys.executable, "-I", "-S", sandbox_shell.__file__, str(tmp_path / "gone"), "/bin/bash", json.dumps({}), "-c", f"touch {tmp_path}/ran"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 126
    assert "nothing runs without it" in done.stderr
    assert not (tmp_path / "ran").exists()
