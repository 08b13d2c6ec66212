"""差戻し: what an office has to mend in its files, as a table and as a workbook that holds no value of any record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
from openpyxl import Workbook

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.office.problems import Problem
from kodomo_assets.office.workbooks import (
    A4,
    TEXT,
    Column,
    Value,
    file_of,
    new_workbook,
    put_headers,
    put_rows,
    put_table,
    set_print,
)
from kodomo_assets.vocabulary import RETURNS

_SCOPES = {"file": "ファイルを除外", "column": "列・ファイルを確認", "row": "行を除外", "cell": "セルを欠損扱い"}
_COLUMNS = {
    "表": Column(16),
    "ファイル": Column(28),
    "シート": Column(12),
    "行": Column(8),
    "項目": Column(14),
    "扱い": Column(14),
    "理由": Column(40),
    "お願い": Column(52),
}
_MOST_ROWS = 20_000


def create_returns(
    con: duckdb.DuckDBPyConnection,
    table: SourceTable,
    problems: Sequence[Problem],
    reference_date: dt.date,
    *,
    table_refused: bool,
) -> None:
    """Makes the temp table ``new_returns``: refused files, and the rows and cells of ``new_quarantine``.

    Args:
        table_refused: so few files could be read that there is no ``new_quarantine``.
    """
    con.execute(
        "create or replace temp table new_returns (reference_date date, table_name varchar, file varchar, "
        "sheet varchar, row_number integer, column_name varchar, scope varchar, reason varchar)"
    )
    if problems:
        con.executemany(
            "insert into new_returns values ($1, $2, $3, $4, $5, $6, 'file', $7)",
            [(reference_date, table.id, p.file, p.sheet, p.row_number, p.column_name, p.reason) for p in problems],
        )
    if not table_refused:
        con.execute(
            "insert into new_returns by name "
            "select reference_date, table_name, file, sheet, row_number, column_name, scope, reason "
            "from new_quarantine"
        )


def returns_workbook(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, section: str, reference_date: dt.date
) -> bytes | None:
    """The workbook of one office from ``sources.returns``; None where nothing is to be mended."""
    tables = [table for table in catalogue.tables.values() if table.section == section]
    rows = con.execute(
        """
        select table_name, file, sheet, row_number, column_name, scope, reason
        from sources.returns
        where
            reference_date = $reference_date
            and list_contains($tables, table_name)
        order by list_position($tables, table_name), file, scope <> 'file', sheet, row_number, column_name
        """,
        {"reference_date": reference_date, "tables": [table.id for table in tables]},
    ).fetchall()
    faults = con.execute(
        """
        select table_name, file, row_number, column_name, check_name, words, blocking, line
        from sources.faults
        where
            reference_date = $reference_date
            and list_contains($tables, table_name)
            and not acknowledged
        order by list_position($tables, table_name), check_name, file, row_number, column_name
        """,
        {"reference_date": reference_date, "tables": [table.id for table in tables]},
    ).fetchall()
    if not rows and not faults:
        return None
    book, sheet = new_workbook(RETURNS)
    head = _head(catalogue.sections[section].ja, reference_date, len(rows) + len(faults))
    put_table(sheet, head, _COLUMNS, _rows(catalogue, faults, rows))
    set_print(sheet, None, paper=A4, landscape=True, care="")
    _put_lines(book, [line for *_, blocking, line in faults if blocking])
    return file_of(book)


def _rows(
    catalogue: Catalogue, faults: Sequence[tuple[Any, ...]], rows: Sequence[tuple[Any, ...]]
) -> Iterator[dict[str, Value]]:
    """What is found of whole columns first, then files, rows and cells."""
    for name, file, row_number, column, check, words, *_ in faults:
        table, text = catalogue.tables[name], catalogue.reasons[check]
        told = text.ja + (f"：{words}" if words else "")
        place = table.columns[column].ja if column else None
        yield _line(table.ja, file, None, row_number, place, "column", told, text.todo)
    for table, file, sheet, row_number, column, scope, reason in rows[:_MOST_ROWS]:
        text = catalogue.reasons[reason]
        yield _line(catalogue.tables[table].ja, file, sheet, row_number, column, scope, text.ja, text.todo)


def _line(
    table: str,
    file: str,
    sheet: str | None,
    row: int | None,
    column: str | None,
    scope: str,
    why: str,
    todo: str | None,
) -> dict[str, Value]:
    return dict(zip(_COLUMNS, (table, file, sheet, row, column, _SCOPES[scope], why, todo), strict=True))


def _head(office: str, reference_date: dt.date, number: int) -> tuple[str, str]:
    shown = f"（先頭の{_MOST_ROWS:,}件）" if number > _MOST_ROWS else ""
    return (
        f"{RETURNS}　{office}　基準日 {reference_date.isoformat()}",
        f"次の{number:,}件{shown}を直し、同じファイル名で提出し直してください。"
        "行は、ファイルやシートの先頭を1と数えます。個人の情報は載せていません。",
    )


def _put_lines(book: Workbook, lines: Sequence[str]) -> None:
    """What the centre writes into its configuration to take the files as they are, of all the office's tables."""
    if not lines:
        return
    sheet = book.create_sheet("承認の行")
    told = "このまま受け入れるとき、センターが city.yaml の ingest.acknowledged に書く行（記入の所は書き換える）"
    columns = {told: Column(150, number_format=TEXT)}
    put_headers(sheet, 1, columns)
    put_rows(sheet, 2, columns, [{told: line} for line in lines])
    set_print(sheet, None, paper=A4, landscape=True, care="")
