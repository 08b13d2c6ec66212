"""Files that are nearly right: each was once read wrongly, lost a row or ended in an error that was not the project's."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
import unicodedata
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.stages.sources.checks import check_rows_conserved
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets_tests.template import temporary

R = dt.date(2025, 4, 1)
CATALOGUE = load_catalogue()
ASSISTANCE = "宛名番号,開始日,廃止日,扶助種別"
ATTENDANCE = "学籍番号,年月,授業日数"


@pytest.fixture
def con():
    with temporary() as connection:
        yield connection


def deliver(folder: Path, table: str, **texts: str | bytes) -> list[InboxFile]:
    """Files named ``<table's name>_<keyword>.csv``."""
    for part, text in texts.items():
        path = folder / f"{CATALOGUE.tables[table].ja}_{part}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return scan_inbox(folder, CATALOGUE)


def read(con: duckdb.DuckDBPyConnection, table: str, files: list[InboxFile]) -> DeliveryOutcome:
    outcome = read_delivery(con, CATALOGUE, CATALOGUE.tables[table], files, R)
    assert check_rows_conserved(outcome).passed
    return outcome


def reasons(con: duckdb.DuckDBPyConnection) -> list[tuple]:
    return con.execute("select row_number, column_name, reason from new_quarantine order by all").fetchall()


@pytest.mark.parametrize(
    ("table", "header", "column"),
    [("nursery_enrolment", "宛名番号,入所日", "保育料滞納月数"), ("school_health_checks", "学籍番号,実施日", "身長")],
)
def test_a_number_of_hundreds_of_digits_is_an_invalid_cell(con, tmp_path, table, header, column):
    text = f"{header},{column}\n1,2024-04-01,{'9' * 400}\n"
    assert read(con, table, deliver(tmp_path, table, a=text)).rows_accepted == 1
    assert reasons(con) == [(2, column, "not_a_number")]


def test_digits_of_other_scripts_are_no_id(con, tmp_path):
    read(con, "public_assistance", deliver(tmp_path, "public_assistance", a=f"{ASSISTANCE}\n٣٣,2024-04-01,,\n"))
    assert reasons(con) == [(2, "宛名番号", "not_digits")]


def test_an_era_date_with_points_and_an_unknown_day_is_unknown(con, tmp_path):
    read(con, "public_assistance", deliver(tmp_path, "public_assistance", a=f"{ASSISTANCE}\n1,R6.4.1,R07.04.00,\n"))
    assert con.execute("select started_on, ended_on, unknown_cells from new_public_assistance").fetchall() == [
        (dt.date(2024, 4, 1), None, ["ended_on"])
    ]
    assert reasons(con) == []


def test_months_outside_the_range_of_dates_are_invalid(con, tmp_path):
    lines = ["1,2525-04,18", "2,1899-12,18", "3,1900年1月,18", "4,2045-04,18", "5,2045-05,18"]
    read(con, "attendance", deliver(tmp_path, "attendance", a="\n".join([ATTENDANCE, *lines])))
    assert con.execute("select pupil_id from new_attendance order by 1").fetchall() == [("00000003",), ("00000004",)]
    assert reasons(con) == [(row, "年月", "out_of_range") for row in (2, 3, 6)]


def test_cells_of_any_white_space_are_blank(con, tmp_path):
    read(
        con,
        "public_assistance",
        deliver(tmp_path, "public_assistance", a=f"{ASSISTANCE}\n\u20031\u2003,2024-04-01,\u3000,\u2003\n"),
    )
    assert con.execute(
        "select resident_id, ended_on, aid_type, invalid_cells from new_public_assistance"
    ).fetchall() == [("0000000001", None, None, [])]


def test_two_names_that_differ_in_normalisation_only_are_two_files(con, tmp_path):
    name = "出欠_ガ校.csv"
    for form, pupil in (("NFC", 1), ("NFD", 2)):
        text = f"{ATTENDANCE}\n{pupil},2025-01,18\n{pupil},来月,18\n"
        (tmp_path / unicodedata.normalize(form, name)).write_text(text, "utf-8")
    outcome = read(con, "attendance", scan_inbox(tmp_path, CATALOGUE))
    assert (outcome.rows_in, outcome.rows_accepted, outcome.rows_quarantined) == (4, 2, 2)


def test_a_file_that_cannot_be_opened_is_refused_by_name(con, tmp_path):
    texts = {f"{number:02d}": f"{ATTENDANCE}\n{number},2025-01,18\n" for number in range(10)}
    files = deliver(tmp_path, "attendance", **texts)
    files[0].path.unlink()
    outcome = read(con, "attendance", files)
    assert outcome.rows_accepted == 9
    assert outcome.files_refused == ["出欠_00.csv: cannot be opened (FileNotFoundError), expected a readable file"]
    with pytest.raises(DeliveryError, match=r"出欠_00\.csv: cannot be opened"):
        read(con, "attendance", files[:1])


def test_a_broken_byte_is_reported_where_it_stands_and_not_where_the_other_encoding_stops(con, tmp_path):
    text = f"{ASSISTANCE}\n1,2024-04-01,,生活\n".encode() + b"2,2024-04-01,,\xff\n"
    with pytest.raises(DeliveryError, match=r"生活保護_a\.csv, line 3: byte"):
        read(con, "public_assistance", deliver(tmp_path, "public_assistance", a=text))


def test_the_registers_school_is_found_whatever_stands_between_the_names(con, tmp_path):
    con.execute(
        "create temp view registered_pupils as select 'ヤマダ タロウ' as name_kana, "
        "date '2015-01-01' as birth_date, '081002' as school_code"
    )
    header = "学籍番号,学校コード,氏名カナ,生年月日"
    rows = {part: f"{header}\n1,{code},ヤマダタロウ,2015-01-01\n" for part, code in (("a", "081001"), ("b", "081002"))}
    read(con, "school_roster", deliver(tmp_path, "school_roster", **rows))
    assert con.execute("select school_code from new_school_roster").fetchall() == [("081002",)]


def test_blanked_out_names_match_nobody(con, tmp_path):
    """Names of 外字 alone leave nothing to compare; nothing equals nothing is no match."""
    con.execute(
        "create temp view registered_pupils as select '\ue000' as name_kana, "
        "date '2015-01-01' as birth_date, '081002' as school_code"
    )
    header = "学籍番号,学校コード,氏名カナ,生年月日"
    rows = {part: f"{header}\n1,{code},\ue001,2015-01-01\n" for part, code in (("a", "081001"), ("b", "081002"))}
    assert read(con, "school_roster", deliver(tmp_path, "school_roster", **rows)).rows_accepted == 0


def test_names_that_look_alike_once_they_are_readable_stay_apart(con, tmp_path):
    """Their list has one row a file; two of one name would stop the refresh."""
    for name in ("メモ\n.csv", "メモ\r.csv", "メモ?.csv"):
        (tmp_path / name).write_text("x")
    names = [file.name for file in scan_inbox(tmp_path, CATALOGUE)]
    assert sorted(names) == ["メモ?.csv", "メモ?.csv (2)", "メモ?.csv (3)"]
    assert [file.problem for file in scan_inbox(tmp_path, CATALOGUE) if file.name == "メモ?.csv"] == ["unknown_table"]


CELLS = st.sampled_from(["a", "", " ", '"a"', '""', '"a""b"', '"a,b"', '"a\nb"', 'a"b', ' "a"', '"a" ', '"', "'", "\\", "#a", "NULL"])  # fmt: skip


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=6), st.booleans())
@settings(max_examples=80, deadline=None)  # ~7 s: each is a file on disk and a reading of DuckDB
def test_rows_are_split_as_pythons_strict_reader_splits_them(lines, ends):
    """The quick reader gives the rows and numbers of the exact one, whatever quotation marks and line breaks do."""
    header = "宛名番号,異動日,異動事由"
    text = "\n".join([header, *(",".join(cells) for cells in lines)]) + "\n" * ends
    try:
        split = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        split = None
    with tempfile.TemporaryDirectory() as folder, temporary() as con:
        files = deliver(Path(folder), "moves", a=text)
        try:
            read(con, "moves", files)
        except DeliveryError:
            assert split is None
            return
        assert split is not None
        found = con.execute(
            "select source_row, problem, coalesce(resident_id, ''), coalesce(moved_on, ''), coalesce(move_type, '') "
            "from cells order by row_id"
        ).fetchall()
    expected = [
        (number, "too_many_cells" if any(cell.strip() for cell in row[3:]) else None, *row[:3], *[""] * (3 - len(row)))
        for number, row in enumerate(split, start=1)
        if number > 1 and any(cell.strip() for cell in row[:3])
    ]
    assert [(n, problem or None, *cells) for n, problem, *cells in found] == expected
