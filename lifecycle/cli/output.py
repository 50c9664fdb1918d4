"""stdout: the answer, whole or not at all.

Owns the writing of documents, one a call, and what happens when the reader has gone. Nothing else of the command
line writes to stdout.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["abandon_stdout", "print_document", "print_text"]


def print_document(document: Mapping[str, Any]) -> None:
    """One JSON document on one line."""
    print_text(json.dumps(dict(document)))


def print_text(text: str | Sequence[str]) -> None:
    """Lines for the reader. One who has gone (`| head`) has read enough: that is no error.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    lines = (text,) if isinstance(text, str) else text
    try:
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError as error:
        abandon_stdout()
        if error.errno != errno.EPIPE:
            raise OSError(error.errno, error.strerror, "standard output") from None


def abandon_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not stumble over it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
