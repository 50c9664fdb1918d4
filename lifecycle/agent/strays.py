"""What managers that were killed have left in the directory for temporary files: swept by those that come after.

Owns the names of what is swept and how a dead one is told from a living one. Never touches another user's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["SOCKET_NAME", "WALLS_DIR", "WALLS_PREFIX", "remove_strays"]

WALLS_DIR: Final = Path("/tmp")  # noqa: S108  # each in it is private: mode 0700
"""Where the sockets of all walls lie, whatever TMPDIR says: it is empty within all walls, so that none opens another's."""

WALLS_PREFIX: Final = "lifecycle-walls-"
SOCKET_NAME: Final = "shell"
TRIAL_PREFIXES: Final = ("lifecycle-canary-", "lifecycle-sandbox-")
"""Of proofs and trials, which are over after seconds."""

STALE_AFTER_S: Final = 3600.0


def remove_strays() -> None:
    """Remove what is dead: walls whose socket nobody serves any more, and trials that are far too old to be going on.

    What cannot be looked at or removed is left for the next.
    """
    oldest = time.time() - STALE_AFTER_S  # noqa: TID251  # compared with the file system's own times
    for top in {Path(tempfile.gettempdir()), WALLS_DIR}:
        for place in _ours(top, oldest):
            if not place.name.startswith(WALLS_PREFIX) or _is_deserted(place / SOCKET_NAME):
                shutil.rmtree(place, ignore_errors=True)


def _ours(top: Path, oldest: float) -> Iterator[Path]:
    """Yield this user's directories of these names that are old enough to have been finished by whoever made them."""
    for prefix in (WALLS_PREFIX, *TRIAL_PREFIXES):
        for place in top.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):  # another manager was faster
                status = place.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and status.st_mtime < oldest:
                    yield place


def _is_deserted(path: Path) -> bool:
    """Whether nobody listens: a manager does as long as its session lasts, which may be for days."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)  # a full queue is a living one's
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False
