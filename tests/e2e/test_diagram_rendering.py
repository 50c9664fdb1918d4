"""What we draw, given to the programs that read it: the real Mermaid and the real browser, the real Graphviz.

Needs `chromium` and `graphviz` (apt), and Mermaid's bundle (`npm install mermaid`, its dist/mermaid.min.js named by
MERMAID_JS). What is missing is skipped, and says so.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lifecycle.diagram import dot, mermaid, png, svg
from lifecycle.diagram.documents import blocks
from lifecycle.diagram.example import bad_night
from lifecycle.diagram.labels import visible
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.paint import paint
from lifecycle.diagram.palette import COLOURS, Role, Theme
from states.table import Transition

ROOT = Path(__file__).parents[2]

NASTY = (
    "end", "class", "graph", "subgraph", "click", "style", "default", "flowchart TB", "node", "edge", "strict",
    'a "quoted" name', "it's", "<b>bold</b> & co", "<script>alert(1)</script>", "back\\slash\\", "\\N \\G \\l",
    "semi;colon: #35; #quot;", "100%% %{x}%", "`code` **strong** _em_", "pipe|d", "brace {x} [y] (z)", "1. list",
    "- item", "# heading", "two\nlines", "tab\tbed", "a --> b ==> c", "%% comment", "]]>", "&amp; &#38;",
    "الانتظار قبل الجولة التالية", "שלום (עולם)", "mixed עברית and English", "実行する", "🚀 launch", "Ω≈ç√", "a\u202eb", "",
    "a very long name of a state that goes on and on and on until nobody reads it any more, which is fine",
)  # fmt: skip


def nasty_table() -> list[Transition]:
    """A ring of names that mean something to somebody, as states, triggers and guards, with ways across."""
    rows = [Transition("NEW", "start", None, NASTY[0], "begin")]
    for number, (name, following) in enumerate(pairwise(NASTY)):
        trigger = NASTY[-1 - number]
        rows.append(Transition(name, trigger, NASTY[number // 2], following, f"because of {trigger}"))
        if number % 7 == 0:
            rows.append(Transition(name, "failed", None, NASTY[-1], "it | failed `here`"))
            rows.append(Transition(name, "again", name, name, "round"))
    rows.append(Transition(NASTY[-1], "go_back", None, NASTY[0], "back"))
    rows.append(Transition(NASTY[-1], "ended", None, "SHUTDOWN", "over"))
    return rows


def long_table(states: int = 200, *, stops_near: bool = True) -> list[Transition]:
    """A main way through all states, short cuts, returns, and a way to stop from each: to the next tenth, or the last."""
    last = states - 3
    rows = [Transition("NEW", "start", None, "S000", "begin")]
    for number in range(last):
        name = f"S{number:03}"
        stop = min(number - number % 10 + 10, last) if stops_near else last
        rows.append(Transition(name, "done", "is_done", f"S{number + 1:03}", "on"))
        rows.append(Transition(name, "stop_requested", None, f"S{stop:03}", "stop"))
        if number % 5 == 0 and number > 10:
            rows.append(Transition(name, "retry", "may_retry", f"S{number - number % 10 - 5:03}", "again"))
    rows.append(Transition(f"S{last:03}", "ended", None, "SHUTDOWN", "over"))
    return rows


PAINT = paint(*bad_night())
DIAGRAMS = {
    "built-in": (diagram_of(), None),
    "painted": (diagram_of(name="a bad night"), PAINT),
    "nasty": (diagram_of(nasty_table(), name='nasty: "<&>" الاسم'), None),
    "nasty, painted": (diagram_of(nasty_table()), PAINT),
    "200 states": (diagram_of(long_table()), None),
    "200 states with one stop": (diagram_of(long_table(stops_near=False)), None),
}
each_diagram = pytest.mark.parametrize("name", DIAGRAMS)


# --- SVG in a browser ------------------------------------------------------------------------------------------------

MEASURE = """
const svg = document.querySelector('svg');
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
return {
  size: box(svg),
  title: svg.querySelector('title').textContent,
  card: getComputedStyle(svg.querySelector('.card')).fill,
  ink: getComputedStyle(svg.querySelector('.heading')).fill,
  texts: [...svg.querySelectorAll('text')].map(e => ({text: e.textContent, box: box(e)})),
  boxes: [...svg.querySelectorAll('.box')].map(box),
  wires: [...svg.querySelectorAll('g .wire')].map(e => e.getTotalLength()),
};
"""


@each_diagram
def test_a_browser_shows_every_word_of_the_svg_whole_and_apart(browser, name) -> None:
    """With a font that is not ours: no two words overlap, none leaves the card, none lies across a border."""
    diagram, painted = DIAGRAMS[name]
    seen = browser(svg.render(diagram, painted), MEASURE)
    left, top, right, bottom = seen["size"]
    words = seen["texts"]
    assert len(words) > len(diagram.nodes)
    for word in words:
        assert left <= word["box"][0] and word["box"][2] <= right, word
        assert top <= word["box"][1] and word["box"][3] <= bottom, word
    assert [(a["text"], b["text"]) for a, b in combinations(words, 2) if overlap(a["box"], b["box"])] == []
    assert [
        (word["text"], box) for word in words for box in seen["boxes"] if crosses(word["box"], box) and not is_flag(word)
    ] == []
    assert all(length > 5 for length in seen["wires"])


@pytest.mark.parametrize(("scheme", "theme"), [(1, Theme.LIGHT), (0, Theme.DARK)])
def test_the_svg_follows_the_readers_colours(browser, scheme, theme) -> None:
    seen = browser(svg.render(diagram_of()), MEASURE, f"--blink-settings=preferredColorScheme={scheme}")
    assert (seen["card"], seen["ink"]) == (rgb(COLOURS[theme][Role.CARD]), rgb(COLOURS[theme][Role.INK]))


@each_diagram
def test_the_svg_is_well_formed_and_names_itself(name) -> None:
    diagram, painted = DIAGRAMS[name]
    root = ET.fromstring(svg.render(diagram, painted))
    space = "{http://www.w3.org/2000/svg}"
    title, told = root.find(f"{space}title"), root.find(f"{space}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
    assert title.text == visible(diagram.name)
    assert all(visible(edge.source) in told.text for edge in diagram.edges)


# --- Mermaid ---------------------------------------------------------------------------------------------------------

RENDER = """
mermaid.initialize({startOnLoad: false, maxTextSize: 50000, maxEdges: 500});
const source = JSON.parse(document.getElementById('source').textContent);
const parsed = await mermaid.parse(source);
const place = document.createElement('div');
document.body.append(place);
place.innerHTML = (await mermaid.render('drawn', source)).svg;
// Read as it is laid out: a line break counts as a blank.
const told = e => e.innerText.replaceAll(/\\s+/g, ' ').trim();
return {
  kind: parsed.diagramType,
  nodes: [...place.querySelectorAll('.node .nodeLabel')].map(told),
  edges: place.querySelectorAll('.edgePaths path.flowchart-link').length,
  labels: [...place.querySelectorAll('.edgeLabels .edgeLabel .edgeLabel')].map(told),
  title: place.querySelector('svg > title')?.textContent,
};
"""


def test_mermaid_parses_200_states_that_all_lead_to_one(browser, mermaid_js) -> None:
    """Only parsed: Mermaid's own layout takes minutes for hundreds of edges that are each a hundred states long."""
    source = mermaid.render(*DIAGRAMS["200 states with one stop"])
    parse = "return await mermaid.parse(JSON.parse(document.getElementById('source').textContent))"
    assert len(source) < 50_000, "more than Mermaid takes unless it is told otherwise"
    assert browser(source_page(source, mermaid_js), parse)["diagramType"] == "flowchart-v2"


@pytest.mark.parametrize("name", [name for name in DIAGRAMS if name != "200 states with one stop"])
def test_mermaid_parses_and_draws_it_with_every_name_as_it_is(browser, mermaid_js, name) -> None:
    diagram, painted = DIAGRAMS[name]
    seen = browser(source_page(mermaid.render(diagram, painted), mermaid_js), RENDER)
    edges = [edge for edge in diagram.edges if edge.source != edge.dest]
    assert seen["kind"] == "flowchart-v2"
    assert seen["edges"] == len(edges)
    drawn = sorted(seen["nodes"])
    assert len(drawn) == len(diagram.nodes)
    for node in diagram.nodes:
        name = " ".join(visible(node.name).split())
        assert any(label.startswith(name) for label in drawn), (name, drawn)
    told = " ".join(seen["labels"])
    for edge in edges:
        assert " ".join(visible(edge.arrows[0].trigger).split()) in told


def test_every_mermaid_picture_of_the_documents_is_drawn(browser, mermaid_js) -> None:
    sources = [blocks()["diagram"]]
    sources += [path.read_text() for path in (ROOT / "README.md", ROOT / "diagrams" / "ARCHITECTURE.md")]
    pictures = [part for text in sources for part in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)]
    assert len(pictures) >= 5
    for picture in pictures:
        assert browser(source_page(picture, mermaid_js), RENDER)["kind"] in ("flowchart-v2", "sequence")


# --- Graphviz --------------------------------------------------------------------------------------------------------


@each_diagram
def test_graphviz_draws_it_with_every_name_as_it_is(graphviz, name) -> None:
    diagram, painted = DIAGRAMS[name]
    drawn = graphviz("-Tsvg", dot.render(diagram, painted))
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    kinds = [group.get("class") for group in root.iter(f"{space}g")]
    edges = [edge for edge in diagram.edges if edge.source != edge.dest]
    assert (kinds.count("node"), kinds.count("edge")) == (len(diagram.nodes), len(edges))
    told = {plain_words("".join(text.itertext())) for text in root.iter(f"{space}text")}
    assert {plain_words(visible(node.name)) for node in diagram.nodes} <= told


def test_graphviz_has_the_states_under_their_names(graphviz) -> None:
    """The names in DOT are the states' own, so that other programs find them."""
    diagram = diagram_of()
    found = {line.split()[1] for line in graphviz("-Tplain", dot.render(diagram)).splitlines() if line.startswith("node ")}
    assert found == {node.name for node in diagram.nodes}


# --- PNG -------------------------------------------------------------------------------------------------------------


@each_diagram
def test_the_png_is_drawn_in_its_size_and_not_blank(tmp_path, name) -> None:
    pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    diagram, painted = DIAGRAMS[name]
    drawn = png.render(diagram, painted)
    width, height = int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])
    assert drawn.startswith(b"\x89PNG") and width <= 16_000 and height <= 16_000
    assert len(drawn) > width * height / 100  # a blank one packs far smaller


# --- the programs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Show a page, or an SVG within one, and return what a script found on it."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no browser: apt-get install chromium")
    home = tmp_path_factory.mktemp("browser")
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        "--virtual-time-budget=60000", "--window-size=1400,2000",
    ]  # fmt: skip

    def show(content: str, script: str, *more: str) -> dict:
        page = home / "page.html"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><body style='margin:0'>{content}<pre id=answer>none</pre>"
            f"<script>(async () => {{ {script} }})().then(a => JSON.stringify({{found: a}}), e => JSON.stringify({{error: "
            "String(e)}))"
            ".then(a => { document.getElementById('answer').textContent = a })</script>"
        )
        number = len(list(home.iterdir()))
        done = subprocess.run(
            [program, *flags, *more, f"--user-data-dir={home / str(number)}", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=280, check=True, env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
        answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
        assert answer is not None, done.stderr[-2000:]
        assert answer[1] != "none", done.stderr[-2000:]
        told = json.loads(html.unescape(answer[1]))
        assert "error" not in told, told["error"]
        return told["found"]

    return show


@pytest.fixture(scope="module")
def mermaid_js() -> Path:
    place = os.environ.get("MERMAID_JS")
    if not place:
        pytest.skip("no Mermaid: npm install mermaid, and name its dist/mermaid.min.js in MERMAID_JS")
    return Path(place)


@pytest.fixture(scope="module")
def graphviz():
    if shutil.which("dot") is None:
        pytest.skip("no Graphviz: apt-get install graphviz")

    def draw(kind: str, source: str) -> str:
        done = subprocess.run(["dot", kind], input=source, capture_output=True, text=True, timeout=280)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return draw


def source_page(source: str, mermaid_js: Path) -> str:
    escaped = json.dumps(source).replace("<", "\\u003c")
    return (
        f'<script src="{mermaid_js.as_uri()}"></script><script type="application/json" id=source>{escaped}</script>'
    )


def overlap(one, other, slack: float = 2.0) -> bool:
    """Whether two boxes share more than what lines of text share anyhow: their leading."""
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > slack
        and min(one[3], other[3]) - max(one[1], other[1]) > slack
    )


def crosses(word, box) -> bool:
    """Whether a word is partly in a box: neither within it nor outside."""
    within = box[0] <= word[0] and word[2] <= box[2] and box[1] <= word[1] and word[3] <= box[3]
    return overlap(word, box) and not within


def is_flag(word) -> bool:
    """The flag of the current state sits on its border, on purpose."""
    return word["text"] in ("here", "now")


def plain_words(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"
