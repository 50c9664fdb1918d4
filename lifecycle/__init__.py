"""The lifecycle engine for autonomous coding: session after session, until the work is done or a limit says stop.

The names below are loaded when they are first used, so that `import lifecycle` costs next to nothing.
"""

import sys

# Before anything that an older Python could not even read: this file itself is read by Python 3.6.
if sys.version_info < (3, 11):
    _problem = "autonomous-session-manager needs Python 3.11 or newer, and this is {}.{} ({})".format(
        sys.version_info[0], sys.version_info[1], sys.executable
    )
    if sys.argv[:1] == ["-m"]:  # `python -m lifecycle.cli`, by a person: words, no traceback
        sys.exit(_problem)
    raise ImportError(_problem)

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifecycle.config import Config as Config
    from lifecycle.detection import detect_session_type as detect_session_type
    from lifecycle.errors import LifecycleError as LifecycleError
    from lifecycle.manager import SessionManager as SessionManager
    from lifecycle.manager import auto_continue as auto_continue
    from lifecycle.status import RunResult as RunResult
    from lifecycle.status import Status as Status
    from lifecycle.workspace.feature_list import Feature as Feature
    from lifecycle.workspace.feature_list import FeatureList as FeatureList
    from lifecycle.workspace.feature_list import read_feature_list as read_feature_list
    from lifecycle.workspace.feature_list import write_feature_list as write_feature_list
    from lifecycle.workspace.state_tracker import StateTracker as StateTracker
    from lifecycle.synchronous import project_status as project_status
    from lifecycle.synchronous import run_session as run_session
    from lifecycle.synchronous import run_until_shutdown as run_until_shutdown
    from states.vocabulary import SessionType as SessionType
    from states.vocabulary import State as State
    from states.vocabulary import StopReason as StopReason

_HOMES = {
    "Config": "lifecycle.config",
    "Feature": "lifecycle.workspace.feature_list",
    "FeatureList": "lifecycle.workspace.feature_list",
    "LifecycleError": "lifecycle.errors",
    "RunResult": "lifecycle.status",
    "SessionManager": "lifecycle.manager",
    "SessionType": "states.vocabulary",
    "State": "states.vocabulary",
    "StateTracker": "lifecycle.workspace.state_tracker",
    "Status": "lifecycle.status",
    "StopReason": "states.vocabulary",
    "auto_continue": "lifecycle.manager",
    "detect_session_type": "lifecycle.detection",
    "read_feature_list": "lifecycle.workspace.feature_list",
    "write_feature_list": "lifecycle.workspace.feature_list",
    "project_status": "lifecycle.synchronous",
    "run_session": "lifecycle.synchronous",
    "run_until_shutdown": "lifecycle.synchronous",
}

__all__ = [*_HOMES]  # noqa: PLE0604  # names, taken from the one list


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
