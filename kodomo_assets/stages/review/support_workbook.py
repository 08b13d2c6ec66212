"""支援記録.xlsx: an empty workbook in which schools and the centre write what was done for a child (method §7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.workbooks import (
    A4,
    DAY,
    HEADER_ROW,
    TEXT,
    Column,
    add_choice,
    add_day,
    column_cells,
    finish,
    new_workbook,
    protect,
    put_table,
    set_print,
)
from kodomo_assets.vocabulary import CHILD_KEY, DO_NOT_PASS_ON, GIVEN_ON, NUMBER, OUTCOME, SUPPORT, SUPPORT_RECORD

_ROWS = 200
_COLUMNS = {
    NUMBER: Column(14, asked=True, number_format=TEXT),
    CHILD_KEY: Column(36, asked=True, number_format=TEXT),
    GIVEN_ON: Column(13, asked=True, number_format=DAY),
    SUPPORT: Column(48, asked=True, number_format=TEXT),
    OUTCOME: Column(14, asked=True, number_format=TEXT),
}


def support_workbook(outcomes: Sequence[str], reference_date: dt.date | None = None) -> bytes:
    """The workbook; with a reference date it comes back for this date only.

    Args:
        outcomes: 成果 to choose from (``meeting.outcomes``).
    """
    book, sheet = new_workbook(SUPPORT_RECORD)
    day = f"　基準日 {reference_date.isoformat()}" if reference_date else ""
    head = (
        f"{SUPPORT_RECORD}{day}",
        DO_NOT_PASS_ON,
        f"支援ごとに一行、黄色の欄に記入し、名前を「{SUPPORT_RECORD}」で始めて、基準日の受信フォルダーに入れてください。"
        f"児童は{NUMBER}で示します。{NUMBER}がないときは{CHILD_KEY}で示します。",
    )
    put_table(sheet, head, _COLUMNS, [{} for _ in range(_ROWS)])
    first, last = HEADER_ROW + 1, HEADER_ROW + _ROWS
    add_choice(sheet, [column_cells(_COLUMNS, OUTCOME, first, last)], outcomes)
    if reference_date is not None:
        add_day(sheet, [column_cells(_COLUMNS, GIVEN_ON, first, last)], reference_date)
    protect(sheet)
    set_print(sheet, None, paper=A4, landscape=True)
    return finish(book, SUPPORT_RECORD, reference_date, None)


def write_support_template(catalogue: Catalogue, folder: Path) -> list[Path]:
    """Writes ``支援記録.xlsx`` into ``folder``; which. One that is there already is left alone."""
    path = folder / f"{SUPPORT_RECORD}.xlsx"
    # somebody may have filled it in
    if path.exists():
        return []
    path.write_bytes(support_workbook(tuple(catalogue.meeting.outcomes)))
    return [path]
