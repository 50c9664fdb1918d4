"""Who stands behind walls: `sandbox = "required"` holds for an agent that a host brings along, and for verification."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lifecycle import SessionManager
from lifecycle.agent.confinement import Confinement
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.sandbox import Sandbox, SandboxMode, sandbox_problem
from lifecycle.agent.sdk_agent import SdkAgent
from lifecycle.errors import ConfigurationError
from lifecycle.ports import VerdictKind
from lifecycle.stopping import LocalStopFlag
from lifecycle.testing.fakes import FakeAgent, FakeWorkspace
from states.vocabulary import SessionId


class Silent(FakeAgent):
    """Says nothing of a sandbox."""

    def __init__(self) -> None:
        super().__init__(FakeWorkspace())


class Telling(Silent):
    def __init__(self, sandbox: Sandbox | None) -> None:
        super().__init__()
        self.sandbox = sandbox


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "app_spec.txt").write_text("One thing.\n")
    return tmp_path / "project"


ON = Sandbox(SandboxMode.AUTO)
OPEN = {
    "that says nothing": (lambda project: Silent(), "does not say"),
    "that knows nothing": (lambda project: Telling(None), "does not say"),
    "that has it off": (lambda project: Telling(Sandbox(SandboxMode.OFF)), "it is off"),
    "that could not have it": (lambda project: Telling(Sandbox(SandboxMode.AUTO, "no bwrap")), "no bwrap"),
    "of ours without walls": (lambda project: SdkAgent(AgentSettings(), project), "does not say"),
    "of ours that only claims it": (lambda project: SdkAgent(AgentSettings(sandbox=ON), project), "does not say"),
}


@pytest.mark.parametrize(("agent", "words"), OPEN.values(), ids=OPEN.keys())
@pytest.mark.parametrize("by", ["host", "environment", "file"])
async def test_an_agent_without_walls_does_not_start_where_they_are_required(
    tmp_path: Path, project: Path, agent, words: str, by: str
) -> None:
    """And nothing is made: neither a record, nor a line in the project."""
    if by == "file":
        (project / "lifecycle.toml").write_text('sandbox = "required"\n')
    before = sorted(project.iterdir())
    arguments = {
        "host": {"sandbox": "required"}, "environment": {"environment": {"LIFECYCLE_SANDBOX": "required"}}, "file": {},
    }[by]  # fmt: skip
    with pytest.raises(ConfigurationError) as refusal:
        async with SessionManager(project, agent=agent(project), state_dir=tmp_path / "state", **arguments):
            pass
    assert words in refusal.value.problem
    assert "give SdkAgent settings with a confinement" in refusal.value.problem, "it says what to do"
    assert "sandbox" in refusal.value.source.lower()
    assert not (tmp_path / "state").exists()
    assert sorted(project.iterdir()) == before


async def test_an_agent_within_walls_starts_where_they_are_required_and_any_where_they_are_not(tmp_path: Path, project: Path) -> None:
    walled = SdkAgent(AgentSettings(confinement=Confinement(project, tmp_path / "scratch", hosts=("pypi.org",))), project)
    assert walled.sandbox == Sandbox(SandboxMode.AUTO, hosts="pypi.org")
    for number, (agent, mode) in enumerate([(walled, "required"), (Telling(ON), "required"), (Silent(), "auto"), (Silent(), "off")]):
        async with SessionManager(project, agent=agent, state_dir=tmp_path / str(number), sandbox=mode) as session:
            await session.status()


async def test_a_required_sandbox_that_cannot_be_had_for_the_verification_is_refused(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's agent brings its own walls; the verification is started by us."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    arguments = {"agent": Telling(ON), "sandbox": "required", "state_dir": tmp_path / "state"}
    with pytest.raises(ConfigurationError, match="bwrap is not installed"):
        async with SessionManager(project, verify_command="true", **arguments):
            pass
    assert not (tmp_path / "state").exists()
    async with SessionManager(project, **arguments) as session:
        await session.status()


@pytest.mark.skipif(bool(sandbox_problem()), reason="no sandbox here")
@pytest.mark.parametrize(("mode", "is_held"), [("auto", True), ("required", True), ("off", False)])
async def test_the_verification_stands_within_walls_also_beside_a_hosts_own_agent(
    tmp_path: Path, project: Path, mode: str, is_held: bool
) -> None:
    sign = tmp_path / "sign"
    agent = Telling(ON) if mode == "required" else Silent()
    manager = SessionManager(
        project, agent=agent, state_dir=tmp_path / "state", sandbox=mode, verify_command=f"touch inside; touch {sign}; true"
    )
    async with AsyncExitStack() as closing:
        await closing.enter_async_context(manager)
        assert manager._open is not None
        verifier = manager._open.ports.verifier
        assert verifier is not None
        verdict = await verifier.verify(SessionId("11111111-1111-4111-8111-111111111111"), LocalStopFlag())
    assert verdict.kind is VerdictKind.PASSED, verdict
    assert (project / "inside").exists()
    assert sign.exists() != is_held
