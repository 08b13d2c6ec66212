"""Late tables and schools that a delivery lacks, and who carries the flag."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.stages.screening.completeness import check_completeness

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


def test_a_complete_delivery_flags_nobody(small_city):
    add_schools(small_city, [2, 3])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    small_city.deliver("attendance", rows=attendance(small_city))
    small_city.screen()
    assert flagged(small_city) == set()
    assert outcome(small_city).passed


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


@pytest.mark.parametrize(
    ("table", "flagged_schools", "flagged_years"),
    [
        ("public_assistance", {HIGASHI, NISHI, PRIVATE}, {2, 5}),
        ("attendance", {HIGASHI, NISHI}, {2, 5}),
        ("school_survey", {HIGASHI, NISHI}, {5}),
    ],
)
def test_a_late_termly_table_flags_the_children_whom_it_concerns(small_city, table, flagged_schools, flagged_years):
    add_schools(small_city, [2, 5])
    small_city.configure(f"schools: {{without_delivery: ['{PRIVATE}']}}")
    small_city.deliver(table, day=APRIL)
    small_city.screen()
    assert flagged(small_city) == flagged_schools
    assert set(small_city.ranked("cohort", "incomplete_delivery")) == flagged_years
    assert "is late: the delivery of 2025-04-01 stands in" in outcome(small_city).message


@pytest.mark.parametrize("table", ["medical_subsidies", "ssw_records"])
def test_a_yearly_table_serves_later_terms_and_a_table_that_never_came_is_not_late(small_city, table):
    add_schools(small_city, [2])
    if small_city.catalogue.tables[table].cadence == "yearly":
        small_city.deliver(table, day=APRIL)
    small_city.screen()
    assert flagged(small_city) == set()
    assert outcome(small_city).passed
