"""A delivered workbook -> the grids of its sheets, every cell as the text that would stand in a CSV file."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar
from xml.parsers import expat

import xlrd
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from kodomo_assets.japan.text import plain_cells
from kodomo_assets.office.formats.containers import ZIP, Package, decrypted
from kodomo_assets.office.formats.grids import Grid, Row
from kodomo_assets.office.formats.number_formats import percent_text, shows_percent
from kodomo_assets.office.formats.sheet_xml import inspect_sheet
from kodomo_assets.office.problems import MB, FileRefusedError, SheetPlace, refuse

T = TypeVar("T")

#: The sheet of a template that tells how to fill it in (templates.py); nobody needs to hear that it was not read.
GUIDE_SHEET = "書き方"

# Excel keeps fifteen digits of a number; of a longer one the last are made up.
_EXACT = 10**15
# A sheet is laid out as a full rectangle in memory: one stray cell in the last corner would ask for 17 billion cells.
_MAX_CELLS = 15_000_000


@dataclass(frozen=True)
class Sheet:
    """A sheet that is there: its place, whether it is hidden, and how its grid is made (may raise FileRefusedError)."""

    place: SheetPlace
    hidden: bool
    grid: Callable[[], Grid]


def open_workbook(content: bytes, name: str, password_file: Path | None, head_rows: int, max_mb: int) -> list[Sheet]:
    """The worksheets of a workbook, in its order.

    Args:
        max_mb: so much may be in it when unpacked (``ingest.max_workbook_mb``).

    Raises:
        FileRefusedError: no workbook, damaged, unsafe, or its password is wanting or wrong.
    """
    plain = decrypted(content, name, password_file)
    if plain.startswith(ZIP):
        return _sheets_of_package(plain, name, head_rows, max_mb * MB)
    return _sheets_of_xls(plain, name, head_rows)


def _sheets_of_package(content: bytes, name: str, head_rows: int, max_bytes: int) -> list[Sheet]:
    package = Package(content, name, max_bytes)
    if package.counts_dates_from_1904:
        raise _uses_1904(name)
    book = _guarded(name, lambda: CalamineWorkbook.from_filelike(io.BytesIO(content)))

    def grid(sheet: SheetPlace) -> Callable[[], Grid]:
        return lambda: _package_grid(package, book, name, sheet, head_rows)

    places = [(SheetPlace(facts.name, number), facts) for number, facts in enumerate(book.sheets_metadata, start=1)]
    return [
        Sheet(place, facts.visible != SheetVisibleEnum.Visible, grid(place))
        for place, facts in places
        if facts.typ == SheetTypeEnum.WorkSheet
    ]


def _package_grid(package: Package, book: CalamineWorkbook, name: str, sheet: SheetPlace, head_rows: int) -> Grid:
    try:
        facts = inspect_sheet(package.sheet(sheet), package.percent_styles)
    except (expat.ExpatError, ValueError):
        raise refuse(
            name, "unreadable_workbook", "its contents are damaged; save it anew in Excel", sheet=sheet
        ) from None
    _refuse_too_large(name, sheet, facts.rows, facts.columns)
    if facts.formula_without_value is not None:
        raise refuse(
            name,
            "formula_without_value",
            f"cell {facts.formula_without_value} is a formula without a saved result; "
            "open the file in Excel, let it calculate and save it",
            sheet=sheet,
        )
    values = _guarded(name, lambda: book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False))

    def rows() -> Iterator[Row]:
        for number, cells in enumerate(values, start=1):
            texts = [cell if type(cell) is str else _cell_text(cell) for cell in cells]
            for column in facts.percents.get(number, ()):
                value = cells[column - 1] if column <= len(cells) else None
                if isinstance(value, float):
                    texts[column - 1] = percent_text(value)
            for column, error in facts.errors.get(number, {}).items():
                # the library gives nothing for an error cell
                texts += [""] * (column - len(texts))
                texts[column - 1] = error
            yield number, plain_cells(texts)

    return _grid(name, sheet, rows, head_rows, facts.hidden_rows)


def _sheets_of_xls(content: bytes, name: str, head_rows: int) -> list[Sheet]:
    # what the library prints would be lost or, worse, seen
    silent = io.StringIO()
    try:
        book = xlrd.open_workbook(file_contents=content, logfile=silent, formatting_info=True, ragged_rows=True)
    except Exception:
        # odd formats stop it where values alone do not; hidden rows are unknown then
        book = _guarded(name, lambda: xlrd.open_workbook(file_contents=content, logfile=silent, ragged_rows=True))

    if book.datemode:
        raise _uses_1904(name)

    def grid(sheet: xlrd.sheet.Sheet) -> Callable[[], Grid]:
        return lambda: _xls_grid(book, sheet, name, head_rows)

    return [
        Sheet(SheetPlace(sheet.name, number), sheet.visibility != 0, grid(sheet))
        for number, sheet in enumerate(book.sheets(), start=1)
    ]


def _xls_grid(book: xlrd.book.Book, sheet: xlrd.sheet.Sheet, name: str, head_rows: int) -> Grid:
    place = SheetPlace(sheet.name, sheet.number + 1)
    _refuse_too_large(name, place, sheet.nrows, sheet.ncols)

    percents = _xls_percents(book)

    def rows() -> Iterator[Row]:
        for number in range(sheet.nrows):
            yield number + 1, plain_cells([_xls_text(cell, book, percents) for cell in sheet.row(number)])

    hidden = sum(1 for number, facts in sheet.rowinfo_map.items() if facts.hidden and number < sheet.nrows)
    grid = _grid(name, place, rows, head_rows, hidden)
    if book.formatting_info:
        return grid
    unknown = f"{place}: its number formats cannot be read; cells in per cent are read as they are stored (0.253)"
    return replace(grid, notes=(*grid.notes, unknown))


def _grid(name: str, sheet: SheetPlace, rows: Callable[[], Iterator[Row]], head_rows: int, hidden_rows: int) -> Grid:
    return Grid(
        file=name,
        sheet=sheet,
        head=list(islice(rows(), head_rows)),
        rows=rows,
        plain=None,
        shifted=False,
        notes=(f"{sheet}: {hidden_rows} hidden rows were read",) if hidden_rows else (),
    )


def _uses_1904(name: str) -> FileRefusedError:
    """A number in a date column would be read four years and a day too early (method §1: the 1900 system)."""
    return refuse(
        name,
        "dates_from_1904",
        "counts its dates from 1904, expected the 1900 system; switch it off in Excel's options and save the file",
    )


def _refuse_too_large(name: str, sheet: SheetPlace, rows: int, columns: int) -> None:
    if rows * columns > _MAX_CELLS:
        raise refuse(
            name,
            "too_large_inside",
            f"found cells down to row {rows:,} and column {columns:,}, expected at most {_MAX_CELLS:,} cells; "
            "delete what stands far below or beside the table",
            sheet=sheet,
        )


def _guarded(name: str, read: Callable[[], T]) -> T:
    """What a reading library throws at a damaged file (Rust's panics are no Exception) as a refusal."""
    try:
        return read()
    except (FileRefusedError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise refuse(
            name,
            "unreadable_workbook",
            f"its contents are damaged ({type(error).__name__}); open it in Excel and save it anew",
        ) from None


def _cell_text(cell: object) -> str:
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return _number_text(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell)


def _number_text(number: float) -> str:
    """3.0 as 3; a number of more digits than Excel keeps in the form that nobody takes for exact."""
    if abs(number) >= _EXACT:
        return f"{number:.6E}"
    return str(int(number)) if number.is_integer() else repr(number)


def _xls_percents(book: xlrd.book.Book) -> frozenset[int]:
    """The cell formats that show per cent."""
    forms = {key: form.format_str for key, form in book.format_map.items()}
    return frozenset(i for i, xf in enumerate(book.xf_list) if shows_percent(forms.get(xf.format_key, "")))


def _xls_text(cell: xlrd.sheet.Cell, book: xlrd.book.Book, percents: frozenset[int]) -> str:
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return percent_text(cell.value) if cell.xf_index in percents else _number_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return str(xlrd.xldate_as_datetime(cell.value, book.datemode).date())
        except (ValueError, OverflowError):
            return _number_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#N/A"))
    return str(cell.value)
