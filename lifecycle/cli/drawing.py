"""Where a picture goes: a file, whole or not at all, or standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.output import abandon_stdout

if TYPE_CHECKING:
    from lifecycle.diagram.formats import Format

__all__ = ["chosen_format", "write_drawing"]


def chosen_format(output: str, kind: str | None = None) -> Format:
    """How to draw: as asked, else as the file's name ends, else as text.

    Raises:
        UsageError: the name ends in what is drawn by nobody, or a PNG would be put on a terminal.
        ConfigurationError: it would be a PNG, and what draws one is not installed.
    """
    from lifecycle.diagram.formats import Format, endings, format_of
    from lifecycle.diagram.png import ensure_available

    chosen = Format(kind) if kind else format_of(output)
    if chosen is None and (ending := Path(output).suffix):
        known = ", ".join(endings())
        raise click.UsageError(f"-o {output}: nothing is drawn as {ending!r}; FILE ends in one of {known}, or --format says how")
    if chosen is Format.PNG:
        ensure_available()
        if output == "-" and sys.stdout.isatty():
            raise click.UsageError("a PNG is nothing for a terminal: name a file with -o FILE")
    return chosen or Format.TEXT


def write_drawing(drawn: str | bytes, output: str) -> None:
    """Write a picture to a file, or to standard output for "-". All of it or nothing: a file is put in place whole.

    Raises:
        OSError: it cannot be written.
    """
    drawn = drawn.encode() if isinstance(drawn, str) else drawn
    if output == "-":
        _print(drawn)
        return
    target = Path(output).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(drawn)  # a device or a pipe is written to, and not replaced
        else:
            _put_in_place(drawn, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, output) from None


def _put_in_place(drawn: bytes, target: Path) -> None:
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(drawn)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _print(drawn: bytes) -> None:
    try:
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # a reader who has gone has read enough
        abandon_stdout()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
