"""The live line on a terminal, drawn by rich. The only importer of rich; imported only when there is a terminal.

Owns the terminal while it is open: lines go above the live one. All of it runs in the sink's thread, because a
terminal can be stopped (Ctrl-S) at any moment.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lifecycle.observe.outputs import write_to

__all__ = ["LiveOutput"]


class LiveOutput:
    """Lines to a terminal, with one below them that is always up to date.

    Args:
        progress: makes the live line, or None while there is none.
    """

    def __init__(
        self, stream: TextIO, descriptor: int, progress: Callable[[], str | None], *, has_colour: bool
    ) -> None:
        self._progress = progress
        self._console = _Console(
            file=cast("IO[str]", _Terminal(descriptor, stream.encoding)),
            force_terminal=True,
            color_system="auto" if has_colour else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live = Live(
            _Line(progress),
            console=self._console,
            auto_refresh=False,  # its own thread could outlive a terminal that hangs
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def write(self, line: str) -> None:
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def tick(self) -> None:
        if self._live.is_started:
            self._live.refresh()
        elif self._progress() is not None:
            self._live.start()

    def close(self) -> None:
        self._live.stop()


class _Line:
    """The live line, made anew whenever it is drawn."""

    def __init__(self, progress: Callable[[], str | None]) -> None:
        self._progress = progress

    def __rich__(self) -> Text:
        return Text(self._progress() or "", style="cyan", no_wrap=True, overflow="ellipsis")


class _Console(Console):
    """A console that leaves the cursor alone: one that was hidden stays hidden when the process is killed."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _Terminal(io.TextIOBase):
    """The terminal as a file object without a buffer, and so without a lock to die with."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        return self._encoding

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        write_to(self._descriptor, text, self._encoding)
        return len(text)
