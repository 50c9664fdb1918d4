"""The pictures in the documents are those that are drawn now, and what they say of the code is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lifecycle import SessionManager
from lifecycle.diagram import png
from lifecycle.diagram.__main__ import main, stale
from lifecycle.diagram.documents import blocks, pictures, with_blocks
from lifecycle.diagram.example import bad_night
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.paint import paint
from lifecycle.events import Transitioned
from lifecycle.journal.memory import MemoryJournal
from lifecycle.testing.fakes import FakeAgent, FakeChance, FakeClock, FakePrompts, FakeWorkspace

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "diagrams" / "ARCHITECTURE.md"
HAS_PNG = png.is_available()


def test_every_picture_and_block_is_as_it_is_drawn_now() -> None:
    """When this fails: `python -m lifecycle.diagram` in the repository's root, with the extra `diagram` installed."""
    assert [str(path.relative_to(ROOT)) for path, _ in stale(ROOT, has_png=HAS_PNG)] == []


@pytest.mark.parametrize("name", ["lifecycle", "bad-night"])
def test_every_png_was_made_of_what_is_drawn_now(name: str) -> None:
    """Told by the stamp of its source, so that it needs neither the extra nor the same version of it."""
    diagram, painted = (diagram_of(), None) if name == "lifecycle" else (diagram_of(name="a bad night"), paint(*bad_night()))
    kept = (ROOT / "diagrams" / f"{name}.png").read_bytes()
    assert kept.startswith(b"\x89PNG")
    assert png.stamp_of(kept) == png.stamp_of(png.source_of(diagram, painted))


def test_the_folder_holds_no_picture_that_nobody_draws() -> None:
    kept = {path.name for path in (ROOT / "diagrams").iterdir() if path.name != "ARCHITECTURE.md"}
    drawn = set(pictures(has_png=HAS_PNG))
    assert {name for name in kept if name.split(".")[0] in ("lifecycle", "table", "bad-night")} - drawn <= (
        set() if HAS_PNG else {"lifecycle.png", "bad-night.png"}
    )


def test_the_readme_and_the_architecture_show_the_lifecycle() -> None:
    assert "<!-- lifecycle:diagram -->" in (ROOT / "README.md").read_text()
    assert "<!-- lifecycle:table -->" in ARCHITECTURE.read_text()


def test_a_block_is_put_between_its_markers_and_nothing_else_is_touched() -> None:
    before = "one\n<!-- lifecycle:table -->\nold\n<!-- /lifecycle:table -->\ntwo \\1 $&\n"
    after = with_blocks(before)
    assert after == before.replace("old\n", blocks()["table"])
    assert with_blocks(after) == after


def test_what_is_stale_is_told_and_written(tmp_path, monkeypatch, capsys) -> None:
    if not HAS_PNG:
        pytest.skip("the extra `diagram` is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("<!-- lifecycle:diagram --><!-- /lifecycle:diagram -->")
    assert main(["--check"]) == 1
    assert "README.md is stale" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert "flowchart TB" in (tmp_path / "README.md").read_text()


def test_every_link_in_the_architecture_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", ARCHITECTURE.read_text())
    assert len(links) > 10
    assert [link for link in links if not (ARCHITECTURE.parent / link).exists()] == []


# --- the layers ------------------------------------------------------------------------------------------------------


def test_the_layers_are_those_of_the_code() -> None:
    """Every part of the shell is in one layer, and imports only from its own and from lower ones."""
    layer = layers()
    wrong = [f"{a} imports {b}" for a, b in imports() if layer[b] < layer[a]]
    assert wrong == []


def test_no_part_is_missing_from_the_layers() -> None:
    parts = {path.stem for path in (ROOT / "lifecycle").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "__main__"} == set(layers()) - {"states"}


def layers() -> dict[str, int]:
    """Part -> its layer as the document draws it, 0 on top."""
    text = ARCHITECTURE.read_text()
    drawn = text[text.index("<!-- layers -->") : text.index("<!-- /layers -->")]
    order = re.search(r"^    (\w+(?: --> \w+)+)$", drawn, re.MULTILINE)
    assert order is not None
    found = {}
    for name, body in re.findall(r'^    (\w+)\["<b>.*?<br/>(.*)"\]$', drawn, re.MULTILINE):
        for part in re.split(r" · |<br/>", body):
            found[part] = order[1].split(" --> ").index(name)
    return found


def imports() -> set[tuple[str, str]]:
    """(part, part that it imports), from the sources; what is imported for types only counts too."""
    found = set()
    for path in [*ROOT.glob("lifecycle/**/*.py"), *ROOT.glob("states/*.py")]:
        importer = part_of(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                imported = part_of(tuple(name.split(".")))
                if importer and imported and importer != imported:
                    found.add((importer, imported))
    return found


def part_of(parts: tuple[str, ...]) -> str | None:
    if parts[0] == "states":
        return "states"
    return parts[1] if parts[0] == "lifecycle" and len(parts) > 1 and not parts[1].startswith("__") else None


# --- one step --------------------------------------------------------------------------------------------------------


async def test_the_order_of_one_step_is_the_drawn_one(tmp_path) -> None:
    """Journal, then observers, then the machine, then the state's work: as the sequence in the document has it."""
    steps: list[str] = []

    class TellingJournal(MemoryJournal):
        async def append(self, move, session=None):
            record = await super().append(move, session)
            steps.append(f"append {move.dest}")
            return record

    class TellingWorkspace(FakeWorkspace):
        async def read(self):
            steps.append(f"work of {manager._opened().driver.state}")
            return await super().read()

    def watch(event) -> None:
        if isinstance(event, Transitioned) and event.dest == "DETECT":
            steps.append(f"observers told of {event.dest} in {manager._opened().driver.state}")

    workspace = TellingWorkspace(features=[True])
    project = tmp_path / "project"
    project.mkdir()
    (project / "app_spec.txt").write_text("Build it.\n")
    manager = SessionManager(
        project, state_dir=tmp_path / "state", clock=FakeClock(), chance=FakeChance(), journal=TellingJournal(),
        workspace=workspace, agent=FakeAgent(workspace), prompts=FakePrompts(), observers=[watch],
    )  # fmt: skip
    async with manager as session:
        await session.run_until_shutdown()
    at = steps.index("append DETECT")
    assert steps[at : at + 3] == ["append DETECT", "observers told of DETECT in NEW", "work of DETECT"]
    drawn = re.findall(r"^    \w-?-?[->]*>+(\w+): (.*)$", step_picture(), re.MULTILINE)
    told = [words for _, words in drawn]
    places = [next(n for n, words in enumerate(told) if words.startswith(begin)) for begin in ORDER]
    assert places == sorted(places)


ORDER = ("fire(", "does the edge's guard hold", "before_move(", "append", "Transitioned", "entered(", "do the work")


def step_picture() -> str:
    text = ARCHITECTURE.read_text()
    return text[text.index("## One step") : text.index("## A crash")]
