"""A school that delivered nothing keeps its places; the list beside as long a list of データベースみまもり (method §6)."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.stages.screening.completeness import check_missing_schools
from kodomo_assets.stages.screening.scoring import check_ranks
from kodomo_assets_tests.provoked import provokes

EAST, WEST, NORTH, PRIVATE = "000001", "000002", "000003", "000009"
NAMES = {EAST: "東小学校", WEST: "西小学校", NORTH: "北小学校", PRIVATE: "私立小学校"}
TABLES = ("school_roster", "attendance", "grades", "school_survey")


@pytest.fixture
def town(small_city):
    """生活保護 weighs 300 points; nobody has any yet."""
    for band in ("lower", "upper"):
        small_city.base(band, 0.0)
        small_city.weight(band, "public_assistance", 0.0, {"not_applicable": (0, 900), "applicable": (0.3, 100)})
    return small_city


def attend(city, school, children, *, poor=0, school_year=5):
    """Children of a school with pupil numbers; the first ``poor`` of them with 生活保護."""
    for number in range(children):
        levels = {"public_assistance": "applicable"} if number < poor else {}
        city.child(f"{school[-1]}{number:02}", levels, school=school, school_year=school_year)
        city.link(f"p{school[-1]}{number:02}", f"{school[-1]}{number:02}")


def deliver(city, given, tables=TABLES, day=None):
    """Rows of the first ``given[school]`` children of each school in ``tables``."""
    for table in tables:
        rows = []
        for school, children in given.items():
            required = {
                "school_roster": {"school_code": school, "birth_date": dt.date(2014, 5, 5)},
                "attendance": {"month": dt.date(2025, 7, 1)},
                "grades": {"fiscal_year": 2025, "term": 1, "subject": "国語"},
                "school_survey": {"conducted_on": dt.date(2025, 6, 1)},
            }[table]
            rows += [{"pupil_id": f"p{school[-1]}{number:02}"} | required for number in range(children)]
        city.deliver(table, day, rows)


def register(city):
    rows = city.rows("select resident_id, school_code, school_year from linkage.children")
    city.deliver(
        "school_register",
        rows=[{"resident_id": r, "school_code": s, "school_name": NAMES[s], "school_year": y} for r, s, y in rows],
    )


def list_of(city):
    """School -> how many are selected, and by which places."""
    register(city)
    city.screen()
    (ranks,) = check_ranks(city.con, city.catalogue)
    assert ranks.passed
    counted = "count(*) filter (selected), string_agg(distinct share_of)"
    return {
        school: (selected, share_of)
        for school, selected, share_of in city.rows(
            f"select school_code, {counted} from screening.ranking group by all"
        )
    }


@provokes("missing_schools", passed=False)
def test_children_of_a_school_without_a_delivery_have_places_of_their_own(town):
    attend(town, EAST, 20, poor=6)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20})
    # by the common ranking all four would come from the east
    assert list_of(town) == {EAST: (2, "cohort"), WEST: (2, "missing")}
    # the rank stays that of the whole school year: the poor of the east stand before everybody of the west
    assert town.ranked("school_code", "rank <= 6") == [EAST] * 6
    assert min(town.ranked("rank", f"school_code = '{WEST}'")) > 6
    told = check_missing_schools(town.con, town.catalogue)
    assert (told.passed, told.blocking) == (False, False)
    assert "1 schools delivered nothing for this date: 000002 西小学校; 2 of their 20 screened children" in told.message
    assert told.facts.items() >= {"schools": 1, "children": 20, "selected": 2}.items()


def test_the_cut_is_that_of_the_own_places(town):
    attend(town, EAST, 20, poor=6)
    attend(town, WEST, 20, poor=1)
    deliver(town, {EAST: 20})
    list_of(town)
    # in the east six share the score at the cut of two places, in the west nineteen share that of the second
    tied = "select school_code, count(*) from screening.ranking where tied_at_cut group by all order by 1"
    assert town.rows(tied) == [(EAST, 6), (WEST, 19)]


def test_they_keep_at_least_what_the_common_ranking_gives_them(town):
    attend(town, EAST, 21)
    attend(town, WEST, 9, poor=2)
    deliver(town, {EAST: 21})
    # three of thirty by the common ranking, two of them of the west; nine alone would select nobody
    assert list_of(town) == {EAST: (2, "cohort"), WEST: (2, "missing")}


def test_all_missing_schools_of_a_school_year_share_their_places(town):
    attend(town, EAST, 20, poor=6)
    attend(town, WEST, 5)
    attend(town, NORTH, 5, poor=1)
    deliver(town, {EAST: 20})
    # the poor one of the north stands among the first three of thirty, and first of the ten
    assert list_of(town) == {EAST: (2, "cohort"), WEST: (0, "missing"), NORTH: (1, "missing")}


def test_the_common_ranking_is_a_setting(town):
    town.configure("screening: {missing_school: common}")
    attend(town, EAST, 20, poor=6)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20})
    assert list_of(town) == {EAST: (4, "cohort"), WEST: (0, "cohort")}
    assert "among all others (screening.missing_school)" in check_missing_schools(town.con, town.catalogue).message


@pytest.mark.parametrize(("brought", "share_of"), [(1, "missing"), (2, "cohort")])
def test_a_few_rows_of_pupils_who_came_are_no_delivery(town, brought, share_of):
    """Under a tenth of twenty children."""
    attend(town, EAST, 20)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20, WEST: brought})
    assert list_of(town)[WEST][1] == share_of


@pytest.mark.parametrize(("delivered", "share_of"), [(1, "missing"), (2, "cohort")])
def test_half_of_the_tables_is_a_delivery(town, delivered, share_of):
    attend(town, EAST, 20)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20, WEST: 20}, TABLES[:delivered])
    deliver(town, {EAST: 20}, TABLES[delivered:])
    assert list_of(town)[WEST][1] == share_of


def test_a_table_that_nobody_delivered_for_this_date_says_nothing(town):
    attend(town, EAST, 20)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20}, TABLES[:1])
    # the other three lie there from the term before, where the west had sent nothing either
    deliver(town, {EAST: 20, WEST: 20}, TABLES[1:], dt.date(2025, 4, 1))
    assert list_of(town)[WEST][1] == "missing"
    town.con.execute("delete from screening.ranking; delete from screening.contributions")
    town.con.execute("delete from screening.difficulty_scores; delete from sources.school_register")
    town.con.execute("delete from sources.school_roster; delete from sources.deliveries where table_name in ('school_roster', 'school_register')")  # fmt: skip
    assert list_of(town)[WEST][1] == "cohort"


@provokes("ranks_complete", passed=True)
@provokes("missing_schools", passed=True)
def test_a_school_that_is_not_expected_is_not_missing(town):
    town.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    attend(town, EAST, 20, poor=6)
    attend(town, PRIVATE, 20)
    deliver(town, {EAST: 20})
    assert list_of(town) == {EAST: (4, "cohort"), PRIVATE: (0, "cohort")}
    assert check_missing_schools(town.con, town.catalogue).passed


@provokes("ranks_complete", passed=False)
def test_a_list_whose_places_are_wrong_fails(town):
    attend(town, EAST, 20, poor=6)
    attend(town, WEST, 20)
    deliver(town, {EAST: 20})
    list_of(town)
    town.con.execute(f"update new_ranking set selected = false where school_code = '{WEST}'")
    (ranks,) = check_ranks(town.con, town.catalogue)
    assert not ranks.passed


def test_newly_found_at_equal_length(town):
    """Twenty children, two selected; データベースみまもり, cut at two, would take ``both`` and ``hits``."""
    three = {"many_children": "4+", "bullied": "applicable", "short_sleep": "<6"}
    attend(town, EAST, 17)
    town.child("poor", {"public_assistance": "applicable"}, school_year=5)
    town.child("both", {"public_assistance": "applicable", "bullied": "applicable"}, school_year=5)
    town.child("hits", three, school_year=5)
    register(town)
    town.screen()
    found = town.rows("select child_key, selected, legacy_hits, newly_found_equal from screening.ranking order by rank")
    assert sorted(found[:2]) == [("both", True, 2, False), ("poor", True, 1, True)]
    assert ("hits", False, 3, False) in found
    assert not any(new for *_, new in found[2:])
    # at its own length the old rule flags nobody here: everyone selected is new
    assert town.ranked("newly_found", "selected") == [True, True]
