"""名寄せ確認.xlsx: the pairs that a person must answer, both sides beside one another (method §3)."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from typing import Any

import duckdb
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN

FILE_STEM = "名寄せ確認"
#: What people choose from, and what it means.
ANSWERS = {"同一": "same", "別人": "different", "保留": "pending"}
# Headers that the answers are read back by.
TABLE, PERSON, CHILD = "表ID", "番号", "児童キー"
ANSWER, DECIDED_BY, DECIDED_ON = "判定", "判定者", "判定日"
HEADER_ROW = 4

_WIDTHS: Mapping[str, int] = {
    "組": 5,
    "表": 16,
    PERSON: 12,
    "氏名カナ（資料）": 18,
    "氏名カナ（住民記録）": 18,
    "氏名（資料）": 14,
    "氏名（住民記録）": 14,
    "生年月日（資料）": 12,
    "生年月日（住民記録）": 12,
    "性別（資料）": 8,
    "性別（住民記録）": 8,
    "学校（資料）": 16,
    "学校（学齢簿）": 16,
    "住所": 24,
    "世帯主": 14,
    "違い": 28,
    "重み：氏名": 9,
    "重み：生年月日": 9,
    "重み：性別": 9,
    "重み：学校": 9,
    "一致確率": 8,
    "前回": 16,
    ANSWER: 9,
    DECIDED_BY: 12,
    DECIDED_ON: 12,
    TABLE: 10,
    CHILD: 10,
}
_HIDDEN = {TABLE, CHILD}
_ASKED = {ANSWER, DECIDED_BY, DECIDED_ON}
# comparison -> the headers of both sides
_SIDES = {
    "name": ("氏名カナ（資料）", "氏名カナ（住民記録）"),
    "birth": ("生年月日（資料）", "生年月日（住民記録）"),
    "sex": ("性別（資料）", "性別（住民記録）"),
    "school": ("学校（資料）", "学校（学齢簿）"),
}
_HEAD, _ASKED_FILL = PatternFill("solid", fgColor="DDEBF7"), PatternFill("solid", fgColor="FFF9E5")
_DIFFERS = PatternFill("solid", fgColor="FCE4D6")
_LINE = Border(top=Side(style="thin", color="808080"))
_PROTECTED = "支援措置"
_MOST_ROWS = 5_000


def review_workbook(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> bytes | None:
    """The workbook of ``new_review``; None where nothing is to be answered. ``build_links`` must have run on ``con``.

    Candidates of one person stand below one another, the likeliest first. What differs is marked by colour and, for
    whoever does not see it, in words. A protected child (支援措置) has no address, household or school.
    """
    cursor = con.execute(read_sql(__package__, "review"), {"reference_date": reference_date})
    names = [column[0] for column in cursor.description or []]
    pairs = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not pairs:
        return None
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a worksheet")
    sheet.title = FILE_STEM
    _write_head(sheet, reference_date, len(pairs), pairs[-1]["person_number"])
    before = None
    for pair in pairs[:_MOST_ROWS]:
        cells = _cells(pair, catalogue)
        sheet.append([cells[header] for header in _WIDTHS])
        _mark(sheet, pair, first=pair["person_number"] != before)
        before = pair["person_number"]
    _finish(sheet)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _write_head(sheet: Worksheet, reference_date: dt.date, pairs: int, persons: int) -> None:
    sheet.append([f"名寄せ確認　基準日 {reference_date.isoformat()}　取扱注意"])
    sheet.append(
        [
            f"同じ児童か自動では決められない{persons:,}件（候補{pairs:,}組）です。同じ「組」の候補を見比べ、黄色の欄に"
            "判定（同一・別人・保留）、判定者、判定日を記入し、同じ名前で受信フォルダに戻してください。"
        ]
    )
    sheet.append(["「同一」は組の中で一つだけです。答えは、次に変えるまで以後のすべての更新に使われます。"])
    sheet.append(list(_WIDTHS))


def _cells(pair: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    hidden = _PROTECTED if pair["protected"] else None
    return {
        "組": pair["person_number"],
        "表": catalogue.tables[pair["table_name"]].ja,
        PERSON: pair["person_ref"],
        "氏名カナ（資料）": pair["person_kana"],
        "氏名カナ（住民記録）": pair["child_kana"],
        "氏名（資料）": pair["person_name"],
        "氏名（住民記録）": pair["child_name"],
        "生年月日（資料）": pair["person_birth"],
        "生年月日（住民記録）": pair["child_birth"],
        "性別（資料）": pair["person_sex"],
        "性別（住民記録）": pair["child_sex"],
        "学校（資料）": hidden or pair["person_school"],
        "学校（学齢簿）": hidden or pair["child_school"],
        "住所": hidden or pair["address"],
        "世帯主": hidden or pair["household_head"],
        "違い": _differences(pair),
        **{
            f"重み：{short}": round(pair[f"weight_{name}"], 1)
            for name, short in (("name", "氏名"), ("birth", "生年月日"), ("sex", "性別"), ("school", "学校"))
        },
        "一致確率": pair["probability"],
        "前回": f"保留（{pair['held_by']}、{pair['held_on']}）" if pair["held_on"] else None,
        ANSWER: None,
        DECIDED_BY: None,
        DECIDED_ON: None,
        TABLE: pair["table_name"],
        CHILD: pair["child_key"],
    }


def _differences(pair: Mapping[str, Any]) -> str:
    """In words: every comparison whose sides are not the same, e.g. 氏名（カナ）：一字だけ違う."""
    labels = {(c.name, level.name): level.ja for c in COMPARISONS for level in c.levels}
    told = [
        f"{c.ja}：{labels.get((c.name, pair[f'level_{c.name}']), '片方が空欄')}"
        for c in COMPARISONS
        if pair[f"level_{c.name}"] != "same"
    ]
    return "\n".join(told) or "なし"


def _mark(sheet: Worksheet, pair: Mapping[str, Any], *, first: bool) -> None:
    """Marks the cells in which the sides differ, opens the asked ones for writing, and fits the row's height."""
    cells = dict(zip(_WIDTHS, sheet[sheet.max_row], strict=True))
    for name, headers in _SIDES.items():
        if pair[f"level_{name}"] not in ("same", UNKNOWN):
            for header in headers:
                cells[header].fill = _DIFFERS
                cells[header].font = Font(bold=True)
    lines = 1
    for header, cell in cells.items():
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        if first:
            cell.border = _LINE
        if isinstance(cell.value, str):
            # a name may begin like a formula
            cell.data_type = "s"
            cell.quotePrefix = cell.value.startswith(("=", "+", "-", "@"))
            # a full-width character is two wide; programs do not fit the height of rows that nobody touched
            if header not in _HIDDEN:
                width = _WIDTHS[header]
                lines = max(lines, sum(-(-2 * len(part) // width) or 1 for part in cell.value.split("\n")))
        if header in _ASKED:
            cell.fill = _ASKED_FILL
            cell.protection = Protection(locked=False)
    cells["一致確率"].number_format = "0.000"
    for header in ("生年月日（資料）", "生年月日（住民記録）", DECIDED_ON):
        cells[header].number_format = "yyyy-mm-dd"
    sheet.row_dimensions[sheet.max_row].height = 15 * lines


def _finish(sheet: Worksheet) -> None:
    sheet["A1"].font = Font(bold=True, size=14)
    last = sheet.max_row
    letters = {header: get_column_letter(number) for number, header in enumerate(_WIDTHS, start=1)}
    for header, cell in zip(_WIDTHS, sheet[HEADER_ROW], strict=True):
        cell.font = Font(bold=True)
        cell.fill = _ASKED_FILL if header in _ASKED else _HEAD
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        sheet.column_dimensions[letters[header]].width = _WIDTHS[header]
        sheet.column_dimensions[letters[header]].hidden = header in _HIDDEN
    sheet.row_dimensions[HEADER_ROW].height = 32
    choice = DataValidation(type="list", formula1=f'"{",".join(ANSWERS)}"', allow_blank=True, showErrorMessage=True)
    choice.error = "同一・別人・保留のどれかを選んでください"
    day = DataValidation(type="date", operator="greaterThan", formula1="43831", allow_blank=True, showErrorMessage=True)
    day.error = "日付を入れてください（例 2025-04-10）"
    for header, rule in ((ANSWER, choice), (DECIDED_ON, day)):
        rule.add(f"{letters[header]}{HEADER_ROW + 1}:{letters[header]}{last}")
        sheet.add_data_validation(rule)
    # without a password: against slips, not against people
    sheet.protection.sheet = True
    sheet.protection.autoFilter = False
    sheet.protection.formatColumns = False
    sheet.protection.formatRows = False
    sheet.freeze_panes = f"D{HEADER_ROW + 1}"
    sheet.auto_filter.ref = f"A{HEADER_ROW}:{letters[CHILD]}{last}"
    sheet.print_title_rows = f"{HEADER_ROW}:{HEADER_ROW}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 8  # A3
    sheet.page_setup.fitToHeight = 0
    sheet.page_margins = PageMargins(left=0.4, right=0.4, top=0.4, bottom=0.4)
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
