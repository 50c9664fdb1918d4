"""Command lines put together at random: what is made of allowed parts passes, what hides a forbidden one does not.

And the strongest evidence: real bash runs what was allowed, with every program replaced by a recorder, and starts
nothing that the analysis did not see.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle.guard import CommandVerdict, validate_command

PROJECT = "/work/project"
CORPUS = Path(__file__).parents[1] / "corpus" / "guard"
FORBIDDEN = "zz-forbidden"

# -- strategies: a "hole" is where the next command goes, so that a forbidden one can be hidden at any depth

PLAIN = [
    "ls", "ls -la src", "cat 'a b'", 'grep -q "x y" f', "wc -l < f", "true", ":", "pwd", "git status", "npm test", "cp a b",
    "mkdir -p src/{a,b}", "chmod +x init.sh", "sleep 1", "./init.sh", 'git commit -m "it\'s (done) & more | \\$x"',
    "node x.js > log.txt 2>&1", "pkill -f 'node server.js'", "[ -f x ]", "[[ $x == y* ]]", "FOO=bar npm run build",
    "ls \\\n  -la", "x=1", "a=(1 2)", "((i++))", 'cat <<< "$x"', "ls $'a\\tb' \"${x:-y}\" ${#x} $((1+2))",
]  # fmt: skip
AROUND = [
    "{}", "{}; ls", "ls; {}", "ls && {}", "{} && ls", "ls || {}", "{} | wc -l", "ls | {}", "ls |& {}", "{} &", "ls & {}", "ls\n{}", "{}\nls",
    "( {})", "( {} ; )", "{{ {}; }}", "{{ {}\n}} > out.txt", "! {}", "time {}", "time -p {}", "ls # a 'comment\n{}", "# $(x) `y`\n{}",
    "if {}; then ls; fi", "if ls; then {}; fi", "if ls; then ls; else {}; fi", "if ls; then ls; elif {}; then ls; fi",
    "while {}; do break; done", "while true; do {}; break; done", "until {}; do ls; done", "for w in a b; do {}; done",
    "for ((i=0; i<1; i++)); do {}; done", "for w in $( {}); do ls; done", "select w in a; do {}; break; done",
    "case x in a) {};; *) ls;; esac", "case x in\n(a|b)\n{}\n;;\nesac", "case $( {}) in a) ls;; esac", "case x in a) ls;& b) {};; esac",
    "coproc {{ {}; }}",
    "ls $( {})", 'ls "$( {})"', 'ls "a $(ls "$( {})") b"', "ls $(\n{}\n)", "ls $( {} # )\n)", "ls <( {})", "cat < <( {})", "ls > >( {})",
    "ls ${{x:-$( {})}}", 'ls "${{x:-$( {})}}"', "ls ${{x#$( {})}}", "ls ${{x/a/$( {})}}", 'ls "${{x:+a$( {})b}}"', "x=$( {})", 'x="$( {})" ls', "a=(1 $( {}))",
    "ls > /dev/null 2>&1 $( {})", "cat <<< $( {})", '[ -n "$( {})" ]', "[[ -n $( {}) ]]", "[[ x =~ ^(a|$( {}))$ ]]", "ls {{a,$( {})}}",
    "cat <<EOF\n$( {})\nEOF", "cat <<-EOF\n\t$( {})\n\tEOF", "cat <<EOF\n${{x:-$( {})}}\nEOF\nls", "{} <<'EOF'\n$(it's `not` run)\nEOF\n",
    'git commit -m "$( {})"', "\\\n{}", "ls \\\n&& {}", "[[ -f x ]] && {}", "((1)) || {}", "ls;\n\n{}\n",
]  # fmt: skip
OUTERMOST = ["f() {{ {}; }}; f", "function g {{ {}; }}; g", "h() ( {} )", "h() {{ k; }}; k() {{ {}; }}; h"]  # certain only there
IN_BACKTICKS = ["ls `{}`", 'ls "`{}`"', "cat <<EOF\n`{}`\nEOF", "ls ${{x:-`{}`}}", "x=`{}`"]


def wrapped(inner: st.SearchStrategy[str], shapes: list[str] = AROUND) -> st.SearchStrategy[str]:
    """A command around another one. After `!` and `time` bash accepts a line without a command; we do not, and nobody writes it."""
    made = st.builds(lambda around, command: around.format(command), st.sampled_from(shapes), inner.filter(_fits))
    return made.filter(lambda command: not command.startswith(("! #", "time #", "time -p #")))


def in_backticks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A plain command in backticks, which want no escapes when it holds none of their characters."""
    plain = inner.filter(lambda command: not set(command) & set("`\\$\"'"))
    return st.builds(lambda around, command: around.format(command), st.sampled_from(IN_BACKTICKS), plain)


def _fits(command: str) -> bool:
    """Whether the command can stand after `|`, before `;` and in brackets: no here-document or comment is open at its end."""
    return not command.startswith(("!", "time")) and "EOF" not in command and "#" not in command.rpartition("\n")[2] and not command.endswith(("&", "\n"))


def _scripts(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    levels = leaf
    for _ in range(4):
        levels = st.one_of(leaf, wrapped(levels))
    return st.one_of(levels, wrapped(levels), wrapped(levels, OUTERMOST), in_backticks(leaf))


allowed_scripts = _scripts(st.sampled_from(PLAIN))
forbidden_scripts = _scripts(st.sampled_from([FORBIDDEN, f"{FORBIDDEN} x", f"x=1 {FORBIDDEN}", f"ls | {FORBIDDEN}", f"! {FORBIDDEN} x"]))


def judged(text: str, project: str | Path = PROJECT) -> CommandVerdict:
    return validate_command(text, "minimal", project, home="/root")


# -- properties


@settings(max_examples=400, deadline=None)
@given(allowed_scripts)
def test_allowed_commands_in_any_syntax_pass(script: str) -> None:
    verdict = judged(script)
    assert verdict.allowed, (script, verdict.reason)


@settings(max_examples=600, deadline=None)
@given(forbidden_scripts)
def test_a_forbidden_command_is_found_wherever_it_hides(script: str) -> None:
    assert FORBIDDEN in script
    verdict = judged(script)
    assert not verdict.allowed, script
    assert verdict.rule != "fault"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(" \t\n;&|()<>{}[]!#$'\"`\\=*?~-+:,@%^/019axEls"), max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    """No text makes the judge fail, and no text makes it slow."""
    verdict = judged(text)
    assert verdict.rule != "fault", (text, verdict.reason)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_unicode_gets_an_answer(text: str) -> None:
    assert judged(text).rule != "fault"


def _rows(name: str) -> list[str]:
    return [json.loads(line)["command"] for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([row for row in _rows("minimal-allow.jsonl") if "\n" not in row]), st.data())
def test_no_prefix_of_an_allowed_command_breaks_the_judge(command: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(command)))
    assert judged(command[:cut]).rule != "fault"


# -- the oracle

# bash calls this for every program that it cannot find, and with this PATH it finds none.
_RECORDER = "() { builtin printf '%s\\0' \"$1\" >> \"$GUARD_RECORD\"; return 0; }"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], set[str]]]:
    """What real bash starts when it runs a text, recorded instead of started."""
    home = tmp_path_factory.mktemp("oracle")
    project = home / "project"
    for directory in ("src", "a/b", "client", "server", "packages/x"):
        (project / directory).mkdir(parents=True)
    for name in ("f", "x", "a.js", "b.js", "package.json", "src/a.js"):
        (project / name).write_text("1\n")
    record = home / "record"

    def run(text: str) -> set[str]:
        record.write_bytes(b"")
        environment = {
            "PATH": str(home / "nowhere"), "HOME": str(home), "LC_ALL": "C.UTF-8", "GUARD_RECORD": str(record),
            "BASH_FUNC_command_not_found_handle%%": _RECORDER,
        }  # fmt: skip
        process = subprocess.Popen(
            ["/bin/bash", "-c", text], cwd=project, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        assert sorted(entry.name for entry in home.iterdir()) == ["project", "record"], "something was written outside"
        return {name.decode() for name in record.read_bytes().split(b"\0") if name}

    run.project = project  # type: ignore[attr-defined]
    yield run


def test_the_recorder_records(started: Callable[[str], set[str]]) -> None:
    """An oracle that cannot see would prove nothing."""
    text = "one; two | three; $(four); f() { five; }; f; x=six; $x; eval seven; cat <<E\n`eight`\nE"
    assert started(text) == {"one", "two", "three", "four", "five", "six", "seven", "cat", "eight"}


def test_bash_starts_nothing_that_the_analysis_did_not_see(started: Callable[[str], set[str]]) -> None:
    """Every allowed row of the corpus that runs no program by its path."""
    project: Path = started.project  # type: ignore[attr-defined]
    missed = []
    ran = 0
    for command in _rows("minimal-allow.jsonl"):
        if "/bin/" in command or "./init.sh" in command:
            continue
        verdict = judged(command, project)
        if not verdict.allowed:  # rows that spell the other project's absolute path
            assert PROJECT in command
            continue
        names = started(command)
        ran += bool(names)
        missed += [(command, name) for name in names - {program.name for program in verdict.programs}]
    assert missed == []
    assert ran > 450


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(script=allowed_scripts.filter(lambda script: "./init.sh" not in script))
def test_bash_agrees_on_generated_commands(started: Callable[[str], set[str]], script: str) -> None:
    project: Path = started.project  # type: ignore[attr-defined]
    verdict = judged(script, project)
    assert verdict.allowed, (script, verdict.reason)
    assert started(script) <= {program.name for program in verdict.programs}, script


def test_bash_can_parse_every_allowed_row() -> None:
    """A row that bash rejects would test nothing."""
    for command in _rows("minimal-allow.jsonl"):
        parsed = subprocess.run(["/bin/bash", "-n", "-c", command], capture_output=True, check=False, timeout=10)
        assert parsed.returncode == 0, (command, parsed.stderr)
