"""Whether there is something to log in with: looked for, never looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.credentials import CREDENTIAL_VARIABLES, has_credentials


@pytest.mark.parametrize("name", CREDENTIAL_VARIABLES)
def test_each_variable_is_a_way_in_unless_it_is_empty(name: str) -> None:
    assert has_credentials({name: "1"}, platform="linux")
    assert not has_credentials({name: " "}, platform="linux")


def test_nothing_is_no_way_in_but_on_macos_where_the_keychain_may_have_it(tmp_path: Path) -> None:
    assert not has_credentials({}, platform="linux")
    assert not has_credentials({"HOME": str(tmp_path)}, platform="linux")
    assert has_credentials({"HOME": str(tmp_path)}, platform="darwin")


def test_a_login_is_found_where_claude_keeps_it_even_if_it_cannot_be_read(tmp_path: Path) -> None:
    login = tmp_path / ".claude" / ".credentials.json"
    login.parent.mkdir()
    login.write_text("{}")
    login.chmod(0)
    assert has_credentials({"HOME": str(tmp_path)}, platform="linux")
    elsewhere = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "other")}
    assert not has_credentials(elsewhere, platform="linux")
    assert has_credentials({"CLAUDE_CONFIG_DIR": str(login.parent)}, platform="linux")
