"""The commands, as far as they go without an agent: what they print, refuse and return."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lifecycle.cli.main import COMMANDS, main
from lifecycle.config import SETTINGS
from lifecycle.guard import AuditLog, Decision
from lifecycle.journal.location import JOURNAL_NAME, state_directory
from lifecycle.journal.lock import acquire
from lifecycle.journal.notes import NoteKind
from lifecycle.journal.sqlite import SqliteJournal
from lifecycle.ports import Move, Note
from lifecycle.processes import this_process
from lifecycle.workspace.salvage import salvage
from states.facts import Counters, Facts, FeatureCount, Session
from states.vocabulary import RunId, SessionId, SessionType, StopReason

RUN_ID = RunId("6d1f0f4e-6c9b-4f3e-9a58-0d7c2f0f7a11")
SESSION_ID = SessionId("0f8fad5b-d9cb-469f-a165-70867728950e")
AT = 1_700_000_000.0

Said = tuple[int, str, str]
Say = Callable[..., Said]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and a home and an environment with nothing of ours in them."""
    for name in list(os.environ):
        if name.startswith(("LIFECYCLE_", "ANTHROPIC_", "CLAUDE_", "XDG_")):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LIFECYCLE_STATE_DIR", str(tmp_path / "state"))
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """Run a command line: its exit status, stdout and stderr."""

    def run(*arguments: object) -> Said:
        status = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return int(status), out, err

    return run


def state_of(project: Path) -> Path:
    return state_directory(project, None, os.environ)


def record(project: Path, *moves: Move) -> None:
    """Give the project a record of these transitions."""
    state_dir = state_of(project)
    state_dir.mkdir(parents=True)

    async def write() -> None:
        journal = await SqliteJournal.open(state_dir / JOURNAL_NAME)
        for move in moves:
            await journal.append(move)
        await journal.close()

    asyncio.run(write())


def a_run() -> tuple[Move, ...]:
    """From NEW over one session to CONTINUE, and on to a stop."""
    facts = Facts(run_id=RUN_ID, at=AT, started_at=AT)
    session = Session(SESSION_ID, SessionType.INIT, number=1, iteration=1)
    running = replace(facts, session=session, counters=Counters(1, 1), session_type=SessionType.INIT)
    saved = replace(running, features=FeatureCount(8, 3), cost_usd=0.25)
    waiting = replace(saved, session=replace(session, is_over=True), resume_at=AT + 3.5)
    stopped = replace(waiting, stop_reason=StopReason.INTERRUPTED, resume_at=None)
    return (
        Move("NEW", "start", "DETECT", facts),
        Move("DETECT", "detected", "CREATE", replace(facts, session_type=SessionType.INIT)),
        Move("CREATE", "created", "RUN", running),
        Move("RUN", "finished", "END", running),
        Move("END", "ended", "CONTINUE", waiting),
        Move("CONTINUE", "stop_requested", "SHUTDOWN", stopped),
    )


# --- help and wrong use --------------------------------------------------------------------------------------


def test_help_lists_every_command_and_no_other(say: Say) -> None:
    status, out, err = say("--help")
    commands = out.partition("Commands:\n")[2]
    listed = [line.split()[0] for line in commands.splitlines() if re.match(r"  \S", line)]
    assert "..." not in commands
    assert status == 0
    assert err == ""
    assert listed == list(COMMANDS)
    assert listed[:7] == ["demo", "run", "detect", "status", "history", "audit", "explain"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_teaches_by_example_and_tells_its_exit_statuses(command: str, say: Say) -> None:
    status, out, err = say(command, "--help")
    assert status == 0
    assert err == ""
    assert f"lifecycle {command}" in out.partition("Examples:")[2]
    assert "0  " in out.partition("Exit status:")[2]
    assert max(map(len, out.splitlines())) <= 80


def test_runs_help_has_every_setting_with_its_variable_and_default(say: Say) -> None:
    _, out, _ = say("run", "--help")
    told = " ".join(out.split())
    for setting in SETTINGS.values():
        assert f"{setting.flag} {setting.metavar} " in told
        assert f"; {setting.variable})" in told


def test_version(say: Say) -> None:
    status, out, err = say("--version")
    assert (status, err) == (0, "")
    assert out.startswith("lifecycle 0.")


@pytest.mark.parametrize("arguments", [[], ["skill"]])
def test_nothing_asked_is_the_help_on_stderr_and_2(arguments: list[str], say: Say) -> None:
    """As click has it: a script that lost its command notices, a person reads what there is."""
    status, out, err = say(*arguments)
    assert (status, out) == (2, "")
    assert err == say(*arguments, "--help")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stauts"], "No such command 'stauts'; did you mean 'status'? See"),
        (["zzz"], "No such command 'zzz'; see"),
        (["status"], "Missing argument 'DIR'"),
        (["run"], "Missing argument 'DIR'"),
        (["run", ".", "--no-such-flag"], "No such option"),
        (["run", ".", "--log-format", "xml"], "'xml' is not one of"),
        (["history", ".", "extra"], "unexpected extra argument"),
    ],
)
def test_wrong_use_is_one_line_on_stderr_and_2(arguments: list[str], words: str, say: Say) -> None:
    status, out, err = say(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("lifecycle: ")
    assert words in err
    assert err.count("\n") == 1
    assert "--help" in err


@pytest.mark.parametrize("command", ["run", "detect", "status", "history", "stop"])
@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "a file"])
def test_a_directory_that_is_none_is_2_with_nothing_on_stdout(
    command: str, is_there: bool, say: Say, project: Path
) -> None:
    path = project / "not-a-directory"
    if is_there:
        path.write_text("")
    status, out, err = say(command, path)
    assert (status, out) == (2, "")
    assert err.startswith(f"lifecycle: {path}: ")
    assert not state_of(project).parent.exists()


# --- detect --------------------------------------------------------------------------------------------------


def test_detect_tells_init_and_continue(say: Say, project: Path) -> None:
    status, out, _ = say("detect", project, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["session_type"] == "init"
    assert document["features"] is None
    assert all(isinstance(each, str) for each in document["evidence"])
    features = [{"category": "f", "description": "d", "steps": ["s"], "passes": passes} for passes in (True, False)]
    (project / "feature_list.json").write_text(json.dumps(features))
    status, out, _ = say("detect", project, "--json")
    document = json.loads(out)
    assert (status, document["session_type"]) == (0, "continue")
    assert document["features"] == {"passing": 1, "total": 2}
    assert say("detect", project)[1].splitlines()[0] == "CONTINUE"


@pytest.mark.parametrize(("count", "words"), [(1, "its only feature passes"), (3, "all 3 features pass")])
def test_detect_says_that_a_project_is_finished(say: Say, project: Path, count: int, words: str) -> None:
    """The kind of session stays what the contract has: the next one, if there were work, would go on with the list."""
    (project / "feature_list.json").write_text(json.dumps([{"description": "d", "passes": True}] * count))
    assert say("detect", project)[1].splitlines()[0] == f"CONTINUE (finished: {words}; nothing to do)"
    assert json.loads(say("detect", project, "--json")[1])["session_type"] == "continue"


def test_detect_refuses_what_is_no_feature_list_and_prints_no_answer(say: Say, project: Path) -> None:
    (project / "feature_list.json").write_text('[{"description": ')
    status, out, err = say("detect", project, "--json")
    assert (status, out) == (2, "")
    assert "feature_list.json:1:" in err


# --- status and history --------------------------------------------------------------------------------------


def test_a_project_without_a_record_is_new_and_nothing_is_made(say: Say, project: Path) -> None:
    status, out, err = say("status", project, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "state": "NEW", "run_id": None, "stop_reason": None, "iteration": 0, "session": None, "features": None,
        "cost_usd": 0.0, "owner": None, "resume_at": None, "salvages": [], "sandbox": None,
    }  # fmt: skip
    assert say("history", project, "--json") == (0, "", "")
    assert say("history", project)[1].startswith("no run yet")
    assert not state_of(project).parent.exists()
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("command", [("status",), ("history",), ("explain",), ("what-if", "--stall-after", "2")])
def test_without_a_run_every_command_says_so_in_the_same_words(command: tuple[str, ...], say: Say, project: Path) -> None:
    status, out, err = say(*command, project)
    assert (status, err) == (0, "")
    assert f"no run yet; begin one with `lifecycle run {project}`\n" in out
    nowhere = project / "no where"
    words = f"does not exist; create the directory first, or `lifecycle init '{nowhere}'` makes one ready"
    assert say(*command, nowhere) == (2, "", f"lifecycle: {nowhere}: {words}\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> int:
    """stdout is a terminal of this width."""
    monkeypatch.setattr("lifecycle.cli.layout.os.isatty", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    return 80


@pytest.mark.parametrize(
    "command",
    [
        *(("history",), ("status",), ("config",), ("explain",), ("explain", "6"), ("detect",), ("audit",)),
        ("what-if", "--max-iterations", "1"),
    ],
)
def test_what_people_read_fits_their_terminal(command: tuple[str, ...], say: Say, project: Path, terminal: int) -> None:
    """Only a word that is longer than its place sticks out, such as a path: it can be copied whole."""
    record(project, *a_run())
    name, *more = command
    status, out, err = say(name, project, *more)
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if not any(len(word) > terminal // 2 for word in line.split())]
    assert lines
    assert max(map(len, lines)) <= terminal


@pytest.mark.usefixtures("terminal")
def test_history_on_a_narrow_terminal_has_the_day_once_and_the_reason_with_its_trigger(say: Say, project: Path) -> None:
    record(project, *a_run())
    _, out, _ = say("history", project)
    head, run, day, *rows = out.splitlines()
    assert head.split() == ["seq", "time", "transition", "trigger", "session", "pass", "cost"]
    assert (run, len(day)) == (f"run {RUN_ID}", len("2023-11-14"))
    assert [row.split()[0] for row in rows if not row.startswith(" ")] == ["1", "2", "3", "4", "5", "6"]
    assert rows[-2].endswith("CONTINUE -> SHUTDOWN  stop_requested:        1 init   3/8   $0.25")
    assert rows[-1].strip() == "interrupted"


def test_status_tells_what_the_record_says(say: Say, project: Path) -> None:
    record(project, *a_run()[:5])
    _, out, _ = say("status", project, "--json")
    told = json.loads(out)
    assert (told["state"], told["run_id"], told["iteration"]) == ("CONTINUE", RUN_ID, 1)
    assert told["features"] == {"passing": 3, "total": 8}
    assert told["cost_usd"] == 0.25
    assert told["resume_at"] == "2023-11-14T22:13:23.500Z"
    assert told["owner"] is None
    _, out, _ = say("status", project)
    assert "3 of 8 pass" in out
    assert f"none runs; `lifecycle run {project}` goes on from here" in out


def test_status_names_a_running_session_and_its_owner(say: Say, project: Path) -> None:
    record(project, *a_run()[:3])
    with acquire(state_of(project), project):
        _, out, _ = say("status", project, "--json")
    told = json.loads(out)
    assert told["session"] == {"id": SESSION_ID, "type": "init"}
    assert told["owner"]["pid"] == os.getpid()
    assert told["owner"]["host"] == os.uname().nodename
    datetime.fromisoformat(told["owner"]["since"])


def test_salvage_lists_shows_and_restores_and_refuses_a_dirty_tree(say: Say, project: Path) -> None:
    assert say("salvage", project) == (0, "nothing was salvaged\n", "")
    git(project, "init", "-q")
    (project / "a").write_text("1")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "x")
    (project / "a").write_text("2")
    kept = salvage(project, SESSION_ID, at=AT, words="session 1 ended (idle)")
    assert kept is not None
    _, out, _ = say("salvage", project, "--json")
    one = {"ref": kept.ref, "commit": kept.commit, "at": "2023-11-14T22:13:20Z", "words": "session 1 ended (idle)"}
    assert json.loads(out) == {"salvages": [one]}
    assert "  a\n" in say("salvage", project, SESSION_ID[:4])[1]
    (project / "a").write_text("mine")
    status, out, err = say("salvage", project, SESSION_ID[:4], "--restore")
    assert (status, out) == (2, "")
    assert "uncommitted changes (a)" in err
    assert (project / "a").read_text() == "mine"
    status, out, _ = say("salvage", project, SESSION_ID[:4], "--restore", "--overwrite", "--json")
    assert (status, json.loads(out)) == (0, {**one, "written": ["a"], "removed": []})
    assert (project / "a").read_text() == "2"
    with acquire(state_of(project), project):
        assert say("salvage", project, SESSION_ID[:4], "--restore")[0] == 6
    assert say("salvage", project, "--restore")[0] == 2
    assert say("salvage", project, "nobody")[0] == 2


def git(project: Path, *arguments: str) -> None:
    identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "-C", project, *arguments], env={**os.environ, **identity}, check=True)


def test_status_names_what_was_salvaged(say: Say, project: Path) -> None:
    record(project, *a_run()[:5])

    async def note() -> None:
        journal = await SqliteJournal.open(state_of(project) / JOURNAL_NAME)
        for ref in ("refs/lifecycle/salvage/a-1", "refs/lifecycle/salvage/b-1"):
            await journal.note(Note(NoteKind.SALVAGED, at=AT, data={"ref": ref}, run_id=RUN_ID))
        await journal.note(Note(NoteKind.SALVAGED, at=AT, data={"problem": "git is not installed"}, run_id=RUN_ID))
        await journal.close()

    asyncio.run(note())
    expected = ["refs/lifecycle/salvage/a-1", "refs/lifecycle/salvage/b-1"]
    assert json.loads(say("status", project, "--json")[1])["salvages"] == expected
    assert say("status", project)[1].count("refs/lifecycle/salvage/") == 2


def test_history_is_one_line_a_transition_oldest_first(say: Say, project: Path) -> None:
    record(project, *a_run())
    status, out, err = say("history", project, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["dest"] for line in lines] == ["DETECT", "CREATE", "RUN", "END", "CONTINUE", "SHUTDOWN"]
    keys = {"seq", "at", "run_id", "source", "trigger", "dest", "iteration", "session_id", "facts"}
    assert all(set(line) == keys for line in lines)
    assert [line["iteration"] for line in lines] == [0, 0, 1, 1, 1, 1]
    assert [line["facts"]["session_type"] for line in lines] == [None, *["init"] * 5]
    assert lines[2]["session_id"] == SESSION_ID
    assert lines[0]["session_id"] is None
    assert lines[0]["at"] == "2023-11-14T22:13:20.000Z"
    assert lines[5]["facts"]["stop_reason"] == "interrupted"
    table = say("history", project)[1].splitlines()
    assert len(table) == 9
    assert table[0].startswith("seq")
    assert table[1] == f"run {RUN_ID}"


def test_history_tells_people_where_a_new_manager_took_up_what_another_died_in(say: Say, project: Path) -> None:
    """The contract's lines are transitions alone."""
    record(project, *a_run())

    async def note() -> None:
        journal = await SqliteJournal.open(state_of(project) / JOURNAL_NAME)
        await journal.note(Note(NoteKind.RECOVERED, at=AT + 60, data={"state": "RUN"}, run_id=RUN_ID, seq=3))
        await journal.close()

    asyncio.run(note())
    table = say("history", project)[1].splitlines()
    assert table[6].split(maxsplit=1)[1].split("  ")[0] == "(RUN taken up again)"
    assert table[6].endswith("a new manager")
    assert len(say("history", project, "--json")[1].splitlines()) == 6


@pytest.mark.parametrize("command", ["status", "history", "stop"])
def test_the_record_is_found_through_flag_variable_file_and_default(
    command: str, say: Say, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everywhere in the same order: the flag, the variable, the configuration file, the default."""
    def is_found(*flags: object) -> bool:
        status, out, err = say(command, project, *flags)
        assert (status, err) == (0, "")
        return "nothing runs" not in out if command == "stop" else RUN_ID in out

    record(project, *a_run())
    held = acquire(state_of(project), project)
    try:
        assert is_found()
        monkeypatch.setenv("LIFECYCLE_STATE_DIR", str(tmp_path / "other"))
        assert not is_found()
        assert is_found("--state-dir", tmp_path / "state")
        monkeypatch.delenv("LIFECYCLE_STATE_DIR")
        assert not is_found()
        (tmp_path / "mine.toml").write_text(f'state_dir = "{tmp_path / "state"}"\n')
        assert is_found("--config", tmp_path / "mine.toml")
        (project / "lifecycle.toml").write_text(f'state_dir = "{tmp_path / "state"}"\n')
        status, out, err = say(command, project)
        assert (status, out) == (2, "")
        assert "cannot say where its own journal is" in err
        monkeypatch.chdir(tmp_path)
        (project / "lifecycle.toml").unlink()
        assert is_found("--state-dir", "state")
        (project / "lifecycle.toml").unlink(missing_ok=True)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
        assert not is_found()
    finally:
        held.release()


@pytest.mark.parametrize("command", ["status", "history", "stop"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(command: str, say: Say, project: Path) -> None:
    state_dir = state_of(project)
    state_dir.mkdir(parents=True)
    path = state_dir / JOURNAL_NAME
    path.write_text("not a database, and longer than a header of one would be " * 10)
    before = path.read_bytes()
    with acquire(state_dir, project):
        status, out, err = say(command, project)
    assert (status, out) == (2, "")
    assert str(path) in err
    assert err.count("\n") == 1
    assert path.read_bytes() == before


# --- stop ----------------------------------------------------------------------------------------------------


def test_stop_says_when_nothing_runs(say: Say, project: Path) -> None:
    status, out, err = say("stop", project)
    assert (status, err) == (0, "")
    assert out == f"nothing runs in {project}\n"


def test_stop_asks_the_owner_and_nobody_else(say: Say, project: Path) -> None:
    record(project, *a_run()[:3])
    with acquire(state_of(project), project):
        status, out, err = say("stop", project)
    assert (status, err) == (0, "")
    assert f"pid {os.getpid()}" in out

    async def asked(run_id: RunId, pid: int) -> str | None:
        journal = await SqliteJournal.open(state_of(project) / JOURNAL_NAME)
        try:
            return await journal.stop_requested(run_id, replace(this_process(), pid=pid))
        finally:
            await journal.close()

    assert asyncio.run(asked(RUN_ID, os.getpid())) == "lifecycle stop"
    assert asyncio.run(asked(RUN_ID, os.getpid() + 1)) is None
    assert asyncio.run(asked(RunId("another"), os.getpid())) is None


def test_stop_tells_when_a_manager_cannot_be_asked(say: Say, project: Path) -> None:
    """One that has the project and makes no journal: not asked, and not called stopped."""
    with acquire(state_of(project), project):
        status, out, err = say("stop", project)
    assert (status, out) == (5, "")
    assert "a manager runs" in err


# --- run, as far as it gets without an agent ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-turns", "0"], "--max-turns: '0' is not accepted"),
        (["--max-iterations", "1.5"], "--max-iterations"),
        (["--continue-delay", "soon"], "--continue-delay"),
        (["--max-budget-usd", "-1"], "--max-budget-usd"),
        (["--max-duration", "0"], "--max-duration"),
        (["--model", " "], "--model"),
        (["--spec", "no-such-file"], "no-such-file"),
        (["--spec", "."], "the specification"),
        (["--config", "no-such-file"], "no-such-file"),
    ],
)
@pytest.mark.parametrize("form", ["console", "json"])
def test_run_refuses_wrong_settings_before_anything_is_made(
    flags: list[str], words: str, form: str, say: Say, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-used")
    (project / "app_spec.txt").write_text("a program")
    status, out, err = say("run", project, "--json", "--log-format", form, *flags)
    assert (status, out) == (2, "")
    assert words in failure_of(err, form)
    assert not state_of(project).parent.exists()
    assert [path.name for path in project.iterdir()] == ["app_spec.txt"]


def failure_of(err: str, form: str) -> str:
    """The one message on stderr."""
    (line,) = err.splitlines()
    if form == "json":
        document: dict[str, Any] = json.loads(line)
        assert document["event"] == "failed"
        return str(document["message"])
    assert line.startswith("lifecycle: ")
    return line


@pytest.mark.parametrize("key", ["", "not-used"], ids=["no key", "key"])
def test_run_refuses_wrong_environment_and_file(
    key: str, say: Say, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before it says that there is nothing to log in with: what a person has just written is what they look at."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    (project / "app_spec.txt").write_text("a program")
    (project / "lifecycle.toml").write_text("max_tuns = 3\n")
    status, out, err = say("run", project)
    assert (status, out) == (2, "")
    assert "did you mean 'max_turns'" in err
    monkeypatch.setenv("LIFECYCLE_MAX_TURNS", "many")
    status, out, err = say("run", project)
    assert (status, out) == (2, "")
    assert "LIFECYCLE_MAX_TURNS" in err
    assert sorted(path.name for path in project.iterdir()) == ["app_spec.txt", "lifecycle.toml"]
    assert not state_of(project).parent.exists()


def test_a_broken_file_is_no_fault_of_a_run_that_goes_on(say: Say, project: Path) -> None:
    """The agent may have written it since; without a login, that is then what is said."""
    (project / "app_spec.txt").write_text("a program")
    record(project, *a_run()[:5])
    started = Note(NoteKind.STARTED, AT, {"process": this_process().to_record(), "file": {}, "given": {}}, run_id=RUN_ID)

    async def write() -> None:
        journal = await SqliteJournal.open(state_of(project) / JOURNAL_NAME)
        await journal.note(started)
        await journal.close()

    asyncio.run(write())
    (project / "lifecycle.toml").write_text("max_tuns = 3\n")
    status, out, err = say("run", project)
    assert (status, out) == (2, "")
    assert "ANTHROPIC_API_KEY" in err


def test_run_without_anything_to_log_in_with_points_at_the_demo(say: Say, project: Path) -> None:
    (project / "app_spec.txt").write_text("a program")
    status, out, err = say("run", project)
    assert (status, out) == (2, "")
    assert "ANTHROPIC_API_KEY" in err
    assert "lifecycle demo" in err
    assert not state_of(project).parent.exists()


def test_run_without_anything_to_build_says_what_to_give(say: Say, project: Path) -> None:
    for key in ("", "not-used"):
        os.environ["ANTHROPIC_API_KEY"] = key
        try:
            status, out, err = say("run", project)
        finally:
            del os.environ["ANTHROPIC_API_KEY"]
        assert (status, out) == (2, "")
        assert "--spec FILE" in err
        assert list(project.iterdir()) == []
        assert not state_of(project).parent.exists()


@pytest.mark.parametrize("flags", [(), ("--spec", "idea.txt")])
def test_run_refuses_a_list_that_cannot_be_read_before_anything_is_made(
    flags: tuple[str, ...], say: Say, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-used")
    monkeypatch.chdir(project.parent)
    Path("idea.txt").write_text("another program")
    (project / "app_spec.txt").write_text("a program")
    (project / "feature_list.json").write_text("{}")
    status, out, err = say("run", project, *flags)
    assert (status, out) == (2, "")
    assert "feature_list.json:1:1: expected a list" in err
    assert not state_of(project).parent.exists()
    assert (project / "app_spec.txt").read_text() == "a program"


def test_a_finished_project_needs_no_agent_and_nobody_to_log_in(say: Say, project: Path) -> None:
    features = [{"category": "f", "description": "d", "steps": ["s"], "passes": True}]
    (project / "feature_list.json").write_text(json.dumps(features))
    status, out, err = say("run", project, "--json")
    document = json.loads(out)
    assert status == 0, err
    assert document["stop_reason"] == "complete"
    assert (document["iterations"], document["sessions"]) == (0, 0)
    assert document["features"] == {"passing": 1, "total": 1}
    assert set(document) == {"run_id", "stop_reason", "iterations", "sessions", "features", "cost_usd", "detail"}
    assert [json.loads(line)["dest"] for line in say("history", project, "--json")[1].splitlines()] == [
        "DETECT", "END", "SHUTDOWN",
    ]  # fmt: skip


def test_a_second_manager_is_6_and_told_who_has_it(say: Say, project: Path) -> None:
    features = [{"category": "f", "description": "d", "steps": ["s"], "passes": True}]
    (project / "feature_list.json").write_text(json.dumps(features))
    with acquire(state_of(project), project):
        before = sorted(path.name for path in state_of(project).iterdir())
        status, out, err = say("run", project, "--json")
        assert sorted(path.name for path in state_of(project).iterdir()) == before
    assert (status, out) == (6, "")
    assert f"pid {os.getpid()} on {os.uname().nodename} since 20" in err


# --- demo, as far as it gets without an agent -----------------------------------------------------------------


def test_the_demo_touches_no_directory_that_is_somebodys(say: Say, project: Path) -> None:
    (project / "thesis.txt").write_text("two years of work")
    status, out, err = say("demo", project)
    assert (status, out) == (2, "")
    assert "no demo" in err
    (project / "app_spec.txt").write_text("my own specification")
    assert say("demo", project)[0] == 2
    assert sorted(path.name for path in project.iterdir()) == ["app_spec.txt", "thesis.txt"]
    assert not state_of(project).parent.exists()


# --- the process itself ---------------------------------------------------------------------------------------


def lifecycle(*arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **how)


def test_a_reader_that_has_read_enough_is_no_fault(project: Path) -> None:
    """`lifecycle history | head -1`: no traceback, no complaint."""
    facts = Facts(run_id=RUN_ID, at=AT, started_at=AT)
    moves = [Move("NEW", "start", "DETECT", facts)]
    for _ in range(100):
        moves += [
            Move("DETECT", "detected", "END", facts),
            Move("END", "ended", "CONTINUE", facts),
            Move("CONTINUE", "delay_elapsed", "DETECT", facts),
        ]
    record(project, *moves)
    command = f"{sys.executable} -m lifecycle.cli history {project} --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["seq"] == 1


def test_a_full_disk_behind_stdout_is_told(project: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    command = f"{sys.executable} -m lifecycle.cli status {project} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert done.stderr == "lifecycle: standard output: no space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_files_are_no_fault_and_no_other_file_takes_their_place(closed: str, project: Path) -> None:
    features = [{"category": "f", "description": "d", "steps": ["s"], "passes": True}]
    (project / "feature_list.json").write_text(json.dumps(features))
    command = f"{sys.executable} -m lifecycle.cli run {project} {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads(lifecycle("status", project, "--json").stdout)["stop_reason"] == "complete"


def test_what_a_look_imports_is_little() -> None:
    """What is slow to import is imported by the commands that need it; so help and status are quick."""
    program = "import sys; from lifecycle.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"claude_agent_sdk", "structlog", "transitions", "rich", "sqlite3", "h11"}


def test_help_and_status_are_quick(project: Path) -> None:
    """300 ms on a quiet machine; a third of that in processor time, which a busy one does not change much."""
    for arguments in (["--help"], ["status", str(project)]):
        spent_s = []
        for _ in range(3):
            before = os.times()
            assert lifecycle(*arguments).returncode == 0
            after = os.times()
            spent_s.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert min(spent_s) < 0.6, f"lifecycle {arguments[0]} took {min(spent_s):.2f} s of processor time"


# The harness may itself run with signals ignored (nohup, a job of a script).
AS_FROM_A_TERMINAL = (
    "import os, signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'lifecycle.cli', *sys.argv[1:]])"
)


def test_a_signal_outside_a_run_is_an_exit_status(project: Path) -> None:
    """`stop --wait` waits for a manager that is this process, and so for ever."""
    record(project, *a_run()[:3])
    with acquire(state_of(project), project):
        for name, expected in (("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)):
            command = [sys.executable, "-c", AS_FROM_A_TERMINAL, "stop", str(project), "--wait"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert "asked pid" in process.stdout.readline()
                time.sleep(0.2)  # into the wait; the status is the same before it
                process.send_signal(getattr(signal, name))
                _, err = process.communicate(timeout=30)
            assert (process.returncode, err) == (expected, "")


# --- the audit log --------------------------------------------------------------------------------------------


def test_audit_tells_what_was_asked_and_what_was_refused_and_status_counts_it(say: Say, project: Path) -> None:
    assert say("audit", project) == (0, "no tool call yet\n", "")
    assert say("audit", project, "--denied") == (0, "nothing was refused\n", "")
    record(project, *a_run())
    log = AuditLog(state_of(project) / "audit.jsonl")
    made = {"run_id": RUN_ID, "session_id": SESSION_ID}
    log.append(Decision(AT, "Bash", {"command": "npm\ttest"}, True, "allowed", **made))
    log.append(Decision(AT + 1, "Write", {"file_path": "/etc/x"}, False, "files.outside", "it is outside", **made))
    log.append(Decision(AT + 2, "Bash", {"command": "rm y"}, False, "sandbox.canary", "a test", **made))
    log.append(Decision(AT + 3, "Bash", {"command": "rm x"}, False, "gate.canary", "a test"))
    with log.path.open("ab") as file:
        file.write(b'{"at":')

    status, out, err = say("audit", project)
    assert (status, err) == (0, "lifecycle: 1 damaged lines of the audit log were passed over\n")
    assert [line.split()[0] for line in out.splitlines() if line.startswith("session")] == ["session", "session"]
    assert "allowed  Bash   npm\\ttest\n" in out
    assert "it is outside (files.outside)\n" in out
    assert "refused  Bash   (our own test)  rm x\n" in out
    denied = say("audit", project, "--denied")[1]
    assert denied.count("refused") == 1, "our own tests are nothing that an agent was refused"
    assert "canary" not in denied
    assert say("audit", project, "--session", SESSION_ID[:6])[1].count("2023-11-1") == 3
    tests = [json.loads(line)["test"] for line in say("audit", project, "--json")[1].splitlines()]
    assert tests == [False, False, True, True]
    one = json.loads(say("audit", project, "--denied", "--last", "1", "--json")[1])
    assert one == {
        "at": "2023-11-14T22:13:21.000Z", "run_id": RUN_ID, "session_id": SESSION_ID, "tool": "Write",
        "input": {"file_path": "/etc/x"}, "cwd": "", "verdict": "deny", "rule": "files.outside", "reason": "it is outside",
        "test": False,
    }  # fmt: skip

    assert f"refused   1 tool call; `lifecycle audit {project} --denied` tells which\n" in say("status", project)[1]
    log.path.unlink()
    log.path.mkdir()
    assert say("audit", project)[0] == 5
    status, out, _ = say("status", project)
    assert status == 0
    assert "the audit log cannot be read" in out
