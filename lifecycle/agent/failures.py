"""What the SDK's exceptions tell about the end of an agent, as evidence. The only reader of those classes."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Final

from lifecycle.agent.evidence import Cut, Evidence, Result
from states.vocabulary import Cause

__all__ = ["with_failure"]


def with_failure(evidence: Evidence, error: BaseException) -> Evidence:
    """The evidence, and what the exception adds to it. Anything that the SDK may raise is taken."""
    import claude_agent_sdk as sdk

    problem = f"{type(error).__name__}: {error}"
    match error:
        case sdk.ResultError():
            result = evidence.result or Result(
                subtype=error.subtype or "",
                is_error=True,
                terminal_reason=error.terminal_reason,
                api_error_status=error.api_error_status,
                text=error.result or "",
                errors=tuple(error.errors),
            )
            return replace(evidence, result=result, exit_code=error.exit_code, problem=problem)
        case sdk.ProcessError():
            return replace(evidence, exit_code=error.exit_code, problem=problem)
        case sdk.CLINotFoundError():
            return replace(evidence, cannot_run=True, problem=str(error))
        case sdk.CLIConnectionError():
            cause = error.__cause__
            if isinstance(cause, OSError):
                is_shortage = cause.errno in SHORTAGES
                return replace(
                    evidence, no_resources=is_shortage, cannot_run=not is_shortage, problem=str(error)
                )
            if "on_failure" in str(error):
                return replace(evidence, cut=Cut(Cause.GATE, _first_sentence(error)), problem=problem)
            return replace(evidence, problem=str(error))
        case sdk.CLIJSONDecodeError():
            return replace(evidence, is_unreadable=True, problem=str(error))
        case _:
            # MessageParseError is no public name of the SDK.
            is_unreadable = type(error).__name__ == "MessageParseError"
            return replace(evidence, is_unreadable=is_unreadable, problem=problem)


def _first_sentence(error: BaseException) -> str:
    return str(error).partition(". ")[0]


SHORTAGES: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC})
"""What the operating system may have more of in a moment."""
