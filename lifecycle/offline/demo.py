"""The scenario of `lifecycle demo`: a scripted agent that builds a habit tracker, session after session.

The script is fixed; what it does is real: every file is written, every test is run and every commit is
made by the agent's own tools, and a feature is marked as passing only after its tests passed. It finds
out where it is by looking into the directory, so a session may be cut off anywhere and any later one goes
on. A session with fewer than ten turns may get nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

from lifecycle.offline import demo_project
from lifecycle.offline.handiwork import REPOSITORY, Change, Work, commit, create, insist, read_text, revise
from lifecycle.offline.replies import Text, ToolUse, Turn
from lifecycle.offline.request import ModelRequest, ToolResult
from lifecycle.offline.script import Play, Script

__all__ = ["DEMO_SPEC", "HOW_TO_RUN", "demo_scenario"]

DEMO_SPEC = demo_project.text("app_spec.txt")
"""The specification that the demo builds; goes into `app_spec.txt`."""

HOW_TO_RUN = (
    "python3 habits.py add water",
    "python3 habits.py done water",
    "python3 habits.py garden",
)
"""What a person types in the finished project's directory, in this order."""

FEATURES_PER_SESSION = 2
HONESTY = (
    "(I am a script that plays a model's part. The tools, the files, the tests and the commits are real.)"
)
TESTS = ToolUse("Bash", {"command": "python3 -m unittest"})
TITLE = DEMO_SPEC.splitlines()[0]
Features: TypeAlias = list[dict[str, Any]]


def demo_scenario(*, pace_s: float = 0.0) -> Script:
    """The demo's scenario. It keeps nothing between requests.

    Args:
        pace_s: silence between two pieces of a reply, for a model that seems to think.
    """
    return Script(_session, pace_s=pace_s)


def _session(request: ModelRequest) -> Play:
    look = yield from insist(f"{HONESTY} First I look around.", ToolUse("Bash", {"command": "pwd && ls -A"}))
    if look.is_error:
        return f"I could not even look around: {look.text}"
    root, *names = look.text.splitlines()
    listed = (yield from read_text(f"{root}/feature_list.json")) if "feature_list.json" in names else None
    features = _parsed(listed)
    if features:
        return (yield from _coding(root, features))
    return (yield from _initializing(root, names))


def _initializing(root: str, names: Sequence[str]) -> Play:
    """The first session: from the specification to a feature list and a first commit."""
    specification = yield from read_text(f"{root}/app_spec.txt")
    if specification is None or TITLE not in specification:
        return "I am the demo's script: I can build only the habit tracker of its specification."
    yield from insist("A new project. I begin with its repository.", ToolUse("Bash", {"command": REPOSITORY}))
    for say, name, content in (
        ("", ".gitignore", demo_project.text("gitignore.txt")),
        ("A script that checks the whole program:", "init.sh", demo_project.text("init.sh.txt")),
        ("Notes for the sessions to come:", "claude-progress.txt", "# Progress\n- Set up the project.\n"),
        ("And the features, all to be built:", "feature_list.json", demo_project.text("feature_list.json")),
    ):
        if name in names and name == "claude-progress.txt":
            continue  # somebody's notes, which are not ours to replace
        made = yield from _put(say, root, name, content, names)
        if made.is_error:
            return f"I could not write {name}: {made.text}"
    yield from insist("", ToolUse("Bash", {"command": "chmod +x init.sh"}))
    saved = yield from commit("Set up the project and its feature list")
    if saved.is_error:
        return f"The project is set up, but I could not commit it: {saved.text}"
    return f"The project is set up; {len(demo_project.FEATURE_IDS)} features are left for the next sessions."


def _coding(root: str, features: Features) -> Play:
    """A later session: the next features, each built, tested, marked and committed by itself."""
    look = yield ToolUse("Bash", {"command": "git log --oneline -5; git ls-files -co --exclude-standard"})
    there = look.text.splitlines()
    known = [feature for feature in features if feature.get("id") in demo_project.FEATURE_IDS]
    failing = [str(feature["id"]) for feature in known if not feature.get("passes")]
    built: list[str] = []
    for feature_id in failing[:FEATURES_PER_SESSION]:
        problem = yield from _build(root, feature_id, there)
        if problem:
            return f"I stop at the feature {feature_id!r}: {problem}"
        built.append(feature_id)
        there.extend(path for path, _ in demo_project.changes(feature_id))
    if not failing:
        yield from commit("Save what an interrupted session left behind")
    left = len(failing) - len(built)
    if left:
        return f"Built and tested: {', '.join(built)}. {left} features are left for the next sessions."
    if len(known) < len(features):
        return "Everything that I know how to build passes; the other features need a real model."
    return f"Every feature passes. Try it: {HOW_TO_RUN[0]}"


def _build(root: str, feature_id: str, there: Sequence[str]) -> Generator[ToolUse | Turn, ToolResult, str]:
    """One feature, from code to commit. Returns what went wrong, "" when nothing did.

    A feature's test is written last: where it is there, an earlier session may have been cut off after it.
    """
    tests = ToolResult("", "", "", True)
    if f"tests/test_{feature_id}.py" in there:
        tests = yield Turn(Text(f"The feature {feature_id!r} has been begun. Do the tests pass?"), TESTS)
    if tests.is_error:
        say = f"Now the feature {feature_id!r}."
        for path, content in demo_project.changes(feature_id):
            written = yield from _put(say, root, path, content, there)
            say = ""
            if written.is_error:
                return f"I could not write {path}: {written.text}"
        tests = yield from insist("Do the tests pass?", TESTS)
    if tests.is_error:
        return f"the tests fail: {tests.text}"
    return (yield from _record(root, feature_id))


def _record(root: str, feature_id: str) -> Generator[ToolUse | Turn, ToolResult, str]:
    """A feature whose tests passed: mark, note and commit it. Returns what went wrong, or ""."""
    for say, name, change in (
        ("They do, so the feature passes.", "feature_list.json", _marked(feature_id)),
        ("", "claude-progress.txt", _noted(feature_id)),
    ):
        result = yield from revise(say, f"{root}/{name}", change)
        if result.is_error:
            return f"I could not write {name}: {result.text}"
    saved = yield from commit(f"Add the feature {feature_id}")
    return f"I could not commit: {saved.text}" if saved.is_error else ""


def _put(say: str, root: str, path: str, text: str, there: Sequence[str]) -> Work:
    """A file with this text, whether it is there or not."""
    if path in there:
        return (yield from revise(say, f"{root}/{path}", lambda _: text))
    return (yield from create(say, f"{root}/{path}", text))


def _marked(feature_id: str) -> Change:
    """The feature list with one more feature passing, and nothing else changed."""

    def change(before: str | None) -> str | None:
        failing = re.compile(rf'("id"\s*:\s*"{feature_id}"(?:(?!"passes").)*"passes"\s*:\s*)false', re.DOTALL)
        return None if before is None else failing.sub(r"\1true", before, count=1)

    return change


def _noted(feature_id: str) -> Change:
    """The progress notes with this feature's line at the end."""
    note = f"- Built the feature {feature_id!r}; its tests pass.\n"

    def change(before: str | None) -> str | None:
        notes = before or "# Progress\n"
        if note in notes:
            return notes
        return notes + ("" if notes.endswith("\n") else "\n") + note

    return change


def _parsed(text: str | None) -> Features | None:
    """The feature list, None when it is none."""
    try:
        features = json.loads(text or "")
    except ValueError:
        return None
    return features if isinstance(features, list) and all(isinstance(one, dict) for one in features) else None
