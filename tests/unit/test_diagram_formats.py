"""The renderers, as far as no other program is needed to judge them."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.diagram import dot, lettering, markdown, mermaid, palette, svg, text
from lifecycle.diagram.example import bad_night
from lifecycle.diagram.formats import Format, format_of, render
from lifecycle.diagram.model import diagram_of
from lifecycle.diagram.names import visible
from lifecycle.diagram.paint import paint
from lifecycle.diagram.palette import COLOURS, GROUNDS, Role, Theme, contrast
from states.table import Transition

PAINT = paint(*bad_night())
any_name = st.text(st.characters(), max_size=12)
any_table = st.lists(
    st.builds(Transition, any_name, any_name, st.none() | any_name, any_name, any_name), min_size=1, max_size=8
)


@pytest.mark.parametrize("kind", [kind for kind in Format if kind is not Format.PNG])
@given(table=any_table)
@example(table=[Transition("\ud800", "\ud800", "\ud800", "\ud800", "half a letter: \ud800")])
def test_any_names_can_be_drawn(kind: Format, table) -> None:
    """Whatever stands in a table, the answer is text that can be encoded and ends its last line."""
    drawn = render(diagram_of(table), kind)
    assert isinstance(drawn, str)
    assert drawn.encode().endswith(b"\n")


@given(table=any_table)
def test_any_names_make_well_formed_svg(table) -> None:
    ET.fromstring(svg.render(diagram_of(table)))


@given(table=any_table)
def test_a_row_of_the_markdown_table_stays_a_row(table) -> None:
    lines = markdown.render(diagram_of(table)).splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}


@given(name=any_name)
def test_a_name_becomes_visible_on_one_line(name: str) -> None:
    told = visible(name)
    assert told and told.isprintable() or any(letter in told for letter in "\u200c\u200d\u00a0\u3000") or " " in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("kind", Format)
def test_equal_input_makes_equal_output(kind: Format) -> None:
    if kind is Format.PNG:
        pytest.importorskip("resvg_py", reason="the extra `diagram` is not installed")
    assert render(diagram_of(), kind, PAINT) == render(diagram_of(), kind, PAINT)


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_every_text_can_be_read_on_every_ground_it_stands_on(theme: Theme) -> None:
    colour = COLOURS[theme]
    faint = {
        (role, ground): round(contrast(colour[role], colour[ground]), 2)
        for role, grounds in GROUNDS.items()
        for ground in grounds
        if contrast(colour[role], colour[ground]) < 4.5
    }
    assert faint == {}


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_every_line_can_be_seen(theme: Theme) -> None:
    colour = COLOURS[theme]
    for line in (Role.ACCENT, Role.LINE, Role.BORDER, Role.FAILURE, Role.ASIDE):
        assert min(contrast(colour[line], colour[ground]) for ground in (Role.CARD, Role.GROUP)) >= 3.0, line


def test_a_theme_has_no_media_query_and_auto_has_one() -> None:
    assert "@media" in svg.render(diagram_of())
    assert "@media" not in svg.render(diagram_of(), theme=Theme.DARK)
    assert COLOURS[Theme.DARK][Role.CARD] in svg.render(diagram_of(), theme=Theme.DARK)


def test_the_bad_night_is_reddest_where_it_failed() -> None:
    drawn = svg.render(diagram_of(), PAINT)
    boxes = re.findall(r'class="box heat-(\d)', drawn)
    assert boxes == ["0", "0", "0", "4", "0", "0", "0", "4"], "the states from the top, then the key"


def test_what_was_never_taken_is_drawn_as_such() -> None:
    drawn = svg.render(diagram_of(), PAINT)
    assert drawn.count('class="wire way-unused"') == 3 + 1, "three edges, and the key"


def test_the_terminals_picture_fits_a_terminal_and_has_no_blanks_at_its_ends() -> None:
    for drawn in (text.render(diagram_of()), text.render(diagram_of(), PAINT)):
        assert max(map(lettering.columns, drawn.splitlines())) <= 80
        assert all(line == line.rstrip() for line in drawn.splitlines())


def test_the_terminals_picture_keeps_its_frames_straight_with_wide_letters() -> None:
    table = [Transition("実行する", "次へ", "可能", "e\u0301tat", "so"), Transition("e\u0301tat", "go", None, "OUT", "so")]
    frames = [line for line in text.render(diagram_of(table)).splitlines() if line.lstrip()[:1] in set("╭│╰┌└╔║╚")]
    assert len({lettering.columns(line) for line in frames}) == 1


def test_mermaid_keeps_simple_names_as_they_are() -> None:
    assert '    NEW ==>|"start"| DETECT' in mermaid.render(diagram_of())


def test_dot_names_the_states() -> None:
    assert '"END" -> "CONTINUE"' in dot.render(diagram_of())


def test_the_table_shares_a_row_between_sources_that_differ_in_nothing_else() -> None:
    assert "| DETECT, CREATE, RUN | `failed` |  | END |" in markdown.render(diagram_of())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.svg", Format.SVG), ("a.b.PNG", Format.PNG), ("x/y.mmd", Format.MERMAID), ("a.gv", Format.DOT), ("a", None)],
)
def test_a_files_name_tells_its_format(name: str, kind: Format | None) -> None:
    assert format_of(name) is kind


def test_the_palette_defines_every_role_in_both_themes() -> None:
    assert all(set(palette.COLOURS[theme]) == set(Role) for theme in (Theme.LIGHT, Theme.DARK))


def test_a_mermaid_label_holds_no_letter_that_could_end_it() -> None:
    drawn = mermaid.render(diagram_of([Transition('a"b', 'x"]', "g`", "c\nd", "so")]))
    for label in re.findall(r'\|(".*")\|', drawn):
        assert '"' not in label[1:-1]
    assert json.loads(json.dumps(drawn)) == drawn
