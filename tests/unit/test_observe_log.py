"""What the log looks like, to people and to machines."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
import time
import warnings
from dataclasses import MISSING, fields
from typing import Any

import pytest
import structlog

from lifecycle import events
from lifecycle.events import Event
from lifecycle.observe.library import told_by_libraries
from lifecycle.observe.log import configure

AT = 1_700_000_000.25
SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"


def every_event() -> list[type[Event]]:
    found = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]
    return [each for each in found if each is not Event]


def sample(kind: type[Event], **given: Any) -> Event:
    """An event of this kind with plausible fields."""
    made: dict[str, Any] = {"at": AT, "run_id": "run-1"}
    for field in fields(kind):
        if field.default is MISSING and field.name not in made:
            made[field.name] = {"int": 2, "float": AT, "bool": True}.get(str(field.type).split(" ")[0], field.name)
    for name, value in {"source": "RUN", "dest": "END", "state": "RUN", "session_id": SESSION}.items():
        if name in made:
            made[name] = value
    return kind(**{**made, **given})


def logged(*told: Event, form: str = "json", level: str = "debug", environment: dict[str, str] | None = None) -> str:
    stream = io.StringIO()
    log = configure(form, stream, level, environment=environment)
    for event in told:
        log(event)
    assert log.close(10)
    return stream.getvalue()


@pytest.mark.parametrize("kind", every_event(), ids=lambda kind: kind.name)
def test_every_event_is_one_json_line_with_its_name_level_moment_and_fields(kind: type[Event]) -> None:
    event = sample(kind)
    (line,) = logged(event).splitlines()
    document = json.loads(line)
    assert list(document)[:3] == ["timestamp", "level", "event"]
    assert document["timestamp"] == "2023-11-14T22:13:20.250Z"
    assert document["level"] == kind.level
    assert document["event"] == kind.name
    given = {field.name for field in fields(kind) if getattr(event, field.name) is not None} - {"at"}
    assert set(document) == {"timestamp", "level", "event"} | given


@pytest.mark.parametrize("kind", every_event(), ids=lambda kind: kind.name)
def test_every_event_has_a_phrase_for_people(kind: type[Event]) -> None:
    """One line at most, whatever the event holds; a turn that is priced is told by the progress line alone."""
    lines = logged(sample(kind), form="console").splitlines()
    assert len(lines) == (0 if kind is events.TurnUsed else 1)


@pytest.mark.parametrize("dest", ["DETECT", "CREATE", "RUN", "END", "CONTINUE", "SHUTDOWN", "A_HOSTS_OWN"])
def test_every_transition_can_be_told_with_the_least_that_is_known(dest: str) -> None:
    least = events.Transitioned(at=AT, run_id="r", seq=1, source="NEW", trigger="t", dest=dest, iteration=0)
    assert dest in logged(least, form="console")


def test_names_are_unique() -> None:
    names = [kind.name for kind in every_event()]
    assert len(names) == len(set(names))


def test_no_field_has_the_name_of_a_part_of_the_line() -> None:
    for kind in every_event():
        assert not {"event", "level", "timestamp"} & {field.name for field in fields(kind)}


def test_moments_are_iso_8601_in_utc() -> None:
    event = sample(events.Transitioned, dest="CONTINUE", resume_at=AT + 1)
    assert json.loads(logged(event))["resume_at"] == "2023-11-14T22:13:21.250Z"


def test_what_is_below_the_level_is_not_told() -> None:
    assert logged(sample(events.ToolStarted), level="info") == ""
    assert logged(sample(events.ToolDenied), level="error") == ""
    assert logged(sample(events.ToolDenied), level="info") != ""


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_are_redacted_by_shape_and_by_value(form: str) -> None:
    said = sample(events.Said, text="sk-ant-api03-abcdefghijklmnop and correct-horse-battery")
    out = logged(said, form=form, environment={"GH_TOKEN": "correct-horse-battery"})
    assert "abcdefghijklmnop" not in out
    assert "correct-horse" not in out
    assert out.count("[redacted]") == 2


def test_what_an_agent_wrote_cannot_steer_the_terminal_or_make_lines() -> None:
    out = logged(sample(events.Said, text="a\x1b[2Jb\nlifecycle: all done\rc\x07\u202ed"), form="console")
    assert len(out.splitlines()) == 1
    assert not set(out) & {"\x1b", "\r", "\x07", "\u202e"}


def test_a_fault_is_told_in_one_line_to_people_and_whole_to_machines() -> None:
    detail = 'Traceback (most recent call last):\n  File "/x/y.py", line 7, in f\n    boom()\nValueError: boom\n'
    fault = sample(events.Fault, error="ValueError('boom')", detail=detail)
    out = logged(fault, form="console")
    assert "ValueError('boom')" in out
    assert "/x/y.py:7" in out
    assert "Traceback" not in out
    assert json.loads(logged(fault))["detail"] == detail


def test_a_failure_is_a_plain_message_to_people_and_an_event_to_machines() -> None:
    for form in ("console", "json"):
        stream = io.StringIO()
        log = configure(form, stream)
        log.fail("it cannot be done")
        log.close(10)
        if form == "console":
            assert stream.getvalue() == "lifecycle: it cannot be done\n"
        else:
            document = json.loads(stream.getvalue())
            assert (document["event"], document["level"]) == ("failed", "error")
            assert document["message"] == "it cannot be done"


def test_a_hosts_structlog_stays_as_it_is() -> None:
    before = structlog.get_config()
    assert not structlog.is_configured()
    logged(sample(events.Said))
    assert not structlog.is_configured()
    assert structlog.get_config() == before


def test_what_libraries_log_and_warn_is_told_in_the_same_form() -> None:
    stream = io.StringIO()
    log = configure("json", stream)
    with told_by_libraries(log), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("some.library").warning("careful with %s", "that")
        logging.getLogger("some.library").info("not told")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    log.close(10)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["logger"], first["message"]) == ("library_log", "some.library", "careful with that")
    assert second["logger"] == "py.warnings"
    assert not logging.getLogger().handlers or all(
        type(handler).__module__ != "lifecycle.observe.library" for handler in logging.getLogger().handlers
    )


SHOW = """
import os, sys, time
from lifecycle.events import Transitioned
from lifecycle.observe.log import configure
log = configure(sys.argv[1], sys.stderr, environment=os.environ)
for seq in range(2):
    log(Transitioned(at=time.time(), run_id="r", seq=seq, source="END", trigger="ended", dest="CONTINUE", iteration=3,
                     features_passing=2 + seq, features_total=8, cost_usd=0.5, resume_at=time.time() + 9))
    time.sleep(0.8)
log.close(5)
print("rich.live" in sys.modules)
"""


def on_a_terminal(form: str, **environment: str) -> tuple[str, str]:
    """What a program that logs shows on a terminal, and what it says on stdout."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, form],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", **environment},
        text=True,
    ) as process:
        os.close(terminal)
        shown = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                piece = os.read(controller, 65536)
            except OSError:  # Linux says EIO when the last writer has gone
                break
            if not piece:
                break
            shown += piece
        os.close(controller)
        assert process.stdout is not None
        answer = process.stdout.read()
    assert process.returncode == 0
    return shown.decode(), answer.strip()


def test_on_a_terminal_a_live_line_counts_down_below_the_log() -> None:
    shown, has_rich = on_a_terminal("console", NO_COLOR="")
    assert has_rich == "True"
    assert "iteration 3 · 2/8 features · $0.50" in shown
    assert "iteration 3 · 3/8 features · $0.50" in shown
    assert "next in 0:09" in shown
    assert "next in 0:08" in shown
    assert shown.count("END -> CONTINUE") == 2
    assert "\x1b[?25l" not in shown, "the cursor is never hidden: a kill would leave it so"
    assert "\x1b[2m" in shown


def test_no_colour_is_honoured() -> None:
    shown, _ = on_a_terminal("console", NO_COLOR="1")
    assert "2/8 features" in shown
    colours = [piece.partition("m")[0] for piece in shown.split("\x1b[")[1:] if piece.partition("m")[0].isdigit()]
    assert colours == []


@pytest.mark.parametrize(("form", "terminal"), [("json", "xterm"), ("console", "dumb")])
def test_machines_and_dumb_terminals_get_plain_lines(form: str, terminal: str) -> None:
    shown, has_rich = on_a_terminal(form, TERM=terminal)
    assert has_rich == "False"
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
