"""Where documents are tried out: a person's home, the real agent CLI, a script for a model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lifecycle.offline import ModelServer
from lifecycle.offline.building import building

ROOT = Path(__file__).parents[2]
STATES = ".local/state/lifecycle"


@dataclass
class Desk:
    """A person's machine: a home, a place to work in, a model to work with."""

    directory: Path
    server: ModelServer
    gate_proof: Any

    @property
    def home(self) -> Path:
        return self.directory / "home"

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **self.server.environment(),
            **more,
        }

    def run(self, *command: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        self.gate_proof.give(self.home / STATES)
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.directory,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.gate_proof.take(self.home / STATES)
        return done

    def lifecycle(self, *arguments: object, **how: object) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "lifecycle.cli", *arguments, **how)

    def python(self, code: str, **how: object) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-c", code, **how)


@pytest.fixture
def desk(tmp_path: Path, gate_proof) -> Iterator[Desk]:
    (tmp_path / "home").mkdir()
    with ModelServer(building(1)) as server:
        yield Desk(tmp_path, server, gate_proof)
