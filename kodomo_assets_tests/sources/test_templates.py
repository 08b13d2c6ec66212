"""The offices' templates: filled in, each is read without a single error; empty, it says nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import Column, load_catalogue
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.sources.checks import check_rows_conserved
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets.stages.sources.templates import write_templates

CATALOGUE = load_catalogue()
R = dt.date(2025, 4, 1)
TABLES = list(CATALOGUE.tables)


@pytest.fixture(scope="module")
def templates(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("templates")
    paths = write_templates(CATALOGUE, folder)
    assert [path.stem for path in paths] == [table.ja for table in CATALOGUE.tables.values()]
    return folder


def filled(column: Column, row: int) -> object:
    """What an office would type into a cell of the column."""
    match column.type:
        case "id":
            return str(row)  # its leading zeros are not typed
        case "date":
            return dt.date(2017, 5, 1 + row) if column.birth else "令和6年4月1日"
        case "month":
            return "2025-01"
        case "int" if column.fiscal_year:
            return "令和6年度" if row % 2 else 2024
        case "int":
            return column.min or 1
        case "number":
            return (column.min or 0) + 12.5
        case "flag":
            return "○" if row % 2 else "×"
        case "code":
            return column.allowed[row % len(column.allowed)]
        case "kana":
            return "カクウ ハナコ"
        case _:
            return f"架空{row}"


def read(folder: Path, table: str) -> DeliveryOutcome:
    with duckdb.connect() as con:
        outcome = read_delivery(con, CATALOGUE, CATALOGUE.tables[table], scan_inbox(folder, CATALOGUE), R)
        assert check_rows_conserved(outcome).passed
        if outcome.cells_quarantined or outcome.rows_quarantined:
            raise AssertionError(con.execute("select column_name, reason from new_quarantine").fetchall())
        return outcome


@pytest.mark.parametrize("table", TABLES)
def test_a_filled_template_is_read_without_any_error(templates, tmp_path, table):
    declared = CATALOGUE.tables[table]
    book = openpyxl.load_workbook(templates / f"{declared.ja}.xlsx")
    for row in (1, 2):
        for index, column in enumerate(declared.columns.values(), start=1):
            book.worksheets[0].cell(row + 1, index, filled(column, row))
    book.save(tmp_path / f"{declared.ja}.xlsx")
    outcome = read(tmp_path, table)
    assert (outcome.rows_in, outcome.rows_accepted) == (2, 2)
    assert outcome.absent_columns == outcome.surplus_columns == []
    assert outcome.notes == []


@pytest.mark.parametrize("table", TABLES)
def test_the_example_is_sent_back_and_is_nobodys_record(templates, tmp_path, table):
    declared = CATALOGUE.tables[table]
    book = openpyxl.load_workbook(templates / f"{declared.ja}.xlsx")
    guide = {row[0]: row for row in book["書き方"].iter_rows(values_only=True) if row[0]}
    assert guide["見出し"][4] == "記入例（架空）"
    assert guide["だれの行か"][1]
    assert guide["いつの記録か"][1] not in ("", "－")
    for index, column in enumerate(declared.columns.values(), start=1):
        book.worksheets[0].cell(2, index, guide[column.ja][4])
        book.worksheets[0].cell(3, index, filled(column, 1))
    book.save(tmp_path / f"{declared.ja}.xlsx")
    with duckdb.connect() as con:
        outcome = read_delivery(con, CATALOGUE, declared, scan_inbox(tmp_path, CATALOGUE), R)
        assert (outcome.rows_in, outcome.rows_accepted) == (2, 1)
        ((row, scope, reason),) = con.execute("select row_number, scope, reason from new_quarantine").fetchall()
    # by its number, which is none, where the table has no text that says so
    assert (row, scope) == (2, "row")
    told = [guide[column.ja][4] or "" for column in declared.columns.values() if column.type in {"text", "name"}]
    assert reason == ("example_row" if any(text.startswith("記入例") for text in told) else "no_number")


def test_the_window_of_a_table_is_that_of_its_items(templates, tmp_path):
    assert explained(templates, "出欠")["いつの記録か"] == "基準日の前の12か月"
    assert explained(templates, "異動履歴")["いつの記録か"] == (
        "基準日までの36か月に異動したもの（それより前のものがあってもよい）。異動日が基準日より後の行は使いません"
    )
    city = tmp_path / "city.yaml"
    city.write_text("items: {absence_days: {window_months: 18}}", "utf-8")
    write_templates(load_catalogue(city), tmp_path)
    assert explained(tmp_path, "出欠")["いつの記録か"] == "基準日の前の18か月"


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_template_is_a_delivery_without_rows(templates, tmp_path, table):
    name = f"{CATALOGUE.tables[table].ja}.xlsx"
    (tmp_path / name).write_bytes((templates / name).read_bytes())
    assert read(tmp_path, table).rows_in == 0


@pytest.mark.parametrize("table", TABLES)
def test_drop_downs_and_formats_follow_the_contract(templates, table):
    declared = CATALOGUE.tables[table]
    sheet = openpyxl.load_workbook(templates / f"{declared.ja}.xlsx").worksheets[0]
    rules = {
        str(rule.sqref)[: len(str(rule.sqref)) // 2 + 1].split("2:")[0]: rule
        for rule in sheet.data_validations.dataValidation
    }
    for index, column in enumerate(declared.columns.values(), start=1):
        letter = openpyxl.utils.get_column_letter(index)
        assert sheet.cell(1, index).value == column.ja
        rule = rules.get(letter)
        if rule is not None:
            # else Excel shows the list and takes any other value without a word
            assert rule.showErrorMessage
            assert rule.allow_blank
            assert str(rule.sqref) == f"{letter}2:{letter}5001"
        if column.type == "code":
            assert rule is not None
            assert rule.formula1 == f'"{",".join(column.allowed)}"'
        elif column.type == "flag":
            assert rule is not None
            assert rule.formula1 == '"○,×"'
        elif column.fiscal_year:
            assert rule is None  # 令和7年度 may be typed
        elif column.type == "int":
            assert rule is not None
            assert int(rule.formula1) == (column.min or 0)
        else:
            assert rule is None
        if column.type in {"id", "text", "kana", "name", "month"}:
            assert sheet.column_dimensions[letter].number_format == "@"


def explained(folder: Path, table: str) -> dict[str, str]:
    sheet = openpyxl.load_workbook(folder / f"{table}.xlsx")["書き方"]
    return {row[0]: row[1] for row in sheet.iter_rows(values_only=True) if row[0]}


@pytest.mark.parametrize("table", ["校務支援学籍", "出欠", "学校健診"])
def test_what_schools_deliver_or_tell_pupils_by_may_come_per_school(templates, table):
    said = explained(templates, table)
    assert f"学校ごとなら {table}_学校名.xlsx" in said["ファイル名"]
    assert f"シートの名前を「{table}_学校名」" in said["シート"]
    assert "学校ごと" not in explained(templates, "住民記録")["ファイル名"]


def test_the_dates_of_delivery_are_those_of_the_calendar(templates, tmp_path):
    assert explained(templates, "生活保護")["提出の時期"] == "各学期（4月1日・9月1日・1月1日の基準日）"
    assert explained(templates, "要介護認定")["提出の時期"] == "年1回（4月1日の基準日）"
    city = tmp_path / "city.yaml"
    city.write_text('calendar: {terms: ["10-01", "05-01"], yearly: "10-01", first_reference_date: 2024-05-01}', "utf-8")
    write_templates(load_catalogue(city), tmp_path)
    assert explained(tmp_path, "生活保護")["提出の時期"] == "各学期（10月1日・5月1日の基準日）"
    assert explained(tmp_path, "要介護認定")["提出の時期"] == "年1回（10月1日の基準日）"


def test_codes_of_a_city_that_excel_would_take_apart_or_reckon(tmp_path):
    """A comma would make two choices of one code; ``=`` at the beginning would make a formula of the explanation."""
    city = tmp_path / "city.yaml"
    city.write_text(
        'tables: {resident_register: {columns: {sex: {allowed: ["=1+1", 女]}}}, '
        'moves: {columns: {move_type: {allowed: ["転入, 転出", 転居]}}}}\n'
        "items: {residential_moves: {words: {counted: [転居]}}}",
        "utf-8",
    )
    write_templates(load_catalogue(city), tmp_path)
    cells = openpyxl.load_workbook(tmp_path / "住民記録.xlsx")["書き方"]["D"]
    assert [cell.data_type for cell in cells if cell.value == "=1+1・女"] == ["s"]
    assert not openpyxl.load_workbook(tmp_path / "異動履歴.xlsx")["異動履歴"].data_validations.dataValidation


def test_a_long_list_of_codes_is_not_cut_off_on_paper(templates):
    """Ten 相談種別 are 47 characters: two lines; on one line the last ones were cut off."""
    sheet = openpyxl.load_workbook(templates / "児童相談記録.xlsx")["書き方"]
    heights = {row[0].value: sheet.row_dimensions[row[0].row].height for row in sheet.iter_rows()}
    assert (heights["相談種別"], heights["相談経路"]) == (30, 15)


def test_the_command_writes_them_into_the_data_folder(tmp_path, monkeypatch):
    data = tmp_path / "data"
    monkeypatch.setenv("KODOMO_DATA_DIR", str(data))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["templates"]) == 0
    # 24 tables of the contract, and 支援記録
    assert said.getvalue().startswith("25 templates in ")
    assert len(list((data / "templates").glob("*.xlsx"))) == 25
    assert data.stat().st_mode & 0o077 == 0


def test_a_template_that_somebody_filled_in_is_left_alone(tmp_path):
    filled_in = tmp_path / "出欠.xlsx"
    filled_in.write_bytes(b"mine")
    assert filled_in not in write_templates(CATALOGUE, tmp_path)
    assert filled_in.read_bytes() == b"mine"
