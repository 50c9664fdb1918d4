"""What is a feature list, what is not, and where the fault is."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import FeatureListInvalid
from lifecycle.workspace import feature_list
from lifecycle.workspace.feature_list import (
    Feature,
    FeatureList,
    parse_feature_list,
    read_feature_list,
    replace_feature_list,
    set_aside_feature_list,
    write_feature_list,
)
from lifecycle.workspace.json_places import places

PATH = Path("feature_list.json")
GOOD = {"category": "functional", "description": "it works", "steps": ["try it"], "passes": False}


def put(project: Path, text: str | bytes) -> Path:
    path = project / "feature_list.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def fault_of(content: str | bytes) -> FeatureListInvalid:
    with pytest.raises(FeatureListInvalid) as caught:
        parse_feature_list(content.encode() if isinstance(content, str) else content, PATH)
    return caught.value


@contextmanager
def without_privilege() -> Iterator[None]:
    """Run as an ordinary user, so that permissions bind also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestReadsAGoodList:
    def test_no_file_is_no_list(self, tmp_path: Path) -> None:
        assert read_feature_list(tmp_path) is None

    def test_an_empty_list_is_a_list_of_none(self, tmp_path: Path) -> None:
        put(tmp_path, "[]")
        features = read_feature_list(tmp_path)
        assert features == FeatureList(())
        assert not features.is_complete

    def test_the_usual_shape(self, tmp_path: Path) -> None:
        put(tmp_path, json.dumps([GOOD, {**GOOD, "passes": True}]))
        features = read_feature_list(tmp_path)
        assert features is not None
        assert (features.total, features.passing, features.is_complete) == (2, 1, False)
        assert features.next_incomplete() == Feature("it works", False, "functional", ("try it",))

    def test_category_steps_and_id_may_be_left_out(self) -> None:
        features = parse_feature_list(b'[{"description": "d", "passes": true}]', PATH)
        assert features.features == (Feature("d", True),)
        assert features.is_complete
        assert features.next_incomplete() is None

    @pytest.mark.parametrize("identity", ["F-1", 7])
    def test_an_id_is_a_text_or_an_integer(self, identity: str | int) -> None:
        (feature,) = parse_feature_list(json.dumps([{**GOOD, "id": identity}]).encode(), PATH).features
        assert feature.id == identity

    def test_unknown_keys_survive_a_round_trip(self, tmp_path: Path) -> None:
        put(tmp_path, json.dumps([{**GOOD, "priority": {"level": [1, None, 2.5]}, "note": "ä"}]))
        features = read_feature_list(tmp_path)
        assert features is not None
        assert features.features[0].extra == {"priority": {"level": [1, None, 2.5]}, "note": "ä"}
        write_feature_list(tmp_path, features)
        assert read_feature_list(tmp_path) == features

    def test_a_byte_order_mark_changes_nothing(self) -> None:
        content = json.dumps([GOOD]).encode()
        assert parse_feature_list(b"\xef\xbb\xbf" + content, PATH) == parse_feature_list(content, PATH)

    @pytest.mark.alone
    def test_ten_thousand_features_take_less_than_a_tenth_of_a_second(self, tmp_path: Path) -> None:
        """The best of five: a shared machine may be busy for any one of them."""
        steps = [f"step {number} of the check" for number in range(5)]
        listed = [{**GOOD, "id": number, "description": f"feature {number}" * 5, "steps": steps} for number in range(10_000)]
        put(tmp_path, json.dumps(listed, indent=2))
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            features = read_feature_list(tmp_path)
            times.append(time.perf_counter() - begun)
        assert features is not None
        assert features.total == 10_000
        assert min(times) < 0.1


class TestNamesTheFaultAndItsPlace:
    @pytest.mark.parametrize(
        ("content", "place", "words"),
        [
            ("", (1, 1), "empty"),
            (" \n ", (1, 1), "empty"),
            ('{"a": 1}', (1, 1), "found an object"),
            ('\n {"features": []}', (2, 2), 'the list under "features" must stand at the top'),
            ("null", (1, 1), "found null"),
            ('"[]"', (1, 1), "found a text"),
            ("[\n  3\n]", (2, 3), "feature 1 is a number"),
            ("[[]]", (1, 2), "feature 1 is a list"),
            ('[{"passes": true}]', (1, 2), 'no "description"'),
            ('[{"description": "d"}]', (1, 2), 'no "passes"'),
            ('[{"description": "d",\n "passes": 1}]', (2, 12), '"passes" is a number, expected true or false'),
            ('[{"description": "d", "passes": "true"}]', (1, 33), '"passes" is a text'),
            ('[{"description": "d", "passes": null}]', (1, 33), '"passes" is null'),
            ('[{"description": 5, "passes": true}]', (1, 18), '"description" is a number'),
            ('[{"category": [], "description": "d", "passes": true}]', (1, 15), '"category" is a list'),
            ('[{"steps": "s", "description": "d", "passes": true}]', (1, 12), '"steps" is a text'),
            ('[{"steps": ["a",\n\n 4], "description": "d", "passes": true}]', (3, 2), "step 2 is a number"),
            ('[{"id": true, "description": "d", "passes": true}]', (1, 9), '"id" is a truth value'),
            ('[{"id": 1.5, "description": "d", "passes": true}]', (1, 9), '"id" is a number'),
            ('[{"id": null, "description": "d", "passes": true}]', (1, 9), '"id" is null'),
            ("[1, 2", (1, 6), "cut short"),
            ('[{"description": "d", "passes": tr', (1, 33), "expecting value"),
            ('[{"description": "cut in the mid', (1, 18), "unterminated string"),
            ("[] []", (1, 4), "extra data"),
            ('[{"description": "d", "passes": true, "x": NaN}]', (1, 44), "NaN is not a JSON number"),
            ('[{"description": "NaN", "passes": -Infinity}]', (1, 35), "-Infinity is not"),
            ('[{"description": "d", "passes": true, "x": 1e999}]', (1, 44), "number too large"),
            ('[{"description": "d", "passes": true,\n "passes": false}]', (2, 2), '"passes" stands twice'),
            ('[{"description": "d", "passes": true, "x": {"y": 1, "y": 1}}]', (1, 53), '"y" stands twice'),
            ('[{"description": "\\ud800", "passes": true}]', (1, 18), "without its other half"),
            ('[{"description": "d", "passes": true, "\\udfff": 1}]', (1, 49), "without its other half"),
            ('[{"description": "d\x01", "passes": true}]', (1, 20), "invalid control character"),
        ],
    )
    def test_of_the_text(self, content: str, place: tuple[int, int], words: str) -> None:
        fault = fault_of(content)
        assert (fault.line, fault.column) == place
        assert words in fault.problem
        assert f"feature_list.json:{place[0]}:{place[1]}: " in str(fault)

    def test_of_a_comma_too_many(self) -> None:
        """Versions of Python differ by a column and in words."""
        fault = fault_of('[\n{"description": "d", "passes": true},\n]')
        assert fault.line in (2, 3)

    def test_of_a_repeated_id(self) -> None:
        listed = json.dumps([{**GOOD, "id": "a"}, {**GOOD, "id": "b"}, {**GOOD, "id": "a"}], indent=1)
        fault = fault_of(listed)
        assert fault.problem == 'feature 3 has the id "a" of feature 1'
        assert fault.line is not None
        assert listed.splitlines()[fault.line - 1].strip() == '"id": "a"'

    def test_a_number_and_a_text_are_different_ids(self) -> None:
        features = parse_feature_list(json.dumps([{**GOOD, "id": 1}, {**GOOD, "id": "1"}]).encode(), PATH)
        assert len(set(features.keys())) == 2

    def test_of_bytes_that_are_not_utf8(self) -> None:
        fault = fault_of("[\n ä".encode() + b"\xff]")
        assert (fault.line, fault.column) == (2, 3)
        assert "0xff" in fault.problem

    def test_of_utf16(self) -> None:
        assert "UTF-16" in fault_of(json.dumps([GOOD]).encode("utf-16")).problem

    @pytest.mark.parametrize("depth", [100, 100_000])
    def test_of_endless_nesting(self, depth: int) -> None:
        fault = fault_of('[{"description": "d", "passes": true, "x": ' + "[" * depth + "]" * depth + "}]")
        assert "nested too deeply" in fault.problem
        assert fault.line == 1
        assert fault.column is not None
        assert fault.column > 40

    def test_of_nesting_that_is_cut_short(self) -> None:
        assert fault_of("[" * 200_000).line == 1

    def test_of_an_endless_number(self) -> None:
        fault = fault_of('[{"description": "d", "passes": true, "x":\n ' + "9" * 10_000 + "}]")
        assert "number too long" in fault.problem
        assert fault.line == 2

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def test_never_anything_but_a_list_or_a_named_fault(self, content: bytes) -> None:
        try:
            parse_feature_list(content, PATH)
        except FeatureListInvalid as fault:
            assert fault.line is not None
            assert fault.column is not None

    @given(st.data())
    def test_cutting_a_list_short_is_always_a_fault(self, data: st.DataObject) -> None:
        content = json.dumps([{**GOOD, "id": 1}, {**GOOD, "id": "ü"}], ensure_ascii=False).encode()
        fault_of(content[: data.draw(st.integers(0, len(content) - 1))])

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        ),
        st.sampled_from([None, 0, 3]),
    )
    def test_places_are_where_the_values_are(self, value: Any, indent: int | None) -> None:
        """Reading the text again from each place gives the value at that place's path."""
        text = json.dumps(value, indent=indent)
        decoder = json.JSONDecoder()
        for place in places(text):
            expected = value
            for key in place.path:
                expected = expected[key]
            assert decoder.raw_decode(text, place.offset)[0] == expected


class TestRefusesWhatIsNotAFile:
    def test_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").mkdir()
        with pytest.raises(FeatureListInvalid, match="is a directory"):
            read_feature_list(tmp_path)

    def test_a_dangling_link_is_not_an_absent_list(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").symlink_to("gone.json")
        with pytest.raises(FeatureListInvalid, match="dangling"):
            read_feature_list(tmp_path)

    def test_a_link_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").symlink_to("feature_list.json")
        with pytest.raises(FeatureListInvalid, match="link"):
            read_feature_list(tmp_path)

    def test_a_link_out_of_the_project(self, tmp_path: Path) -> None:
        project = tmp_path / "project"
        project.mkdir()
        put(tmp_path, "[]")
        (project / "feature_list.json").symlink_to("../feature_list.json")
        with pytest.raises(FeatureListInvalid, match="out of the project"):
            read_feature_list(project)

    def test_but_a_link_within_the_project_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "plans").mkdir()
        (tmp_path / "plans" / "all.json").write_text("[]")
        (tmp_path / "feature_list.json").symlink_to("plans/all.json")
        assert read_feature_list(tmp_path) == FeatureList(())

    @pytest.mark.timeout(10)
    def test_a_named_pipe_without_waiting_for_it(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "feature_list.json")
        with pytest.raises(FeatureListInvalid, match="named pipe"):
            read_feature_list(tmp_path)

    def test_a_socket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("feature_list.json")
            with pytest.raises(FeatureListInvalid, match="socket"):
                read_feature_list(tmp_path)

    @pytest.mark.timeout(10)
    def test_a_link_to_a_device(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").symlink_to("/dev/zero")
        with pytest.raises(FeatureListInvalid):
            read_feature_list(tmp_path)

    def test_an_unreadable_file(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        project = tmp_path_factory.mktemp("project")
        for directory in (project, project.parent, project.parent.parent):
            directory.chmod(0o755)
        put(project, "[]").chmod(0)
        with without_privilege(), pytest.raises(FeatureListInvalid, match="permission denied"):
            read_feature_list(project)

    def test_one_that_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feature_list, "SIZE_MAX_BYTES", 2048)
        put(tmp_path, b"[" + b" " * 2046 + b"]")
        assert read_feature_list(tmp_path) == FeatureList(())
        put(tmp_path, b"[" + b" " * 2047 + b"]")
        with pytest.raises(FeatureListInvalid, match="larger than 2 KiB"):
            read_feature_list(tmp_path)


class TestRecognisesFeatures:
    def test_the_state_is_not_part_of_the_identity(self) -> None:
        assert Feature("d", True).key == Feature("d", False, extra={"x": 1}).key

    def test_with_an_id_the_words_are_not(self) -> None:
        assert Feature("d", True, id="a").key == Feature("reworded", True, id="a").key

    def test_without_one_they_are(self) -> None:
        keys = {Feature("d", True).key, Feature("e", True).key, Feature("d", True, "c").key, Feature("d", True, None, ("s",)).key}
        assert len(keys) == 4

    def test_the_key_is_stable_on_disk(self) -> None:
        assert Feature("d", True, "c", ("s",)).key == "2c6581b3dc39857b"
        assert Feature("d", True, id="F-1").key == "3009c38a7a6c9bcb"

    def test_repeated_features_have_keys_of_their_own(self) -> None:
        twice = FeatureList((Feature("d", True), Feature("d", False)))
        assert len(set(twice.keys())) == 2
        assert twice.passing_keys() == twice.keys()[:1]

    def test_incomplete_keeps_the_order_and_the_bound(self) -> None:
        features = FeatureList(tuple(Feature(str(number), number % 2 == 0) for number in range(8)))
        assert [feature.description for feature in features.incomplete(3)] == ["1", "3", "5"]


class TestWrites:
    def test_in_the_layout_of_a_hand_written_list(self, tmp_path: Path) -> None:
        listed = [{"id": 1, **GOOD}, {**GOOD, "description": "größer"}]
        write_feature_list(tmp_path, parse_feature_list(json.dumps(listed).encode(), PATH))
        written = (tmp_path / "feature_list.json").read_text("utf-8")
        assert written == json.dumps(listed, indent=2, ensure_ascii=False) + "\n"

    def test_an_empty_list(self, tmp_path: Path) -> None:
        write_feature_list(tmp_path, FeatureList())
        assert read_feature_list(tmp_path) == FeatureList()


class TestSetsAside:
    def test_without_overwriting_an_earlier_one(self, tmp_path: Path) -> None:
        for number in (1, 2, 3):
            put(tmp_path, f"broken {number}")
            aside = set_aside_feature_list(tmp_path)
            assert aside == tmp_path / f"feature_list.invalid-{number}.json"
        assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["broken 1", "broken 2", "broken 3"]

    @pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
    def test_in_the_place_that_one_reserved_who_died_then(self, tmp_path: Path, make) -> None:
        put(tmp_path, "broken 1")
        set_aside_feature_list(tmp_path)
        make(tmp_path / "feature_list.json")
        if make is Path.mkdir:
            (tmp_path / "feature_list.json" / "inside").write_text("x")
        else:
            put(tmp_path, "broken 2")
        make(tmp_path / "feature_list.invalid-2.json")
        assert set_aside_feature_list(tmp_path) == tmp_path / "feature_list.invalid-2.json"
        assert len(list(tmp_path.iterdir())) == 2

    def test_nothing_when_nothing_stands_there(self, tmp_path: Path) -> None:
        assert set_aside_feature_list(tmp_path) is None
        assert not list(tmp_path.iterdir())

    def test_a_directory_with_its_content(self, tmp_path: Path) -> None:
        (tmp_path / "feature_list.json").mkdir()
        (tmp_path / "feature_list.json" / "inside").write_text("x")
        aside = set_aside_feature_list(tmp_path)
        assert aside is not None
        assert (aside / "inside").read_text() == "x"
        assert read_feature_list(tmp_path) is None

    def test_a_link_but_not_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "plan.txt").write_text("kept")
        (tmp_path / "feature_list.json").symlink_to("plan.txt")
        aside = set_aside_feature_list(tmp_path)
        assert aside is not None
        assert aside.is_symlink()
        assert (tmp_path / "plan.txt").read_text() == "kept"


class TestReplaces:
    def test_what_was_kept_by_one_who_died_before_the_replacement_is_kept_once(self, tmp_path: Path) -> None:
        put(tmp_path, "broken")
        os.link(tmp_path / "feature_list.json", tmp_path / "feature_list.invalid-1.json")
        assert replace_feature_list(tmp_path, b"[]\n") == tmp_path / "feature_list.invalid-1.json"
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_broken_file_and_keeps_it(self, tmp_path: Path) -> None:
        put(tmp_path, "broken").chmod(0o640)
        kept = replace_feature_list(tmp_path, b"[]\n")
        assert kept is not None
        assert kept.read_text() == "broken"
        assert (tmp_path / "feature_list.json").read_bytes() == b"[]\n"
        assert stat.S_IMODE((tmp_path / "feature_list.json").stat().st_mode) == 0o640

    def test_a_file_that_was_made_unreadable_by_a_readable_one(self, tmp_path: Path) -> None:
        put(tmp_path, "[]").chmod(0)
        replace_feature_list(tmp_path, b"[]\n")
        assert (tmp_path / "feature_list.json").stat().st_mode & 0o600 == 0o600

    def test_a_link_itself(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside.json"
        outside.write_text("not ours")
        project = tmp_path / "project"
        project.mkdir()
        (project / "feature_list.json").symlink_to(outside)
        replace_feature_list(project, b"[]\n")
        assert not (project / "feature_list.json").is_symlink()
        assert outside.read_text() == "not ours"
        assert (project / "feature_list.invalid-1.json").is_symlink()

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["named pipe", "directory"])
    def test_other_things(self, tmp_path: Path, make: Any) -> None:
        make(tmp_path / "feature_list.json")
        replace_feature_list(tmp_path, b"[]\n")
        assert read_feature_list(tmp_path) == FeatureList()
        assert (tmp_path / "feature_list.invalid-1.json").exists()

    def test_nothing(self, tmp_path: Path) -> None:
        assert replace_feature_list(tmp_path, b"[]\n") is None
        assert read_feature_list(tmp_path) == FeatureList()
