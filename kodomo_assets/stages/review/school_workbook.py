"""支援対象者_<school>.xlsx: a school's children after the meeting, with what the school is asked to do (method §7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from kodomo_assets.office.workbooks import (
    A4,
    DAY,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    add_day,
    class_order,
    column_cells,
    finish,
    new_workbook,
    protect,
    put_table,
    set_print,
)
from kodomo_assets.vocabulary import (
    CLASS,
    DECISION,
    DECISIONS,
    DIRECTION,
    DO_NOT_PASS_ON,
    HANDED_ON,
    LEAFLETS,
    NAME,
    NUMBER,
    REPORT,
    SCHOOL_LIST,
    SCHOOL_YEAR,
    SPOKEN_ON,
    TOLD,
    school_year_ja,
)

_COLUMNS = {
    SCHOOL_YEAR: Column(7),
    CLASS: Column(7),
    NAME: Column(20),
    NUMBER: Column(14, number_format=TEXT),
    DECISION: Column(14),
    DIRECTION: Column(30),
    LEAFLETS: Column(24),
    SPOKEN_ON: Column(17, asked=True, number_format=DAY),
    HANDED_ON: Column(21, asked=True, number_format=DAY),
    REPORT: Column(44, asked=True, number_format=TEXT),
}


@dataclass(frozen=True)
class SchoolChild:
    """A child as its school may see it.

    Attributes:
        direction_for_school: worded so that it tells no benefit.
        leaflets: 案内資料 that the school is asked to hand out.
    """

    sheet_number: str
    school_year: int
    class_name: str | None
    name: str
    decision: str
    direction_for_school: str | None
    leaflets: tuple[str, ...] = ()


def school_workbook(
    school: str,
    reference_date: dt.date,
    version: str,
    children: Sequence[SchoolChild],
    cautions: Sequence[str] = (),
) -> bytes:
    """The workbook of one school, in the order of its class registers.

    Raises:
        ValueError: a decision that schools are not told.
    """
    for number, child in enumerate(children, start=1):
        if child.decision not in TOLD:
            raise ValueError(f"child {number} of a school's list: decision {child.decision!r}, expected one of {TOLD}")
    book, sheet = new_workbook(SCHOOL_LIST)
    ordered = sorted(children, key=lambda child: class_order(child.school_year, child.class_name, child.name))
    head = (
        f"{SCHOOL_LIST}　{school}　基準日 {reference_date.isoformat()}",
        "\n".join([DO_NOT_PASS_ON, *cautions]),
        f"判定会議で支援や見守りを決めた児童生徒です。黄色の欄に、{SPOKEN_ON}、{HANDED_ON}、{REPORT}を記入してください。"
        if children
        else "この基準日に、判定会議で支援や見守りを決めた児童生徒はいません。",
    )
    put_table(sheet, head, _COLUMNS, [_row(child) for child in ordered], least_lines=3, frozen=NAME)
    last = HEADER_ROW + len(children)
    days = [column_cells(_COLUMNS, header, HEADER_ROW + 1, last) for header in (SPOKEN_ON, HANDED_ON)]
    add_day(sheet, days, reference_date)
    protect(sheet)
    set_print(sheet, version, paper=A4, landscape=True)
    return finish(book, SCHOOL_LIST, reference_date, version, school)


def _row(child: SchoolChild) -> dict[str, Value]:
    return {
        SCHOOL_YEAR: school_year_ja(child.school_year),
        CLASS: child.class_name,
        NAME: child.name,
        NUMBER: child.sheet_number,
        DECISION: DECISIONS[child.decision],
        DIRECTION: child.direction_for_school,
        LEAFLETS: "、".join(child.leaflets) or None,
    }
