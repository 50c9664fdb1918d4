"""The lifecycle, as data. Everything that knows the lifecycle's shape reads `TABLE`; nothing else spells an edge.

Rows of one source and trigger are tried from the top; their guards must be exhaustive and exclude each other
(`states.definition.validate` checks it). NEW and SHUTDOWN carry no work. END is the only state that decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from states.vocabulary import State, Trigger


@dataclass(frozen=True, slots=True)
class Transition:
    """One edge: from `source`, when `trigger` happened and `guard` holds, to `dest`, because of `why`.

    States, triggers and guards are plain strings here, so that a host can add its own beside the built-in ones.
    """

    source: str
    trigger: str
    guard: str | None
    dest: str
    why: str

    def __str__(self) -> str:
        guard = f" [{self.guard}]" if self.guard else ""
        return f"{self.source} --{self.trigger}{guard}--> {self.dest}"


S, T = State, Trigger

_NEEDS_WORK = "the project says INIT or CONTINUE"
_NOTHING_LEFT = "everything already passes, or a limit is used up: no session is paid for"
_IDENTIFIED = "a session id is allotted and durable before anything is spent"
_TURN_OVER = "the agent's turn is over, however it ended: carries the classified outcome"
_NOT_DONE = "this state's work could not be done: classified, never a crash"
_SAVE_FIRST = "graceful shutdown saves state first"
_OUR_FAULT = "a fault of ours here is fatal, named, and durable: it never bricks the project"

TABLE: tuple[Transition, ...] = (
    Transition(S.NEW, T.START, None, S.DETECT, "a run begins, or a suspended one goes on"),
    Transition(S.DETECT, T.DETECTED, "has_work", S.CREATE, _NEEDS_WORK),
    Transition(S.DETECT, T.DETECTED, "has_nothing_to_do", S.END, _NOTHING_LEFT),
    Transition(S.CREATE, T.CREATED, None, S.RUN, _IDENTIFIED),
    Transition(S.RUN, T.FINISHED, None, S.END, _TURN_OVER),
    Transition(S.DETECT, T.FAILED, None, S.END, _NOT_DONE),
    Transition(S.CREATE, T.FAILED, None, S.END, _NOT_DONE),
    Transition(S.RUN, T.FAILED, None, S.END, _NOT_DONE),
    Transition(S.DETECT, T.STOP_REQUESTED, None, S.END, _SAVE_FIRST),
    Transition(S.CREATE, T.STOP_REQUESTED, None, S.END, _SAVE_FIRST),
    Transition(S.RUN, T.STOP_REQUESTED, None, S.END, _SAVE_FIRST),
    Transition(S.END, T.ENDED, "may_continue", S.CONTINUE, "`decide` found work and room within the limits"),
    Transition(S.END, T.ENDED, "must_stop", S.SHUTDOWN, "`decide` names the stop reason"),
    Transition(S.CONTINUE, T.DELAY_ELAPSED, None, S.DETECT, "the delay, backoff or reset has passed"),
    Transition(S.CONTINUE, T.STOP_REQUESTED, None, S.SHUTDOWN, "nothing is running: stop at once"),
    Transition(S.END, T.FAILED, None, S.SHUTDOWN, _OUR_FAULT),
    Transition(S.CONTINUE, T.FAILED, None, S.SHUTDOWN, _OUR_FAULT),
)

INITIAL = State.NEW
FINAL = frozenset({State.SHUTDOWN})
