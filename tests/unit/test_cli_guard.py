"""`lifecycle guard`: arguments for people, JSON lines for programs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lifecycle.cli.main import main


def filtered(lines: bytes, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "lifecycle.cli", "guard", *arguments]
    return subprocess.run(command, input=lines, capture_output=True, cwd=cwd, timeout=30, check=False)


def test_verdicts_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check whose answer is no says so with its status, too."""
    nowhere = str(tmp_path / "nowhere")
    assert main(["guard", "--project", nowhere, "ls -la", "npm test"]) == 0
    assert capsys.readouterr().out == "allowed  ls -la\nallowed  npm test\n"
    assert main(["guard", "--project", nowhere, "ls", "sudo\nls"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["allowed  ls", "refused  sudo\\nls"]
    assert "'sudo'" in out[2]
    assert out[2].endswith("(program.unknown)")


def test_the_profile_is_the_flags_the_environments_or_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lifecycle.toml").write_text('profile = "minimal"\n[guard]\nallow = ["jq"]\n')
    project = ["guard", "--project", str(tmp_path)]
    assert main([*project, "jq ."]) == 0
    assert main([*project, "echo x"]) == 1
    assert main([*project, "--profile", "standard", "echo x"]) == 0
    monkeypatch.setenv("LIFECYCLE_PROFILE", "standard")
    assert main([*project, "echo x"]) == 0
    capsys.readouterr()
    assert main([*project, "--profile", "loose", "ls"]) == 2
    assert "--profile" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--jsonl", "ls"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guard", *arguments]) == 2
    assert "give commands, or --jsonl" in capsys.readouterr().err


def test_json_lines_are_answered_in_order_whatever_they_are(tmp_path: Path) -> None:
    rows = ['{"command": "ls"}', '{"command": "rm -rf /"}', "nonsense", "", "[1]", '{"command": 3}', '{"command": "cat \\u0000"}']
    done = filtered("\n".join(rows).encode() + b'\n{"command": "ls \xff"}\n{"command": "pwd"}', "--jsonl", "--profile", "minimal", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["allowed"] for answer in answers] == [True, False, False, False, False, False, False, True]
    assert [answer["command"] for answer in answers][:2] == ["ls", "rm -rf /"]
    assert all(set(answer) == {"command", "allowed", "reason"} for answer in answers)
    assert all(bool(answer["reason"]) != answer["allowed"] for answer in answers)


def test_home_is_what_the_tilde_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = tmp_path / "home" / "app"
    rows = b'{"command": "cp a ~/app/b"}\n{"command": "cp a ~/b"}\n'
    done = filtered(rows, "--jsonl", "--profile", "minimal", "--project", str(project), cwd=tmp_path)
    assert [json.loads(line)["allowed"] for line in done.stdout.splitlines()] == [True, False]


def test_four_hundred_rows_take_little_more_than_the_start(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"command": f"npm test && git commit -m 'the {n}th' && cat a{n}"}) + "\n" for n in range(400))
    begun = time.monotonic()
    done = filtered(rows.encode(), "--jsonl", "--profile", "minimal", cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 400
    assert time.monotonic() - begun < 5.0  # 0.6 s on an idle machine
