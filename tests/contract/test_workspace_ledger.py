"""The ledger on real files: whatever stands in the list's place is put right, and a right list is not touched."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lifecycle.workspace.feature_text import render_features
from lifecycle.workspace.features import FeatureList
from lifecycle.workspace.ledger import Ledger, check, check_and_mend, without_claims

PLAN = [
    {"id": "add", "description": "Adds", "steps": ["add"], "passes": False},
    {"id": "list", "description": "Lists", "steps": ["list"], "passes": True},
    {"id": "drop", "description": "Drops", "steps": ["drop"], "passes": False},
]
ODD_LAYOUT = ("\ufeff" + json.dumps(PLAN, separators=(", ", ":")) + "\r\n").encode()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(ODD_LAYOUT)


def put(project: Path, data: object) -> None:
    (project / "feature_list.json").write_text(data if isinstance(data, str) else json.dumps(data))


def passes(project: Path) -> list[bool]:
    return [feature["passes"] for feature in json.loads((project / "feature_list.json").read_bytes().decode("utf-8-sig"))]


def test_a_right_list_is_not_touched_whatever_its_layout(tmp_path: Path, ledger: Ledger) -> None:
    put(tmp_path, [{**PLAN[0], "passes": True}, *PLAN[1:]])
    before = (tmp_path / "feature_list.json").stat()
    checked = check_and_mend(tmp_path, ledger)
    after = (tmp_path / "feature_list.json").stat()
    assert (checked.mended, checked.claimed) == (None, ("add",))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("damage", ["deleted", "emptied", "nonsense", "directory", "dangling", "away", "fifo", "closed"])
def test_whatever_stands_in_its_place_the_ledgers_bytes_come_back(tmp_path: Path, ledger: Ledger, damage: str) -> None:
    path = tmp_path / "feature_list.json"
    outside = tmp_path.parent / f"{tmp_path.name}-outside.json"
    match damage:
        case "emptied":
            put(tmp_path, "[]")
        case "nonsense":
            put(tmp_path, "{]")
        case "directory":
            path.mkdir()
            (path / "inside").write_text("kept")
        case "dangling":
            path.symlink_to("nowhere.json")
        case "away":
            outside.write_text(json.dumps(PLAN[:1]))
            path.symlink_to(outside)
        case "fifo":
            os.mkfifo(path)
        case "closed":
            put(tmp_path, PLAN[:1])
            path.chmod(0o000)
    assert check_and_mend(tmp_path, ledger).broken
    assert path.read_bytes() == ODD_LAYOUT
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o600 == 0o600
    if damage == "directory":
        assert (tmp_path / "feature_list.invalid-1.json" / "inside").read_text() == "kept"
    if damage == "away":
        assert json.loads(outside.read_text()) == PLAN[:1]
    assert check_and_mend(tmp_path, ledger).broken == ()


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda text: text.replace("\n]", ",\n]"), id="trailing comma"),
        pytest.param(lambda text: text.rstrip()[:-1], id="without its end"),
        pytest.param(lambda text: text.replace('"id": "drop"', '"id": "add"'), id="repeated id"),
        pytest.param(lambda text: f'{{"features": {text}}}', id="put under a key"),
        pytest.param(lambda text: text.replace('"description": "Drops"', '"description": "Drops" "x"'), id="broken object"),
        pytest.param(lambda text: text.replace("]\n  },", "],\n", 0) + "trailing words", id="words behind"),
    ],
)
def test_malformed_json_is_undone_and_claims_that_can_be_read_are_kept(
    tmp_path: Path, ledger: Ledger, damaged
) -> None:
    claimed = [{**PLAN[0], "passes": True}, *PLAN[1:]]
    put(tmp_path, damaged(render_features(FeatureList.create(claimed)).decode()))
    checked = check_and_mend(tmp_path, ledger)
    assert checked.broken[0].rule == "malformed"
    assert checked.broken[0].problem
    assert passes(tmp_path) == [True, True, False]
    assert [f["id"] for f in json.loads((tmp_path / "feature_list.json").read_text())] == ["add", "list", "drop"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '[{"description": "\\ud800", "passes": true}', "\x00" * 10_000])
def test_a_list_that_is_an_attack_on_the_reader_is_replaced(tmp_path: Path, ledger: Ledger, text: str) -> None:
    put(tmp_path, text)
    assert check_and_mend(tmp_path, ledger).broken[0].rule == "malformed"
    assert (tmp_path / "feature_list.json").read_bytes() == ODD_LAYOUT


def test_a_person_s_link_within_the_project_is_written_through(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "plans").mkdir()
    target = tmp_path / "plans" / "list.json"
    target.write_text(json.dumps(PLAN[:2]))
    (tmp_path / "feature_list.json").symlink_to("plans/list.json")
    assert [breach.rule for breach in check_and_mend(tmp_path, ledger).broken] == ["removed"]
    assert (tmp_path / "feature_list.json").is_symlink()
    assert len(json.loads(target.read_bytes().decode("utf-8-sig"))) == 3


def test_checking_writes_nothing(tmp_path: Path, ledger: Ledger) -> None:
    put(tmp_path, PLAN[:1])
    assert check(tmp_path, ledger).mended == ODD_LAYOUT
    assert json.loads((tmp_path / "feature_list.json").read_text()) == PLAN[:1]


def test_claims_are_taken_back_and_earlier_passes_and_regressions_stay(tmp_path: Path, ledger: Ledger) -> None:
    put(tmp_path, [{**each, "passes": not each["passes"]} for each in PLAN])
    content = without_claims(tmp_path, ledger)
    assert content is not None
    assert [feature["passes"] for feature in json.loads(content)] == [False, False, False]
    put(tmp_path, PLAN)
    assert without_claims(tmp_path, ledger) is None
    assert [f["passes"] for f in json.loads(without_claims(tmp_path, None) or b"")] == [False, False, False]


@pytest.mark.parametrize("tail", ["", ", ", "\\ud800", ', {"description": "more", "passes": "\\ud800"}'])
def test_a_key_twice_within_a_new_feature_makes_it_none_and_breaks_nothing(tmp_path: Path, ledger: Ledger, tail: str) -> None:
    """However deep it stands; the claims about the others are kept."""
    new = '{"description": "new", "passes": true, "x": {"a": [{"b": 1, "b": 2}]}}'
    claimed = json.dumps([{**each, "passes": True} for each in PLAN])
    put(tmp_path, f"{claimed.removesuffix(']')}, {new}{tail}]")
    checked = check_and_mend(tmp_path, ledger)
    assert {breach.rule for breach in checked.broken} == {"malformed"}
    assert (checked.appended, passes(tmp_path)) == ((), [True, True, True])


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("fault", ['"passes": 1', '"passes": true, "passes": true', '"passes": NaN', '"passes": true, "x": "\\ud800"'])
def test_what_stands_before_a_fault_and_behind_it_is_read(tmp_path: Path, at: int, fault: str) -> None:
    plan = FeatureList.create({"id": f"f{n}", "description": f"Does {n}"} for n in range(4))
    ledger = Ledger.of(render_features(plan), plan)
    items = [{**feature.to_dict(), "passes": True} for feature in plan.features]
    texts = [json.dumps(item) for item in items]
    texts[at] = texts[at].replace('"passes": true', fault)
    put(tmp_path, f"[{', '.join(texts)}]")
    checked = check_and_mend(tmp_path, ledger)
    assert checked.claimed == tuple(f"f{n}" for n in range(4) if n != at)
