"""A process that dies at any system call of a write: each file is the old one or the new one, and the next call ends it.

The calls of the file layer are counted in a child, which ends itself (as SIGKILL would, with no clean-up) before or
after each one in turn: every boundary is met, none twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PLAN = [{"id": name, "description": name, "steps": [name], "passes": False} for name in ("a", "b")]
NOTES = "# Notes\n"

CASES = {
    "ledger": (
        {"feature_list.json": json.dumps(PLAN[:1])},
        "check_and_mend(project, Ledger(plan))",
        "feature_list.json",
    ),
    "ledger, malformed": ({"feature_list.json": "{"}, "check_and_mend(project, Ledger(plan))", "feature_list.json"),
    "ledger, deleted": ({}, "check_and_mend(project, Ledger(plan))", "feature_list.json"),
    "claims taken back": (
        {"feature_list.json": json.dumps([{**each, "passes": True} for each in PLAN])},
        "mend(project, without_claims(project, Ledger(plan)) or (project / 'feature_list.json').read_bytes())",
        "feature_list.json",
    ),
    "progress entry": (
        {"claude-progress.txt": NOTES},
        "leave_entry(project, mark_of(b'# Notes\\n'), (1, 'id'), ['line'], wrote_own=False, kept=None)",
        "claude-progress.txt",
    ),
    "progress entry where none was": (
        {},
        "leave_entry(project, None, (1, 'id'), ['line'], wrote_own=False, kept=None)",
        "claude-progress.txt",
    ),
    "own entry in the place of a made one": (
        {"claude-progress.txt": NOTES + "\n--- session 1 (id), noted by lifecycle ---\n--- end of session 1 (id) ---\nmine\n"},
        "leave_entry(project, None, (1, 'id'), ['line'], wrote_own=True, kept=None)",
        "claude-progress.txt",
    ),
    "specification": ({"app_spec.txt": "old"}, "install_spec(project, 'new')", "app_spec.txt"),
    "written plan": ({"feature_list.json": "[]"}, "write_feature_list(project, Ledger(plan).plan)", "feature_list.json"),
}

CHILD = """
import os, sys
from pathlib import Path
from lifecycle.workspace.ledger import Ledger, check_and_mend, mend, without_claims
from lifecycle.workspace.feature_list import write_feature_list
from lifecycle.workspace.progress_entry import leave_entry, mark_of
from lifecycle.workspace.spec import install_spec

root, plan = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
FILES = {files!r}
REAL = {{name: getattr(os, name) for name in
         ("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "fchmod", "fchown", "close")}}

def work(project):
    {work}

def dying_at(moment):
    count = 0
    def counted(call):
        def inner(*arguments, **options):
            nonlocal count
            count += 1
            if count == moment:
                os._exit(9)
            if call is REAL["write"]:  # half of it first: the disk is no more whole than that
                arguments = (arguments[0], bytes(arguments[1])[: max(1, len(arguments[1]) // 2)])
            result = call(*arguments, **options)
            count += 1
            if count == moment:
                os._exit(9)
            return result
        return inner
    return counted

for moment in range(1, 400):
    project = root / str(moment)
    project.mkdir()
    for name, content in FILES.items():
        (project / name).write_text(content)
    child = os.fork()
    if child == 0:
        counted = dying_at(moment)
        for name, call in REAL.items():
            setattr(os, name, counted(call))
        work(project)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), status
    if status == 0:
        print(moment)
        break
"""


@pytest.mark.parametrize(("files", "work", "name"), CASES.values(), ids=CASES.keys())
def test_dying_at_any_system_call_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, files: dict[str, str], work: str, name: str
) -> None:
    (tmp_path / "plan").write_text(json.dumps(PLAN))
    (tmp_path / "root").mkdir()
    script = textwrap.dedent(CHILD).format(files=files, work=work)
    command = [sys.executable, "-c", script, str(tmp_path / "root"), str(tmp_path / "plan")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout)
    assert moments > 10, "it has written"
    new = (tmp_path / "root" / str(moments) / name).read_bytes()
    found = {(tmp_path / "root" / str(moment) / name) for moment in range(1, moments)}
    contents = {path.read_bytes() if path.exists() else None for path in found}
    old = files[name].encode() if name in files else None
    assert contents == {old, new}, "both were met, and nothing between"
