"""What we draw, given to the programs that read it: the real Mermaid and the real browser, the real Graphviz.

Needs `chromium` and `graphviz` (apt), and Mermaid's bundle (`npm install mermaid`, its dist/mermaid.min.js named by
MERMAID_JS). What is missing is skipped, and says so.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from lifecycle.diagram import dot, mermaid, png, svg
from lifecycle.diagram.documents import blocks
from lifecycle.diagram.example import bad_night
from lifecycle.diagram.model import Kind, diagram_of
from lifecycle.diagram.names import shown, visible
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
    """A main way through all states, returns, and ways to stop: from every third to the next tenth, or from each to the last."""
    last = states - 3
    rows = [Transition("NEW", "start", None, "S000", "begin")]
    for number in range(last):
        name = f"S{number:03}"
        stop = min(number - number % 10 + 10, last) if stops_near else last
        rows.append(Transition(name, "done", "is_done", f"S{number + 1:03}", "on"))
        if number % 3 == 0 or not stops_near:
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
    browser.show(svg.render(diagram, painted))
    seen = browser.run(MEASURE)
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


WHERE = """
return [...document.querySelectorAll('svg text')].map(e => ({
  text: e.textContent,
  // From left to right, each letter with its middle: what the marks take is nothing.
  order: [...e.textContent].map((letter, n) => ({letter, at: e.getExtentOfChar(n)}))
    .filter(seen => !/[\u2066-\u2069]/.test(seen.letter))
    .sort((a, b) => a.at.x + a.at.width / 2 - b.at.x - b.at.width / 2).map(seen => seen.letter).join(''),
}));
"""
RIGHT_TO_LEFT = [
    Transition("NEW", "start", None, 'שלב "0"', "begin"),
    Transition('שלב "0"', 'נדחה "לא"', "is_no", "מראה\u202e!", "so"),
    Transition("מראה\u202e!", "ended", None, "SHUTDOWN", "so"),
]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_a_browser_sets_each_name_in_its_own_direction_within_lines_from_left_to_right(browser, direction) -> None:
    """Also on a page that is written from right to left. What is seen, letter by letter from the left:"""
    drawn = svg.render(diagram_of(RIGHT_TO_LEFT, name='קבוצה "א" <g>'))
    browser.show(f"<div dir={direction}>{drawn}</div>")
    seen = {unmarked(word["text"]): word["order"] for word in browser.run(WHERE)}
    assert seen['נדחה "לא" [is_no]'] == '"אל" החדנ [is_no]'
    assert seen['שלב "0"'] == '"0" בלש'
    assert seen['קבוצה "א" <g>'] == '>g< "א" הצובק'  # the brackets are mirrored when they are drawn
    assert seen["מראה<U+202E>!"] == "!<U+202E>הארמ"
    assert seen["start"] == "start"


INK = """
const image = new Image();
await new Promise((loaded, failed) => { image.onload = loaded; image.onerror = failed; image.src = given; });
const canvas = document.createElement('canvas');
[canvas.width, canvas.height] = [image.width, image.height];
const pen = canvas.getContext('2d');
pen.drawImage(image, 0, 0);
// Where the heading stands, column by column: how many pixels are dark.
const [width, height] = [400, 60];
const data = pen.getImageData(60, 30, width, height).data;
const dark = x => [...Array(height).keys()].filter(y => data[4 * (y * width + x)] < 128).length;
const columns = [...Array(width).keys()].map(dark);
const inked = columns.flatMap((count, x) => count ? [x] : []);
return {first: columns.slice(inked[0], inked[0] + 4), last: columns.slice(inked.at(-1) - 3, inked.at(-1) + 1)};
"""


def test_a_png_sets_a_name_in_its_own_direction_too(browser) -> None:
    """A name that ends in a full stop has that on its left: a few pixels high where a letter would be many."""
    pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    found = []
    for name in ("ררררר.", "lllll."):
        drawn = base64.b64encode(png.render(diagram_of(name=name))).decode()
        browser.show("")
        found.append(browser.run(INK, given=f"data:image/png;base64,{drawn}"))
    hebrew, latin = found
    assert max(hebrew["first"]) <= 8 < max(hebrew["last"])
    assert max(latin["last"]) <= 8 < max(latin["first"])


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_the_svg_follows_the_readers_colours(browser, theme) -> None:
    browser.show(svg.render(diagram_of()), scheme=theme)
    seen = browser.run(MEASURE)
    assert (seen["card"], seen["ink"]) == (rgb(COLOURS[theme][Role.CARD]), rgb(COLOURS[theme][Role.INK]))


@each_diagram
def test_the_svg_is_well_formed_and_names_itself(name) -> None:
    diagram, painted = DIAGRAMS[name]
    root = ET.fromstring(svg.render(diagram, painted))
    space = "{http://www.w3.org/2000/svg}"
    title, told = root.find(f"{space}title"), root.find(f"{space}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
    assert title.text == shown(diagram.name)
    assert len(told.text) <= 2_500, "nobody listens to more"
    assert all(shown(node.name) in told.text for node in diagram.nodes if node.kind is not Kind.NORMAL)


# --- Mermaid ---------------------------------------------------------------------------------------------------------

RENDER = """
mermaid.initialize({startOnLoad: false, maxTextSize: 50000, maxEdges: 500});
const parsed = await mermaid.parse(source);
const place = document.createElement('div');
document.body.append(place);
place.innerHTML = (await mermaid.render('drawn', source)).svg;
// Read as it is laid out: a line break counts as a blank.
const told = e => e.innerText.replaceAll(/\\s+/g, ' ').trim();
const found = {
  kind: parsed.diagramType,
  nodes: [...place.querySelectorAll('.node .nodeLabel')].map(told),
  edges: place.querySelectorAll('.edgePaths path.flowchart-link').length,
  labels: [...place.querySelectorAll('.edgeLabels .edgeLabel .edgeLabel')].map(told),
  title: place.querySelector('svg > title')?.textContent,
};
place.remove();
return found;
"""


def test_mermaid_parses_200_states_that_all_lead_to_one(mermaid_page) -> None:
    """Only parsed: Mermaid's own layout takes minutes for hundreds of edges that are each a hundred states long."""
    source = mermaid.render(*DIAGRAMS["200 states with one stop"])
    assert len(source) < 50_000, "more than Mermaid takes unless it is told otherwise"
    assert mermaid_page("return await mermaid.parse(source)", source)["diagramType"] == "flowchart-v2"


@pytest.mark.parametrize("name", [name for name in DIAGRAMS if name != "200 states with one stop"])
def test_mermaid_parses_and_draws_it_with_every_name_as_it_is(mermaid_page, name) -> None:
    diagram, painted = DIAGRAMS[name]
    seen = mermaid_page(RENDER, mermaid.render(diagram, painted))
    edges = [edge for edge in diagram.edges if edge.source != edge.dest]
    assert seen["kind"] == "flowchart-v2"
    assert seen["edges"] == len(edges)
    drawn = sorted(map(unmarked, seen["nodes"]))
    assert len(drawn) == len(diagram.nodes)
    for node in diagram.nodes:
        name = " ".join(visible(node.name).split())
        assert any(label.startswith(name) for label in drawn), (name, drawn)
    told = unmarked(" ".join(seen["labels"]))
    for edge in edges:
        assert " ".join(visible(edge.arrows[0].trigger).split()) in told


def test_every_mermaid_picture_of_the_documents_is_drawn(mermaid_page) -> None:
    sources = [blocks()["diagram"]]
    sources += [path.read_text() for path in (ROOT / "README.md", ROOT / "diagrams" / "ARCHITECTURE.md")]
    pictures = [part for text in sources for part in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)]
    assert len(pictures) >= 5
    for picture in pictures:
        assert mermaid_page(RENDER, picture)["kind"] in ("flowchart-v2", "sequence")


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


@pytest.mark.parametrize("name", [name for name in DIAGRAMS if name != "nasty"])
def test_the_png_is_drawn_in_its_size_and_not_blank(tmp_path, name) -> None:
    pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    diagram, painted = DIAGRAMS[name]
    drawn = png.render(diagram, painted)
    width, height = int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])
    assert drawn.startswith(b"\x89PNG") and width <= 16_000 and height <= 16_000
    assert len(drawn) > width * height / 100  # a blank one packs far smaller


# --- the programs ----------------------------------------------------------------------------------------------------


class Browser:
    """One headless browser for all pages, spoken to in its own protocol over a pipe: starting one takes seconds."""

    def __init__(self, program: str, home: Path) -> None:
        self._home = home
        command_end, commands = os.pipe()
        answers, answer_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_3_AND_4, str(command_end), str(answer_end), program, *FLAGS, f"--user-data-dir={home}"],
            pass_fds=(command_end, answer_end), env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(command_end)
        os.close(answer_end)
        self._commands, self._answers = os.fdopen(commands, "wb", buffering=0), os.fdopen(answers, "rb")
        self._numbers = itertools.count(1)
        self._events: list[str] = []
        self._session: str | None = None

    def open(self) -> None:
        """Open the one page there is."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")

    def show(self, content: str, *, scheme: str = "light") -> None:
        """Show a page with this content to a reader who likes it light or dark."""
        page = self._home / "page.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><body style='margin:0'>{content}")
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        self._ask("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._read()

    def run(self, script: str, **given) -> Any:
        """What the body of an asynchronous function returns, which sees what it is given by name."""
        names, values = ", ".join(given), ", ".join(map(json.dumps, given.values()))
        told = self._ask(
            "Runtime.evaluate", expression=f"(async ({names}) => {{ {script} }})({values})", awaitPromise=True,
            returnByValue=True,
        )  # fmt: skip
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def photograph(self, width: int, height: int) -> bytes:
        """The page as a PNG."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        told = self._ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(told["data"])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._commands.close()
        self._answers.close()

    def _ask(self, method: str, **parameters) -> dict:
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        self._commands.write(json.dumps(asked).encode() + b"\0")
        while (told := self._read()).get("id") != number:
            pass
        assert "error" not in told, told
        return told["result"]

    def _read(self) -> dict:
        text = bytearray()
        while (letter := self._answers.read1(65_536) if not self._rest else self._take()) and b"\0" not in letter:
            text += letter
        assert letter, f"the browser has gone: {self._process.poll()}"
        end, _, self._rest = letter.partition(b"\0")
        told = json.loads(bytes(text) + end)
        if "method" in told:
            self._events.append(told["method"])
        return told

    _rest = b""

    def _take(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest


ON_3_AND_4 = """
import os, sys
read, write, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
for place, end in ((50, read), (51, write), (3, 50), (4, 51)):
    os.dup2(end, place)
os.execv(program[0], program)
"""
"""A browser reads its commands from descriptor 3 and answers on 4."""

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe", "--window-size=1400,2000", "--allow-file-access-from-files",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no browser: apt-get install chromium")
    started = Browser(program, tmp_path_factory.mktemp("browser"))
    try:
        started.open()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def mermaid_page(browser: Browser) -> Callable[[str, str], Any]:
    """Runs a script on a page that has Mermaid, with the picture's source. The bundle is loaded once for several."""
    place = os.environ.get("MERMAID_JS")
    if not place:
        pytest.skip("no Mermaid: npm install mermaid, and name its dist/mermaid.min.js in MERMAID_JS")
    load = f'<script src="{Path(place).as_uri()}"></script>'

    def run(script: str, source: str) -> Any:
        if not browser.run("return typeof mermaid !== 'undefined'"):
            browser.show(load)
        return browser.run(script, source=source)

    return run


@pytest.fixture(scope="module")
def graphviz():
    if shutil.which("dot") is None:
        pytest.skip("no Graphviz: apt-get install graphviz")

    def draw(kind: str, source: str) -> str:
        done = subprocess.run(["dot", kind], input=source, capture_output=True, text=True, timeout=280)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return draw


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
    return unmarked(" ".join(text.replace("\xa0", " ").split()))


def unmarked(text: str) -> str:
    """Without what sets names apart that are written from right to left."""
    return re.sub("[\u2066-\u2069]", "", text)


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"
