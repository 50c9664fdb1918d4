"""What was proven about a CLI on this machine, kept so that the next manager need not prove it again.

Owns what a proof is of, and its file. Losing one costs a second, nothing else. How anything is proven is `canary`'s and
`sandbox_proof`'s.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

__all__ = ["GATE_PROOF_NAME", "SANDBOX_PROOF_NAME", "Proof", "gate_proof", "sandbox_proof"]

GATE_PROOF_NAME: Final = "gate-proof.json"
SANDBOX_PROOF_NAME: Final = "sandbox-proof.json"

GATE_REVISION: Final = 1
"""Raised whenever the options or the hooks change in a way that an old proof says nothing about."""

SANDBOX_REVISION: Final = 2
"""Raised whenever the walls change in a way that an old proof says nothing about."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that holds for exactly these programs; void as soon as one of them changes.

    Attributes:
        file_name: where it is kept.
        content: what was proven, as JSON.
    """

    file_name: str
    content: str

    def is_kept(self, directory: Path) -> bool:
        """Whether this proof was made before. What cannot be read is no proof."""
        try:
            kept = json.loads((directory / self.file_name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return False
        return bool(kept == json.loads(self.content))

    def keep(self, directory: Path) -> None:
        """Keep it for the next manager. A proof that cannot be kept is made again: nobody is troubled with it."""
        part = directory / f".{self.file_name}.{os.getpid()}"
        try:
            part.write_text(f"{self.content}\n", encoding="utf-8")
            os.replace(part, directory / self.file_name)
        except OSError:
            part.unlink(missing_ok=True)


def gate_proof(cli_path: Path) -> Proof:
    """The proof that a session with this program needs: with this SDK it asks our gate, and obeys it."""
    return Proof(GATE_PROOF_NAME, json.dumps(_of_cli(cli_path)))


def sandbox_proof(cli_path: Path) -> Proof:
    """The proof that walls around this program's commands need: with this bubblewrap it keeps them inside."""
    bwrap = _identity(Path(shutil.which("bwrap") or ""))
    return Proof(
        SANDBOX_PROOF_NAME,
        json.dumps({"cli": _of_cli(cli_path), "bwrap": bwrap, "revision": SANDBOX_REVISION}),
    )


def _of_cli(cli_path: Path) -> Mapping[str, object]:
    path, size, mtime_ns = _identity(cli_path)
    sdk = version("claude-agent-sdk")
    return {"cli": path, "size": size, "mtime_ns": mtime_ns, "sdk": sdk, "revision": GATE_REVISION}


def _identity(program: Path) -> tuple[str, int, int]:
    path = os.path.realpath(program)
    stat = os.stat(path)
    return path, stat.st_size, stat.st_mtime_ns
