"""DETECT: what reading the project means."""

from __future__ import annotations

from dataclasses import replace

from states.facts import Facts, FeatureCount
from states.observation import Observation
from states.vocabulary import SessionType, Trigger


def detected(facts: Facts, *, at: float, features: FeatureCount) -> Observation:
    """The project was read; `features` is 0 of 0 when there is no list, or an empty one.

    A conversation that waits to be resumed keeps its own type, whatever the project says by now.
    """
    return Observation(
        Trigger.DETECTED, replace(facts, at=at, features=features, session_type=session_type(features))
    )


def session_type(features: FeatureCount) -> SessionType:
    """INIT writes the feature list, so it comes as long as there is none."""
    return SessionType.CONTINUE if features.total else SessionType.INIT
