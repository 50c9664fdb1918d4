"""The settings: what is accepted, where it may stand, and which place wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.config import (
    SETTINGS,
    Config,
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
