"""The prompts: what they say, and how a person replaces them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.prompt_library import PLACEHOLDERS, PromptLibrary
from lifecycle.errors import ConfigurationError
from lifecycle.ports import Reading
from states.facts import FeatureCount
from states.vocabulary import SessionType

READING = Reading(FeatureCount(total=12, passing=5), context="The newest note: {{features_left}} \\1 $x {y}")


@pytest.mark.parametrize("session_type", SessionType)
def test_the_context_is_in_the_prompt_word_for_word(session_type: SessionType) -> None:
    prompt = PromptLibrary().session_prompt(session_type, READING, None)
    assert READING.context in prompt
    assert prompt.count("{{") == 1


def test_the_coding_prompt_tells_the_score() -> None:
    prompt = PromptLibrary().session_prompt(SessionType.CONTINUE, READING, None)
    assert "5 of 12 features pass; 7 are left" in prompt


def test_an_explicit_prompt_is_taken_word_for_word() -> None:
    explicit = "Just {{this}} @file /clear"
    assert PromptLibrary().session_prompt(SessionType.INIT, READING, explicit) == explicit


@pytest.mark.parametrize("session_type", SessionType)
def test_the_rules_are_told(session_type: SessionType) -> None:
    prompt = PromptLibrary().session_prompt(session_type, Reading(FeatureCount(0, 0)), None)
    for word in (
        "feature_list.json",
        "passes",
        "app_spec.txt",
        "claude-progress.txt",
        "init.sh",
        "git",
        "reorder",
    ):
        assert word in prompt, word
    assert "Nothing is known" in prompt


def test_a_resumption_says_what_happened() -> None:
    for session_type in SessionType:
        assert PromptLibrary().resumed(session_type).startswith("You were interrupted")


def test_a_person_can_replace_any_of_them(tmp_path: Path) -> None:
    (tmp_path / "coding.md").write_text("Left: {{ features_left }} of {{features_total}}.")
    library = PromptLibrary(tmp_path)
    assert library.session_prompt(SessionType.CONTINUE, READING, None) == "Left: 7 of 12."
    assert "specification" in library.session_prompt(SessionType.INIT, READING, None)


def test_the_file_may_change_while_we_run(tmp_path: Path) -> None:
    """It was read and checked at the start; the agent, or a mistake, changes nothing any more."""
    path = tmp_path / "resumed.md"
    path.write_text("Go on.")
    library = PromptLibrary(tmp_path)
    path.unlink()
    assert library.resumed(SessionType.INIT) == "Go on."


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_an_unknown_placeholder_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("one\ntwo {{nonsense}}\n")
    with pytest.raises(ConfigurationError) as caught:
        PromptLibrary(tmp_path)
    assert caught.value.source == f"{tmp_path / name}:2"
    assert "{{nonsense}}" in caught.value.problem


def test_a_bad_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "initializer.md"
    for spoil in (
        lambda: path.write_text("  \n"),
        lambda: path.write_bytes(b"\xff\xfe"),
        lambda: path.write_text("x" * 300_000),
        lambda: (path.unlink(), path.mkdir()),
        lambda: (path.rmdir(), path.symlink_to(tmp_path / "nowhere")),
    ):
        spoil()
        with pytest.raises(ConfigurationError) as caught:
            PromptLibrary(tmp_path)
        assert caught.value.source == str(path)


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        PromptLibrary(tmp_path / "missing")
