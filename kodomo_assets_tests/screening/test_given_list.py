"""A list that is out does not become another one without a word (past dates made anew: docs/operations.md)."""

from __future__ import annotations

import datetime as dt

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.screening.given_list import compare_lists, is_unlike_given, note_given_list
from kodomo_assets.stages.screening.scoring import build_screening
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.sources.rests_on import changed_settings, create_rests_on
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.schools import keep_schools
from kodomo_assets_tests.screening.conftest import R, SmallCity

TEN, FIFTEEN = "screening: {share_percent: 10}", "screening: {share_percent: 15}"


def refresh(city: SmallCity, overlay: str, *, decided: bool = False) -> CheckOutcome:
    """One run of screening.ranking with these settings, stored, and the end of the refresh."""
    city.configure(overlay)
    keep_schools(city.con)
    create_delivered_views(city.con, city.catalogue, R)
    build_screening(city.con, city.catalogue, R)
    note_given_list(city.con, R, decided)
    outcome = compare_lists(city.con, R, changed_settings(city.con, city.catalogue, R))
    for table, rows in (("screening.ranking", "new_ranking"), ("published.completions", "noted_completions")):
        city.con.execute(f"delete from {table} where reference_date = $1", [R])
        city.con.execute(f"insert into {table} by name from {rows}")
    city.con.execute("delete from sources.readings")
    city._insert("sources.readings", {"reference_date": R, "asset": "sources.moves", "files_state": "", "run_id": overlay, "read_at": dt.datetime.now(dt.UTC)})  # fmt: skip
    create_rests_on(city.con, city.catalogue, R, overlay)
    city.con.execute("delete from published.rests_on")
    city.con.execute("insert into published.rests_on by name from new_rests_on")
    return outcome


def decide(city: SmallCity, minute: int) -> None:
    place = {"reference_date": R, "child_key": "c00", "meeting_date": R, "decision": "c", "release": False, "decided_by": "所長"}  # fmt: skip
    city._insert("review.decisions", place | {"file": "x", "row_number": minute, "read_at": dt.datetime(2025, 10, 1, 9, minute, tzinfo=dt.UTC)})  # fmt: skip


@provokes("list_as_given", passed=True)
@provokes("list_as_given", passed=False)
def test_a_list_that_was_decided_on_becomes_no_other_one_without_a_word(small_city):
    """20 children of a school year: two places of 10 %, three of 15 %."""
    small_city.base("lower", 0.0)
    small_city.children("c", 20)
    assert refresh(small_city, TEN).passed
    # before the meeting a list may change as often as it likes
    assert refresh(small_city, FIFTEEN).passed
    assert refresh(small_city, TEN).passed
    assert not is_unlike_given(small_city.con, R)

    # the decisions lie there, and are read by the run that changes the list which they are on
    assert refresh(small_city, TEN, decided=True).passed
    assert not refresh(small_city, FIFTEEN, decided=True).passed
    assert is_unlike_given(small_city.con, R)
    assert refresh(small_city, TEN).passed

    decide(small_city, 1)
    assert refresh(small_city, TEN).passed
    changed = refresh(small_city, FIFTEEN)
    assert (changed.passed, changed.blocking) == (False, False)
    assert changed.facts == {"added": 1, "removed": 0, "moved": 0, "settings": "screening"}
    assert is_unlike_given(small_city.con, R)
    # it is still another one however often it is made, until it is the old one again
    again = refresh(small_city, FIFTEEN)
    assert (again.passed, again.facts["added"], again.facts["settings"]) == (False, 0, "")
    assert refresh(small_city, TEN).passed
    assert not is_unlike_given(small_city.con, R)

    # the meeting decided on the new one
    assert not refresh(small_city, FIFTEEN).passed
    decide(small_city, 2)
    assert refresh(small_city, FIFTEEN).passed
    assert not refresh(small_city, TEN).passed


def test_a_list_that_a_later_date_came_after_is_out_too(small_city):
    small_city.base("lower", 0.0)
    small_city.children("c", 20)
    refresh(small_city, TEN)
    small_city.con.execute("insert into screening.ranking select * replace (date '2026-01-01' as reference_date) from screening.ranking")  # fmt: skip
    assert not refresh(small_city, FIFTEEN).passed
    assert not refresh(small_city, FIFTEEN).passed
    assert refresh(small_city, TEN).passed
