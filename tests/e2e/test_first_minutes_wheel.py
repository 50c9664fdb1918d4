"""The wheel alone, in environments that have never seen the source tree, on every Python that we say we run on.

With this Python the dependencies are taken from this environment. For the others that can be had (on PATH, or where
pyenv keeps them) everything is installed anew. Those that cannot be had are skipped.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from lifecycle.doctor.machine import TESTED_PYTHONS

ROOT = Path(__file__).parents[2]
HERE = "{}.{}".format(*sys.version_info)
PYTHONS = [HERE, *(each for each in ("{}.{}".format(*version) for version in TESTED_PYTHONS) if each != HERE)]


def run(*command: object, cwd: Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    """In a home of its own, with nothing of this tree on any path."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, whichever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    with place.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            build(place.with_suffix(".part")).rename(place)
    (found,) = place.glob("*.whl")
    return found


def build(place: Path) -> Path:
    """From what git knows, so that nothing which happens to lie about gets in."""
    source = place / "source"
    listed = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert built.returncode == 0, built.stderr
    return place


def interpreter(version: str) -> str | None:
    """A Python of this version that works, or None."""
    in_path = shutil.which(f"python{version}")
    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for found in filter(None, [in_path, *map(str, sorted(kept, reverse=True))]):
        done = subprocess.run([found, "-c", "import venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return found
    return None


def installed(version: str, wheel: Path, env: Path) -> Path:
    """The interpreter of a new environment with the wheel."""
    program = sys.executable if version == HERE else interpreter(version)
    if program is None:
        pytest.skip(f"no Python {version} on this machine")
    subprocess.run([program, "-m", "venv", "--without-pip", env], check=True)
    what: list[object] = ["--no-compile", "-c", ROOT / "constraints.txt", wheel]
    if version == HERE:
        (site,) = env.glob("lib/python*/site-packages")
        # As a path only: the links to source trees that lie in there count for nobody but its own interpreter.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        what = ["--no-deps", wheel]
    command = [sys.executable, "-m", "pip", "--python", env / "bin/python", "install", "-q", *what]
    without_this_tree = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], env=without_this_tree, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return env / "bin/python"


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


@pytest.mark.parametrize("version", PYTHONS)
def test_everything_works_from_the_wheel(version: str, wheel: Path, tmp_path: Path) -> None:
    """One environment a Python, and in it all that needs nothing but the wheel."""
    python = installed(version, wheel, tmp_path / "env")
    it_is_the_wheel_that_runs(python, version, tmp_path)
    the_commands_work(python.parent / "lifecycle", tmp_path)
    the_references_are_current_there_too(python, tmp_path)
    the_demo_builds_its_program(python, tmp_path)
    a_hosts_program_is_type_checked_strictly_against_it(python, tmp_path)


def it_is_the_wheel_that_runs(python: Path, version: str, cwd: Path) -> None:
    done = run(python, "-c", "import sys, lifecycle, states; print(lifecycle.__file__, states.__file__, sys.version)", cwd=cwd)
    own, pure, is_of = done.stdout.split(maxsplit=2)
    assert own.startswith(str(cwd / "env")), done.stderr
    assert pure.startswith(str(cwd / "env"))
    assert is_of.startswith(f"{version}.")


def the_commands_work(command: Path, cwd: Path) -> None:
    for arguments in (["--version"], ["run", "--help"], ["init", "app", "--yes"], ["skill", "install", "app"]):
        done = run(command, *arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
    assert (cwd / "app/.claude/skills/autonomous-session-manager/references/CONFIGURATION.md").is_file()
    doctor = json.loads(run(command, "doctor", "app", "--json", cwd=cwd).stdout)
    assert {each["name"] for each in doctor["findings"] if each["verdict"] == "mend"} == {"credentials", "specification"}


def the_references_are_current_there_too(python: Path, cwd: Path) -> None:
    done = run(python, "-m", "lifecycle.skill.reference", "--check", cwd=cwd)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def the_demo_builds_its_program(python: Path, cwd: Path) -> None:
    done = run(python.parent / "lifecycle", "demo", "demo", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    again = run(python, "-m", "lifecycle.skill.examples.reading", "demo", cwd=cwd)
    assert again.stdout.splitlines()[-1].startswith(tuple("123456789")), again.stderr


def a_hosts_program_is_type_checked_strictly_against_it(python: Path, cwd: Path) -> None:
    """The examples as a host's own files; and a mistake in one is found, so the types are really there."""
    host = cwd / "host"
    host.mkdir()
    for name in ("plain", "script", "several", "stop_policy", "prompts", "agent", "reading"):
        shutil.copy(ROOT / f"lifecycle/skill/examples/{name}.py", host / f"host_{name}.py")
    wrong = host / "wrong.py"
    wrong.write_text("from lifecycle import detect_session_type\n\nanswer: int = detect_session_type('.')\n")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", cwd / "cache"]
    found = run(*mypy, *sorted(path.name for path in host.glob("*.py")), cwd=host)
    error, _count = found.stdout.splitlines()
    assert error.startswith("wrong.py:3: error: ")
    assert 'has type "SessionType"' in error
