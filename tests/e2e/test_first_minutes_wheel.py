"""The wheel alone, in environments that have never seen the source tree, on every Python that we say we run on.

With this Python the dependencies are taken from this environment. For the others that can be had (on PATH, or where
pyenv keeps them) everything is installed anew, all at once, and the demo is begun while other tests run. Those that
cannot be had are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lifecycle.doctor.machine import TESTED_PYTHONS

ROOT = Path(__file__).parents[2]
HERE = "{}.{}".format(*sys.version_info)
PYTHONS = [HERE, *(each for each in ("{}.{}".format(*version) for version in TESTED_PYTHONS) if each != HERE)]


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


class Installed:
    """An environment with the wheel: its interpreter, and how the demo went that is run in it."""

    def __init__(self, version: str, wheel: Path, place: Path) -> None:
        self._version = version
        self._wheel = wheel
        self.place = place
        self.python = place / "env/bin/python"
        self.ready: Future[None]
        self.demo: Future[subprocess.CompletedProcess[str]]

    def begin(self, pool: ThreadPoolExecutor) -> None:
        self.ready = pool.submit(self._install)
        self.demo = pool.submit(self._demo)

    def _install(self) -> None:
        env = self.place / "env"
        if self._version == HERE:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
            (site,) = env.glob("lib/python*/site-packages")
            # As a path only: the links to source trees that lie in there count for nobody but its own interpreter.
            (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
            what = ["--no-deps", self._wheel]
        else:
            subprocess.run([interpreter(self._version), "-m", "venv", "--without-pip", env], check=True)
            what = ["--no-compile", "-c", ROOT / "constraints.txt", self._wheel]
        command = [sys.executable, "-m", "pip", "--python", self.python, "install", "-q", *what]
        without_this_tree = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([str(part) for part in command], env=without_this_tree, check=True, timeout=280)

    def _demo(self) -> subprocess.CompletedProcess[str]:
        self.ready.result()
        return run(self.python.parent / "lifecycle", "demo", "demo", cwd=self.place)


def interpreter(version: str) -> str | None:
    """A Python of this version that works, or None."""
    in_path = shutil.which(f"python{version}")
    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for found in filter(None, [in_path, *map(str, sorted(kept, reverse=True))]):
        done = subprocess.run([found, "-c", "import venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return found
    return None


@pytest.fixture(scope="module")
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Installed]]:
    selected = {item.callspec.params.get("environment") for item in request.session.items if hasattr(item, "callspec")}
    found = {
        version: Installed(version, wheel, tmp_path_factory.mktemp(f"python{version}"))
        for version in PYTHONS
        if version in selected and (version == HERE or interpreter(version))
    }
    with ThreadPoolExecutor(2 * len(found)) as pool:
        for each in found.values():
            each.begin(pool)
        yield found


@pytest.fixture(params=PYTHONS)
def environment(request: pytest.FixtureRequest, installed: dict[str, Installed]) -> Installed:
    if request.param not in installed:
        pytest.skip(f"no Python {request.param} on this machine")
    installed[request.param].ready.result()
    return installed[request.param]


@pytest.fixture
def python(environment: Installed) -> Path:
    """The interpreter of an environment that has the wheel."""
    return environment.python


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
    for arguments in (["--version"], ["run", "--help"]):
        assert run(command, *arguments, cwd=tmp_path).returncode == 0
    assert run(command, "init", "app", "--yes", cwd=tmp_path).returncode == 0
    installed = run(command, "skill", "install", "app", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    doctor = json.loads(run(command, "doctor", "app", "--json", cwd=tmp_path).stdout)
    assert {each["name"] for each in doctor["findings"] if each["verdict"] == "mend"} == {"credentials"}


def test_the_references_are_current_there_too(python: Path, tmp_path: Path) -> None:
    done = run(python, "-m", "lifecycle.skill.reference", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_hosts_program_is_type_checked_strictly_against_it(python: Path, tmp_path: Path) -> None:
    """The examples as a host's own files; and a mistake in one is found, so the types are really there."""
    host = tmp_path / "host"
    host.mkdir()
    for name in ("plain", "script", "several", "stop_policy", "prompts", "agent", "reading"):
        shutil.copy(ROOT / f"lifecycle/skill/examples/{name}.py", host / f"host_{name}.py")
    wrong = host / "wrong.py"
    wrong.write_text("from lifecycle import detect_session_type\n\nanswer: int = detect_session_type('.')\n")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    found = run(*mypy, *sorted(path.name for path in host.glob("*.py")), cwd=host)
    (error, _) = found.stdout.splitlines()
    assert error.startswith("wrong.py:3: error: ")
    assert 'has type "SessionType"' in error


def test_the_demo_builds_its_program(environment: Installed, tmp_path: Path) -> None:
    """Last, since it was begun first."""
    done = environment.demo.result()
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    again = run(environment.python, "-m", "lifecycle.skill.examples.reading", "demo", cwd=environment.place)
    assert again.stdout.splitlines()[-1].startswith(tuple("123456789")), again.stderr
