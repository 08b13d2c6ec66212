"""Late tables and schools that a delivery lacks, and who carries the flag."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.stages.screening.completeness import (
    check_acknowledged_faults,
    check_completeness,
    check_recorded_years,
    check_silent_schools,
)
from kodomo_assets.stages.screening.schools import check_named_schools
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.screening.conftest import R

APRIL = dt.date(2025, 4, 1)
HIGASHI, NISHI, PRIVATE = "000001", "000002", "000009"


def add_schools(city, years):
    """Two public schools and a private one with three children per school year; the public ones have pupil numbers."""
    for band in ("lower", "upper"):
        city.base(band, 0.05)
    register = []
    for school, name in ((HIGASHI, "東小学校"), (NISHI, "西小学校"), (PRIVATE, "私立小学校")):
        for year in years:
            for number in range(3):
                key = f"{school[-1]}{year}{number}"
                city.child(key, school=school, school_year=year)
                register.append({"resident_id": key, "school_code": school, "school_name": name, "school_year": year})
                if school != PRIVATE:
                    city.link(f"p{key}", key)
    city.deliver("school_register", rows=register)


def pupils(city, schools=(HIGASHI, NISHI), years=range(10)):
    return [
        {"pupil_id": f"p{key}"}
        for (key,) in city.rows("select child_key from linkage.children order by 1")
        if f"00000{key[0]}" in schools and int(key[1]) in years
    ]


def attendance(city, **which):
    return [row | {"month": dt.date(2025, 3, 1)} for row in pupils(city, **which)]


def flagged(city):
    return set(city.ranked("school_code", "incomplete_delivery"))


def outcome(city):
    (found,) = check_completeness(city.con, city.catalogue)
    assert not found.blocking
    return found


@provokes("deliveries_complete", passed=True)
def test_a_complete_delivery_flags_nobody(small_city):
    add_schools(small_city, [2, 3])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.screen()
    assert flagged(small_city) == set()
    assert outcome(small_city).passed


@provokes("deliveries_complete", passed=False)
def test_a_school_that_a_delivery_lacks_is_named_and_all_its_children_are_flagged(small_city):
    add_schools(small_city, [2, 5])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    # one child of the western school came from the eastern one, which still holds its rows
    moved = [{"pupil_id": "p220", "month": dt.date(2024, 10, 1)}]
    small_city.deliver("attendance", rows=attendance(small_city, schools=[HIGASHI]) + moved)
    small_city.screen()
    assert flagged(small_city) == {NISHI}
    assert small_city.rows("select count(*) from screening.ranking where incomplete_delivery") == [(6,)]
    found = outcome(small_city)
    assert not found.passed
    assert found.message == "出欠 lacks 1 schools: 000002 西小学校"
    assert found.facts["schools_lacking_attendance"] == 1


def test_a_school_outside_the_deliveries_is_exempt_only_by_configuration(small_city):
    add_schools(small_city, [2])
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.screen()
    assert flagged(small_city) == {PRIVATE}


def test_a_table_that_concerns_higher_school_years_only_is_not_lacking_in_a_school_without_them(small_city):
    add_schools(small_city, [2])
    small_city.deliver("school_survey", rows=[])
    small_city.screen()
    assert flagged(small_city) == set()


def test_at_the_yearly_date_nobody_awaits_rows_of_children_who_just_entered(april_city):
    """First-graders have no row of the year before, fourth-graders no survey; both have just entered the school."""
    add_schools(april_city, [1, 4])
    april_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    april_city.deliver("attendance", rows=attendance(april_city, years=[4]))
    april_city.deliver("school_survey", rows=[])
    april_city.screen()
    assert flagged(april_city) == set()


def test_at_the_yearly_date_a_junior_high_school_is_not_saved_by_what_its_first_year_brings_along(april_city):
    add_schools(april_city, [7, 8])
    april_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    rows = attendance(april_city, schools=[HIGASHI]) + attendance(april_city, schools=[NISHI], years=[7])
    april_city.deliver("attendance", rows=rows)
    april_city.screen()
    assert flagged(april_city) == {NISHI}


def flagged_children(city):
    return {key for key, flag in city.ranked("child_key, incomplete_delivery") if flag}


def test_a_late_table_of_residents_flags_who_has_a_row_in_the_delivery_in_force(small_city):
    """生活保護 of April stands in: the child itself, and another one through a member of its household."""
    add_schools(small_city, [2])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    small_city._insert("linkage.residents", {"reference_date": R, "resident_id": "mother", "household_id": "h-221", "is_facility": False, "relationship": "世帯主", "legal_age": 40})  # fmt: skip
    rows = [{"resident_id": who, "started_on": dt.date(2024, 4, 1)} for who in ("r-120", "mother", "stranger")]
    small_city.deliver("public_assistance", day=APRIL, rows=rows)
    small_city.screen()
    assert flagged_children(small_city) == {"120", "221"}
    assert "生活保護 is late: the delivery of 2025-04-01 stands in" in outcome(small_city).message


def test_a_late_table_of_the_schools_flags_whose_pupils_number_has_a_row_in_it(small_city):
    add_schools(small_city, [2, 5])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    rows = [{"pupil_id": f"p{key}", "month": dt.date(2025, 3, 1)} for key in ("120", "251", "921")]
    small_city.deliver("attendance", day=APRIL, rows=rows)
    small_city.screen()
    assert flagged_children(small_city) == {"120", "251"}


def test_a_late_table_flags_only_school_years_that_it_concerns(small_city):
    add_schools(small_city, [2, 5])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    rows = [{"pupil_id": f"p{key}", "conducted_on": dt.date(2025, 2, 1)} for key in ("120", "251")]
    small_city.deliver("school_survey", day=APRIL, rows=rows)
    small_city.screen()
    assert flagged_children(small_city) == {"251"}


def find(city, table, check, *, file, acknowledged, blocking=False, column=None, row=None):
    city._insert("sources.faults", {"reference_date": city.day, "table_name": table, "found_by": "sources", "file": file, "sha256": "0", "check_name": check, "column_name": column, "row_number": row, "found": "", "blocking": blocking, "line": "", "acknowledged": acknowledged})  # fmt: skip


def test_the_children_of_a_file_that_cannot_be_read_whole_are_flagged(small_city):
    add_schools(small_city, [2])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.con.execute(
        "update sources.attendance set source_file = 'other.csv' where pupil_id not in ('p120', 'p121')"
    )
    find(small_city, "attendance", "absent_columns", column="absence_days", file="attendance.csv", acknowledged=False)
    small_city.screen()
    assert flagged_children(small_city) == {"120", "121"}
    assert "出欠 cannot be read whole in attendance.csv" in outcome(small_city).message


@provokes("acknowledged", passed=False)
def test_what_was_acknowledged_stands_beside_the_list_with_the_children_it_concerns(small_city):
    add_schools(small_city, [2])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    rows = attendance(small_city)
    small_city.deliver("attendance", rows=rows)
    small_city.con.execute("update sources.attendance set invalid_cells = ['absence_days'] where pupil_id in ('p120', 'p121', 'p222')")  # fmt: skip
    find(small_city, "attendance", "unreadable_cells", column="absence_days", file="attendance.csv", acknowledged=True)
    find(small_city, "school_register", "school_year", row=3, file="school_register.csv", acknowledged=True)
    small_city.con.execute("update sources.school_register set resident_id = 'r-' || resident_id")
    small_city.screen()
    assert flagged_children(small_city) == set()
    found = check_acknowledged_faults(small_city.con, small_city.catalogue)
    assert (found.passed, found.blocking) == (False, False)
    assert found.message == "出欠 欠席日数 (unreadable_cells): 3 children; 学齢簿 (school_year): 1 children"


@provokes("acknowledged", passed=True)
def test_where_nothing_was_acknowledged_nothing_is_said(small_city):
    """A fault that nobody let in is told by its own check."""
    add_schools(small_city, [2])
    small_city.deliver("attendance", rows=attendance(small_city))
    find(small_city, "attendance", "unreadable_cells", column="absence_days", file="attendance.csv", acknowledged=False)
    small_city.screen()
    found = check_acknowledged_faults(small_city.con, small_city.catalogue)
    assert (found.passed, found.facts.items() >= {"acknowledged": 0, "children": 0}.items()) == (True, True)


@provokes("silent_schools", passed=False)
def test_a_school_that_never_delivered_anything_is_named_with_the_line_and_stays_expected(small_city):
    add_schools(small_city, [2])
    small_city.configure("schools: {without_delivery: ['000008']}")
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.screen()
    found = check_silent_schools(small_city.con, small_city.catalogue)
    assert (found.passed, found.blocking) == (False, False)
    assert "1 schools have never delivered any table: 000009 私立小学校" in found.message
    assert "schools: {without_delivery: ['000008', '000009']}" in found.message
    assert flagged(small_city) == {PRIVATE}


@provokes("silent_schools", passed=True)
def test_a_school_that_delivered_once_is_not_silent(small_city):
    add_schools(small_city, [2])
    roster = [{"pupil_id": "q1", "school_code": PRIVATE, "birth_date": dt.date(2017, 5, 1)}]
    small_city.deliver("school_roster", day=APRIL, rows=roster)
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.screen()
    assert check_silent_schools(small_city.con, small_city.catalogue).passed


@provokes("recorded_school_years", passed=False)
def test_a_school_year_without_any_record_of_the_schools_is_named_with_the_remedy(small_city):
    """All of 中1 in a city's first refresh: they stand in the roster under new numbers, and nowhere else."""
    add_schools(small_city, [2, 7])
    small_city.deliver("attendance", rows=attendance(small_city, years=[2]))
    small_city.screen()
    found = check_recorded_years(small_city.con)
    assert (found.passed, found.blocking) == (False, False)
    assert "school year 7 has a record" in found.message
    assert "校務支援学籍 of the year before" in found.message


@provokes("recorded_school_years", passed=True)
def test_first_graders_have_no_record_at_the_yearly_date(april_city):
    add_schools(april_city, [1, 2])
    april_city.deliver("attendance", rows=attendance(april_city, years=[2]))
    april_city.screen()
    assert check_recorded_years(april_city.con).passed


@pytest.mark.parametrize(
    ("schools", "passed", "blocking", "told"),
    [
        pytest.param(
            "screened: ['000001', '000002']",
            True,
            False,
            "stands in 学齢簿",
            marks=provokes("named_schools", passed=True),
        ),
        pytest.param(
            "screened: ['000001', '099999']",
            False,
            True,
            "schools.screened names 099999, which no 学齢簿 knows",
            marks=provokes("named_schools", passed=False),
        ),
        ("without_delivery: ['888888']", False, True, "schools.without_delivery names 888888"),
        ("screened: ['000007', '000001']", False, False, "000007: in 学齢簿 of another date"),
    ],
)
def test_schools_that_the_configuration_names(small_city, schools, passed, blocking, told):
    """000007 stood in the register of April and has closed."""
    add_schools(small_city, [2])
    closed = [{"resident_id": "x", "school_code": "000007", "school_name": "北小学校", "school_year": 2}]
    small_city.deliver("school_register", day=APRIL, rows=closed)
    small_city.configure(f"schools: {{{schools}}}")
    small_city.screen()
    found = check_named_schools(small_city.con, small_city.catalogue)
    assert (found.passed, found.blocking) == (passed, blocking)
    assert told in found.message


@pytest.mark.parametrize("table", ["medical_subsidies", "ssw_records"])
def test_a_yearly_table_serves_later_terms_and_a_table_that_never_came_is_not_late(small_city, table):
    add_schools(small_city, [2])
    if small_city.catalogue.tables[table].cadence == "yearly":
        small_city.deliver(table, day=APRIL)
    small_city.screen()
    assert flagged(small_city) == set()
    assert outcome(small_city).passed
