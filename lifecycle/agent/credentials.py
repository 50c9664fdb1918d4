"""Whether there is anything with which the agent can log in. Looks for it, and never at it.

Owns the list of places. Whether what is there is accepted, only the service can tell.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["CREDENTIAL_VARIABLES", "has_credentials"]

CREDENTIAL_VARIABLES: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
"""Any of them, with a value, is a way in; those named USE leave the login to a cloud's own tools."""


def has_credentials(environment: Mapping[str, str], *, platform: str = sys.platform) -> bool:
    """Whether the agent will find something to log in with.

    On macOS a login is kept in the keychain, where nobody is asked without a reason: there it always may.
    """
    if any(environment.get(name, "").strip() for name in CREDENTIAL_VARIABLES):
        return True
    return platform == "darwin" or any(path.is_file() for path in _files(environment))


def _files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where `claude` keeps a login."""
    if directory := environment.get("CLAUDE_CONFIG_DIR"):
        return (Path(directory).expanduser() / _FILE,)
    home = environment.get("HOME")
    return () if not home else (Path(home) / ".claude" / _FILE,)


_FILE: Final = ".credentials.json"
