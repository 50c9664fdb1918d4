"""Makes a failing scenario small: whatever can be left out or made simpler, and still breaks a promise, is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lifecycle.testing.simulation.scenario import Fault, Leg, Scenario
from lifecycle.testing.simulation.simulate import Played

__all__ = ["shrunk"]

PLAYS_MAX = 2_000


def shrunk(failed: Played, play: Callable[[Scenario], Played]) -> Played:
    """The smallest failing scenario that was found, by fewest transitions, then fewest legs and faults.

    It need not break the same promise: the shortest way to see the mistake is wanted.
    """
    best, plays = failed, 0
    is_better = True
    while is_better and plays < PLAYS_MAX:
        is_better = False
        for candidate in _smaller(best.scenario):
            plays += 1
            played = play(candidate)
            if played.violation is not None and _size(played) < _size(best):
                best, is_better = played, True
                break
            if plays >= PLAYS_MAX:
                break
    return best


def _size(played: Played) -> tuple[int, int, int, int]:
    scenario = played.scenario
    return (
        len(played.transitions),
        len(scenario.legs) + len(scenario.faults) + len(scenario.verdicts) + len(scenario.asks) + len(scenario.restarts),
        scenario.runs + scenario.features + sum(map(len, (scenario.settings, *scenario.restarts))),
        sum(fault.nth for fault in scenario.faults) + sum(leg != Leg() for leg in scenario.legs) + sum(scenario.asks),
    )


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    yield from _with_less(scenario)
    yield from _with_fewer_settings(scenario)
    yield from _with_simpler(scenario)


def _with_less(scenario: Scenario) -> Iterator[Scenario]:  # one loop a kind of thing to leave out
    legs, faults = scenario.legs, scenario.faults
    for size in (max(len(legs) // 2, 1), 1):
        for index in range(0, len(legs), size):
            yield replace(scenario, legs=(*legs[:index], *legs[index + size :]))
    for index in range(len(faults)):
        yield replace(scenario, faults=(*faults[:index], *faults[index + 1 :]))
    if scenario.verdicts:
        yield replace(scenario, verdicts=())
        yield replace(scenario, verdicts=scenario.verdicts[:-1])
    for index in range(len(scenario.asks)):
        yield replace(scenario, asks=(*scenario.asks[:index], *scenario.asks[index + 1 :]))
        yield replace(scenario, asks=tuple(sorted({max(call - 1, 1) for call in scenario.asks})))
    if scenario.runs > 1:
        yield replace(scenario, runs=1)
    if scenario.features > 1:
        yield replace(scenario, features=1)


def _with_fewer_settings(scenario: Scenario) -> Iterator[Scenario]:
    if scenario.restarts:
        yield replace(scenario, restarts=scenario.restarts[:-1])
    for index, settings in enumerate(scenario.restarts):
        for name in settings:
            fewer = {key: value for key, value in settings.items() if key != name}
            yield replace(scenario, restarts=(*scenario.restarts[:index], fewer, *scenario.restarts[index + 1 :]))
    for name in scenario.settings:
        yield replace(scenario, settings={key: value for key, value in scenario.settings.items() if key != name})


def _with_simpler(scenario: Scenario) -> Iterator[Scenario]:
    legs, faults = scenario.legs, scenario.faults
    for index, leg in enumerate(legs):
        if leg != Leg():
            yield replace(scenario, legs=(*legs[:index], Leg(), *legs[index + 1 :]))
    for index, fault in enumerate(faults):
        for nth in (1, 2):  # in the wait nothing else happens
            quiet = Fault("clock.sleep_until", nth, fault.kind)
            yield replace(scenario, faults=(*faults[:index], quiet, *faults[index + 1 :]))
        for nth in {1, fault.nth // 2, fault.nth - 1} - {0, fault.nth}:
            yield replace(scenario, faults=(*faults[:index], replace(fault, nth=nth), *faults[index + 1 :]))
