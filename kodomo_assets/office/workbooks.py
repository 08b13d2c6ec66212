"""The one writer of workbooks: text that stays text, the look of cells, what people fill in, print, the file itself.

What belongs here: how a workbook is written. What does not: what stands in it.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.office.written import without_clock
from kodomo_assets.vocabulary import DO_NOT_PASS_ON, KIND, MARK_SHEET, REFERENCE_DATE, SCHOOL, VERSION

#: Very hidden too, and there only where the choices of a drop-down do not fit into the rule itself.
CHOICES_SHEET = "選択肢"
#: The row of the headers in every table; title, care and guidance stand above it.
HEADER_ROW = 4

#: Number formats: what is typed stays the text that it is ("-" begins no formula, 0012 keeps its zeros); and days.
TEXT, DAY = "@", "yyyy-mm-dd"
A3, A4 = 8, 9
#: The letters that people read: a face made for public forms, and its size in points.
FONT, SIZE = "BIZ UDPゴシック", 10
_LINE_HEIGHT = 15.0
#: Excel's own limits: the height of a row in points, and what a cell holds in UTF-16 units.
_TALLEST, _MOST_UNITS = 409.0, 32_767
MOST_LINES = int(_TALLEST // _LINE_HEIGHT)
_CUT = "…（長いため以下略）"

_HEAD, _ASKED = PatternFill("solid", fgColor="DDEBF7"), PatternFill("solid", fgColor="FFF2CC")
_MARKED, _LOCKED = PatternFill("solid", fgColor="FCE4D6"), PatternFill("solid", fgColor="E7E6E6")
_ALARM, _LINK = "C00000", "0563C1"
_THIN = Side(style="thin", color="A6A6A6")
_BORDER = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_GROUP = Border(left=_THIN, right=_THIN, top=Side(style="medium", color="404040"), bottom=_THIN)
# characters that XML cannot hold, without which no program opens the file
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


# what Excel counts days from
_DAY_ZERO = dt.date(1899, 12, 30)

#: What a cell holds.
Value: TypeAlias = str | int | float | dt.date | None


@dataclass(frozen=True)
class Column:
    """How a column looks.

    Attributes:
        width: in characters; a full-width one is two.
        asked: people fill it in.
        number_format: the form of its values.
        bold: of its header.
        comment: shown beside its header.
    """

    width: float
    asked: bool = False
    hidden: bool = False
    number_format: str = "General"
    bold: bool = True
    comment: str | None = None


def new_workbook(title: str) -> tuple[Workbook, Worksheet]:
    """A workbook and its first worksheet, called ``title``."""
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a worksheet")
    sheet.title = title
    return book, sheet


def finish(
    book: Workbook, kind: str, reference_date: dt.date | None, version: str | None, school: str | None = None
) -> bytes:
    """The file, with the very hidden sheet that tells what it is when it comes back; what is None is not told."""
    mark = book.create_sheet(MARK_SHEET)
    day = reference_date.isoformat() if reference_date else None
    told = {KIND: kind, REFERENCE_DATE: day, VERSION: version, SCHOOL: school}
    for key, value in told.items():
        if value is None:
            continue
        mark.append([key, None])
        put(mark.cell(mark.max_row, 2), value)
    mark.sheet_state = "veryHidden"
    return file_of(book)


def file_of(book: Workbook) -> bytes:
    """The file without a sheet that tells what it is: of what does not come back, or is known by its rows."""
    content = io.BytesIO()
    book.save(content)
    return without_clock(content)


def class_order(school_year: int, class_name: str | None, name: str) -> tuple[int, bool, int, str, str]:
    """A key to sort children as in a class register: 2組 before 10組, classes without a number behind them."""
    group = unicodedata.normalize("NFKC", class_name or "").strip().removesuffix("組")
    number = int(group) if group.isdecimal() else 0
    return school_year, not group.isdecimal(), number, group, name


def put(cell: Cell | MergedCell, value: Value) -> None:
    """Writes a value; text stays text, even where it begins like a formula, and is cut at what a cell can hold."""
    if isinstance(cell, MergedCell):
        raise TypeError(f"{cell.coordinate} lies within a merged cell")
    if not isinstance(value, str):
        cell.value = value
        return
    text = _NO_XML.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
    units = text.encode("utf-16-le")
    if len(units) > 2 * _MOST_UNITS:
        text = units[: 2 * (_MOST_UNITS - len(_CUT))].decode("utf-16-le", errors="ignore") + _CUT
    cell.value = text
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(("=", "+", "-", "@"))


def style(cell: Cell | MergedCell, *, asked: bool = False, bold: bool = False, number_format: str = "General") -> None:
    """The look of a cell of a table or form; what is asked is yellow and can be written to."""
    # a number beside a text would stick to it
    side = "left" if isinstance(cell.value, str) or number_format == TEXT else "center"
    name = " ".join(("asked" if asked else "told", "bold" if bold else "plain", side, number_format))
    book = _book_of(cell.parent)
    # one style for all cells that look alike: five looks a cell would take minutes for a large file
    if name not in book.named_styles:
        look = NamedStyle(name, font=Font(name=FONT, size=SIZE, bold=bold), border=_BORDER, number_format=number_format)
        look.alignment = Alignment(vertical="top", wrap_text=True, horizontal=side)
        if asked:
            look.fill, look.protection = _ASKED, Protection(locked=False)
        book.add_named_style(look)
    # a style of its own would take away the sign that a text is a text
    quoted = cell.quotePrefix
    cell.style = name
    cell.quotePrefix = quoted


def _book_of(sheet: Any) -> Workbook:
    book = getattr(sheet, "parent", None)
    if not isinstance(book, Workbook):
        raise TypeError("the sheet belongs to no workbook")
    return book


def mark(cell: Cell | MergedCell) -> None:
    """What a reader has to look at: by colour, and bold for whoever does not see the colour."""
    cell.fill, cell.font = _MARKED, Font(name=FONT, size=SIZE, bold=True)


def alarm(cell: Cell | MergedCell) -> None:
    """What must not be overlooked."""
    cell.font = Font(name=FONT, size=SIZE, bold=True, color=_ALARM)


def lock(cell: Cell | MergedCell) -> None:
    """A cell of an asked column that is not asked in this row."""
    cell.protection, cell.fill = Protection(locked=True), _LOCKED


def link(cell: Cell | MergedCell, sheet_name: str) -> None:
    """What is pressed to come to another worksheet."""
    quoted = sheet_name.replace("'", "''")
    cell.hyperlink = Hyperlink(ref=cell.coordinate, location=f"'{quoted}'!A1")
    cell.font = Font(name=FONT, size=SIZE, color=_LINK, underline="single")


def begin_group(sheet: Worksheet, row: int) -> None:
    """A line above a row: what stands below it belongs together."""
    for cell in sheet[row]:
        cell.border = _GROUP


def put_head(sheet: Worksheet, lines: Sequence[str], widths: Sequence[float]) -> None:
    """Lines above a table or form, each over its whole width: the title, the care to take, how to fill it in."""
    for number, line in enumerate(lines, start=1):
        cell = sheet.cell(number, 1)
        put(cell, line)
        cell.font = Font(name=FONT, size=14 if number == 1 else SIZE, bold=number <= 2)
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        sheet.merge_cells(start_row=number, end_row=number, start_column=1, end_column=len(widths))
        # the title's letters are larger
        needed = lines_of(line, sum(widths) * (SIZE / 14 if number == 1 else 1))
        sheet.row_dimensions[number].height = needed * (22 if number == 1 else _LINE_HEIGHT)


def put_table(
    sheet: Worksheet,
    head: Sequence[str],
    columns: Mapping[str, Column],
    rows: Iterable[Mapping[str, Value]],
    *,
    least_lines: int = 1,
    frozen: str | None = None,
) -> None:
    """Up to three lines, headers, rows: with filter, frozen headers and headers on every printed page.

    Args:
        head: title, care, guidance.
        rows: values by header; a header left out is an empty cell.
        least_lines: so many lines of writing have room in every row.
        frozen: the last header that stays in view while one scrolls to the right.
    """
    put_head(sheet, head, [column.width for column in columns.values() if not column.hidden])
    put_headers(sheet, HEADER_ROW, columns, frozen=frozen)
    last = put_rows(sheet, HEADER_ROW + 1, columns, rows, least_lines=least_lines)
    sheet.auto_filter.ref = f"A{HEADER_ROW}:{get_column_letter(len(columns))}{last}"


def put_headers(sheet: Worksheet, row: int, columns: Mapping[str, Column], *, frozen: str | None = None) -> None:
    """The headers, which stay in view and stand on every page, and how their columns look where nothing stands yet."""
    for number, (header, column) in enumerate(columns.items(), start=1):
        cell = sheet.cell(row, number)
        put(cell, header)
        style(cell, bold=column.bold)
        cell.fill = _ASKED if column.asked else _HEAD
        if column.comment:
            comment(cell, column.comment)
        dimension = sheet.column_dimensions[get_column_letter(number)]
        dimension.width, dimension.hidden, dimension.number_format = column.width, column.hidden, column.number_format
    # room for the filter's button beside the words
    lines = max(lines_of(header, columns[header].width - 2) for header in columns)
    sheet.row_dimensions[row].height = _LINE_HEIGHT * lines
    kept = list(columns).index(frozen) + 1 if frozen else 0
    sheet.freeze_panes = f"{get_column_letter(kept + 1)}{row + 1}"
    sheet.print_title_rows = f"{row}:{row}"


def put_rows(
    sheet: Worksheet,
    first: int,
    columns: Mapping[str, Column],
    rows: Iterable[Mapping[str, Value]],
    *,
    least_lines: int = 1,
) -> int:
    """Rows from ``first`` on, each as high as its longest text; returns the last one (``first`` - 1 without any)."""
    last = first - 1
    for last, row in enumerate(rows, start=first):
        lines = least_lines
        for number, (header, column) in enumerate(columns.items(), start=1):
            cell = sheet.cell(last, number)
            put(cell, row.get(header))
            style(cell, asked=column.asked, number_format=column.number_format)
            if isinstance(cell.value, str) and not column.hidden:
                lines = max(lines, lines_of(cell.value, column.width))
        sheet.row_dimensions[last].height = min(_LINE_HEIGHT * lines, _TALLEST)
    return last


def put_notes(sheet: Worksheet, first: int, notes: Mapping[str, str], widths: Sequence[float]) -> int:
    """A label, and beside it over the rest of the width what is to be said of it; returns the last row."""
    last = first - 1
    for last, (label, text) in enumerate(notes.items(), start=first):
        for number, content in enumerate((label, text), start=1):
            cell = sheet.cell(last, number)
            put(cell, content)
            style(cell, bold=number == 1)
        sheet.merge_cells(start_row=last, end_row=last, start_column=2, end_column=len(widths))
        lines = max(lines_of(label, widths[0]), lines_of(text, sum(widths[1:])))
        sheet.row_dimensions[last].height = min(_LINE_HEIGHT * lines, _TALLEST)
    return last


def comment(cell: Cell | MergedCell, text: str, *, width: int = 240, height: int = 60) -> None:
    """A note that opens beside a cell; its size is in pixels."""
    cell.comment = Comment(text, "kodomo_assets", height=height, width=width)


def column_cells(columns: Mapping[str, Column], header: str, first: int, last: int) -> str | None:
    """The cells of a column from one row to another, as in B5:B24; None where there are no such rows."""
    letter = get_column_letter(list(columns).index(header) + 1)
    return f"{letter}{first}:{letter}{last}" if first <= last else None


def lines_of(text: str, width: float) -> int:
    """Lines that a text takes in a column; programs do not fit the height of rows that nobody touched."""
    return sum(max(1, -(-_width(line) // max(2, int(width)))) for line in text.split("\n"))


def _width(text: str) -> int:
    # a full-width character is two wide; so may be what is ambiguous, such as ○
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


def add_choice(
    sheet: Worksheet,
    cells: Iterable[str | None],
    choices: Sequence[str],
    *,
    title: str = "",
    prompt: str = "",
    strict: bool = True,
) -> None:
    """A drop-down on ``cells``; without choices none.

    Args:
        prompt: shown beside a chosen cell, below ``title``.
        strict: no other word may be written; else a program asks whether it is meant.
    """
    if not choices:
        return
    formula = f'"{_literal(choices)}"' if fits_a_rule(choices) else _choice_cells(sheet, choices)
    rule = DataValidation(type="list", formula1=formula, allow_blank=True)
    rule.errorStyle = "stop" if strict else "warning"
    rule.error = "一覧から選んでください"
    _add_rule(sheet, cells, rule, title, prompt)


def fits_a_rule(choices: Sequence[str]) -> bool:
    """Whether a rule itself can hold the choices: 255 characters, no choice with a comma."""
    return len(_literal(choices)) <= 255 and not any("," in choice for choice in choices)


def _literal(choices: Sequence[str]) -> str:
    return ",".join(choices).replace('"', '""')


def _choice_cells(sheet: Worksheet, choices: Sequence[str]) -> str:
    book = _book_of(sheet)
    if CHOICES_SHEET not in book.sheetnames:
        book.create_sheet(CHOICES_SHEET).sheet_state = "veryHidden"
    store = book[CHOICES_SHEET]
    columns = [[cell.value for cell in column if cell.value is not None] for column in store.iter_cols()]
    if list(choices) not in columns:
        number = 1 + sum(1 for column in columns if column)
        for row, choice in enumerate(choices, start=1):
            put(store.cell(row, number), choice)
    else:
        number = 1 + columns.index(list(choices))
    letter = get_column_letter(number)
    return f"'{CHOICES_SHEET}'!${letter}$1:${letter}${len(choices)}"


def add_day(sheet: Worksheet, cells: Iterable[str | None], first: dt.date, *, called: str = REFERENCE_DATE) -> None:
    """Only days from ``first`` on can be written: a slip of the year is found while it is made."""
    rule = DataValidation(
        type="date", operator="greaterThanOrEqual", formula1=str((first - _DAY_ZERO).days), allow_blank=True
    )
    rule.error = f"{called}（{first.isoformat()}）以後の日付を入れてください（例 {first:%Y-%m}-28）"
    _add_rule(sheet, cells, rule, "", "")


def add_whole_number(sheet: Worksheet, cells: Iterable[str | None], low: int, high: int) -> None:
    """Only whole numbers between both can be written."""
    rule = DataValidation("whole", operator="between", formula1=str(low), formula2=str(high), allow_blank=True)
    rule.error = f"{low}から{high}までの整数を入れてください"
    _add_rule(sheet, cells, rule, "", "")


def add_prompt(sheet: Worksheet, cells: Iterable[str | None], title: str, prompt: str) -> None:
    """A text that is shown beside a chosen cell; any value may be written."""
    _add_rule(sheet, cells, DataValidation(allow_blank=True), title, prompt)


def _add_rule(sheet: Worksheet, cells: Iterable[str | None], rule: DataValidation, title: str, prompt: str) -> None:
    given = [place for place in cells if place]
    if not given:
        return
    for place in given:
        rule.add(place)
    rule.showErrorMessage = True
    if prompt:
        rule.showInputMessage, rule.promptTitle, rule.prompt = True, title, prompt
    sheet.add_data_validation(rule)


def protect(sheet: Worksheet) -> None:
    """Only what is asked can be written; without a password: against slips, not against people."""
    sheet.protection.sheet = True
    sheet.protection.autoFilter = False
    sheet.protection.formatColumns = False
    sheet.protection.formatRows = False


def set_print(
    sheet: Worksheet,
    version: str | None,
    *,
    paper: int,
    landscape: bool,
    one_page: bool = False,
    care: str = DO_NOT_PASS_ON,
) -> None:
    """Page and footer: the weights version, the page's number, and the care to take (blank where nobody is named)."""
    sheet.page_setup.paperSize = paper
    sheet.page_setup.orientation = "landscape" if landscape else "portrait"
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 1 if one_page else 0
    sheet.page_margins = PageMargins(left=0.4, right=0.4, top=0.5, bottom=0.7, footer=0.3)
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    footer = sheet.oddFooter
    if footer is None:
        raise TypeError("a worksheet has a footer")
    if version is not None:
        footer.left.text = f"重みの版 {version}".replace("&", "&&")
    footer.center.text = "&P / &N"
    footer.right.text = care
