"""A 世帯番号 that makes no households is loud (method §2), through Dagster: each cell of it can be read."""

from __future__ import annotations

from kodomo_assets_tests.defs.conftest import Office, checks, said
from kodomo_assets_tests.defs.test_acknowledged import let_in, lines_of

REGISTER = "宛名番号,世帯番号,生年月日,続柄,消除日,性別,国籍,支援措置"
CHILD, PARENT = "2015-05-05", "1985-05-05"
TABLE = "sources.resident_register"


def family(number: int, of_child: int, of_parent: int, parent: str = PARENT, removed: str = "") -> list[str]:
    """A child, a parent, and their 世帯番号."""
    return [f"{number},{of_child},{CHILD},子,,,,", f"{1000 + number},{of_parent},{parent},妻,{removed},,,"]


def told(office: Office, people: list[str]) -> tuple[bool, str]:
    """Whether the register is taken, and what the check says."""
    office.deliver("住民記録.csv", REGISTER, *people)
    result = office.materialize(TABLE)
    assert checks(result)["households"] is result.success
    return result.success, said(result, "households")


def families(count: int, **facts: str) -> list[str]:
    return [row for number in range(1, count + 1) for row in family(number, number, number, **facts)]


def test_everybody_a_household_of_one_stops_the_register_until_a_person_lets_it_in(office):
    """宛名番号 in the place of 世帯番号: single parents and siblings were gone from every item, and the run was green."""
    people = [row for number in range(1, 31) for row in family(number, number, 1000 + number)]
    taken, message = told(office, people)
    assert not taken
    assert (
        "住民記録.csv: 世帯番号: 30 of 30 children of school age (100%) live in no household with an adult (30 have a "
        "number of their own, 0 share one with more than 15 residents), expected at most 20%"
    ) in message
    assert office.query("select count(*) from sources.resident_register") == [(0,)]
    (line,) = lines_of(office, "市民窓口課")
    assert line.startswith("- {table: resident_register, check: households, column: household_id, sha256: '")

    let_in(office, line)
    result = office.materialize(TABLE)
    assert result.success
    assert checks(result)["households"] is False  # it stays as a warning
    assert "acknowledged: 住民記録.csv: 世帯番号: 30 of 30 children" in said(result, "households")


def test_families_are_no_fault(office):
    taken, message = told(office, families(30))
    assert taken
    assert (
        message == "住民記録: 0 of 30 children of school age live in no household with an adult, expected at most 20%"
    )


def test_one_number_for_a_district_makes_no_household(office):
    """31 families under two numbers, of 40 and 22 people: facilities, each of whose residents stands alone."""
    people = [row for n in range(1, 32) for row in family(n, 1 + n // 21, 1 + n // 21)]
    taken, message = told(office, people)
    assert not taken
    assert "31 of 31 children of school age (100%)" in message
    assert "(0 have a number of their own, 31 share one with more than 15 residents)" in message


def test_a_register_without_its_adults_is_no_register(office):
    """Siblings under one number, and nobody of age."""
    taken, message = told(office, [f"{n},{n // 2},{CHILD},子,,,," for n in range(2, 32)])
    assert not taken
    assert "30 of 30 children of school age (100%)" in message
    assert "(0 have a number of their own, 0 share one" in message


def test_a_parent_who_left_is_nobody_of_the_household(office):
    assert told(office, families(30, removed="2025-04-01"))[0] is False
    assert told(office, families(30, removed="2025-04-02"))[0] is True  # lives there at the reference date


def test_of_age_is_who_completes_eighteen_years_at_the_reference_date(office):
    """A year of age is completed the day before the birthday."""
    assert told(office, families(30, parent="2007-04-02"))[0] is True
    assert told(office, families(30, parent="2007-04-03"))[0] is False


def test_a_home_and_a_dormitory_are_a_small_share(office):
    """20 of 100 children alone are as many as are let in without a word, 21 are not."""
    alone = [f"{n},{n},{CHILD},世帯主,,,," for n in range(201, 222)]
    taken, message = told(office, families(80) + alone[:20])
    assert taken
    assert "20 of 100 children of school age" in message
    assert told(office, families(79) + alone)[0] is False


def test_few_children_without_an_adult_are_no_fault_whatever_their_share(office):
    taken, message = told(office, [f"{n},{n},{CHILD},世帯主,,,," for n in range(1, 20)])
    assert taken
    assert "19 of 19 children" in message


def test_the_share_that_is_let_in_can_be_set(office):
    office.configure("ingest: {max_without_adult: 0.6}")
    alone = [f"{n},{n},{CHILD},世帯主,,,," for n in range(201, 231)]
    assert told(office, families(20) + alone)[0] is True  # 30 of 50
    assert told(office, families(19) + alone)[0] is False
