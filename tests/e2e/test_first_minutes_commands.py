"""init, doctor, config and completion, as a person meets them in the first minutes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.cli.settings_file import settings_file
from lifecycle.config import SETTINGS, Config, from_file, resolve
from lifecycle.doctor.finding import Verdict
from lifecycle.doctor.machine import TESTED_CLI, TESTED_SDK
from lifecycle.doctor.records import record
from lifecycle.journal import inspection
from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Move, Note
from lifecycle.processes import this_process
from lifecycle.workspace.spec import install_spec
from states.facts import Facts
from states.vocabulary import RunId, SessionId

ROOT = Path(__file__).parents[2]


class Person:
    """A home of their own, and nothing else from this machine but its programs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.home.mkdir()

    def environment(self, **more: str) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **more}

    def lifecycle(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)],
            cwd=self.directory,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def on_a_terminal(self, *arguments: object, answers: str) -> tuple[int, str]:
        """The exit status and everything that was seen."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execve(sys.executable, [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)], self.environment())
        os.write(terminal, answers.encode())
        seen = b""
        try:
            while piece := os.read(terminal, 4096):
                seen += piece
        except OSError:  # Linux's way to say that the other end is gone
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def refused(done: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    """One clear message on stderr, nothing on stdout, no traceback."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("lifecycle: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


# --- init ----------------------------------------------------------------------------------------------------


def test_init_writes_what_a_first_run_needs_and_says_the_next_command(person: Person) -> None:
    done = person.lifecycle("init", "my app", "--yes", "--max-budget-usd", "20", "--max-duration", "8h")
    assert done.returncode == 0, done.stderr
    assert "lifecycle run 'my app'" in done.stdout
    written = tomllib.loads((person.directory / "my app/lifecycle.toml").read_text())
    assert written == {"max_budget_usd": 20, "max_duration": "8h"}
    assert "What it must do" in (person.directory / "my app/app_spec.txt").read_text()


def test_a_template_that_nobody_filled_in_is_not_built(person: Person) -> None:
    person.lifecycle("init", "app", "--yes")
    refused(person.lifecycle("run", "app", ANTHROPIC_API_KEY="sk-ant-x"), "app_spec.txt", "template")
    done = person.lifecycle("doctor", "app", ANTHROPIC_API_KEY="sk-ant-x")
    assert done.returncode == 1
    assert re.search(r"^MEND +specification +.*template\n +-> .*app/app_spec.txt.*--spec FILE$", done.stdout, re.MULTILINE)
    assert "1 thing to mend" in done.stdout


def test_init_asks_on_a_terminal_until_the_answer_is_accepted(person: Person) -> None:
    status, seen = person.on_a_terminal("init", "app", answers="A habit tracker.\nlots\n20\n8h\n")
    assert status == 0, seen
    assert "give a number" in seen
    assert (person.directory / "app/app_spec.txt").read_text().startswith("A habit tracker.\n")
    written = tomllib.loads((person.directory / "app/lifecycle.toml").read_text())
    assert written == {"max_budget_usd": 20, "max_duration": "8h"}


def test_a_person_who_leaves_a_question_open_has_made_nothing(person: Person) -> None:
    status, _ = person.on_a_terminal("init", "app", answers="\x04")
    assert status != 0
    assert not (person.directory / "app").exists()


def test_init_without_a_terminal_asks_for_yes(person: Person) -> None:
    refused(person.lifecycle("init", "app"), "--yes")
    assert not (person.directory / "app").exists()


def test_init_leaves_what_is_there(person: Person) -> None:
    app = person.directory / "app"
    app.mkdir()
    (app / "lifecycle.toml").write_text("stall_after = 7\n")
    (app / "app_spec.txt").write_text("Mine.\n")
    (person.directory / "idea.txt").write_text("Another.\n")
    done = person.lifecycle("init", "app", "--yes", "--spec", "idea.txt", "--max-turns", "9")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept") == 2
    assert "app/lifecycle.toml: valid, 1 setting; max_turns not written" in done.stdout
    assert "app/app_spec.txt: valid" in done.stdout
    assert "unused  idea.txt" in done.stdout
    assert (app / "lifecycle.toml").read_text() == "stall_after = 7\n"
    assert (app / "app_spec.txt").read_text() == "Mine.\n"


def test_init_says_of_what_is_there_whether_it_is_valid(person: Person) -> None:
    """And writes nothing beside what is not."""
    app = person.directory / "app"
    app.mkdir()
    (app / "lifecycle.toml").write_text("stall_after = 7\nmax_turn = 3\n")
    refused(person.lifecycle("init", "app", "--yes"), "app/lifecycle.toml:2", "did you mean 'max_turns'")
    (app / "lifecycle.toml").write_text("stall_after = 7\n")
    (app / "feature_list.json").write_text("[\n{]")
    refused(person.lifecycle("init", "app", "--yes"), "app/feature_list.json:2:2")
    assert sorted(path.name for path in app.iterdir()) == ["feature_list.json", "lifecycle.toml"]
    (app / "feature_list.json").write_text('[{"description": "d", "passes": false}]')
    assert "app/feature_list.json: valid, 0 of 1 pass" in person.lifecycle("init", "app", "--yes").stdout
    (app / "feature_list.json").unlink()
    person.lifecycle("init", "app", "--yes")
    again = person.lifecycle("init", "app", "--yes").stdout
    assert "app/app_spec.txt: the specification is still the template" in again
    assert "say what to build in app/app_spec.txt" in again


def test_init_says_how_to_give_what_no_projects_file_may_say(person: Person) -> None:
    states = person.directory / "my states"
    done = person.lifecycle("init", "app", "--yes", "--state-dir", states)
    assert f"export LIFECYCLE_STATE_DIR='{states}'" in done.stdout
    told = json.loads(person.lifecycle("config", "app", "--json", LIFECYCLE_STATE_DIR=str(states)).stdout)
    assert Path(told["state_directory"]).parent == states


def test_wrong_first_steps_of_init_touch_nothing(person: Person) -> None:
    (person.directory / "file").write_text("a file\n")
    states = person.home / ".local/state/lifecycle"
    refused(person.lifecycle("init", "file", "--yes"), "not a directory")
    refused(person.lifecycle("init", "app", "--yes", "--max-turns", "0"), "--max-turns", "from 1 up")
    refused(person.lifecycle("init", "app", "--yes", "--spec", "nowhere.txt"), "nowhere.txt")
    refused(person.lifecycle("init", states / "app", "--yes"), "inside the state directory")
    refused(person.lifecycle("init", "/proc/app", "--yes"), status=5)
    assert sorted(path.name for path in person.directory.iterdir()) == ["file", "home"]
    assert not states.exists()


def test_the_file_of_init_has_every_setting_with_its_default(tmp_path: Path) -> None:
    text = settings_file({})
    assert tomllib.loads(text) == {}
    open_ = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    (tmp_path / "lifecycle.toml").write_text(open_)
    layer = from_file(tmp_path / "lifecycle.toml", must_exist=False)
    assert layer.values.keys() == SETTINGS.keys() - {"state_dir"}
    assert resolve(layer) == Config()


@pytest.mark.parametrize("value", ["007", 'a "quoted" \\ name', "naïve \x7f \t name", "8h"])
def test_any_value_survives_the_file(tmp_path: Path, value: str) -> None:
    (tmp_path / "lifecycle.toml").write_text(settings_file({"model": value}))
    assert str(tomllib.loads((tmp_path / "lifecycle.toml").read_text())["model"]) == value


# --- config --------------------------------------------------------------------------------------------------


def test_config_tells_every_setting_and_where_it_is_from(person: Person) -> None:
    app = person.directory / "app"
    app.mkdir()
    (app / "lifecycle.toml").write_text('max_duration = "8h"\nmodel = "mine"\n[guard]\nallow = ["terraform"]\n')
    done = person.lifecycle("config", "app", "--model", "flag", "--json", LIFECYCLE_STALL_AFTER="4")
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)["settings"]
    assert settings.keys() == {*SETTINGS, "guard"}
    assert settings["model"] == {"value": "flag", "source": "--model"}
    assert settings["stall_after"] == {"value": 4, "source": "LIFECYCLE_STALL_AFTER"}
    assert settings["max_duration"] == {"value": 28800, "source": "app/lifecycle.toml, key 'max_duration'"}
    assert settings["max_turns"] == {"value": 1000, "source": "default"}
    assert settings["guard"]["value"] == {"allow": ["terraform"]}
    plain = person.lifecycle("config", "app").stdout
    assert all(name in plain for name in SETTINGS)
    refused(person.lifecycle("config", "app", "--max-turns", "many"), "--max-turns")
    refused(person.lifecycle("config", "nowhere"), "nowhere")


def test_config_of_a_run_that_goes_on_tells_the_file_as_it_was(person: Person) -> None:
    """The agent can write the file while a run is under way; what it writes there is not in force."""
    app = person.directory / "app"
    app.mkdir()
    (app / "lifecycle.toml").write_text("max_turns = 7\n")
    (app / "app_spec.txt").write_text("Anything.\n")
    # A service that nobody answers at: the run is waiting to try again when it is stopped.
    unreachable = {"ANTHROPIC_API_KEY": "sk-ant-x", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "CLAUDE_CODE_MAX_RETRIES": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lifecycle.cli", "run", "app"],
        cwd=person.directory,
        env=person.environment(**unreachable),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while json.loads(person.lifecycle("status", "app", "--json").stdout)["state"] in ("NEW", "DETECT"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    (app / "lifecycle.toml").write_text("max_turns = 9999\n")
    document = json.loads(person.lifecycle("config", "app", "--json").stdout)
    assert document["file_as_journalled"]
    assert document["settings"]["max_turns"]["value"] == 7


# --- doctor --------------------------------------------------------------------------------------------------


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    document = json.loads(done.stdout)
    assert document["ok"] == (done.returncode == 0)
    return {each["name"]: each["verdict"] for each in document["findings"]}


def test_doctor_finds_nothing_to_mend_where_a_run_can_work(person: Person) -> None:
    app = person.directory / "app"
    app.mkdir()
    install_spec(app, "Anything.\n")
    done = person.lifecycle("doctor", "app", "--json", ANTHROPIC_API_KEY="sk-ant-secret")
    assert done.returncode == 0, done.stdout
    found = verdicts(done)
    assert {name for name, verdict in found.items() if verdict == "ok"} >= {
        *("python", "claude-agent-sdk", "agent", "credentials", "git"),
        *("project", "features", "configuration", "state directory", "disk", "journal"),
    }
    assert "sk-ant-secret" not in done.stdout + done.stderr
    assert not (person.home / ".local").exists(), "it changes nothing"


def test_doctor_says_what_to_mend(person: Person) -> None:
    app = person.directory / "app"
    app.mkdir()
    (app / "feature_list.json").write_text("[{]")
    (app / "lifecycle.toml").write_text("max_turn = 3\n")
    done = person.lifecycle("doctor", "app", "--json")
    assert done.returncode == 1
    assert {name for name, verdict in verdicts(done).items() if verdict == "mend"} == {
        "credentials", "features", "configuration"
    }
    plain = person.lifecycle("doctor", "app")
    assert plain.returncode == 1
    assert "3 things to mend" in plain.stdout
    assert "ANTHROPIC_API_KEY" in plain.stdout


def test_doctor_tells_of_a_git_without_a_name_and_of_none(person: Person) -> None:
    assert verdicts(person.lifecycle("doctor", "--json"))["git identity"] == "note"
    named = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost"}
    assert verdicts(person.lifecycle("doctor", "--json", **named))["git identity"] == "ok"
    assert verdicts(person.lifecycle("doctor", "--json", PATH="/nowhere"))["git"] == "mend"


@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_doctor_tells_of_a_home_that_cannot_be_written(person: Person, home: str) -> None:
    done = person.lifecycle("doctor", "--json", HOME=home, ANTHROPIC_API_KEY="sk-ant-x")
    assert done.returncode == 1
    assert "mend" in {verdict for name, verdict in verdicts(done).items() if name in ("state directory", "disk")}


def test_doctor_tells_of_a_damaged_record_and_leaves_it(person: Person) -> None:
    """Whatever else is wrong: a fault in the project's file says nothing of the record."""
    app = person.directory / "app"
    app.mkdir()
    (app / "lifecycle.toml").write_text("max_turn = 3\n")
    state = state_directory(app, None, {"HOME": str(person.home)})
    state.mkdir(parents=True)
    (state / JOURNAL_NAME).write_bytes(b"something else entirely" * 100)
    done = person.lifecycle("doctor", "app", "--json")
    assert (verdicts(done)["configuration"], verdicts(done)["journal"]) == ("mend", "mend")
    everywhere = person.lifecycle("doctor", "--json")
    assert verdicts(everywhere)["records"] == "note"
    assert state.name in everywhere.stdout
    assert (state / JOURNAL_NAME).read_bytes().startswith(b"something else")


async def journal_of_a_run(state: Path, session: str, count: int = 0) -> Path:
    """A run whose manager died in a session."""
    state.mkdir(parents=True)
    journal = await SqliteJournal.open(state / JOURNAL_NAME)
    facts = Facts(run_id=RunId("run"), at=0.0, started_at=0.0)
    await journal.append(Move("NEW", "start", "DETECT", facts))
    leash = replace(this_process(), start=1).to_record()  # long gone, and its pid is another's
    await journal.note(Note(NoteKind.AGENT_STARTED, 0.0, {"process": leash}, RunId("run"), SessionId(session)))
    for number in range(count):
        await journal.note(Note("warning", float(number), {"text": "words " * 40}, RunId("run")))
    await journal.close()
    return state / JOURNAL_NAME


async def test_doctor_tells_what_a_dead_manager_left_running(person: Person) -> None:
    """Of this project; and without a project, of all of them."""
    app = person.directory / "app"
    app.mkdir()
    await journal_of_a_run(state_directory(app, None, {"HOME": str(person.home)}), "11111111-2222-4333-8444-555555555555")
    marked = person.environment(**{SESSION_MARKER: "11111111-2222-4333-8444-555555555555"})
    with subprocess.Popen(["sleep", "60"], env=marked) as left:
        try:
            for arguments in (["app"], []):
                document = json.loads(person.lifecycle("doctor", *arguments, "--json").stdout)
                (found,) = [each for each in document["findings"] if each["name"] == "leftovers"]
                assert (found["verdict"], str(left.pid) in found["found"]) == ("note", True)
                assert "lifecycle run" in found["advice"]
            assert left.poll() is None, "it only looks"
        finally:
            left.kill()
    assert verdicts(person.lifecycle("doctor", "app", "--json"))["leftovers"] == "ok"


async def test_doctor_reads_all_of_a_record_that_is_too_large_to_be_read_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "FULL_CHECK_PAGES", 0)
    path = await journal_of_a_run(tmp_path / "state", "s", count=100)
    content = bytearray(path.read_bytes())
    place = content.index(b"words words")
    content[place] ^= 1
    path.write_bytes(content)
    await (await SqliteJournal.open(path, read_only=True)).close()  # no start meets it
    assert [each.verdict async for each in record(tmp_path / "state") if each.name == "journal"] == [Verdict.MEND]


def test_doctor_knows_the_versions_that_are_tested() -> None:
    pinned = (ROOT / "constraints.txt").read_text()
    assert f"claude-agent-sdk=={TESTED_SDK}\n" in pinned
    assert version("claude-agent-sdk") == TESTED_SDK
    from claude_agent_sdk._cli_version import __cli_version__

    assert __cli_version__ == TESTED_CLI


# --- completion ----------------------------------------------------------------------------------------------


def test_completion_completes_commands_and_flags_in_bash(person: Person) -> None:
    """The script is sourced by a real bash, and asked as bash asks when a person presses the tab key."""
    bin_ = person.directory / "bin"
    bin_.mkdir()
    program = bin_ / "lifecycle"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lifecycle.cli "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(lifecycle completion bash)"
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _lifecycle_completion lifecycle; echo "${COMPREPLY[@]}"; }
        ask lifecycle sta
        ask lifecycle run app --max-b
        ask lifecycle completion ""
    """
    path = f"{bin_}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env=person.environment(PATH=path), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n") == ["status", "--max-budget-usd", "bash zsh fish", ""], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(person: Person, shell: str) -> None:
    done = person.lifecycle("completion", shell)
    assert done.returncode == 0
    assert "_LIFECYCLE_COMPLETE" in done.stdout
    assert done.stderr == ""


def test_completion_for_another_shell_is_refused(person: Person) -> None:
    refused(person.lifecycle("completion", "tcsh"), "tcsh")
