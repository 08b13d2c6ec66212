"""The calendar of a date: due days counted back from the 面談 by hand, what counts as done, what is overdue."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.papers.calendar import build_calendar, calendar_state, check_calendar
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.tables import create_tables

DAY = dt.date(2025, 4, 1)
NOON = "2025-04-20 12:00:00+09"


def configured(tmp_path, text: str) -> Catalogue:
    path = tmp_path / "city.yaml"
    path.write_text(text, "utf-8")
    return load_catalogue(path)


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    return configured(
        tmp_path,
        'interviews: {windows: {"081001": [{from: 11-04, until: 11-14}, {from: 06-20, until: 07-04}]}}\n',
    )


@pytest.fixture
def con(catalogue):
    """Two schools on the list of 1 April 2025: 081001 (window of its own) with two children, 081002 with one."""
    with in_memory() as con:
        create_tables(con, catalogue)
        con.execute(
            "insert into linkage.schools by name select $1::date as reference_date, code as school_code, "
            "name as school_name from (values ('081001', '北小学校'), ('081002', '南小学校'), ('081003', '東小学校')) as t(code, name)",
            [DAY],
        )
        insert(con, "screening.ranking", [ranked("a", "081001"), ranked("b", "081001"), ranked("c", "081002")])
        yield con


def ranked(child: str, school: str, *, selected: bool = True) -> dict[str, object]:
    return {"reference_date": DAY, "child_key": child, "school_code": school, "selected": selected}


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, object]]) -> None:
    """Rows of which only some columns matter here; the others get a value of their type."""
    schema, name = table.split(".")
    columns = con.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() where schema_name = $1 and table_name = $2 "
        "order by column_index",
        [schema, name],
    ).fetchall()
    blank = {"VARCHAR": "", "BOOLEAN": False, "DATE": DAY, "TIMESTAMP WITH TIME ZONE": NOON, "VARCHAR[]": []}
    for row in rows:
        values = [row.get(c, None if nullable else blank.get(kind, 0)) for c, kind, nullable in columns]
        con.execute(f"insert into {table} values ({', '.join('?' * len(values))})", values)


def written(con: duckdb.DuckDBPyConnection, file: str, children: int, at: str = NOON) -> None:
    row = {
        "reference_date": DAY,
        "kind": file.partition(".")[0].partition("_")[0],
        "file": file,
        "exported_at": at,
        "children": children,
    }
    insert(con, "review.exports", [row])


def steps(con: duckdb.DuckDBPyConnection, *columns: str) -> dict[tuple[str, str | None], tuple]:
    rows = con.execute(f"select step, school_code, {', '.join(columns)} from new_calendar").fetchall()
    return {(step, school): tuple(rest) for step, school, *rest in rows}


def test_days_are_counted_back_from_the_interviews(con, catalogue):
    build_calendar(con, catalogue, DAY)
    # 081001 begins on 20 June, 081002 sixty days after 1 April: on 31 May
    assert {key: due for key, (due,) in steps(con, "due_on").items()} == {
        ("deliveries", None): dt.date(2025, 4, 19),
        ("refresh", None): dt.date(2025, 4, 24),
        ("meeting", None): dt.date(2025, 5, 17),
        ("sheets_out", "081001"): dt.date(2025, 5, 16),
        ("sheets_out", "081002"): dt.date(2025, 4, 26),
        ("sheets_back", "081001"): dt.date(2025, 5, 30),
        ("sheets_back", "081002"): dt.date(2025, 5, 10),
        ("school_list", "081001"): dt.date(2025, 6, 13),
        ("school_list", "081002"): dt.date(2025, 5, 24),
    }


def test_what_is_done(con, catalogue):
    written(con, "判定会議.xlsx", 3, "2025-04-22 23:30:00+00")
    written(con, "個人票_北小学校.xlsx", 2, "2025-04-23 10:00:00+09")
    written(con, "個人票_北小学校.xlsx", 2, "2025-04-25 10:00:00+09")
    insert(
        con,
        "review.personal_sheets",
        [
            {
                "reference_date": DAY,
                "child_key": "a",
                "school_code": "081001",
                "read_on": dt.date(2025, 5, 7),
                "minutes": 12,
            },
            {
                "reference_date": DAY,
                "child_key": "b",
                "school_code": "081001",
                "read_on": dt.date(2025, 5, 9),
                "minutes": 20,
            },
        ],
    )
    build_calendar(con, catalogue, DAY)
    found = steps(con, "done_on", "done", "of_all")
    # half past eight in the morning of the 23rd in Japan
    assert found["refresh", None] == (dt.date(2025, 4, 23), 1, 1)
    assert found["sheets_out", "081001"] == (dt.date(2025, 4, 23), 1, 1)
    # the list is there, and no 個人票 of this school: it has nothing to do
    assert found["sheets_out", "081002"] == (None, 0, 0)
    assert found["sheets_back", "081001"] == (dt.date(2025, 5, 9), 2, 2)
    assert found["sheets_back", "081002"] == (None, 0, 0)
    assert found["meeting", None] == (None, 0, 3)
    assert found["school_list", "081002"] == (None, 0, 1)
    (school,) = con.execute(
        "select sheets, returned, return_rate, days, minutes, with_minutes from new_sheet_returns where school_code = '081001'"
    ).fetchall()
    assert school == (2, 2, 1.0, 16, 16.0, 2)


def test_a_school_is_back_once_the_sheets_of_all_its_classes_are(con, catalogue):
    # the whole school's file gave way to one a class; the child of one class left the list
    written(con, "個人票_北小学校.xlsx", 2, "2025-04-22 10:00:00+09")
    for name in ("小4_01組", "小6_組不明", "中1_01組"):
        written(con, f"個人票_北小学校_{name}.xlsx", 1, "2025-04-23 10:00:00+09")
    written(con, "個人票_北小学校.xlsx", 0, "2025-04-23 10:00:00+09")
    written(con, "個人票_北小学校_中1_01組.xlsx", 0, "2025-04-24 10:00:00+09")
    # of another school, whose name begins alike
    written(con, "個人票_北小学校分校_小4_01組.xlsx", 5)
    back = {"reference_date": DAY, "school_code": "081001"}
    insert(con, "review.personal_sheets", [{**back, "child_key": "a", "read_on": dt.date(2025, 5, 7)}])
    build_calendar(con, catalogue, DAY)
    found = steps(con, "done_on", "done", "of_all")
    assert found["sheets_out", "081001"][0] == dt.date(2025, 4, 22)
    assert found["sheets_back", "081001"] == (None, 1, 2)
    insert(con, "review.personal_sheets", [{**back, "child_key": "b", "read_on": dt.date(2025, 5, 9)}])
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["sheets_back", "081001"] == (dt.date(2025, 5, 9), 2, 2)
    # what stands on a sheet is the calendar's day
    due = {school: catalogue.due_on("sheets_back", school, DAY) for school in ("081001", "081002")}
    assert due == {"081001": dt.date(2025, 5, 30), "081002": dt.date(2025, 5, 10)}


def test_the_meeting_is_over_once_everyone_is_decided(con, catalogue):
    written(con, "支援対象者_北小学校.xlsx", 1, "2025-05-21 10:00:00+09")
    decided = [
        {"reference_date": DAY, "child_key": child, "decision": "c", "meeting_date": dt.date(2025, 5, day)}
        for child, day in (("a", 13), ("b", 20), ("c", 13))
    ]
    insert(con, "review.decisions_in_force", decided)
    build_calendar(con, catalogue, DAY)
    found = steps(con, "done_on", "done", "of_all")
    assert found["meeting", None] == (dt.date(2025, 5, 20), 3, 3)
    assert found["school_list", "081001"] == (dt.date(2025, 5, 21), 1, 1)
    # nobody of this school is to be told of
    assert found["school_list", "081002"] == (None, 0, 0)


def test_a_list_of_nobody_asks_for_no_list_of_the_schools(con, catalogue):
    con.execute("update screening.ranking set selected = false")
    build_calendar(con, catalogue, DAY)
    assert steps(con, "of_all")["school_list", "081001"] == (1,)
    # the list was made, and holds nobody: no school is waited for
    written(con, "判定会議.xlsx", 0)
    build_calendar(con, catalogue, DAY)
    found = steps(con, "done_on", "done", "of_all")
    assert found["school_list", "081001"] == found["sheets_out", "081001"] == (None, 0, 0)


def test_a_table_that_the_city_never_had_is_not_awaited(con, catalogue):
    def delivered(table: str, day: dt.date, at: str) -> dict[str, object]:
        return {
            "reference_date": day,
            "table_name": table,
            "status": "accepted",
            "superseded": False,
            "received_at": at,
        }

    insert(
        con,
        "sources.deliveries",
        [
            delivered("resident_register", DAY, "2025-04-10 09:00:00+09"),
            delivered("school_register", DAY, "2025-04-11 09:00:00+09"),
            delivered("child_consultations", DAY, "2025-04-12 09:00:00+09"),
            delivered("moves", dt.date(2025, 1, 1), "2025-01-08 09:00:00+09"),
        ],
    )
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["deliveries", None] == (None, 3, 4)
    insert(con, "sources.deliveries", [delivered("moves", DAY, "2025-04-18 09:00:00+09")])
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["deliveries", None] == (dt.date(2025, 4, 18), 4, 4)
    # one file of it is refused whole
    insert(con, "sources.returns", [{"reference_date": DAY, "table_name": "moves", "file": "f", "scope": "file"}])
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["deliveries", None] == (None, 3, 4)


def test_a_table_that_is_stopped_has_not_come(con, catalogue):
    delivered = [
        {"reference_date": DAY, "table_name": name, "status": "accepted", "superseded": False, "received_at": NOON}
        for name in ("resident_register", "school_register", "child_consultations")
    ]
    insert(con, "sources.deliveries", delivered)
    fault = {"reference_date": DAY, "table_name": "school_register", "blocking": True, "acknowledged": True}
    insert(con, "sources.faults", [fault])
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["deliveries", None] == (dt.date(2025, 4, 20), 3, 3)
    insert(con, "sources.faults", [fault | {"acknowledged": False}])
    build_calendar(con, catalogue, DAY)
    assert steps(con, "done_on", "done", "of_all")["deliveries", None] == (None, 2, 3)


def test_a_window_of_a_school_that_no_register_knows_is_told(con, tmp_path):
    catalogue = configured(tmp_path, 'interviews: {windows: {"81001": [{from: 06-20, until: 07-04}]}}')
    build_calendar(con, catalogue, DAY)
    found = check_calendar(con, dt.date(2025, 4, 1))
    assert not found.passed
    assert found.message.startswith("interviews.windows names 81001, which no 学齢簿 knows")


def test_a_window_that_begins_on_a_reference_date_is_of_the_date_before(tmp_path):
    catalogue = configured(tmp_path, 'interviews: {windows: {"1": [{from: 09-01, until: 09-10}]}}')
    terms = [dt.date(2025, 4, 1), dt.date(2025, 9, 1), dt.date(2026, 1, 1)]
    assert catalogue.interviews.window("1", *terms[:2]) == (dt.date(2025, 9, 1), dt.date(2025, 9, 10))
    assert catalogue.interviews.window("1", *terms[1:]) is None


def test_what_is_overdue_is_named_without_a_child(con, catalogue):
    build_calendar(con, catalogue, DAY)
    # the day itself is not over
    assert check_calendar(con, dt.date(2025, 4, 19)).passed
    late = check_calendar(con, dt.date(2025, 5, 11))
    assert not late.passed
    assert "deliveries: was due on 2025-04-19; refresh: was due on 2025-04-24" in late.message
    assert "sheets_out: was due on 2025-04-26 at 1 schools" in late.message
    assert late.facts.items() >= {"steps": 3, "overdue": 3, "unknown_windows": 0}.items()


def test_the_state_changes_on_the_day_after_something_was_due(catalogue):
    def state(month: int, day: int) -> str:
        return calendar_state(catalogue, DAY, dt.date(2025, month, day))

    assert state(4, 18) == state(4, 19) != state(4, 20)
    # the school with a window of its own
    assert state(6, 13) != state(6, 14) == state(12, 31)


def test_before_the_refresh_the_schools_are_those_of_the_date_before(con, catalogue):
    build_calendar(con, catalogue, dt.date(2025, 9, 1))
    due = {key: due for key, (due,) in steps(con, "due_on").items()}
    assert due["school_list", "081001"] == dt.date(2025, 10, 28)
    assert due["school_list", "081002"] == dt.date(2025, 10, 24)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("interviews: {days_before: {meeting: 30}}", "sheets_back 21 lies after meeting 30"),
        ("interviews: {days_before: {school_list: -1}}", "expected 0 or more days before"),
        ('interviews: {windows: {"081001": [{from: 6-1, until: 06-10}]}}', "found '6-1', expected MM-DD"),
        ('interviews: {windows: {"081001": [{from: 02-29, until: 06-10}]}}', "found '02-29', expected MM-DD"),
        ('interviews: {windows: {"北小": [{from: 06-01, until: 06-10}]}}', "081001|北小"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=message):
        configured(tmp_path, text)


def test_a_window_may_end_in_the_next_year(tmp_path):
    catalogue = configured(tmp_path, 'interviews: {windows: {"1": [{from: 12-20, until: 01-10}]}}')
    found = catalogue.interviews.window("1", dt.date(2025, 9, 1), dt.date(2026, 1, 1))
    assert found == (dt.date(2025, 12, 20), dt.date(2026, 1, 10))
