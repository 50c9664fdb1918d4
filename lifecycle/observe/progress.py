"""Where the run is, in one line, folded from the events. Pure: the moment to tell it for is given.

Counts as people do: of the run so far, as this process has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lifecycle.events import AgentStarted, Event, Recovered, ToolStarted, Transitioned, TurnUsed
from lifecycle.status import Status
from states.vocabulary import State

__all__ = ["Progress", "advance", "clock_words", "progress_of", "words"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the progress line tells.

    Attributes:
        since: when this process saw the first of it.
        turns: of the session under way.
        session_cost_usd: the session's cost when last told, or None when it has not been told here.
        activity: what the agent does just now.
    """

    since: float
    state: str = State.NEW
    iteration: int = 0
    session_type: str | None = None
    passing: int | None = None
    total: int | None = None
    turns: int = 0
    cost_usd: float = 0.0
    session_cost_usd: float | None = None
    resume_at: float | None = None
    activity: str = ""


def progress_of(status: Status, *, at: float) -> Progress:
    """Where a run stands that is taken up again."""
    return Progress(
        since=at,
        state=status.state,
        iteration=status.iteration,
        session_type=status.session_type,
        passing=status.features.passing if status.features else None,
        total=status.features.total if status.features else None,
        cost_usd=status.cost_usd,
        resume_at=status.resume_at,
    )


def advance(progress: Progress | None, event: Event) -> Progress:
    """The progress after the event."""
    progress = progress or Progress(since=event.at)
    match event:
        case Transitioned():
            return _moved(progress, event)
        case Recovered():
            return replace(progress, state=event.state, activity="")
        case AgentStarted():
            known_usd = None if event.is_resumption else 0.0
            return replace(progress, turns=0, session_cost_usd=known_usd, activity="")
        case TurnUsed():
            # The first report of a resumed session tells its earlier legs too, which the run's cost has already.
            before_usd = event.cost_usd if progress.session_cost_usd is None else progress.session_cost_usd
            cost_usd = progress.cost_usd + max(0.0, event.cost_usd - before_usd)
            return replace(progress, turns=event.turns, cost_usd=cost_usd, session_cost_usd=event.cost_usd)
        case ToolStarted():
            return replace(progress, activity=f"{event.tool}: {event.summary}" if event.summary else event.tool)
    return progress


def words(progress: Progress, *, now: float) -> str:
    """The line.

    >>> words(Progress(0, "CONTINUE", 2, None, 3, 8, cost_usd=0.5, resume_at=70.0), now=67.4)
    'CONTINUE · iteration 2 · 3/8 features · $0.50 · 1:07 · next in 0:03'
    """
    parts = [str(progress.state)]
    if progress.iteration:
        kind = f" ({progress.session_type})" if progress.session_type else ""
        parts.append(f"iteration {progress.iteration}{kind}")
    if progress.total:
        parts.append(f"{progress.passing}/{progress.total} features")
    if progress.state == State.RUN and progress.turns:
        parts.append(f"{progress.turns} turn{'s' if progress.turns > 1 else ''}")
    parts += [f"${progress.cost_usd:.2f}", clock_words(now - progress.since)]
    if progress.resume_at is not None:
        parts.append(f"next in {clock_words(progress.resume_at - now)}")
    if progress.state == State.RUN and progress.activity:
        parts.append(progress.activity)
    return " · ".join(parts)


def clock_words(seconds: float) -> str:
    """A duration as on a stopwatch; what is negative has just passed.

    >>> clock_words(7.6), clock_words(3_723)
    ('0:08', '1:02:03')
    """
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _moved(progress: Progress, event: Transitioned) -> Progress:
    is_told = event.features_total is not None
    return replace(
        progress,
        state=event.dest,
        iteration=event.iteration,
        session_type=event.session_type,
        passing=event.features_passing if is_told else progress.passing,
        total=event.features_total if is_told else progress.total,
        turns=progress.turns if event.dest == State.RUN else 0,
        # A run's cost never falls; a new run begins at its own.
        cost_usd=event.cost_usd if event.source == State.NEW else max(event.cost_usd, progress.cost_usd),
        resume_at=event.resume_at,
        activity="",
    )
