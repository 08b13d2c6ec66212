"""個人票_<school>.xlsx: a sheet for each child that the school fills in before the meeting (method §7).

A teacher sees who is asked about and what, never why: no score, rank, factor or other office's data gets here, and the
order is that of the class registers.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.office.workbooks import (
    A4,
    CHOICES_SHEET,
    DAY,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    add_choice,
    add_day,
    class_order,
    finish,
    lines_of,
    link,
    new_workbook,
    protect,
    put,
    put_head,
    put_table,
    set_print,
    style,
)
from kodomo_assets.vocabulary import (
    CLASS,
    DO_NOT_PASS_ON,
    FILLED_BY,
    FILLED_ON,
    MARK_SHEET,
    MINUTES,
    NAME,
    NUMBER,
    PERSONAL_SHEET,
    SCHOOL_YEAR,
    WHO,
    SheetQuestion,
    school_year_ja,
)

#: The first worksheet, where a teacher finds the children.
INDEX_SHEET = "一覧"

_COLUMNS = {
    NUMBER: Column(16, number_format=TEXT),
    SCHOOL_YEAR: Column(8),
    CLASS: Column(8),
    NAME: Column(46),
}
# a child's worksheet: labels, answers, and what can be chosen, for whoever fills it in on paper
_WIDTHS = {"A": 26, "B": 40, "C": 34}
_LONG_HEIGHT, _HEIGHT = 180.0, 30.0
# what Excel does not take as the name of a worksheet
_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]|^'|'$")


@dataclass(frozen=True)
class SheetChild:
    """A child whom a school is asked about."""

    sheet_number: str
    school_year: int
    class_name: str | None
    name: str


def sheet_workbook(
    school: str,
    reference_date: dt.date,
    version: str,
    children: Sequence[SheetChild],
    questions: Sequence[SheetQuestion],
    cautions: Sequence[str] = (),
) -> bytes:
    """The workbook of one school: a list, and one worksheet of one printed page for each child.

    Raises:
        ValueError: a 配布番号 that stands twice or cannot name a worksheet, or two equal labels.
    """
    _check(children, questions)
    book, index = new_workbook(INDEX_SHEET)
    ordered = sorted(children, key=lambda child: class_order(child.school_year, child.class_name, child.name))
    care = "\n".join([DO_NOT_PASS_ON, *cautions])
    _put_index(index, school, reference_date, ordered, care)
    set_print(index, version, paper=A4, landscape=False)
    for child in ordered:
        sheet = book.create_sheet(child.sheet_number)
        _put_child(sheet, school, reference_date, child, questions, care)
        set_print(sheet, version, paper=A4, landscape=False, one_page=True)
    return finish(book, PERSONAL_SHEET, reference_date, version)


def _check(children: Sequence[SheetChild], questions: Sequence[SheetQuestion]) -> None:
    labels = [NUMBER, WHO, FILLED_ON, FILLED_BY, MINUTES, *(question.ja for question in questions)]
    if len(set(labels)) < len(labels):
        raise ValueError(f"{PERSONAL_SHEET}: two questions have the same words, or those of a label")
    # names of worksheets do not differ by case
    taken = {INDEX_SHEET, MARK_SHEET, CHOICES_SHEET}
    for number, child in enumerate(children, start=1):
        name = child.sheet_number.casefold()
        if not 1 <= len(name) <= 31 or _NO_SHEET_NAME.search(name):
            raise ValueError(f"{PERSONAL_SHEET}: the {NUMBER} of child {number} cannot name a worksheet")
        if name in taken:
            raise ValueError(f"{PERSONAL_SHEET}: the {NUMBER} of child {number} is taken already")
        taken.add(name)


def _put_index(
    sheet: Worksheet, school: str, reference_date: dt.date, children: Sequence[SheetChild], care: str
) -> None:
    head = (
        f"{PERSONAL_SHEET}　{school}　基準日 {reference_date.isoformat()}",
        care,
        f"{NUMBER}を押すと、その児童生徒のシートが開きます。黄色の欄に記入し、同じファイル名で返送してください。"
        if children
        else f"この基準日に、{PERSONAL_SHEET}をお願いする児童生徒はいません。",
    )
    rows: list[dict[str, Value]] = [
        {
            NUMBER: child.sheet_number,
            SCHOOL_YEAR: school_year_ja(child.school_year),
            CLASS: child.class_name,
            NAME: child.name,
        }
        for child in children
    ]
    put_table(sheet, head, _COLUMNS, rows)
    for row, child in enumerate(children, start=HEADER_ROW + 1):
        link(sheet.cell(row, 1), child.sheet_number)
    protect(sheet)


def _put_child(
    sheet: Worksheet,
    school: str,
    reference_date: dt.date,
    child: SheetChild,
    questions: Sequence[SheetQuestion],
    care: str,
) -> None:
    for letter, width in _WIDTHS.items():
        sheet.column_dimensions[letter].width = width
    head = (
        f"{PERSONAL_SHEET}　{school}　基準日 {reference_date.isoformat()}",
        care,
        "黄色の欄に記入してください。右に言葉が並ぶ欄は、その中から選びます。わからないことは空欄のままでかまいません。",
    )
    put_head(sheet, head, list(_WIDTHS.values()))
    group = f"{child.class_name.removesuffix('組')}組" if child.class_name else ""
    _put_line(sheet, NUMBER, child.sheet_number)
    _put_line(sheet, WHO, f"{school_year_ja(child.school_year)}　{group}　{child.name}")
    sheet.freeze_panes = f"A{sheet.max_row + 1}"
    day = _put_line(sheet, FILLED_ON, None, asked=True, number_format=DAY, note=f"例 {reference_date:%Y-%m}-28")
    add_day(sheet, [day], reference_date)
    _put_line(sheet, FILLED_BY, None, asked=True)
    for question in questions:
        # a yes or no on paper: the choices have to stand there
        meanings = "\n".join(map(" ".join, zip(question.choices or (), question.meanings, strict=False)))
        note = meanings or "・".join(question.choices or ())
        place = _put_line(sheet, question.ja, None, asked=True, note=note, long=question.long)
        add_choice(sheet, [place], question.choices or (), title=question.ja if meanings else "", prompt=meanings)
    _put_line(sheet, MINUTES, None, asked=True, note="数字だけ（なくてもよい）")
    back = sheet.cell(1, 5)
    put(back, "一覧へ戻る")
    link(back, INDEX_SHEET)
    sheet.print_area = f"A1:C{sheet.max_row}"
    protect(sheet)


def _put_line(
    sheet: Worksheet,
    label: str,
    value: str | None,
    *,
    asked: bool = False,
    number_format: str = TEXT,
    note: str = "",
    long: bool = False,
) -> str:
    """A label, its cell and what can be chosen, below what is there; returns where the cell is."""
    row = sheet.max_row + 1
    for column, content in enumerate((label, value, note or None), start=1):
        cell = sheet.cell(row, column)
        put(cell, content)
        style(cell, asked=asked and column == 2, bold=column == 1, number_format=number_format if column == 2 else TEXT)
    lines = max(lines_of(label, _WIDTHS["A"]), lines_of(value or "", _WIDTHS["B"]), lines_of(note, _WIDTHS["C"]))
    sheet.row_dimensions[row].height = max(_LONG_HEIGHT if long else _HEIGHT, 15.0 * lines)
    return sheet.cell(row, 2).coordinate
