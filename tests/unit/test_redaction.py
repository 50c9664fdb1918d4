"""What is taken out of text, and what is left in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.redaction import REDACTED, Redactor, one_line, secrets_in

SECRETS = [
    ("export ANTHROPIC_API_KEY=abc123", "abc123"),
    ("ANTHROPIC_API_KEY: 'abc123 def'", "abc123 def"),
    ('{"api_key": "abc123"}', "abc123"),
    ("the key sk-ant-api03-AbCd_efgh-1234 is", "AbCd_efgh"),
    ("sk-proj-abcdefgh12345678", "abcdefgh12345678"),
    ("curl -H 'x-api-key: abcdef123' http://x", "abcdef123"),
    ("Authorization: Bearer abcdef.123456", "abcdef.123456"),
    ("authorization: basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("git clone https://me:hunter2@example.org/x.git", "hunter2"),
    ("ghp_abcdefghijklmnop1234", "abcdefghijklmnop"),
    ("github_pat_11ABCDEFG0123456789_abc", "11ABCDEFG"),
    ("AKIAABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP"),
    ("xoxb-1234567890-abcdef", "1234567890"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "eyJzdWIiOiIxIn0"),
    ("mysql --password hunter2 -u root", "hunter2"),
    ("DB_PASSWORD=hunter2 ./run", "hunter2"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "MIIE"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_go(text: str, secret: str) -> None:
    redacted = Redactor()(text)
    assert secret not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize(
    "text",
    [
        "git commit -m 'Add the login page'",
        "feature tokens-count passes",
        "pytest tests/test_password.py -q",
        "task sk-1",
        "https://example.org/a:b",
        "see src/auth/token.py:12",
        "12 input tokens, 3 output tokens",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert Redactor()(text) == text


def test_known_values_go_whole() -> None:
    redact = Redactor(["abcdefgh", "abcdefgh-ijklmnop", "short"])
    assert redact("abcdefgh-ijklmnop, abcdefgh, short") == f"{REDACTED}, {REDACTED}, short"


def test_secrets_are_known_by_their_variables_names() -> None:
    environment = {
        "ANTHROPIC_AUTH_TOKEN": "token-value",
        "AWS_SECRET_ACCESS_KEY": "secret-value",
        "PGPASSWORD": "password-value",
        "HOME": "/home/somebody",
        "EMPTY_TOKEN": "",
    }
    assert secrets_in(environment) == {"token-value", "secret-value", "password-value"}


@given(st.text(max_size=300))
def test_twice_is_as_good_as_once(text: str) -> None:
    redact = Redactor(["0000000000"])
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "piece", ["sk-", "token=", "-----BEGIN PRIVATE KEY-----", "a:b@", "--token ", "eyJ", "bearer  ", "key"]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    begun = time.process_time()
    Redactor(["secret-value"])(piece * (100_000 // len(piece)))
    assert time.process_time() - begun < 2


def test_one_line_is_one_line() -> None:
    assert one_line("\x1b[31mred\x1b[0m\tand\u2028blue") == "[31mred [0m and"
    assert one_line("") == ""
    assert len(one_line("x" * 10_000)) == 160


def test_prose_that_speaks_of_secrets_stays_readable() -> None:
    from lifecycle.redaction import Redactor

    for words in (
        "no credentials: the agent has nothing to log in with",
        "tokens: 1000",
        "password: string",
        "the token: see the manual",
    ):
        assert Redactor(frozenset())(words) == words
    assert "hunter22" not in Redactor(frozenset())("password: hunter22")
    assert "x y z" not in Redactor(frozenset())("secret: 'x y z'")
