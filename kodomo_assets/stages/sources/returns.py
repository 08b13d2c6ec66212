"""差戻し: what an office has to mend in its files, as a table and as a workbook that holds no value of any record."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence

import duckdb
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.office.problems import Problem
from kodomo_assets.office.written import without_clock

_SCOPES = {"file": "ファイルを除外", "column": "列・ファイルを確認", "row": "行を除外", "cell": "セルを欠損扱い"}
_HEADERS = {"表": 16, "ファイル": 28, "シート": 12, "行": 8, "項目": 14, "扱い": 14, "理由": 40, "お願い": 52}
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
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a worksheet")
    sheet.title = "差戻し"
    _head(sheet, catalogue.sections[section].ja, reference_date, len(rows) + len(faults))
    for name, file, row_number, column, check, words, *_ in faults:
        table, text = catalogue.tables[name], catalogue.reasons[check]
        told = text.ja + (f"：{words}" if words else "")
        place = table.columns[column].ja if column else None
        sheet.append([table.ja, file, None, row_number, place, _SCOPES["column"], told, text.todo])
    for table, file, place, row_number, column, scope, reason in rows[:_MOST_ROWS]:
        text = catalogue.reasons[reason]
        sheet.append([catalogue.tables[table].ja, file, place, row_number, column, _SCOPES[scope], text.ja, text.todo])
    _style(sheet)
    _lines(book, [line for *_, blocking, line in faults if blocking])
    content = io.BytesIO()
    book.save(content)
    return without_clock(content)


def _head(sheet: Worksheet, office: str, reference_date: dt.date, number: int) -> None:
    sheet.append([f"差戻し　{office}　基準日 {reference_date.isoformat()}"])
    shown = f"（先頭の{_MOST_ROWS:,}件）" if number > _MOST_ROWS else ""
    sheet.append(
        [
            f"次の{number:,}件{shown}を直し、同じファイル名で提出し直してください。"
            "行は、ファイルやシートの先頭を1と数えます。個人の情報は載せていません。"
        ]
    )
    sheet.append([])
    sheet.append(list(_HEADERS))


def _lines(book: Workbook, lines: Sequence[str]) -> None:
    """What the centre writes into its configuration to take the files as they are, of all the office's tables."""
    if not lines:
        return
    sheet = book.create_sheet("承認の行")
    told = "このまま受け入れるとき、センターが city.yaml の ingest.acknowledged に書く行（記入の所は書き換える）"
    sheet.append([told])
    for line in lines:
        sheet.append([line])
    sheet.column_dimensions["A"].width = 150
    for (cell,) in sheet.iter_rows(min_row=2):
        cell.data_type, cell.quotePrefix = "s", True


def _style(sheet: Worksheet) -> None:
    sheet["A1"].font = Font(bold=True, size=14)
    for cell in sheet[4]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDEBF7")
    for number, row in enumerate(sheet.iter_rows(min_row=5), start=5):
        # a full-width character is two wide; programs do not fit the height of rows that nobody touched
        lines = max(
            -(-2 * len(str(cell.value or "")) // width) for cell, width in zip(row, _HEADERS.values(), strict=True)
        )
        sheet.row_dimensions[number].height = 15 * lines
        for cell in row:
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            if isinstance(cell.value, str):
                # a file's name may begin like a formula
                cell.data_type = "s"
                cell.quotePrefix = cell.value.startswith(("=", "+", "-", "@"))
    for letter, width in zip("ABCDEFGH", _HEADERS.values(), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A5"
    sheet.auto_filter.ref = f"A4:H{sheet.max_row}"
    sheet.print_title_rows = "4:4"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
