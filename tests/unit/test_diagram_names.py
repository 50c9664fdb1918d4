"""Names of every script: whole, on one line, and each in its own direction."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.diagram import fonts, lettering, markdown, svg, text, words
from lifecycle.diagram.example import bad_night
from lifecycle.diagram.formats import Format, render
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.names import apart, shown, visible
from lifecycle.diagram.paint import paint
from states.table import Transition

MARKS = re.compile("[\u2066-\u2069]")
REFUSED = 'נדחה "לא"'
GROUP = 'קבוצה "א" <g>'
STATE = 'שלב "0" <b>&|[x]; --> '
TABLE = [
    Transition("NEW", "start", None, STATE, "begin"),
    Transition(STATE, REFUSED, "is_no", "OUT", "so"),
    Transition(STATE, "failed", None, "OUT", "so"),
]


def drawn(kind: Format = Format.SVG) -> str:
    return str(render(diagram_of(TABLE, name=GROUP, groups={STATE: GROUP}), kind))


@given(name=st.text(st.characters(), max_size=12))
@example(name="\u202e\u05d0\u2069")
def test_a_name_set_apart_is_the_visible_name_and_opens_as_often_as_it_closes(name: str) -> None:
    told = shown(name)
    depth = 0
    for letter in told:
        depth += (letter in "\u2066\u2067\u2068") - (letter == "\u2069")
        assert depth >= 0
    assert depth == 0
    assert MARKS.sub("", told) == visible(name)


@given(name=st.text(st.characters(), max_size=12))
def test_only_names_with_letters_from_right_to_left_are_set_apart(name: str) -> None:
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in name)
    assert (shown(name) != visible(name)) == turns
    assert (apart(visible(name)) != visible(name)) == turns


@pytest.mark.parametrize("kind", [kind for kind in Format if kind is not Format.PNG])
def test_our_own_names_need_no_marks(kind: Format) -> None:
    for painted in (None, paint(*bad_night())):
        assert not MARKS.search(str(render(diagram_of(), kind, painted)))


def test_every_text_of_the_svg_sets_its_names_apart() -> None:
    texts = ["".join(each.itertext()) for each in ET.fromstring(drawn()).iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(f"\u2068{GROUP}\u2069") == 2, "the heading and the key"
    assert f"\u2068{STATE}\u2069" in texts
    assert f"\u2068{REFUSED}\u2069 [is_no]" in texts, "the line goes on from left to right"


def test_the_svg_keeps_its_direction_on_a_page_from_right_to_left() -> None:
    assert "direction: ltr" in drawn()


def test_names_in_code_keep_their_marks_outside_of_it() -> None:
    """So that what is copied is the name."""
    assert f"\u2068`{REFUSED}`\u2069" in drawn(Format.TABLE)
    assert MARKS.sub("", drawn(Format.TABLE)) == markdown.render(diagram_of(TABLE)).translate(dict.fromkeys(range(0x2066, 0x206A)))


def test_dot_knows_the_states_by_their_own_names() -> None:
    quoted = STATE.replace('"', '\\"')
    assert f'"NEW" -> "{quoted}"' in drawn(Format.DOT)


def test_the_terminals_picture_keeps_its_frames_straight_with_names_set_apart() -> None:
    rows = drawn(Format.TEXT).splitlines()
    frames = [row for row in rows if row.lstrip()[:1] in set("╭│╰┌└╔║╚") or "┌" in row or "└" in row]
    boxes = [row for row in frames if STATE in row]
    assert boxes and MARKS.search(boxes[0])
    top = next(row for row in rows if "┌" in row)
    end = lettering.columns(top[: top.index("┐")])
    assert lettering.columns(boxes[0][: boxes[0].rindex("│")]) == end


@pytest.mark.parametrize("names", ["RUN →", "שלום", "مراجعة ١", "\u2068שלום\u2069"])
def test_what_our_own_fonts_have_needs_none_of_the_system(names: str, monkeypatch) -> None:
    pytest.importorskip("fontpkg_inter", reason="the extra `diagram` is not installed")
    monkeypatch.setattr(fonts, "_of_the_system", lambda: ["/system.ttf"])
    assert "/system.ttf" not in fonts.files(names)
    assert fonts.files(f"{names} 実行")[-1] == "/system.ttf", "and what they have not is looked for there last"


def test_of_the_systems_fonts_the_plain_ones_are_asked_first(tmp_path, monkeypatch) -> None:
    for name in ("A-BoldItalic.ttf", "B-Bold.ttf", "C.ttf", "DSerif.ttf", "ESansMono.otf", "F.txt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(fonts.Path, "home", lambda: tmp_path)
    folder = tmp_path / ("Library/Fonts" if fonts.sys.platform == "darwin" else ".fonts")
    folder.mkdir(parents=True)
    for path in tmp_path.glob("*.*tf"):
        path.rename(folder / path.name)
    found = [path.rsplit("/", 1)[1] for path in fonts._of_the_system() if str(tmp_path) in path]
    assert found[0] == "C.ttf" and found[-1] == "A-BoldItalic.ttf" and len(found) == 5


@pytest.mark.parametrize("name", ["שלום", "مراجعة"])
def test_a_png_draws_a_name_in_its_weight(name: str) -> None:
    """Left to the system's fonts it is drawn in whichever comes first, often a bold one."""
    resvg_py = pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    faint, strong = (
        resvg_py.svg_to_bytes(
            svg_string=f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><text y="20" font-family="Inter" font-weight="{weight}">{name}</text></svg>',
            font_files=fonts.files(name), skip_system_fonts=True,
        )
        for weight in (500, 600)
    )  # fmt: skip
    assert faint != strong


def test_a_large_picture_is_described_in_short() -> None:
    """Nobody listens to several thousand letters: the counts, the ends and the main way, and how to learn the rest."""
    rows = [Transition("NEW", "start", None, "S0", "so")]
    for number in range(200):
        rows.append(Transition(f"S{number}", "done", None, f"S{number + 1}", "so"))
        rows.append(Transition(f"S{number}", "failed", None, "S200", "so"))
    diagram = diagram_of(rows)
    told = words.description(diagram)
    assert told == (
        "202 states, 401 transitions. Initial: NEW. Final: S200. "
        "The main way: NEW, S0, S1, S2, S3, S4, S5, S6, S7, 190 more, S198, S199, S200. "
        "Every state and every way has a title of its own that tells the rest."
    )
    assert f">{told}</desc>" in svg.render(diagram)


@given(count=st.integers(1, 60), size=st.integers(1, 400))
def test_no_description_is_longer_than_anybody_listens_to(count: int, size: int) -> None:
    rows = [Transition(f"{number}{'x' * size}", "go", None, f"{number + 1}{'x' * size}", "so") for number in range(count)]
    assert len(words.description(diagram_of(rows))) <= 2_500


def test_a_large_painted_picture_tells_where_it_is_and_what_failed_most() -> None:
    painted = paint(*bad_night())
    rows = [Transition("NEW", "start", None, "RUN", "so"), Transition("RUN", "finished", None, "SHUTDOWN", "so")]
    rows += [Transition("RUN", f"t{number}", None, f"S{number}", "so") for number in range(200)]
    told = words.description(diagram_of(rows), painted)
    assert "The current state: SHUTDOWN" in told
    assert "Failed most: RUN (5 failures). " in told


def test_what_joins_a_trunk_in_the_terminal_is_told_from_what_crosses_it() -> None:
    rows = [Transition(a, "go", None, b, "so") for a, b in zip("ABCD", "BCDE", strict=True)]
    rows += [Transition(a, "failed", None, "E", "so") for a in "ABC"]
    picture = text.render(diagram_of(rows))
    assert picture.count("├┄") == 2 and picture.count("╭┄") == 1 and picture.count("▶") == 1
