"""The errors of the pure core, sorted by who must act.

`LifecycleError` is the base of every error this project raises on purpose; the shell adds its own
below it in `lifecycle.errors`. An error keeps what it is about as attributes and builds its own message:
what cannot be done, why, and what to do.
"""

from __future__ import annotations


class LifecycleError(Exception):
    """Base of every error raised on purpose by this project."""


class DefinitionError(LifecycleError):
    """The table of transitions is wrong. The author of the table must act.

    Raised when a table is compiled, so at import or start and never in the middle of a run.

    Attributes:
        row: the offending row, rendered, or None when the table as a whole is at fault.
        problem: what is wrong with it.
    """

    def __init__(self, problem: str, row: object | None = None) -> None:
        self.problem = problem
        self.row = None if row is None else str(row)
        super().__init__(problem if self.row is None else f"{problem}: row {self.row}")


class IllegalTransition(LifecycleError):
    """A trigger found no edge that it may take. The caller must act.

    You never get this from the built-in driver: its states only produce triggers that the table has.

    Attributes:
        state: where the machine was, and still is.
        trigger: what was fired.
        candidates: the guards that were asked and said no; empty when the state has no such trigger.
    """

    def __init__(self, state: str, trigger: str, candidates: tuple[str, ...] = ()) -> None:
        self.state = state
        self.trigger = trigger
        self.candidates = candidates
        why = f"no guard of {', '.join(candidates)} holds" if candidates else "the table has no such edge"
        super().__init__(f"{trigger!r} moves nothing in {state}: {why}; the state is unchanged")


class RecordInvalid(LifecycleError):
    """A durable record cannot be read back: an unknown version, a missing or a mistyped field.

    Attributes:
        problem: what is wrong, with the field's path where there is one.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the record cannot be read: {problem}")
