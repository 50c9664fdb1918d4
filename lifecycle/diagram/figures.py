"""How numbers are written in a picture: short, and the same in every format."""

from __future__ import annotations

from lifecycle.diagram.model import Diagram, Kind
from lifecycle.diagram.names import shown
from lifecycle.diagram.paint import Paint, Use

__all__ = ["cost", "duration", "failures", "summary", "troubles", "use"]


def duration(seconds: float) -> str:
    """The two largest units.

    >>> [duration(s) for s in (0.2, 4.26, 59.9, 75, 3600, 11_045, 90_000)]
    ['0.2 s', '4.3 s', '1 min', '1 min 15 s', '1 h', '3 h 4 min', '1 d 1 h']
    """
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def cost(usd: float) -> str:
    """Cents, and no cost that is not nothing as nothing.

    >>> cost(0.0), cost(0.004), cost(12.3), cost(1234.5)
    ('$0.00', '<$0.01', '$12.30', '$1,234.50')
    """
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"


def use(used: Use) -> list[str]:
    """What is to be told of a state's use, without its troubles.

    >>> use(Use(count=3, time_s=75.0))
    ['3 visits', '1 min 15 s']
    """
    told = ["1 visit" if used.count == 1 else f"{used.count:,} visits"]
    if used.time_s >= 0.05:
        told.append(duration(used.time_s))
    if used.cost_usd > 0:
        told.append(cost(used.cost_usd))
    return told


def troubles(used: Use) -> tuple[list[str], list[str]]:
    """The failures, and what else went wrong: crashes and what waits or resumes without counting as one."""
    failed = [_times(trouble.cause, trouble.count) for trouble in used.troubles if trouble.is_failure]
    others = [_times(trouble.cause, trouble.count) for trouble in used.troubles if not trouble.is_failure]
    if used.crashes:
        others.append("1 crash" if used.crashes == 1 else f"{used.crashes} crashes")
    return failed, others


def failures(count: int) -> str:
    """How many.

    >>> failures(1), failures(5)
    ('1 failure', '5 failures')
    """
    return "1 failure" if count == 1 else f"{count:,} failures"


def summary(diagram: Diagram, paint: Paint) -> str:
    """The whole record on one line: runs, time, cost, and where it stands."""
    if paint.caption is not None:
        return paint.caption
    if not paint.runs:
        return "no run yet"
    runs = f"run {paint.runs[0][:8]}" if len(paint.runs) == 1 else f"{len(paint.runs)} runs"
    return " · ".join((runs, duration(paint.time_s), cost(paint.cost_usd), _standing(diagram, paint)))


def _standing(diagram: Diagram, paint: Paint) -> str:
    if paint.reason is not None:
        return f"stopped: {shown(paint.reason)}"
    current = shown(paint.current)
    if diagram.node(paint.current).kind is Kind.FINAL:
        return f"in {current}"
    return f"now in {current}" if paint.is_running else f"left in {current}, no manager runs"


def _times(what: str, count: int) -> str:
    return what if count == 1 else f"{what} ×{count:,}"
