"""What a dead manager's sessions have left running, found and ended before a new manager does anything else.

Normally that is nothing, because the leash has ended it all. Something can be left when both links of a leash were
killed at once, or where there are no subreapers (macOS), or because the leash has not finished yet.

Owns the decision which processes are leftovers: those that the journal names, those that carry a session's marker in
their environment, and the descendants of both. Refuses to know where the identities and session ids come from.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from lifecycle.agent.leash_control import SESSION_MARKER
from lifecycle.processes import ProcessIdentity, identity_of, is_alive, send_signal
from states.vocabulary import SessionId

__all__ = ["Reaped", "find_leftovers", "reap_leftovers"]

LEASH_TIMEOUT_S: Final = 1.0
"""How long a leash that is still there may take to do its own work, before it is killed like the rest."""

KILL_TIMEOUT_S: Final = 2.0
"""How long killing is repeated after that."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """What was found.

    Attributes:
        gone: the processes that ran and do not any more, by ascending pid.
        left: those that would not go within the bounds (another user's, stuck in the kernel).
    """

    gone: tuple[ProcessIdentity, ...] = ()
    left: tuple[ProcessIdentity, ...] = ()


def reap_leftovers(leashes: Collection[ProcessIdentity], session_ids: Collection[SessionId]) -> Reaped:
    """Ends what is left of the given sessions, and returns when it is really gone.

    Blocks for at most `LEASH_TIMEOUT_S` + `KILL_TIMEOUT_S`; typically 20-50 ms when nothing is left. Never ends this
    process or one of its ancestors, nor a process that merely got a dead one's pid, nor one on another host or boot.

    Args:
        leashes: what `find_leash` said, as it was journalled.
        session_ids: the sessions of which nothing may run now.
    """
    if not leashes and not session_ids:
        return Reaped()
    spared = _this_process_and_its_ancestors()
    found = {leash for leash in leashes if leash.pid not in spared and is_alive(leash)}
    for leash in found:
        _try_signal(leash, signal.SIGTERM, signal.SIGCONT)
    _wait_until_gone(found, LEASH_TIMEOUT_S)

    deadline = time.monotonic() + KILL_TIMEOUT_S
    wanted = frozenset(session_ids)
    while living := {process for process in found if is_alive(process)} | _carriers(wanted, spared):
        living |= _descendants(living, spared)
        found |= living
        if time.monotonic() > deadline:
            break
        for process in living:
            _try_signal(process, signal.SIGKILL)
        _wait_until_gone(living, _ROUND_S)
    ordered = sorted(found, key=lambda process: process.pid)
    return Reaped(
        gone=tuple(process for process in ordered if not is_alive(process)),
        left=tuple(process for process in ordered if is_alive(process)),
    )


def find_leftovers(
    leashes: Collection[ProcessIdentity], session_ids: Collection[SessionId]
) -> tuple[ProcessIdentity, ...]:
    """What `reap_leftovers` would end, by ascending pid; ends nothing."""
    if not leashes and not session_ids:
        return ()
    spared = _this_process_and_its_ancestors()
    found = {leash for leash in leashes if leash.pid not in spared and is_alive(leash)}
    found |= _carriers(frozenset(session_ids), spared)
    return tuple(sorted(found | _descendants(found, spared), key=lambda process: process.pid))


_ROUND_S: Final = 0.05
_POLL_S: Final = 0.002


def _carriers(session_ids: AbstractSet[SessionId], spared: AbstractSet[int]) -> set[ProcessIdentity]:
    """Every living process whose environment names one of the sessions."""
    import psutil  # 20 ms, only where something may be left

    carriers = set()
    for process in psutil.process_iter():
        # Identity first: what is signalled later is then the very process whose environment was read.
        identity = identity_of(process.pid)
        if identity is None or identity.pid in spared:
            continue
        try:
            marker = process.environ().get(SESSION_MARKER)
        except psutil.Error:
            continue  # gone meanwhile, or another user's, whom our sessions cannot have started
        if marker in session_ids:
            carriers.add(identity)
    return carriers


def _descendants(roots: AbstractSet[ProcessIdentity], spared: AbstractSet[int]) -> set[ProcessIdentity]:
    """What descends from the roots, though it may have thrown the marker away."""
    import psutil

    descendants = set()
    for root in roots:
        try:
            children = psutil.Process(root.pid).children(recursive=True)
        except psutil.Error:
            continue
        if is_alive(root):  # so those were really its own
            descendants |= {identity_of(child.pid) for child in children if child.pid not in spared}
    return {process for process in descendants if process is not None}


def _this_process_and_its_ancestors() -> frozenset[int]:
    import psutil

    this = psutil.Process()
    return frozenset({this.pid, *(ancestor.pid for ancestor in this.parents())})


def _try_signal(process: ProcessIdentity, *signals: signal.Signals) -> None:
    with contextlib.suppress(PermissionError):  # another user's: it stays alive, and so in `Reaped.left`
        send_signal(process, *signals)


def _wait_until_gone(processes: Collection[ProcessIdentity], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
