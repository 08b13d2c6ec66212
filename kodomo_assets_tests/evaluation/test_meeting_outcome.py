"""What the meeting made of list and sample, weighted by hand; the list against the old rule at both lengths."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from kodomo_assets.disclosure import suppress
from kodomo_assets.intervals import create_intervals
from kodomo_assets.stages.evaluation.funnel import build_funnel
from kodomo_assets.stages.evaluation.meeting import build_legacy_comparison, build_meeting_outcome
from kodomo_assets_tests.town import NORTH, R, Town, key

MAY = dt.date(2025, 5, 20)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    made.configure("meeting: {sample_below_cut: 0}")
    yield made
    made.con.close()


def outcome(town: Town) -> dict[tuple[str, str], tuple]:
    build_funnel(town.con, town.catalogue, R)
    build_meeting_outcome(town.con, R)
    rows = town.rows("select stratum, decision, children, weight, share, low, high from new_meeting_outcome")
    return {(stratum, decision): tuple(rest) for stratum, decision, *rest in rows}


def listed(town: Town, number: int, probability: float, decision: str | None) -> None:
    """A child of the sample, drawn with ``probability``."""
    town.child(number, rank=number)
    town.insert("review.meeting_list", reference_date=R, child_key=key(number), origin="sample", sheet_number=f"S-{number}", probability=probability)  # fmt: skip
    if decision is not None:
        town.decide(number, decision, MAY)


def begin(town: Town) -> None:
    """Four selected: a, b, c, d. Four of the sample: b and d of ten each, c and d of forty each."""
    for number in range(1, 5):
        town.child(number, selected=True)
    town.list()
    for number, decision in enumerate("abcd", start=1):
        town.decide(number, decision, MAY)
    listed(town, 11, 0.1, "b")
    listed(town, 12, 0.1, "d")
    listed(town, 13, 0.025, "c")
    listed(town, 14, 0.025, "d")


def test_the_shares_of_the_list_are_those_of_its_children(town):
    begin(town)
    found = outcome(town)
    low, high = proportion_confint(2, 4, method="wilson")
    assert found["list", "a_or_b"] == (2, 2.0, 0.5, pytest.approx(low), pytest.approx(high))
    assert found["list", "c"][:3] == (1, 1.0, 0.25)


def test_the_sample_stands_for_all_below_the_cut(town):
    begin(town)
    found = outcome(town)
    # 10 of the 100 children below the cut are b; four children whose weights differ tell as much as 100² / 3400 equal ones
    effective = 100**2 / (2 * 10**2 + 2 * 40**2)
    low, high = proportion_confint(0.1 * effective, effective, method="wilson")
    assert found["sample", "b"] == (1, 10.0, 0.1, pytest.approx(low), pytest.approx(high))
    assert found["sample", "d"][:3] == (2, 50.0, 0.5)
    assert found["sample", "a_or_b"] == found["sample", "b"]


def test_the_recall_is_what_the_list_found_of_all_whom_the_meeting_would_support(town):
    begin(town)
    children, weight, share, low, high = outcome(town)["recall", "a_or_b"]
    assert (children, weight, share) == (3, 12.0, pytest.approx(2 / 12))
    missed_low, missed_high = outcome(town)["sample", "a_or_b"][3:]
    assert low == pytest.approx(2 / (2 + 100 * missed_high))
    assert high == pytest.approx(2 / (2 + 100 * missed_low))


def test_nothing_is_told_before_everyone_is_decided(town):
    begin(town)
    listed(town, 15, 0.1, None)
    assert outcome(town) == {}


def test_without_a_sample_nothing_is_said_of_what_the_list_misses(town):
    for number in (1, 2):
        town.child(number, selected=True)
    town.list()
    town.decide(1, "b", MAY)
    town.decide(2, "d", MAY)
    assert {stratum for stratum, _ in outcome(town)} == {"list"}
    assert outcome(town)["list", "a_or_b"][2] == 0.5


def test_a_sample_in_which_nobody_is_supported_leaves_the_recall_at_one_with_its_interval(town):
    town.child(1, selected=True)
    town.list()
    town.decide(1, "b", MAY)
    listed(town, 11, 0.1, "d")
    found = outcome(town)
    assert found["sample", "a_or_b"][:3] == (0, 0.0, 0.0)
    share, low, high = found["recall", "a_or_b"][2:]
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(1 / (1 + 10 * proportion_confint(0, 1, method="wilson")[1]))


def test_the_list_against_the_old_rule(town):
    """Selected: 1 flagged, 2 not, 3 unknown; 4 flagged and not selected. At equal length 1 is on both lists."""
    for number in (1, 2, 3):
        town.child(number, selected=True, rank=number)
    town.child(4, rank=4)
    town.child(5, selected=True, school=NORTH, school_year=5)
    town.list()
    flags = {1: "true", 2: "false", 3: "null", 4: "true", 5: "false"}
    for number, flag in flags.items():
        new = number in (2, 3)
        town.con.execute(f"update screening.ranking set legacy_flag = {flag}, newly_found_equal = {new} where child_key = '{key(number)}'")  # fmt: skip
    town.decide(1, "b", MAY)
    town.decide(2, "a", MAY)
    town.decide(3, "c", MAY)
    build_funnel(town.con, town.catalogue, R)
    build_legacy_comparison(town.con, R)
    names = [column.name for column in town.catalogue.output("evaluation.legacy_comparison").columns[3:]]
    rows = town.rows("select * exclude (reference_date, band) from new_legacy_comparison order by school_year")
    found = {year: dict(zip(names, counts, strict=True)) for year, *counts in rows}
    assert found[4] == {
        "selected": 3,
        "legacy_flagged": 2,
        "both": 1,
        "only_new": 1,
        "only_legacy": 1,
        "legacy_unknown": 1,
        "equal_length_both": 1,
        "equal_length_only_new": 2,
        "both_supported": 1,
        "only_new_supported": 1,
        "equal_length_both_supported": 1,
        "equal_length_only_new_supported": 1,
    }
    assert found[None]["selected"] == 4
    assert found[None]["only_new"] == 2


def published(town: Town, decided: dict[str, int]) -> list[tuple]:
    """What leaves of a list on which so many children were decided each way."""
    town.con.execute("create or replace temp table judged (stratum varchar, decision varchar, is_supported boolean, weight double)")  # fmt: skip
    for decision, children in decided.items():
        town.con.execute("insert into judged select 'list', $1, $2, 1 from range($3)", [decision, decision in "ab", children])  # fmt: skip
    table = town.catalogue.output("evaluation.meeting_outcome")
    create_intervals(town.con)
    statement = resources.files("kodomo_assets.stages.evaluation").joinpath("meeting_outcome.sql").read_text("utf-8")
    town.con.execute(statement[statement.index("create or replace temp table new_meeting_outcome") :], {"reference_date": R, "supported": "a_or_b"})  # fmt: skip
    suppress(town.con, table, "new_meeting_outcome", 10)
    columns = ", ".join(column.name for column in table.columns if not column.private)
    return town.rows(f"select {columns} from disclosed order by decision")


def test_what_leaves_tells_no_count_under_ten(town):
    """One child more or less in a: nothing of what is published changes, though all the other counts are told."""
    nine, eight = {"a": 9, "b": 30, "c": 111, "d": 20}, {"a": 8, "b": 30, "c": 111, "d": 21}
    assert published(town, nine) == published(town, eight)
    assert [row[3] for row in published(town, nine)][:2] == [None, 40]
