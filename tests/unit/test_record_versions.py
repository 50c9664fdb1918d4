"""Facts as older versions wrote them are read as what they meant."""

from __future__ import annotations

from states.facts import Facts
from states.record import VERSION, from_data, to_data
from states.vocabulary import RunId

FACTS = Facts(run_id=RunId("r"), at=1.0, started_at=0.0, save_error="disk full")


def test_the_newest_version_is_read_as_it_was_written() -> None:
    facts = Facts(run_id=RunId("r"), at=1.0, started_at=0.0, verify_error="no such command")
    assert from_data(to_data(facts)) == facts


def test_version_1_knew_no_verification() -> None:
    data = {**to_data(FACTS), "version": 1}
    del data["verify_error"]
    assert VERSION == 2
    assert from_data(data) == FACTS
