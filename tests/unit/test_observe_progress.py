"""The progress line: what it says after which events."""

from __future__ import annotations

from functools import reduce

from lifecycle.events import AgentStarted, Event, Recovered, ToolStarted, Transitioned, TurnUsed
from lifecycle.observe.progress import Progress, advance, progress_of, words
from lifecycle.status import Status
from states.facts import FeatureCount
from states.vocabulary import RunId, SessionId, SessionType

SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"


def after(*events: Event, start: Progress | None = None) -> Progress:
    progress = reduce(advance, events, start)
    assert progress is not None
    return progress


def moved(source: str, dest: str, at: float = 0.0, cost_usd: float = 0.0, features: int | None = None) -> Event:
    return Transitioned(
        at=at, run_id="r", seq=1, source=source, trigger="t", dest=dest, iteration=2, session_id=SESSION,
        session_type="continue", cost_usd=cost_usd, features_passing=features,
        features_total=None if features is None else 8, resume_at=at + 3 if dest == "CONTINUE" else None,
    )  # fmt: skip


def started(*, is_resumption: bool) -> Event:
    return AgentStarted(at=1, run_id="r", session_id=SESSION, pid=1, is_resumption=is_resumption)


def used(turns: int, cost_usd: float) -> Event:
    return TurnUsed(at=2, run_id="r", session_id=SESSION, turns=turns, cost_usd=cost_usd)


def test_a_running_session_shows_its_turns_cost_time_and_tool() -> None:
    tool = ToolStarted(at=3, run_id="r", session_id=SESSION, tool="Bash", summary="make")
    progress = after(
        moved("CREATE", "RUN", cost_usd=1.0, features=3), started(is_resumption=False), used(1, 0.1), used(2, 0.25), tool
    )
    assert words(progress, now=65) == (
        "RUN · iteration 2 (continue) · 3/8 features · 2 turns · $1.25 · 1:05 · Bash: make"
    )


def test_a_resumed_sessions_earlier_legs_are_not_counted_twice() -> None:
    """The run's cost has them already; what comes on top is counted from the first report on."""
    progress = after(moved("CREATE", "RUN", cost_usd=1.0), started(is_resumption=True), used(7, 0.6), used(8, 0.7))
    assert round(progress.cost_usd, 6) == 1.1


def test_a_runs_cost_never_falls_and_a_new_run_begins_at_its_own() -> None:
    progress = after(moved("CREATE", "RUN"), started(is_resumption=False), used(1, 0.4), moved("RUN", "END", cost_usd=0.3))
    assert progress.cost_usd == 0.4
    assert after(moved("NEW", "DETECT"), start=progress).cost_usd == 0.0


def test_features_that_are_not_told_stay_as_they_were() -> None:
    assert after(moved("DETECT", "CREATE", features=3), moved("CREATE", "RUN")).passing == 3


def test_waiting_counts_down_and_never_below_zero() -> None:
    progress = after(moved("END", "CONTINUE", at=100))
    assert words(progress, now=101).endswith("next in 0:02")
    assert words(progress, now=109).endswith("next in 0:00")


def test_a_recovered_run_shows_where_it_was_taken_up() -> None:
    status = Status(
        state="RUN", run_id=RunId("r"), iteration=4, session_id=SessionId(SESSION), session_type=SessionType.CONTINUE,
        features=FeatureCount(8, 5), cost_usd=0.5,
    )  # fmt: skip
    progress = after(Recovered(at=10, run_id="r", state="RUN", seq=9), start=progress_of(status, at=10))
    assert words(progress, now=10) == "RUN · iteration 4 (continue) · 5/8 features · $0.50 · 0:00"
