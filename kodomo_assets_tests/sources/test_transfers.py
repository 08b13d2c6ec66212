"""出欠 of two schools in one month (method §2): summed later for real transfers only; January 2025 has 23 weekdays."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets_tests.sources.test_read import ATTENDANCE, Reader

EAST, WEST = "082201", "082202"


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def rosters(reader: Reader, *rows: tuple[str, int, str]) -> None:
    """What the rosters of earlier dates said: date, pupil, school."""
    reader.con.execute(
        "create or replace temp table rosters (reference_date date, pupil_id varchar, school_code varchar)"
    )
    reader.con.executemany(
        "insert into rosters values ($1, $2, $3)", [(day, f"{pupil:08d}", school) for day, pupil, school in rows]
    )
    reader.con.execute("create or replace temp view rostered_pupils as from rosters")


def two_schools(reader: Reader) -> None:
    """Pupils 1 to 3 of the eastern school, 4 to 6 of the western one."""
    rosters(reader, *(("2025-04-01", pupil, EAST if pupil < 4 else WEST) for pupil in range(1, 7)))


def write(reader: Reader, name: str, *rows: tuple[int, object, object], month: str = "2025-01") -> None:
    lines = [f"{pupil},{month},{days},{absent},0,0,0" for pupil, days, absent in rows]
    reader.write(name, "\n".join([ATTENDANCE, *lines, ""]))


def others(*pupils: int) -> list[tuple[int, int, int]]:
    return [(pupil, 18, 0) for pupil in pupils]


def taken(reader: Reader) -> list[tuple]:
    reader.read("attendance")
    return reader.con.execute(
        "select source_file[4:4], school_days, absence_days from new_attendance where pupil_id = '00000001' order by all"
    ).fetchall()


def reasons(reader: Reader) -> list[str]:
    return [reason for *_, reason, _ in reader.quarantine()]


def test_a_pupil_who_changed_school_has_two_rows(reader):
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 5, 1), *others(2, 3))
    write(reader, "出欠_B.csv", (1, 13, 2), *others(4, 5, 6))
    assert taken(reader) == [("A", 5, 1), ("B", 13, 2)]
    assert reasons(reader) == []


def test_equal_rows_of_two_schools_are_no_duplicates(reader):
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 9, 0), *others(2, 3))
    write(reader, "出欠_B.csv", (1, 9, 0), *others(4, 5, 6))
    assert taken(reader) == [("A", 9, 0), ("B", 9, 0)]
    assert reasons(reader) == []


def test_a_file_that_was_corrected_under_another_name_contradicts(reader):
    """36 school days in a month."""
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 18, 1), *others(2, 3))
    write(reader, "出欠_A（修正）.csv", (1, 18, 2), *others(2, 3))
    assert taken(reader) == []
    assert sorted(reasons(reader)) == ["duplicate_key"] * 2 + ["duplicate_row"] * 2


@pytest.mark.parametrize(
    ("first", "second", "stay"),
    [
        ((12, 0), (13, 1), True),  # 23 weekdays and two more
        ((13, 0), (13, 1), False),
        (("", 12), ("", 13), True),  # no 授業日数: their 欠席日数
        (("", 13), ("", 13.0), False),
        (("", ""), (20, 1), True),
    ],
)
def test_school_days_of_both_are_no_more_than_a_month_has(reader, first, second, stay):
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, *first), *others(2, 3))
    write(reader, "出欠_B.csv", (1, *second), *others(4, 5, 6))
    assert len(taken(reader)) == (2 if stay else 1 if first == ("", 13) else 0)


def test_three_rows_are_a_conflict(reader):
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 5, 0), *others(2, 3))
    write(reader, "出欠_B.csv", (1, 6, 0), *others(4, 5, 6))
    write(reader, "出欠_C.csv", (1, 7, 0))
    assert taken(reader) == []
    assert reasons(reader) == ["duplicate_key"] * 3


def test_without_a_roster_no_file_is_of_any_school(reader):
    write(reader, "出欠_A.csv", (1, 5, 1), *others(2, 3))
    write(reader, "出欠_B.csv", (1, 13, 2), *others(4, 5, 6))
    assert taken(reader) == []


def test_a_file_of_which_no_school_has_most_pupils_is_of_none(reader):
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 5, 1), *others(2))
    write(reader, "出欠_B.csv", (1, 13, 2), *others(4, 3))
    assert taken(reader) == []


@pytest.mark.parametrize(
    ("said", "stay"),
    [
        ([("2024-09-01", 1, EAST), ("2025-04-01", 1, WEST)], True),
        ([("2024-09-01", 1, EAST), ("2025-04-01", 1, EAST)], False),
        ([("2025-04-01", 1, WEST)], False),  # nobody says where the pupil was before
        ([("2024-09-01", 1, EAST), ("2025-01-15", 1, WEST)], False),  # nor after
    ],
)
def test_one_file_of_all_schools_needs_two_schools_in_the_rosters_around_the_month(tmp_path, said, stay):
    reader = Reader(tmp_path, "tables: {attendance: {one_file: true}}")
    rosters(reader, *said)
    write(reader, "出欠.csv", (1, 5, 1), (1, 13, 2), *others(2, 3))
    assert taken(reader) == ([("c", 5, 1), ("c", 13, 2)] if stay else [])


def test_one_file_that_is_not_declared_contradicts_itself(reader):
    rosters(reader, ("2024-09-01", 1, EAST), ("2025-04-01", 1, WEST))
    write(reader, "出欠.csv", (1, 5, 1), (1, 13, 2))
    assert taken(reader) == []


def test_february_has_fewer_weekdays(reader):
    """2025-02: 20 weekdays."""
    assert dt.date(2025, 2, 28).weekday() == 4
    two_schools(reader)
    write(reader, "出欠_A.csv", (1, 11, 0), *others(2, 3), month="2025-02")
    write(reader, "出欠_B.csv", (1, 12, 0), *others(4, 5, 6), month="2025-02")
    assert taken(reader) == []
