"""stderr for a command that keeps no log: one message, without waiting for whoever should read it."""

from __future__ import annotations

import sys

from lifecycle.observe.outputs import PlainOutput
from lifecycle.observe.sink import Sink

__all__ = ["complain"]


def complain(message: str) -> None:
    """Say on stderr what is wrong."""
    sink = Sink(PlainOutput(sys.stderr), dropped=lambda count: f"lifecycle: {count} lines are missing here")
    sink.put(f"lifecycle: {message}")
    sink.close()
