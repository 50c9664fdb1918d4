"""What the references tell is what the code does: every generated block is current, every promise in them is kept."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from lifecycle import errors, events
from lifecycle.cli.exits import Exit
from lifecycle.cli.main import COMMANDS, commands
from lifecycle.config import SETTINGS
from lifecycle.skill.reference import BLOCKS, main, references, regenerated
from states import errors as pure_errors
from states.guards import GUARDS
from states.outcomes import OUTCOMES
from states.vocabulary import State, StopReason, Trigger

TEXTS = {path.name: path.read_text("utf-8") for path in references()}


@pytest.mark.parametrize("path", references(), ids=lambda path: path.name)
def test_the_generated_blocks_are_current(path: Path) -> None:
    """When this fails: python -m lifecycle.skill.reference"""
    assert regenerated(path.read_text("utf-8")) == path.read_text("utf-8")


def test_the_check_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_every_block_that_can_be_made_stands_somewhere() -> None:
    everything = "\n".join(TEXTS.values())
    for name in BLOCKS:
        assert f"<!-- lifecycle:{name} -->" in everything


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_told_with_its_flag_and_variable(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \|.*$", TEXTS["CONFIGURATION.md"], re.MULTILINE)
    assert f"`{SETTINGS[name].flag}`" in row
    assert f"`{SETTINGS[name].variable}`" in row


WORDS = [
    *(f"**{state}**" for state in State),
    *(f"`{each}`" for each in (*Trigger, *GUARDS, *StopReason, *OUTCOMES)),
    *(f"| {int(status)} |" for status in Exit),
    *(
        f"`{each.name}`"
        for _, each in inspect.getmembers(events, inspect.isclass)
        if issubclass(each, events.Event) and each is not events.Event
    ),
    *(
        f"`{each.__module__}.{name}`"
        for module in (errors, pure_errors)
        for name, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, errors.LifecycleError) and each is not errors.LifecycleError
        and each.__module__ == module.__name__
    ),
]
ROOT = Path(__file__).parents[2]
UNHEARD = {"Refused"}
"""Errors that never leave their package."""


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_lifecycle_is_told(word: str) -> None:
    assert word in TEXTS["SESSION-LIFECYCLE.md"]


def test_every_error_that_the_code_defines_is_told() -> None:
    """Found in the sources, wherever somebody may define the next one."""
    classes = [
        (name, base, ".".join(path.relative_to(ROOT).with_suffix("").parts))
        for package in ("lifecycle", "states")
        for path in (ROOT / package).rglob("*.py")
        for name, base in re.findall(r"^class (\w+)\((\w+)\):", path.read_text("utf-8"), re.MULTILINE)
    ]
    found: dict[str, str] = {}
    while more := {
        name: module
        for name, base, module in classes
        if name not in found and base in {"LifecycleError", *found}
    }:
        found |= more
    told = {name for name, module in found.items() if f"`{module}.{name}`" in TEXTS["SESSION-LIFECYCLE.md"]}
    assert set(found) - told == UNHEARD


def test_no_snippet_is_of_a_kind_that_nothing_tries() -> None:
    """`tests/e2e/test_first_minutes_path.py` types the shell's, reads the settings and runs the programs; blocks between
    marks are generated, and their programs are run by `test_examples.py`."""
    tried = {"sh", "toml", "python"}
    from lifecycle.skill.installing import skill_files

    for text in (*TEXTS.values(), skill_files()["SKILL.md"].decode(), (ROOT / "README.md").read_text("utf-8")):
        by_hand = re.sub(r"<!-- lifecycle:(\S+) -->.*?<!-- /lifecycle:\1 -->", "", text, flags=re.DOTALL)
        kinds = set(re.findall(r"^```(\w+)$", by_hand, re.MULTILINE))
        assert kinds <= tried


def test_every_command_and_flag_that_the_documents_name_exists() -> None:
    known = {name: commands.get_command(click.Context(commands), name) for name in COMMANDS}
    from lifecycle.skill.installing import skill_files

    for text in (*TEXTS.values(), skill_files()["SKILL.md"].decode()):
        for line in re.findall(r"`(lifecycle [^`]*)`|^ *(lifecycle .*)$", text, re.MULTILINE):
            words = "".join(line).partition("#")[0].split()
            command = known[words[1]]
            if isinstance(command, click.Group):
                command = command.commands[words[2]]
            flags = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= flags | {"--help"}, line
