"""センター限り/配布番号一覧.xlsx: who is behind a 配布番号, for the centre's own use (method §7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.office.workbooks import (
    A4,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    finish,
    new_workbook,
    protect,
    put_table,
    set_print,
)
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.review.children import create_meeting_children
from kodomo_assets.vocabulary import (
    CENTRE_FOLDER,
    KEY_LIST,
    MEETING,
    NAME,
    NUMBER,
    PERSONAL_SHEET,
    PROTECTED,
    RESIDENT,
    SCHOOL,
    SCHOOL_LIST,
)

#: Where the workbook lies: in a folder of its own.
KEY_LIST_FILE = f"{CENTRE_FOLDER}/{KEY_LIST}.xlsx"
_CENTRE_ONLY = "センター限り：センターの外に出さないでください（氏名と宛名番号を含みます）"
_COLUMNS = {
    NUMBER: Column(14, number_format=TEXT),
    NAME: Column(26, number_format=TEXT),
    RESIDENT: Column(15, number_format=TEXT),
    SCHOOL: Column(26, number_format=TEXT),
    "相談中": Column(9),
    "注意": Column(12),
}


@dataclass(frozen=True)
class KeyRow:
    """A child behind its number. ``school`` is told of a child under 支援措置 too: the list stays in the centre."""

    sheet_number: str
    name: str
    resident_id: str
    school: str
    open_consultation: bool
    protected: bool


def gather_keys(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> tuple[KeyRow, ...]:
    """Every child of the meeting in the order of the numbers; reads ``numbered_children`` and the delivered views."""
    create_meeting_children(con, reference_date)
    run_sql(con, __package__, "key_list", {"reference_date": reference_date})
    return tuple(KeyRow(*row) for row in con.execute("from key_list").fetchall())


def key_workbook(reference_date: dt.date, version: str, keys: Sequence[KeyRow], cautions: Sequence[str] = ()) -> bytes:
    """The workbook; nothing in it marks who is on the list and who is of the sample."""
    book, sheet = new_workbook(KEY_LIST)
    head = (
        f"{KEY_LIST}　基準日 {reference_date.isoformat()}　{len(keys):,}人",
        "\n".join([_CENTRE_ONLY, *cautions]),
        f"{MEETING}の一覧、{PERSONAL_SHEET}、{SCHOOL_LIST}の{NUMBER}が、どの児童のものかを調べるための一覧です。"
        f"{NUMBER}の順に並んでいます。",
    )
    put_table(sheet, head, _COLUMNS, [_row(key) for key in keys])
    sheet.freeze_panes = f"A{HEADER_ROW + 1}"
    protect(sheet)
    set_print(sheet, version, paper=A4, landscape=False)
    return finish(book, KEY_LIST, reference_date, version)


def _row(key: KeyRow) -> dict[str, Value]:
    return {
        NUMBER: key.sheet_number,
        NAME: key.name,
        RESIDENT: key.resident_id,
        SCHOOL: key.school,
        "相談中": "○" if key.open_consultation else None,
        "注意": PROTECTED if key.protected else None,
    }
