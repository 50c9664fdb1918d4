"""The walls themselves, made by the real bubblewrap, while somebody outside changes what they rest on."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.confinement import Confinement, _options
from lifecycle.agent.homes import ENTRIES_MAX, hidden_places, homes_of, made_anew
from lifecycle.agent.sandbox import sandbox_problem
from lifecycle.agent.seals import Seals
from lifecycle.agent.shell import agent_shell
from lifecycle.agent.strays import remove_strays
from lifecycle.config import Config
from lifecycle.errors import AgentFailed
from lifecycle.ports import VerdictKind
from lifecycle.runtime.local import local_verifier
from lifecycle.stopping import LocalStopFlag
from states.vocabulary import SessionId

pytestmark = pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")

GIT = ("git", "-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "protocol.file.allow=always")


@pytest.fixture
def home() -> Iterator[Path]:
    """A person's home. Not below /tmp, which is another one within anyway."""
    place = Path(tempfile.mkdtemp(prefix="lifecycle-test-", dir="/var/tmp"))  # noqa: S108  # /tmp is empty within, and would prove nothing
    yield place
    shutil.rmtree(place)


@pytest.fixture
def project(home: Path) -> Path:
    place = home / "work" / "app"
    place.mkdir(parents=True)
    git("init", "-q", place)
    (place / "lifecycle.toml").write_text("max_turns = 5\n")
    return place


def git(*arguments: object) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run([*GIT, *map(str, arguments)], check=True, capture_output=True, text=True, env=environment).stdout


def walls(project: Path, home: Path, **changes: Any) -> Confinement:
    environment = {"HOME": str(home)}
    state = home / ".local" / "state" / "lifecycle"
    (state / "app" / "scratch").mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {"hidden": (state, *hidden_places(environment, project)), "homes": homes_of(environment), **changes}
    return Confinement(project, state / "app" / "scratch", **fields)


class Shell:
    """The shell as the CLI has it."""

    def __init__(self, program: str, environment: dict[str, str], project: Path) -> None:
        self.program, self.environment, self.project = program, environment, project

    async def start(self, command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self.program, "-c", command, cwd=self.project, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    async def __call__(self, command: str) -> str:
        process = await self.start(command)
        return (await asyncio.wait_for(process.communicate(), 30))[0].decode()


@asynccontextmanager
async def shell_in(confinement: Confinement, home: Path, environment: dict[str, str] | None = None) -> AsyncIterator[Shell]:
    environment = {**os.environ, "HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull, **(environment or {})}
    async with agent_shell(confinement, home, SessionId("a-session"), environment) as additions:
        yield Shell(additions["CLAUDE_CODE_SHELL"], {**environment, **additions}, confinement.project_dir)


def replace(place: Path, content: str) -> None:
    """As editors and the CLI save a file."""
    part = place.with_name("part")
    part.write_text(content)
    part.replace(place)


async def eventually(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.01)


# --- a person's home --------------------------------------------------------------------------------------------


async def test_a_hidden_file_stays_hidden_whatever_takes_its_place(home: Path, project: Path) -> None:
    """The CLI itself saves its settings so, while commands run; what they started before cannot see it either."""
    for name in (".claude.json", ".netrc", ".config/git/credentials", ".claude/.credentials.json", ".ssh/id"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("SWORDFISH")
    look = f"grep -rs SWORDFISH {home}/.[a-z]* ; ls -A {home} {home}/.config"
    async with shell_in(walls(project, home), home) as run:
        before = await run(look)
        await run("(while sleep 0.01; do cat ~/.claude.json; done) > seen 2>/dev/null & echo $! > pid")
        for name in (".claude.json", ".netrc", ".config/git/credentials", ".claude/.credentials.json"):
            replace(home / name, "SWORDFISH")
        (home / ".ssh").rename(home / ".ssh-old")
        (home / ".ssh").mkdir()
        (home / ".ssh" / "id").write_text("SWORDFISH")
        (home / ".pgpass").write_text("SWORDFISH")
        after = await run(f"sleep 0.1; {look}; kill -0 $(cat pid) && echo the same walls; echo x > ~/new")
    assert "SWORDFISH" not in before + after
    assert "the same walls" in after
    assert "Read-only file system" in after
    assert (project / "seen").read_text() == ""


async def test_tools_and_settings_in_a_home_are_there_as_ever(home: Path, project: Path) -> None:
    (home / ".nvm" / "bin").mkdir(parents=True)
    (home / ".nvm" / "bin" / "tool").write_text("#!/bin/sh\necho from a tool\n")
    (home / ".nvm" / "bin" / "tool").chmod(0o755)
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.bak\n")
    (home / ".config" / "gcloud").mkdir()
    (home / ".cargo" / "bin").mkdir(parents=True)
    (home / ".cargo" / "credentials").write_text("SWORDFISH")
    (home / ".cargo" / "bin" / "cargo").touch()
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "gitconfig").write_text("[user]\n\tname = A Person\n")
    (home / ".gitconfig").symlink_to("dotfiles/gitconfig")
    (home / "dotfiles" / "netrc").write_text("SWORDFISH")
    (home / ".netrc").symlink_to("dotfiles/netrc")
    (home / "work" / "data.csv").write_text("1,2\n")
    async with shell_in(walls(project, home), home, {"GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}) as run:
        said = await run(
            "~/.nvm/bin/tool; git config user.name; ls ~/.config ~/.cargo ~/.cargo/bin ~/dotfiles; cat ../data.csv;"
            "cat ~/.netrc ~/dotfiles/netrc; echo made > made; pwd"
        )
    assert said.splitlines()[:2] == ["from a tool", "A Person"]
    assert {"git", "cargo", "bin", "gitconfig", "1,2", str(project)} <= set(said.split())
    assert not {"gcloud", "credentials", "SWORDFISH"} & set(said.split())
    assert (project / "made").read_text() == "made\n"


async def test_a_home_in_the_project_is_watched_instead(home: Path) -> None:
    """It cannot be made anew, since it is to be written; so the walls fall when what hides a file in it goes."""
    git("init", "-q", home)
    (home / ".netrc").write_text("OLD-SWORDFISH")
    state = Path(tempfile.mkdtemp(dir="/var/tmp"))  # noqa: S108  # /tmp is empty within, and would prove nothing
    confinement = Confinement(
        home, state / "scratch", hidden_places({"HOME": str(home)}, home), homes=homes_of({"HOME": str(home)})
    )
    try:
        async with shell_in(confinement, home) as run:
            before = await run("cat .netrc; echo fine")
            replace(home / ".netrc", "NEW-SWORDFISH")
            after = await run("cat .netrc; echo fine")
    finally:
        shutil.rmtree(state)
    assert "SWORDFISH" not in before + after
    assert before.endswith("fine\n")
    assert after.endswith("fine\n")


@pytest.mark.parametrize("services", ["/", "/proc", "/dev", "/usr/sbin", "/bin", "/etc"])
async def test_the_home_of_a_service_is_the_systems_and_stays_whole(home: Path, project: Path, services: str) -> None:
    async with shell_in(walls(project, home, homes=(Path(services),)), home) as run:
        said = await run("cat /proc/self/comm; ls -d /usr/sbin /etc/passwd; git --version; : > /dev/null && echo fine")
    assert {"cat", "/usr/sbin", "/etc/passwd", "git", "fine"} <= set(said.split())


# --- what is sealed ---------------------------------------------------------------------------------------------


async def test_a_sealed_file_that_is_replaced_is_sealed_again(home: Path, project: Path) -> None:
    """What runs meanwhile is ended at once and told why; the next command finds new walls."""
    async with shell_in(walls(project, home), home) as run:
        busy = await run.start("touch begun; while true; do echo evil 2>/dev/null >> lifecycle.toml; sleep 0.2; done")
        await eventually(project / "begun")
        for name in ("lifecycle.toml", ".git/config"):
            replace(project / name, "max_turns = 6\n" if name.endswith("toml") else (project / name).read_text())
            told = (await asyncio.wait_for(busy.communicate(), 10))[0].decode() if busy.returncode is None else ""
            assert (name == ".git/config") or ("lifecycle.toml was replaced from outside" in told and busy.returncode == 125)
            said = await run(f"echo evil >> {name}; mv {name} x; echo fine > fine; git status --short")
            assert said.count("Read-only file system") == 1
            assert "Device or resource busy" in said
            assert "fine" in (project / "fine").read_text()
    assert (project / "lifecycle.toml").read_text() == "max_turns = 6\n"


async def test_walls_that_cannot_be_made_at_once_are_made_when_they_can(home: Path, project: Path) -> None:
    """A person may still be at it; commands wait meanwhile. When it does not end, they are told, and none runs."""
    async with shell_in(walls(project, home), home) as run:
        await run("true")
        (project / "lifecycle.toml").rename(home / "kept")
        (project / "lifecycle.toml").symlink_to(".")  # cannot be sealed
        waiting = await run.start("cat lifecycle.toml")
        await asyncio.sleep(0.3)
        (project / "lifecycle.toml").unlink()
        (home / "kept").rename(project / "lifecycle.toml")
        assert (await waiting.communicate())[0] == b"max_turns = 5\n"
        (project / "lifecycle.toml").unlink()
        (project / "lifecycle.toml").symlink_to(".")
        assert "the sandbox is gone, and nothing runs without it" in await run("touch evil")
    assert not (project / "evil").exists()


async def test_the_watchman_cannot_be_stopped(home: Path, project: Path) -> None:
    """Who watches is the same user as the commands, and yet out of their reach."""
    attack = (
        "import ctypes, os, signal\nfor number in (signal.SIGSTOP, signal.SIGKILL): os.kill(1, number)\n"
        "print('traced', ctypes.CDLL(None).ptrace(16, 1, 0, 0))\nprint(open('/proc/1/mem', 'rb'))"
    )
    async with shell_in(walls(project, home), home) as run:
        (project / "attack.py").write_text(attack)
        said = await run("python3 attack.py 2>&1; echo still here")
        assert "traced -1" in said
        assert "PermissionError" in said
        assert "still here" in said
        replace(project / "lifecycle.toml", "max_turns = 6\n")
        assert "Read-only" in await run("echo evil >> lifecycle.toml")


async def test_a_sealed_file_that_is_moved_away_is_not_forgotten(home: Path, project: Path) -> None:
    """As editors make a backup. The kernel says nothing of it, and the mount goes with the file."""
    async with shell_in(walls(project, home), home) as run:
        await run("true")
        (project / "lifecycle.toml").rename(project / "lifecycle.toml~")
        (project / "lifecycle.toml").write_text("max_turns = 7\n")
        said = await run("echo evil >> lifecycle.toml")
        busy = await run.start("touch begun; sleep 30")
        await eventually(project / "begun")
        (project / "lifecycle.toml").rename(project / "lifecycle.toml~")
        assert b"made anew" in (await asyncio.wait_for(busy.communicate(), 5))[0]
    assert "Read-only file system" in said
    assert not (project / "lifecycle.toml").exists(), "what stood in for it went with the walls"


async def test_links_are_sealed_with_what_they_lead_to(home: Path, project: Path) -> None:
    """A link cannot be held by a mount: whoever changes it ends all that runs within a second, and it is put back."""
    (project / "docs").mkdir()
    (project / "docs" / "AGENTS.md").write_text("Be kind.\n")
    (project / "CLAUDE.md").symlink_to("docs/AGENTS.md")
    shutil.rmtree(project / ".git" / "hooks")
    (project / "githooks").mkdir()
    (project / ".git" / "hooks").symlink_to("../githooks")
    (home / "elsewhere").write_text("x")
    (project / "lifecycle.toml").unlink()
    (project / "lifecycle.toml").symlink_to(home / "elsewhere")
    confinement = walls(project, home, sealed=(".claude", "lifecycle.toml", "CLAUDE.md"))
    async with shell_in(confinement, home) as run:
        said = await run("for each in CLAUDE.md docs/AGENTS.md githooks/x .git/hooks/x lifecycle.toml; do echo evil > $each; done")
        assert said.count("Read-only file system") == 5
        assert "busy" in await run("mv docs other; mv githooks other")
        said = await run("ln -sf /etc/passwd CLAUDE.md; sleep 30; echo still here")
        assert "CLAUDE.md was changed" in said
        assert "still here" not in said
        assert await run("readlink CLAUDE.md") == "docs/AGENTS.md\n"
        assert "put back" in await run("rm .git/hooks; mkdir .git/hooks; echo evil > .git/hooks/pre-commit")
        assert await run("readlink .git/hooks CLAUDE.md") == "../githooks\ndocs/AGENTS.md\n"
        leaving = await run.start("rm CLAUDE.md && echo evil > CLAUDE.md; touch done; sleep 5")
        await eventually(project / "done")
    await leaving.communicate()
    assert os.readlink(project / "CLAUDE.md") == "docs/AGENTS.md", "at the end, too"
    aside = confinement.set_aside_dir
    assert sorted(place.name for place in aside.iterdir()) == ["CLAUDE.md", "CLAUDE.md.1", "hooks"]
    assert (project / "docs" / "AGENTS.md").read_text() == "Be kind.\n"


def test_what_took_a_links_place_is_kept_whatever_it_is(tmp_path: Path) -> None:
    """Moved, never copied: a pipe would be read for ever. Where the record is on another file system it stays beside."""
    link = tmp_path / "CLAUDE.md"
    seals = Seals(links={link: "AGENTS.md"}, absent=(tmp_path / "made",))
    for aside, kept in ((tmp_path / "aside", tmp_path / "aside" / "CLAUDE.md"), (tmp_path / "full", tmp_path / "CLAUDE.md.set-aside")):
        link.unlink(missing_ok=True)
        os.mkfifo(link)
        if aside.name == "full":
            aside.touch()  # stands for what cannot be moved to
        assert seals.mend(aside) == [link]
        assert (os.readlink(link), kept.is_fifo()) == ("AGENTS.md", True)
    assert seals.mend(tmp_path / "aside") == []


def test_of_very_many_entries_tools_come_first(tmp_path: Path) -> None:
    for number in range(ENTRIES_MAX):
        (tmp_path / f"a{number}").touch()
    (tmp_path / ".zshrc").touch()
    (tmp_path / "zoo").mkdir()
    arguments = list(made_anew([tmp_path], ()))
    assert {str(tmp_path / "zoo"), str(tmp_path / ".zshrc")} <= set(arguments)
    assert arguments.count("--ro-bind-try") == ENTRIES_MAX


async def test_credentials_are_hidden_where_tools_and_variables_say(home: Path, project: Path) -> None:
    at_home = (
        *(".claude.json.backup", ".claude.json.1", ".codex/auth.json", ".huggingface/token", ".cache/huggingface/token"),
        *(".m2/settings.xml", ".gradle/gradle.properties", ".config/pip/pip.conf", ".config/pypoetry/auth.toml"),
        *(".config/rclone/rclone.conf", ".fly/config.yml", ".bundle/config", ".local/share/fish/fish_history"),
    )
    named = {
        "XDG_CONFIG_HOME": "config|gh/hosts.yml", "XDG_DATA_HOME": "data|keyrings/login", "GNUPGHOME": "gpg|key", "DOCKER_CONFIG": "docker|config.json",
        "KUBECONFIG": "kube|", "GH_CONFIG_DIR": "gh|hosts.yml", "NPM_CONFIG_USERCONFIG": "npmrc|", "AWS_SHARED_CREDENTIALS_FILE": "aws|",
        "AWS_CONFIG_FILE": "aws-config|", "CARGO_HOME": "cargo|credentials.toml", "NETRC": "netrc|",
    }  # fmt: skip
    places = [home / name for name in at_home] + [home / "by" / name.replace("|", "/").rstrip("/") for name in named.values()]
    for place in (*places, home / "seen"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("SWORDFISH")
    environment = {"HOME": str(home), **{name: str(home / "by" / value.split("|")[0]) for name, value in named.items()}}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PGPASSFILE": str(home)}  # what else goes by these must stay
    environment["KUBECONFIG"] += f"{os.pathsep}relative"
    state = home / ".local" / "state" / "lifecycle"
    confinement = walls(project, home, hidden=(state, *hidden_places(environment, project)))
    async with shell_in(confinement, home) as run:
        assert await run("echo lost > /dev/null; cat /dev/null") == ""
        assert await run(f"grep -rls SWORDFISH {home}; true") == f"{home}/seen\n"


def test_what_a_variable_names_in_the_project_is_the_projects(home: Path, project: Path) -> None:
    environment = {"HOME": str(home), "NPM_CONFIG_USERCONFIG": str(project / ".npmrc"), "NETRC": str(home / "mine")}
    places = hidden_places(environment, project)
    assert home / "mine" in places
    assert project / ".npmrc" not in places


def test_the_home_of_the_user_counts_where_another_is_named(home: Path, project: Path) -> None:
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert {own / ".ssh", home / ".ssh"} <= set(hidden_places({"HOME": str(home)}, project))


async def test_walls_are_made_however_much_lies_beside_what_is_hidden(home: Path, project: Path) -> None:
    """bubblewrap takes 9000 arguments. The bound is for all directories together, and the top of a home comes first."""
    for name in ("", ".config", ".local/share"):
        (home / name).mkdir(parents=True, exist_ok=True)
        for number in range(ENTRIES_MAX):
            (home / name / f"a{number}").touch()
    for name in (".ssh", ".config/gh", ".local/share/keyrings", "zoo"):
        (home / name).mkdir()
    (home / ".zshrc").touch()
    async with shell_in(walls(project, home), home) as run:
        said = await run(f"ls -A {home} {home}/.config; test -d {home}/zoo && test -f {home}/.zshrc && echo there; touch fine && echo fine")
    assert {"there", "fine"} <= set(said.splitlines())
    assert not {".ssh", "gh"} & set(said.splitlines())


async def test_a_link_to_what_is_not_there_does_not_come_true(home: Path, project: Path) -> None:
    (project / "CLAUDE.md").symlink_to("AGENTS.md")
    async with shell_in(walls(project, home, sealed=("CLAUDE.md",)), home) as run:
        assert "may not be there" in await run("echo evil > AGENTS.md; sleep 5")
        assert await run("cat CLAUDE.md; echo none") == "cat: CLAUDE.md: No such file or directory\nnone\n"
    assert not (project / "AGENTS.md").exists()


async def test_a_repository_behind_a_link_is_sealed_as_any(home: Path, project: Path) -> None:
    (project / ".git").rename(project / "repository")
    (project / ".git").symlink_to("repository")
    async with shell_in(walls(project, home), home) as run:
        assert "Read-only" in await run("echo evil >> repository/config; git status --short")
        assert ".git was changed" in await run("rm .git; sleep 5")
    assert os.readlink(project / ".git") == "repository"


async def test_a_link_to_the_project_itself_is_refused_in_words(home: Path, project: Path) -> None:
    (project / ".claude").symlink_to(".")
    with pytest.raises(AgentFailed, match=r"\.claude leads to .*cannot be sealed"):
        async with shell_in(walls(project, home), home):
            pass


# --- a repository's own programs --------------------------------------------------------------------------------


async def test_what_git_would_obey_cannot_be_made_where_it_was_not(home: Path, project: Path) -> None:
    """In a repository, its submodules, and what other work trees of it go by; and git goes on working."""
    other = home / "other"
    git("init", "-q", other)
    git("-C", other, "commit", "-q", "--allow-empty", "-m", "one")
    git("-C", project, "commit", "-q", "--allow-empty", "-m", "one")
    git("-C", project, "submodule", "--quiet", "add", other, "sub")
    git("-C", project, "worktree", "add", "-q", home / "linked")
    git("-C", project, "worktree", "add", "-q", project / "inner")
    shutil.rmtree(project / ".git" / "hooks")
    shutil.rmtree(project / ".git" / "modules" / "sub" / "hooks")
    places = [
        *(".git/hooks/pre-commit", ".git/config.worktree", ".git/modules/sub/config"),
        *(".git/modules/sub/hooks/post-checkout", ".git/worktrees/linked/commondir", ".git/worktrees/linked/gitdir"),
    ]
    work = (
        "git add lifecycle.toml .gitmodules sub && git commit -qm two && git checkout -q -b topic && echo a > a && git add a && git stash -q && git stash pop -q"
        " && git commit -qm three && git -C sub commit -q --allow-empty -m sub && git gc -q && git worktree list | wc -l"
        " && git rev-parse --git-dir && git log --oneline | wc -l && git worktree remove inner && git status --short"
    )
    async with shell_in(walls(project, home), home) as run:
        move = "python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[1] + str(1))'"
        said = await run(
            f"for each in {' '.join(places)}; do echo evil > $each; done; for each in .git .git/modules/sub; do {move} $each; done"
        )
        assert said.count("Read-only file system") == len(places), said
        assert said.count("busy") == 2, said
        assert (await run(work)).split() == ["3", ".git", "3", "M", "sub"]
        for repository in (".git", ".git/modules/sub"):
            assert f"{repository}/commondir was made" in await run(f"echo ../evil > {repository}/commondir; sleep 5")
            await run("true")  # the walls stand again, and all is in order
        assert git("-C", project, "status", "--short").split() == ["M", "sub"], "from outside, meanwhile"
    assert not any((project / name).exists() for name in (".git/commondir", ".git/hooks", ".git/modules/sub/commondir"))
    assert len(git("-C", project, "log", "--oneline").splitlines()) == 3


# --- the verification -------------------------------------------------------------------------------------------


async def test_a_verification_ends_when_its_walls_are_no_longer_whole(home: Path, project: Path) -> None:
    verifier = local_verifier(project, changed(Config(), verify_command="touch begun; sleep 30"), walls(project, home))
    assert verifier is not None
    verifying = asyncio.ensure_future(verifier.verify(SessionId("a-session"), LocalStopFlag()))
    await eventually(project / "begun")
    begun = time.monotonic()
    replace(project / "lifecycle.toml", "max_turns = 6\n")
    verdict = await verifying
    assert time.monotonic() - begun < 10
    assert verdict.kind is VerdictKind.FAILED
    assert "lifecycle.toml was replaced from outside" in verdict.output


async def test_what_cannot_be_put_back_costs_no_verdict_and_leaves_no_placeholder(
    home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(seals: Seals, aside: Path) -> list[Path]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Seals, "mend", full)
    verifier = local_verifier(project, changed(Config(), verify_command="echo done"), walls(project, home))
    assert verifier is not None
    verdict = await verifier.verify(SessionId("a-session"), LocalStopFlag())
    assert verdict.kind is VerdictKind.PASSED
    assert "No space left" in verdict.output
    assert not (project / ".claude").exists()


def test_a_bubblewrap_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a machine that was busy once would go without --disable-userns for as long as the manager lives."""
    asked = []

    def answer(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        if len(asked) == 1:
            raise subprocess.TimeoutExpired("bwrap", 10)
        return subprocess.CompletedProcess([], 0, "--disable-userns", "")

    _options.cache_clear()
    monkeypatch.setattr("lifecycle.agent.confinement.subprocess.run", answer)
    try:
        with pytest.raises(OSError, match="does not answer"):
            Confinement(tmp_path, tmp_path / "scratch").walls(["true"])
        assert "--disable-userns" in Confinement(tmp_path, tmp_path / "scratch").walls(["true"])
    finally:
        _options.cache_clear()


async def test_a_file_system_that_does_not_answer_keeps_neither_the_loop_nor_a_stop(
    home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()

    def hang(seals: Seals, aside: Path) -> list[Path]:
        never.wait(30)
        return []

    async with shell_in(walls(project, home), home) as run:
        await run("true")
        monkeypatch.setattr("lifecycle.agent.walled.LOOK_TIMEOUT_S", 0.3)
        monkeypatch.setattr(Seals, "mend", hang)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    monkeypatch.setattr(Confinement, "seals", lambda self: never.wait(30))
    with pytest.raises(AgentFailed, match="did not answer"):
        async with shell_in(walls(project, home), home):
            pass
    never.set()


# --- what commands are told -------------------------------------------------------------------------------------


async def test_no_credential_is_in_a_commands_environment(home: Path, project: Path) -> None:
    names = (
        *("GITHUB_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "NPM_TOKEN", "PGPASSWORD"),
        *("MY_SECRET", "DB_PASSWORD", "ANTHROPIC_API_KEY", "SSH_PRIVATE_KEY", "DATABASE_URL", "HARMLESS", "GIT_CONFIG_VALUE_0"),
    )
    secrets = {**dict.fromkeys(names, "SWORDFISH-1"), "DATABASE_URL": "pg://me:SWORDFISH@db/x", "HARMLESS": "harmless"}
    secrets |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": "Authorization: Basic SWORDFISH-1"}
    secrets |= {"AWS_REGION": "eu-west-1", "ALL_PROXY": "socks5://10.0.0.1:1", "ftp_proxy": "http://10.0.0.1:1"}
    async with shell_in(walls(project, home), home, secrets) as run:
        said = await run("env; git status --short; cat /proc/*/environ | tr '\\0' '\\n'")
    assert "SWORDFISH" not in said
    assert {"HARMLESS=harmless", "AWS_REGION=eu-west-1"} <= set(said.splitlines())
    proxies = {line for line in said.splitlines() if line.lower().startswith(("all_proxy=", "ftp_proxy="))}
    ours = "http://127.0.0.1:3128"
    assert {f"{name}={ours}" for name in ("ALL_PROXY", "all_proxy", "FTP_PROXY", "ftp_proxy")} <= proxies
    assert "fatal" not in said


@pytest.mark.parametrize("below", ["tmp", "work/app/tmp", "a-very-deep-directory/" * 6])
async def test_the_socket_is_out_of_reach_wherever_temporary_files_are(
    home: Path, project: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a home, in the project itself, and where a socket's path would be too long; of other walls as of its own."""
    (home / below).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(home / below))
    other, third = home / "other", home / "third"
    other.mkdir()
    third.mkdir()
    of_another = shell_in(walls(other, home), home)
    verifier = local_verifier(third, changed(Config(), verify_command=f"! find {home} /tmp -type s | grep ."), walls(third, home))
    assert verifier is not None
    async with of_another as another, shell_in(walls(project, home), home) as run:
        assert Path(another.program).parents[1].parent == Path("/tmp")
        directory = Path(run.program).parents[1]
        assert (directory / "shell").is_socket()
        assert (await verifier.verify(SessionId("a-session"), LocalStopFlag())).kind is VerdictKind.PASSED
        look = f"find {home} /tmp /run /var/tmp -type s 2>/dev/null; ls -A {directory} 2>/dev/null; echo none"
        assert await run(look) == "none\n"
    assert not directory.exists()


async def test_what_killed_managers_left_is_swept_and_what_lives_is_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    names = ("walls-dead", "walls-unborn", "walls-living", "walls-new", "canary-dead", "sandbox-dead", "canary-new", "agent-other")
    places = {name: home / f"lifecycle-{name}" for name in names}
    for place in places.values():
        place.mkdir()
    (places["walls-dead"] / "shell.d").mkdir()
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as dead:
        living.bind(str(places["walls-living"] / "shell"))
        living.listen(0)
        dead.bind(str(places["walls-dead"] / "shell"))
        dead.close()
        (home / "lifecycle-walls-link").symlink_to(home)
        for name, place in places.items():
            if not name.endswith("-new"):
                os.utime(place, (1, 1))
        for _ in range(5):  # each leaves a caller in the queue, until it is full
            remove_strays()
    left = {place.name.removeprefix("lifecycle-") for place in home.iterdir()}
    assert left == {"walls-living", "walls-new", "canary-new", "agent-other", "walls-link"}
