"""The funnel, counted by hand over eight children of two schools."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.stages.evaluation.funnel import build_funnel
from kodomo_assets_tests.review.town import NORTH, SOUTH, R, Town, key


def support(town: Town, number: int, day: int, outcome: str) -> None:
    step = town.catalogue.meeting.outcomes[outcome]
    town.insert("review.support", reference_date=R, child_key=key(number), given_on=dt.date(2025, 6, day), kind="面談", outcome=outcome, step=step)  # fmt: skip


@pytest.fixture
def counted(town: Town) -> Town:
    """1 to 5 selected, 6 to 8 below the cut; 1-4, 6, 8 in the south; the meeting added 8."""
    for number in (1, 2, 3, 4, 5, 6, 7, 8):
        school = NORTH if number in (5, 7) else SOUTH
        town.child(number, school=school, school_year=4 if number < 4 else 5, selected=number <= 5, newly_found=number in (1, 2))  # fmt: skip
    for number in (1, 2, 3, 4, 5, 6):
        origin = "selected" if number <= 5 else "sample"
        town.insert("review.meeting_list", reference_date=R, child_key=key(number), origin=origin, sheet_number=f"N{number}")  # fmt: skip
    for number, decision in ((1, "a"), (2, "b"), (3, "b"), (4, "d"), (6, "c"), (8, "b")):
        town.decide(number, decision)
    town.decide(4, "c", dt.date(2025, 6, 1))  # the later meeting counts
    support(town, 2, 1, "声かけ済み")
    support(town, 2, 10, "利用開始")
    support(town, 3, 2, "辞退")
    support(town, 8, 3, "利用開始")
    support(town, 8, 20, "支援終了")
    build_funnel(town.con, town.catalogue, R)
    return town


def counts(town: Town, where: str, *columns: str) -> tuple:
    return town.rows(f"select {', '.join(columns)} from new_funnel where {where}")[0]


STEPS = ("screened", "selected", "below_cut", "accepted", "preventive", "follow_up", "not_supported", "undecided")


def test_everyone_on_the_list_or_decided_counts_once(counted):
    everywhere = "school_code is null and school_year is null"
    # 1 a; 2, 3 and 8 b; 4 and 6 c; 5 undecided; 6 of the sample and 8, whom the meeting added, are below the cut
    assert counts(counted, everywhere, *STEPS) == (8, 5, 2, 1, 3, 2, 0, 1)
    assert counts(counted, everywhere, "below_cut_supported") == (2,)
    for people, decided in counted.rows(
        "select selected + below_cut, accepted + preventive + follow_up + not_supported + undecided from new_funnel"
    ):
        assert people == decided


def test_per_school_and_school_year(counted):
    assert counts(counted, f"school_code = '{SOUTH}' and school_year is null", *STEPS) == (6, 4, 2, 1, 3, 2, 0, 0)
    assert counts(counted, f"school_code = '{NORTH}' and school_year is null", *STEPS) == (2, 1, 0, 0, 0, 0, 0, 1)
    assert counts(counted, f"school_code = '{SOUTH}' and school_year = 4", *STEPS) == (3, 3, 0, 1, 2, 0, 0, 0)
    assert counts(counted, "school_code is null and school_year = 5", *STEPS) == (5, 2, 2, 0, 1, 2, 0, 1)


def test_support_goes_by_steps_and_the_last_one_tells_who_is_still_in_it(counted):
    everywhere = "school_code is null and school_year is null"
    # 3 was offered something and declined; 8 took it up and it ended
    assert counts(counted, everywhere, "spoken_to", "offered", "taken_up", "supported") == (3, 3, 2, 1)


def test_the_newly_found_are_counted_beside_every_step(counted):
    everywhere = "school_code is null and school_year is null"
    columns = ("newly_found", "newly_found_accepted", "newly_found_preventive", "newly_found_follow_up", "newly_found_supported")  # fmt: skip
    assert counts(counted, everywhere, *columns) == (2, 1, 1, 0, 1)


def test_the_indicators(counted):
    counted.insert("review.exports", reference_date=R, kind="支援対象者", file="支援対象者_南小学校.xlsx", exported_at=dt.datetime(2025, 5, 21, 3, tzinfo=dt.UTC), children=3, weights_version="v", fingerprint="f")  # fmt: skip
    build_funnel(counted.con, counted.catalogue, R)
    rows = dict(counted.rows("select indicator, value from new_indicators"))
    # 1 April to 21 May; of 2, 3 and 8 everyone was spoken to
    assert rows == {"days_to_school_list": 50.0, "spoken_to_share": 1.0}


def test_without_a_list_or_a_decision_the_indicators_are_not_there_yet(town):
    build_funnel(town.con, town.catalogue, R)
    assert town.rows("select indicator, value from new_indicators order by 1") == [
        ("days_to_school_list", None),
        ("spoken_to_share", None),
    ]
