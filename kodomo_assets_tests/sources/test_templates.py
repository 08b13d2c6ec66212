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
from kodomo_assets.stages.sources.checks import check_rows_conserved
from kodomo_assets.stages.sources.inbox import scan_inbox
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
        case "int":
            return column.min or 1
        case "number":
            return 12.5
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
    assert outcome.notes == [f"{declared.ja}.xlsx: sheet 2: was not read"]


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
        if column.type == "code":
            assert rule is not None
            assert rule.formula1 == f'"{",".join(column.allowed)}"'
        elif column.type == "flag":
            assert rule is not None
            assert rule.formula1 == '"○,×"'
        elif column.type == "int":
            assert rule is not None
            assert int(rule.formula1) == (column.min or 0)
        else:
            assert rule is None
        if column.type in {"id", "text", "kana", "name", "month"}:
            assert sheet.column_dimensions[letter].number_format == "@"


def test_the_command_writes_them_into_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["templates"]) == 0
    assert said.getvalue().startswith("24 templates in ")
    assert len(list((tmp_path / "templates").glob("*.xlsx"))) == 24
