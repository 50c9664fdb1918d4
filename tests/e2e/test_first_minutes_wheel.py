"""The wheel alone, in an environment that has never seen the source tree.

The bounded form takes the dependencies from this environment. The long form installs everything anew, with each of the
Pythons that are named: `LIFECYCLE_WHEEL_PYTHONS="python3.11 python3.12 python3.13" pytest tests/e2e/test_first_minutes_wheel.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG = os.environ.get("LIFECYCLE_WHEEL_PYTHONS", "").split()
HERE = "this environment's dependencies"


def run(*command: object, cwd: Path, timeout_s: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a home of its own, with nothing of this tree on any path."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows, so that nothing which happens to lie about gets in."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    names = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(source)],
        capture_output=True, text=True, timeout=280, check=False,
    )
    assert built.returncode == 0, built.stderr
    (found,) = place.glob("*.whl")
    return found


@pytest.fixture(scope="module", params=[HERE, *LONG])
def python(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel."""
    place = tmp_path_factory.mktemp("environment")
    pip: Sequence[object]
    if request.param == HERE:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        (site,) = place.glob("lib/python*/site-packages")
        # As a path only: the links to source trees that lie in there count for nobody but its own interpreter.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = ("-q", "--no-deps", wheel)
    else:
        subprocess.run([shutil.which(request.param) or request.param, "-m", "venv", place], check=True)
        pip = ("-q", "-c", ROOT / "constraints.txt", f"{wheel}", "mypy")
    command = [sys.executable, "-m", "pip", "--python", place / "bin/python", "install", *pip]
    subprocess.run([str(part) for part in command], check=True, timeout=280)
    return place / "bin/python"


def test_everything_that_is_no_python_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("lifecycle", "states")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not wanted - inside
    assert {"lifecycle/py.typed", "states/py.typed", "lifecycle/skill/SKILL.md"} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "diagrams/"))]


def test_it_is_the_wheel_that_runs(python: Path, tmp_path: Path) -> None:
    done = run(python, "-c", "import lifecycle, states; print(lifecycle.__file__, states.__file__)", cwd=tmp_path)
    assert done.stdout.count(str(python.parent.parent)) == 2, done.stderr


def test_the_commands_work(python: Path, tmp_path: Path) -> None:
    command = python.parent / "lifecycle"
    for arguments in (["--version"], ["--help"], ["run", "--help"], ["completion", "bash"]):
        assert run(command, *arguments, cwd=tmp_path).returncode == 0
    assert run(command, "init", "app", "--yes", cwd=tmp_path).returncode == 0
    installed = run(command, "skill", "install", "app", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    doctor = json.loads(run(command, "doctor", "app", "--json", cwd=tmp_path).stdout)
    assert {each["name"] for each in doctor["findings"] if each["verdict"] == "mend"} == {"credentials"}


def test_the_demo_builds_its_program(python: Path, tmp_path: Path) -> None:
    done = run(python.parent / "lifecycle", "demo", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    again = run(python, "-m", "lifecycle.skill.examples.reading", "demo", cwd=tmp_path)
    assert again.stdout.splitlines()[-1].startswith(tuple("123456789")), again.stderr


def test_the_references_are_current_there_too(python: Path, tmp_path: Path) -> None:
    done = run(python, "-m", "lifecycle.skill.reference", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_hosts_program_is_type_checked_strictly_against_it(python: Path, tmp_path: Path) -> None:
    """The examples as a host's own files; and a mistake in one is found, so the types are really there."""
    host = tmp_path / "host"
    host.mkdir()
    for name in ("plain", "script", "several", "stop_policy", "prompts", "agent", "reading"):
        shutil.copy(ROOT / f"lifecycle/skill/examples/{name}.py", host / f"host_{name}.py")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    fine = run(*mypy, *sorted(host.glob("*.py")), cwd=host)
    assert fine.returncode == 0, fine.stdout + fine.stderr
    wrong = host / "wrong.py"
    wrong.write_text("from lifecycle import detect_session_type\n\nanswer: int = detect_session_type('.')\n")
    found = run(*mypy, wrong, cwd=host)
    assert found.returncode == 1
    assert 'has type "SessionType"' in found.stdout
