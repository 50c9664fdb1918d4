"""The way through a host's states: what is remembered of the built-in state that was left before them.

A promise about the built-in states holds over the path with a host's states taken out, so a step that leaves a host's
state carries what it needs for that: which built-in state was left last, what was decided there, and what went wrong since.
Owns the memory alone; what must be true of it is `states.promises`'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from states.facts import Facts
from states.vocabulary import State, StopReason, Trigger

__all__ = ["Passage", "is_own"]

_BUILT_IN = frozenset(State)


def is_own(state: str) -> bool:
    """Whether the state is a host's own.

    >>> is_own("REVIEW"), is_own("RUN")
    (True, False)
    """
    return state not in _BUILT_IN


@dataclass(frozen=True, slots=True)
class Passage:
    """What is known while a lifecycle is among a host's states.

    Attributes:
        left: the built-in state that was left last.
        trigger: what happened there.
        decided: the facts with which it was left.
        reason: the stop reason that stands: what END decided, or what a host's state was cut short by.
        has_failed: whether the work of any state could not be done since, the one that was left among them.
        was_stopped: whether somebody has asked for a stop by now.
    """

    left: str
    trigger: str
    decided: Facts
    reason: StopReason | None
    has_failed: bool
    was_stopped: bool

    @classmethod
    def begun(cls, left: str, trigger: str, decided: Facts) -> Passage:
        """A built-in state leads to a host's."""
        passage = cls(left, trigger, decided, decided.stop_reason, has_failed=False, was_stopped=False)
        return _after(passage, trigger, decided)

    def onward(self, trigger: str, facts: Facts) -> Passage:
        """A host's state leads to another one."""
        is_cut_short = trigger in (Trigger.FAILED, Trigger.STOP_REQUESTED)
        return _after(replace(self, reason=facts.stop_reason) if is_cut_short else self, trigger, facts)


def _after(passage: Passage, trigger: str, facts: Facts) -> Passage:
    return replace(
        passage,
        has_failed=passage.has_failed or trigger == Trigger.FAILED,
        was_stopped=passage.was_stopped or trigger == Trigger.STOP_REQUESTED or facts.stop_requested,
    )
