"""stderr for a command that keeps no log: without waiting for whoever should read it."""

from __future__ import annotations

import sys

from lifecycle.observe.outputs import PlainOutput
from lifecycle.observe.sink import Sink

__all__ = ["complain", "say"]


def complain(message: str) -> None:
    """Say on stderr what is wrong, in one message."""
    say(f"lifecycle: {message}")


def say(text: str) -> None:
    """Write to stderr as it is."""
    sink = Sink(PlainOutput(sys.stderr), dropped=lambda count: f"lifecycle: {count} lines are missing here")
    sink.put(text)
    sink.close()
