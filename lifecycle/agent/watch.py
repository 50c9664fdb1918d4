"""When a session must be cut off although nobody asked: silence, its own time limit, the run's deadline.

Owns the arithmetic. Asks clocks and the gate; cuts nothing off by itself. Silence and the time limit are measured
by the monotonic clock, the deadline by the wall clock, as it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lifecycle.agent.evidence import Cut
from lifecycle.agent.gate import Gate
from states.vocabulary import Cause

__all__ = ["Watch"]


class Watch:
    """Watches one process of the agent, from the moment it is made."""

    def __init__(
        self,
        gate: Gate,
        *,
        idle_timeout_s: float,
        tool_timeout_s: float,
        time_left_s: float | None,
        deadline: float | None,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Args:
        gate: knows which tools run.
        tool_timeout_s: what one tool may take; the CLI enforces it, and the watch steps in when it does not.
        time_left_s: of the session's time limit.
        deadline: by `now`.
        """
        self._gate = gate
        self._idle_timeout_s = idle_timeout_s
        self._tool_timeout_s = tool_timeout_s
        self._time_left_s = time_left_s
        self._deadline = deadline
        self._now = now
        self._monotonic = monotonic
        self._started_at = self._quiet_until = monotonic()

    def sign_of_life(self, quiet_s: float = 0.0) -> None:
        """Something arrived; after `quiet_s`, which it announced, the silence begins again."""
        self._quiet_until = self._monotonic() + max(0.0, quiet_s)

    def due(self) -> Cut | None:
        """Why to cut off now, or None."""
        moment = self._monotonic()
        if self._deadline is not None and self._now() >= self._deadline:
            return Cut(Cause.DEADLINE, "the run's time is up")
        if self._time_left_s is not None and moment >= self._started_at + self._time_left_s:
            return Cut(Cause.SESSION_TIMEOUT, f"the session has used its {self._time_left_s:g} s")
        if moment >= self._idle_at():
            what = "a tool did not end in its time" if self._gate.running else "nothing arrived"
            return Cut(Cause.IDLE, f"{what}, and for {self._idle_timeout_s:g} s there was no sign of life")
        return None

    def next_check_s(self) -> float:
        """How long `due` need not be asked. Bounded, since the wall clock can be set and a tool can start."""
        moment = self._monotonic()
        waits = [_LONGEST_WAIT_S, self._idle_at() - moment]
        if self._deadline is not None:
            waits.append(self._deadline - self._now())
        if self._time_left_s is not None:
            waits.append(self._started_at + self._time_left_s - moment)
        return max(_SHORTEST_WAIT_S, min(waits))

    def _idle_at(self) -> float:
        """While a tool runs, silence is what one expects; but no tool runs for ever."""
        if not self._gate.running:
            return self._quiet_until + self._idle_timeout_s
        first = min(self._gate.running.values())
        return max(first + self._tool_timeout_s, self._quiet_until) + self._idle_timeout_s


_LONGEST_WAIT_S: Final = 1.0
_SHORTEST_WAIT_S: Final = 0.01
