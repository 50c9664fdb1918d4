"""How a judgement stops: one exception that carries the rule and what to do instead.

Owns the exception only. It never leaves this package: `policy.validate_command` turns it into a verdict.
"""

from __future__ import annotations

from states.errors import LifecycleError

__all__ = ["Refused"]


class Refused(LifecycleError):
    """The command is not accepted.

    Attributes:
        rule: a stable, dotted name of the rule that decided ("syntax.quote", "git.config").
        reason: which program or construct, and what would be accepted.
    """

    def __init__(self, rule: str, reason: str) -> None:
        self.rule = rule
        self.reason = reason
        super().__init__(reason)
