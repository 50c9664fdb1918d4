"""The settings: what is accepted, where it may stand, and which place wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.config import (
    SETTINGS,
    Config,
    duration,
    duration_words,
    from_environment,
    from_file,
    from_flags,
    from_host,
    resolve,
)
from lifecycle.errors import ConfigurationError


def test_the_defaults_are_the_seeds() -> None:
    config = Config()
    assert config.model == "claude-sonnet-4-5-20250929"
    assert (config.max_turns, config.continue_delay, config.max_iterations) == (1000, 3.0, None)


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "lifecycle.toml").write_text('max_turns = 1\nmodel = "file"\nstall_after = 9\n')
    file = from_file(tmp_path / "lifecycle.toml", must_exist=False)
    environment = from_environment({"LIFECYCLE_MAX_TURNS": "2", "LIFECYCLE_MODEL": "environment"})
    config = resolve(from_flags({"max_turns": "3", "model": None}), environment, file)
    assert (config.max_turns, config.model, config.stall_after, config.max_failures) == (3, "environment", 9, 5)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("continue_delay", "0", 0.0),
        ("continue_delay", "1.5m", 90.0),
        ("max_duration", "8h", 28800.0),
        ("max_duration", "none", None),
        ("max_budget_usd", "12.50", 12.5),
        ("max_iterations", 4, 4),
        ("max_iterations", "None", None),
        ("max_failures", "7", 7),
        ("state_dir", "/tmp/x", Path("/tmp/x")),
    ],
)
def test_what_is_accepted(name: str, given: object, value: object) -> None:
    assert getattr(resolve(from_host({name: given})), name) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("max_turns", "0"),
        ("max_turns", "-1"),
        ("max_turns", "1.5"),
        ("max_turns", "many"),
        ("max_turns", True),
        ("max_turns", "none"),
        ("max_iterations", "0"),
        ("max_budget_usd", "0"),
        ("max_budget_usd", "nan"),
        ("max_budget_usd", "inf"),
        ("continue_delay", "-1"),
        ("continue_delay", "soon"),
        ("continue_delay", ""),
        ("max_duration", "0"),
        ("model", "  "),
        ("model", 3),
        ("state_dir", ""),
        ("idle_timeout", [1]),
    ],
)
def test_what_is_refused_names_the_place_the_value_and_what_is_accepted(name: str, given: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_flags({name: given})
    message = str(caught.value)
    assert message.startswith(SETTINGS[name].flag)
    assert repr(given) in message
    assert "give " in message


def test_an_unknown_name_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'max_iterations'"):
        from_host({"max_iteration": 3})
    with pytest.raises(ConfigurationError, match="did you mean 'LIFECYCLE_MAX_ITERATIONS'"):
        from_environment({"LIFECYCLE_MAX_ITERATION": "3"})
    (tmp_path / "lifecycle.toml").write_text("max_turn = 3\n")
    with pytest.raises(ConfigurationError, match=r"lifecycle\.toml.*did you mean 'max_turns'"):
        from_file(tmp_path / "lifecycle.toml", must_exist=True)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ('model = "x"\n\nmax_turns = "many"\n', ":3, key 'max_turns'", "give a whole number from 1 up"),
        ('note = 1\nmodel = "x"\n', ":1: 'note' is no setting", "lists them all"),
        ('model = "x"\n"max-turns" = 3\n', ":2: 'max-turns' is no setting", "did you mean 'max_turns'"),
        ("[limits]\nmax_turns = 3\n", ":1: 'limits' is no setting", "settings stand at the top"),
        ('model = "x"\n[guard]\nalow = []\n', ":2, table [guard]: unknown key 'alow'", "allow"),
        ('model = """\nmax_turns = 0\n"""\nmax_turns = 0\n', ":4, key 'max_turns'", "from 1 up"),
        ('model = "x"\nmax_turns = = 3\n', "it is not valid TOML", "line 2"),
        ('state_dir = "/tmp"\n', ":1, key 'state_dir'", "--state-dir"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, content: str, place: str, words: str) -> None:
    """A text that only looks like a key is passed over."""
    (tmp_path / "lifecycle.toml").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        from_file(tmp_path / "lifecycle.toml", must_exist=False)
    assert place in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("given", ["soon", "0", "-3m", "", "1e308d", [1], True])
@pytest.mark.parametrize("name", [each.name for each in SETTINGS.values() if each.metavar == "DURATION"])
def test_every_duration_is_refused_in_the_same_words(name: str, given: object) -> None:
    if (name, given) == ("continue_delay", "0"):
        return  # the one duration that may be nothing
    with pytest.raises(ConfigurationError, match="give a duration .*: 90m, 8h, 2d, or a number of seconds"):
        from_host({name: given})


@pytest.mark.parametrize("seconds", [0.0, 0.5, 3.0, 90.0, 600.0, 5400.0, 28800.0, 86400.0, 172801.0])
def test_a_duration_in_words_is_accepted_as_the_same(seconds: float) -> None:
    assert duration(duration_words(seconds)) == seconds


def test_variables_that_only_share_the_prefix_are_not_ours() -> None:
    others = {"LIFECYCLE_SESSION_ID": "x", "LIFECYCLE_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    assert from_environment(others).values == {}


@pytest.mark.parametrize(
    "content", [b"max_turns = \n", b"\xff\xfe", b"max_turns = 1\nmax_turns = 2\n", b"[table]\nx = 1\n"]
)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lifecycle.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match="lifecycle.toml"):
        from_file(tmp_path / "lifecycle.toml", must_exist=False)


def test_a_missing_file_is_empty_unless_it_was_named(tmp_path: Path) -> None:
    assert from_file(tmp_path / "none.toml", must_exist=False).values == {}
    with pytest.raises(ConfigurationError, match="no such file"):
        from_file(tmp_path / "none.toml", must_exist=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        from_file(tmp_path, must_exist=True)


def test_every_setting_has_a_flag_a_variable_and_a_help() -> None:
    for setting in SETTINGS.values():
        assert setting.flag.startswith("--")
        assert setting.variable.startswith("LIFECYCLE_")
        assert len(setting.help) > 10
        assert setting.metavar
