"""The fence around the agent: which commands it may run, and the record of what it asked for.

Usable alone, in any host of the Claude Agent SDK:

    from lifecycle.guard import create_bash_security_hook, validate_command

The names below are loaded when they are first used; the parser's library when the first command is judged.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifecycle.guard.audit import AuditLog as AuditLog
    from lifecycle.guard.audit_reading import read_audit as read_audit
    from lifecycle.guard.decisions import AuditSink as AuditSink
    from lifecycle.guard.decisions import Decision as Decision
    from lifecycle.guard.filter import judged_commands as judged_commands
    from lifecycle.guard.filter import judged_lines as judged_lines
    from lifecycle.guard.hook import create_bash_security_hook as create_bash_security_hook
    from lifecycle.guard.hook import judge_bash as judge_bash
    from lifecycle.guard.policy import Allowlist as Allowlist
    from lifecycle.guard.policy import CommandVerdict as CommandVerdict
    from lifecycle.guard.policy import validate_command as validate_command
    from lifecycle.guard.profiles import PROFILES as PROFILES
    from lifecycle.guard.profiles import Profile as Profile
    from lifecycle.guard.profiles import profile_from as profile_from

_HOMES = {
    "Allowlist": "lifecycle.guard.policy",
    "AuditLog": "lifecycle.guard.audit",
    "AuditSink": "lifecycle.guard.decisions",
    "CommandVerdict": "lifecycle.guard.policy",
    "Decision": "lifecycle.guard.decisions",
    "PROFILES": "lifecycle.guard.profiles",
    "Profile": "lifecycle.guard.profiles",
    "create_bash_security_hook": "lifecycle.guard.hook",
    "judge_bash": "lifecycle.guard.hook",
    "judged_commands": "lifecycle.guard.filter",
    "judged_lines": "lifecycle.guard.filter",
    "profile_from": "lifecycle.guard.profiles",
    "read_audit": "lifecycle.guard.audit_reading",
    "validate_command": "lifecycle.guard.policy",
}

__all__ = [*_HOMES]  # noqa: PLE0604  # names, taken from the one list


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
