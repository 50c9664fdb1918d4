"""Takes secrets out of text that people and logs will read. Pure: it knows patterns, and the values it is given.

A guard against accidents, not a proof: a secret in an unknown shape, or cut in two, is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["REDACTED", "Redactor", "one_line", "secrets_in", "without_credentials"]

REDACTED: Final = "[redacted]"


class Redactor:
    """Replaces everything that looks like a credential, and every secret it was told, by `REDACTED`.

    >>> Redactor()("curl -H 'Authorization: Bearer abcdefgh12345678'")
    "curl -H 'Authorization: Bearer [redacted]'"
    >>> Redactor(["hunter2-hunter2"])("the password is hunter2-hunter2")
    'the password is [redacted]'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: a secret that contains another one goes as a whole. Short values would blot out plain words.
        known = sorted(
            {secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}, key=len, reverse=True
        )
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text


def secrets_in(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of the variables whose names say that they hold a credential.

    >>> sorted(secrets_in({"ANTHROPIC_API_KEY": "k" * 8, "PATH": "/usr/bin", "GH_TOKEN": "t" * 8}))
    ['kkkkkkkk', 'tttttttt']
    """
    return frozenset(
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= SECRET_CHARS_MIN
    )


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that hold a credential, or lead to one, as far as can be told.

    >>> without_credentials({"PATH": "/usr/bin", "OPENAI_API_KEY": "k" * 8, "DB": "pg://me:secret@db/x"})
    {'PATH': '/usr/bin'}
    """
    redact = Redactor(secrets_in(environment))
    return {
        name: value
        for name, value in environment.items()
        if not (_SECRET_NAME.search(name) or name.startswith(_SECRET_PREFIXES) or name in _SECRET_DOORS)
        and redact(value) == value
    }


def one_line(text: str, chars_max: int = 160) -> str:
    """The first line that says anything, with control characters and runs of blanks replaced, and shortened.

    >>> one_line("\\n  hello\\tthere \\nmore")
    'hello there'
    >>> one_line("abcdef", 4)
    'abc…'
    """
    head = next((line for line in text[:_SCANNED_CHARS_MAX].splitlines() if line.strip()), "")
    head = " ".join("".join(char if char.isprintable() else " " for char in head).split())
    return head if len(head) <= chars_max else head[: chars_max - 1] + "…"


SECRET_CHARS_MIN: Final = 8
_SCANNED_CHARS_MAX: Final = 4096

_NAMES: Final = r"(?:(?:api|access|private|auth)_?key|token|secret|passw(?:or)?d|passphrase|credentials?)"
_SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)

_SECRET_PREFIXES: Final = ("ANTHROPIC_", "CLAUDE_", "AWS_")
_SECRET_DOORS: Final = frozenset({"SSH_AUTH_SOCK", "GPG_AGENT_INFO", "SSH_ASKPASS", "GIT_ASKPASS", "KUBECONFIG"})

# Every pattern is linear: no repetition stands inside another one over the same characters.
_SHAPES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", 0, REDACTED),
        (r"\bsk-[A-Za-z0-9_-]{8,}", 0, REDACTED),
        (r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})", 0, REDACTED),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", 0, REDACTED),
        (r"\bAIza[\w-]{30,}", 0, REDACTED),
        (r"\bxox[abeoprs]-[\w-]{10,}", 0, REDACTED),
        (r"\bnpm_[A-Za-z0-9]{30,}", 0, REDACTED),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", 0, REDACTED),
        (r"\b(bearer|basic)(\s+)[\w.~+/=-]{8,}", re.IGNORECASE, rf"\1\2{REDACTED}"),
        (r"(://)[^\s/@:'\"]*:[^\s/@'\"]+@", 0, rf"\1{REDACTED}@"),
        (r"\b(x-api-key['\"]?\s*[:=]\s*['\"]?)[^\s'\",;]+", re.IGNORECASE, rf"\1{REDACTED}"),
        # NAME=value, "name": "value", --name value, where the name says that it is one
        (
            rf"([\w-]{{0,64}}{_NAMES}\w{{0,32}}['\"]?\s*=\s*)(?!\[redacted\])(?:'[^']*'|\"[^\"]*\"|[^\s'\",;]+)",
            re.IGNORECASE,
            rf"\1{REDACTED}",
        ),
        # NAME: value, where prose is likely: only what is quoted, or is long and has a digit as words have not
        (
            (
                rf"([\w-]{{0,64}}{_NAMES}\w{{0,32}}['\"]?\s*:\s*)(?!\[redacted\])"
                r"(?:'[^']+'|\"[^\"]+\"|(?=[^\s'\",;]{0,64}\d)[^\s'\",;]{8,})"
            ),
            re.IGNORECASE,
            rf"\1{REDACTED}",
        ),
        (
            rf"(--[\w-]{{0,64}}{_NAMES}[\w-]{{0,32}}\s+)(?!\[redacted\])(?:'[^']*'|\"[^\"]*\"|[^\s'\",;-][^\s'\",;]*)",
            re.IGNORECASE,
            rf"\1{REDACTED}",
        ),
    )
)
