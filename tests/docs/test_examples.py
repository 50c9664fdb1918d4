"""Every embedding example runs as it is written, with the real agent CLI where it has an agent, and does what it says."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.offline import ModelRequest, ModelServer, Play, Script, ToolUse
from lifecycle.offline.building import building
from lifecycle.skill.reference import references

PACKAGE = "lifecycle.skill.examples"
EXAMPLES = sorted(path.name for path in (Path(__file__).parents[2] / "lifecycle/skill/examples").glob("[!_]*.py"))


@pytest.fixture
def project(desk) -> Path:
    return made(desk.directory / "project")


def made(directory: Path) -> Path:
    directory.mkdir()
    (directory / "app_spec.txt").write_text("One feature.\n")
    return directory


def status(desk, project: Path) -> dict:
    return json.loads(desk.lifecycle("status", project, "--json").stdout)


def test_every_example_stands_in_the_references_and_is_tested_here() -> None:
    everything = "\n".join(path.read_text("utf-8") for path in references())
    here = Path(__file__).read_text("utf-8")
    for name in EXAMPLES:
        assert f"<!-- lifecycle:{name} -->" in everything
        assert re.search(rf"""["']{name.removesuffix('.py')}["']""", here)


def test_importing_them_has_no_effect(desk) -> None:
    names = ", ".join(f"{PACKAGE}.{name.removesuffix('.py')}" for name in EXAMPLES)
    done = desk.python(f"import signal, logging; before = signal.getsignal(2); import {names}; "
                       "assert signal.getsignal(2) is before and not logging.root.handlers")
    assert done.returncode == 0, done.stderr


def example(desk, name: str, *arguments: object) -> str:
    done = desk.run(sys.executable, "-m", f"{PACKAGE}.{name}", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_plain_program_runs_a_project_and_tells_every_transition(desk, project: Path) -> None:
    out = example(desk, "plain", project)
    assert out.splitlines()[:3] == ["NEW -> DETECT", "DETECT -> CREATE", "CREATE -> RUN"]
    assert out.splitlines()[-2] == "END -> SHUTDOWN"
    assert out.splitlines()[-1].startswith("complete")
    # The journal, read by another program, says the same.
    rows = [line.split() for line in example(desk, "reading", project).splitlines()]
    assert [f"{row[1]} -> {row[3]}" for row in rows] == out.splitlines()[:-1]


def test_a_script_needs_no_event_loop(desk, project: Path) -> None:
    lines = example(desk, "script", project).splitlines()
    assert lines.count("transition") == 10
    assert lines[-1] == "complete FeatureCount(total=1, passing=1)"


@pytest.mark.parametrize("name", ["plain", "script"])
def test_who_names_no_directory_or_none_that_is_there_gets_words_instead_of_a_traceback(desk, name: str) -> None:
    done = desk.run(sys.executable, "-m", f"{PACKAGE}.{name}", desk.directory / "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "does not exist" in done.stderr
    done = desk.run(sys.executable, "-m", f"{PACKAGE}.{name}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2] == f"Run it: python -m {PACKAGE}.{name} DIR"


async def test_the_facade_says_when_there_is_a_loop_already(tmp_path: Path) -> None:
    from lifecycle import project_status, run_session, run_until_shutdown

    for facade in (run_session, run_until_shutdown, project_status):
        with pytest.raises(RuntimeError, match="await `SessionManager`"):
            facade(tmp_path)


def test_several_projects_share_a_loop_until_the_time_is_up(desk) -> None:
    projects = [made(desk.directory / name) for name in "ab"]
    assert example(desk, "several", 0.2, *projects) == "time is up\n"
    out = example(desk, "several", 90, *projects)
    assert sorted(out.splitlines()) == [f"{each}: complete" for each in projects]


def test_a_stop_policy_of_the_hosts_own_suspends_the_run(tmp_path: Path, desk, project: Path) -> None:
    """A session that breaks what worked is the last one until a person starts the next."""
    features = [{"description": "one", "passes": True}, {"description": "two", "passes": False}]
    (project / "feature_list.json").write_text(json.dumps(features))

    def play(request: ModelRequest) -> Play:
        yield ToolUse("Bash", {"command": "sed -i s/true/false/ feature_list.json"})
        return "Oh."

    with ModelServer(Script(play)) as server:
        desk.server = server
        out = example(desk, "stop_policy", project)
    assert out == "interrupted 1 features that no longer pass\n"
    assert status(desk, project)["iteration"] == 1


def test_prompts_of_the_hosts_own_reach_the_model(desk, project: Path) -> None:
    assert example(desk, "prompts", project) == "complete\n"
    prompts = [json.dumps(request.body["messages"]) for request in desk.server.requests if request.is_main]
    assert any("House rule" in prompt for prompt in prompts)
    assert "House rule" not in prompts[0], "not in the INIT session"


def test_an_agent_of_the_hosts_own_needs_no_model(desk, project: Path) -> None:
    assert example(desk, "agent", project).startswith("complete")
    assert not desk.server.requests


def test_tools_of_the_hosts_own_pass_the_gate_and_no_others_do(desk, project: Path) -> None:
    """The host's tool answers from the host's process; another of its server's, or another server's, is refused."""
    answers = {}
    build = building(1)._play

    def play(request: ModelRequest) -> Play:
        found = yield ToolUse("mcp__wishes__lookup", {"number": 7})
        answers["lookup"] = found.text
        refused = yield ToolUse("mcp__other__lookup", {"number": 7})
        answers["other"] = refused.text if refused.is_error else "allowed"
        return (yield from build(request))

    with ModelServer(Script(play)) as server:
        desk.server = server
        out = example(desk, "tools", project)
        offered = [request.tools for request in server.requests if request.is_main]
    assert out.splitlines()[-1] == "complete"
    assert "the agent asks for wish 7" in out
    assert "make it blue" in answers["lookup"]
    assert answers["other"] != "allowed"
    assert all("mcp__wishes__lookup" in tools for tools in offered)


def test_the_command_policy_stands_alone(desk, project: Path) -> None:
    """With the SDK's own client: what is refused does not run, what is allowed does, and both are on record."""
    answers = []

    def play(request: ModelRequest) -> Play:
        for command in ("echo hi > there.txt", "rm -rf app_spec.txt", "pkill node"):
            answer = yield ToolUse("Bash", {"command": command})
            answers.append(answer.is_error)
        return "Tidied."

    with ModelServer(Script(play)) as server:
        desk.server = server
        out = example(desk, "fence", project).splitlines()
    assert out[0].startswith("the program 'rm' is not in the profile")
    assert out[1:] == ["Tidied.", "allowed echo hi > there.txt allowed", "refused rm -rf app_spec.txt command.program.unknown",
                       "refused pkill node command.program.unknown"]  # fmt: skip
    assert answers[-3:] == [False, True, True]
    assert (project / "there.txt").read_text() == "hi\n"
    assert (project / "app_spec.txt").exists()


def test_the_projects_files_are_values(desk, project: Path) -> None:
    said = [example(desk, "record", project).strip() for _ in range(3)]
    assert said == [
        "1 of 2 pass; last: add works",
        "2 of 2 pass; last: done works",
        "2 of 2 pass; last: nothing was left",
    ]
    assert [feature["passes"] for feature in json.loads((project / "feature_list.json").read_text())] == [True, True]
    assert (project / "claude-progress.txt").read_text().count("## Progress") == 3


# --- the service ---------------------------------------------------------------------------------------------


class Service:
    """The service as a process, asked over HTTP."""

    def __init__(self, desk, root: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", f"{PACKAGE}.{'service'}", str(root), str(self.port)]
        self.process = subprocess.Popen(command, env=desk.environment(), stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def open(self, path: str, body: bytes | None = None):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", data=body, timeout=60)

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, dict]:
        try:
            with self.open(path, body) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def service(desk) -> Iterator[Service]:
    root = desk.directory / "projects"
    root.mkdir()
    running = Service(desk, root)
    try:
        yield running
    finally:
        running.end()


def test_a_service_starts_watches_and_stops_lifecycles_over_http(desk, service: Service) -> None:
    assert service.ask("/projects/nowhere")[0] == 404
    with pytest.raises(urllib.error.HTTPError):
        service.open("/projects/..%2F..", b"")
    code, told = service.ask("/projects/app", b"One feature.")
    assert (code, told["owner"]["pid"]) == (202, service.process.pid)
    assert service.ask("/projects/app", b"")[0] == 409, "it runs already"
    with service.open("/projects/app/events") as stream:
        for line in stream:  # a late watcher gets the first event first
            if line.startswith(b"data: "):
                first = json.loads(line[6:])
                break
    assert first["at"] > 0
    code, told = service.ask("/projects/app/stop", b"")
    assert (code, told["state"], told["stop_reason"]) == (200, "SHUTDOWN", "interrupted")
    code, told = service.ask("/projects/app", b"")
    assert code == 202
    with service.open("/projects/app/events") as stream:
        names = re.findall(r"^event: (\w+)$", stream.read().decode(), re.MULTILINE)
    assert names.count("transition") > 5, "until the manager's context is left"
    assert status(desk, desk.directory / "projects/app")["stop_reason"] == "complete"


def test_a_service_that_is_ended_suspends_what_runs(desk, service: Service) -> None:
    assert service.ask("/projects/app", b"One feature.")[0] == 202
    service.end()
    told = status(desk, desk.directory / "projects/app")
    assert (told["state"], told["stop_reason"], told["owner"]) == ("SHUTDOWN", "interrupted", None)


# --- events --------------------------------------------------------------------------------------------------


async def test_a_late_watcher_gets_history_first_and_a_slow_one_holds_nobody_up(tmp_path: Path) -> None:
    from lifecycle import SessionManager
    from lifecycle.skill.examples.agent import TickingAgent

    project = made(tmp_path / "project")
    slow_got = []

    async with SessionManager(
        project, agent=TickingAgent(project), continue_delay=0, state_dir=tmp_path / "state"
    ) as session:
        async def slow() -> None:
            async for event in session.events():
                slow_got.append(event)
                await asyncio.sleep(3600)

        watcher = asyncio.create_task(slow())
        result = await asyncio.wait_for(session.run_until_shutdown(), 30)
        late = session.events()
        first = await anext(late)
        await late.aclose()
        watcher.cancel()
    assert result.stop_reason == "complete"
    assert len(slow_got) == 1
    assert first is slow_got[0]
