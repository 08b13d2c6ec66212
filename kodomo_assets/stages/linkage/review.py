"""名寄せ確認.xlsx: the pairs that a person must answer, both sides beside one another (method §3)."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Mapping, Sequence
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
from kodomo_assets.office.written import without_clock
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN
from kodomo_assets.vocabulary import LINK_REVIEW

#: What people choose from, and what it means.
ANSWERS = {"同一": "same", "別人": "different", "保留": "pending"}
# Headers that the answers are read back by.
TABLE, PERSON, CHILD, MARK = "表ID", "番号", "児童キー", "確認符号"
ANSWER, DECIDED_BY, DECIDED_ON = "判定", "判定者", "判定日"
HEADER_ROW = 4

# What is asked stands beside the names, so that both are in view together.
_WIDTHS: Mapping[str, int] = {
    "組": 5,
    ANSWER: 8,
    DECIDED_BY: 12,
    DECIDED_ON: 12,
    "氏名カナ（資料）": 18,
    "氏名カナ（住民記録）": 18,
    "氏名（資料）": 13,
    "氏名（住民記録）": 13,
    "生年月日（資料）": 12,
    "生年月日（住民記録）": 12,
    "性別（資料）": 7,
    "性別（住民記録）": 7,
    "学校（資料）": 15,
    "学校（学齢簿）": 15,
    "違い": 30,
    "住所": 22,
    "世帯主": 13,
    "宛名番号": 12,
    "表": 14,
    PERSON: 12,
    "重み：氏名": 7,
    "重み：生年月日": 9,
    "重み：性別": 7,
    "重み：学校": 7,
    "一致確率": 7,
    "前回": 14,
    TABLE: 10,
    CHILD: 10,
    MARK: 10,
}
_HIDDEN = {TABLE, CHILD, MARK}
_ASKED = {ANSWER, DECIDED_BY, DECIDED_ON}
_DAYS = {"生年月日（資料）", "生年月日（住民記録）", DECIDED_ON}
# comparison -> the headers of both sides
_SIDES = {
    "name": ("氏名カナ（資料）", "氏名カナ（住民記録）"),
    "birth": ("生年月日（資料）", "生年月日（住民記録）"),
    "sex": ("性別（資料）", "性別（住民記録）"),
    "school": ("学校（資料）", "学校（学齢簿）"),
}
_WRITTEN = ("氏名（資料）", "氏名（住民記録）")
_FROZEN = list(_WIDTHS).index("氏名（資料）") + 1
_HEAD, _ASKED_FILL = PatternFill("solid", fgColor="DDEBF7"), PatternFill("solid", fgColor="FFF9E5")
_DIFFERS = PatternFill("solid", fgColor="FCE4D6")
_THIN, _THICK = Side(style="hair", color="A6A6A6"), Side(style="thin", color="404040")
_PROTECTED = "支援措置"
_MOST_ROWS = 5_000
_HIGHEST_ROW = 409  # points; Excel knows no higher one
# what XML, and with it a workbook, cannot hold
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def review_workbook(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    mark_of: Callable[[str, str, str], str],
) -> bytes | None:
    """The workbook of ``new_review``; None where nothing is to be answered. ``build_links`` must have run on ``con``.

    Candidates of one person stand below one another, the likeliest first. What differs is marked by colour and, for
    whoever does not see it, in words. A protected child (支援措置) has no address, household or school.

    Args:
        mark_of: of 表ID, 番号 and 児童キー the mark that proves that the pair was asked.
    """
    cursor = con.execute(read_sql(__package__, "review"), {"reference_date": reference_date})
    names = [column[0] for column in cursor.description or []]
    pairs = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not pairs:
        return None
    shown = _whole_groups(pairs)
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a worksheet")
    sheet.title = LINK_REVIEW
    _write_head(sheet, reference_date, pairs, len(shown))
    for number, pair in enumerate(shown, start=HEADER_ROW + 1):
        first = number == HEADER_ROW + 1 or pair["person_number"] != shown[number - HEADER_ROW - 2]["person_number"]
        mark = mark_of(pair["table_name"], pair["person_ref"], pair["child_key"])
        _write_row(sheet, number, pair, _cells(pair, catalogue) | {MARK: mark}, first=first)
    _finish(sheet, HEADER_ROW + len(shown))
    content = io.BytesIO()
    book.save(content)
    return without_clock(content)


def _whole_groups(pairs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """As many pairs as a sheet may have, every 組 whole."""
    if len(pairs) <= _MOST_ROWS:
        return pairs
    cut = pairs[_MOST_ROWS]["person_number"]
    whole = [pair for pair in pairs[:_MOST_ROWS] if pair["person_number"] < cut]
    return whole or [pair for pair in pairs if pair["person_number"] == 1]


def _write_head(sheet: Worksheet, reference_date: dt.date, pairs: Sequence[Mapping[str, Any]], shown: int) -> None:
    here = "" if shown == len(pairs) else f"このファイルには先頭の{shown:,}組を載せ、残りは答えのあとに載せます。"
    texts = (
        f"名寄せ確認　基準日 {reference_date.isoformat()}　取扱注意",
        f"同じ児童か自動では決められない{pairs[-1]['person_number']:,}件（候補{len(pairs):,}組）です。{here}同じ「組」の候補を"
        "見比べ、黄色の欄に判定（同一・別人・保留）、判定者、判定日を記入し、同じ名前で受信フォルダに戻してください。",
        "「同一」は組の中で一つだけです。答えは、次に変えるまで以後のすべての更新に使われます。"
        "重みは、正なら同じ児童らしく、負なら別人らしいことを示します（ビット）。"
        "「双方に残った最後の一組」は、名前が違っても、ほかに相手のいない二人です（外国人の氏名の書き方の違いなど）。",
    )
    for row, text in enumerate(texts, start=1):
        sheet.cell(row, 1, text)
    for column, header in enumerate(_WIDTHS, start=1):
        sheet.cell(HEADER_ROW, column, header)


def _cells(pair: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    hidden = _PROTECTED if pair["protected"] else None
    school_hidden = _PROTECTED if pair["school_hidden"] else None
    return {
        "組": pair["person_number"],
        "氏名カナ（資料）": pair["person_kana"],
        "氏名カナ（住民記録）": pair["child_kana"],
        "氏名（資料）": pair["person_name"],
        "氏名（住民記録）": pair["child_name"],
        "生年月日（資料）": pair["person_birth"],
        "生年月日（住民記録）": pair["child_birth"],
        "性別（資料）": pair["person_sex"],
        "性別（住民記録）": pair["child_sex"],
        "学校（資料）": school_hidden or pair["person_school"],
        "学校（学齢簿）": school_hidden or pair["child_school"],
        "違い": _differences(pair),
        "住所": hidden or pair["address"],
        "世帯主": hidden or pair["household_head"],
        "宛名番号": hidden or pair["resident_id"],
        "表": catalogue.tables[pair["table_name"]].ja,
        PERSON: pair["person_ref"],
        "重み：氏名": round(pair["weight_name"], 1),
        "重み：生年月日": round(pair["weight_birth"], 1),
        "重み：性別": round(pair["weight_sex"], 1),
        "重み：学校": None if school_hidden else round(pair["weight_school"], 1),
        "一致確率": None if school_hidden else round(pair["probability"], 4),
        "前回": f"保留（{pair['held_by']}、{pair['held_on']}）" if pair["held_on"] else None,
        TABLE: pair["table_name"],
        CHILD: pair["child_key"],
    }


def _differences(pair: Mapping[str, Any]) -> str:
    """In words: every comparison whose sides are not the same, e.g. 氏名（カナ）：一字だけ違う."""
    labels = {(c.name, level.name): level.ja for c in COMPARISONS for level in c.levels}
    told = [
        f"{c.ja}：{labels.get((c.name, pair[f'level_{c.name}']), '片方が空欄')}"
        for c in COMPARISONS
        if pair[f"level_{c.name}"] != "same" and not (c.name == "school" and pair["school_hidden"])
    ]
    told += ["氏名（漢字）：違う"] if pair["name_differs"] else []
    told += ["双方に残った最後の一組"] if pair["asked_because"] == "last_left" else []
    told += [f"番号 {'・'.join(pair['other_numbers'])} も同じ児童の候補"] if pair["other_numbers"] else []
    return "\n".join(told) or "なし"


def _write_row(
    sheet: Worksheet, number: int, pair: Mapping[str, Any], cells: Mapping[str, Any], *, first: bool
) -> None:
    """Writes one pair: marks what differs, opens the asked cells for writing, and fits the row's height."""
    differing = {
        header
        for name, headers in _SIDES.items()
        if pair[f"level_{name}"] not in ("same", UNKNOWN) and not (name == "school" and pair["school_hidden"])
        for header in headers
    }
    differing |= set(_WRITTEN) if pair["name_differs"] else set()
    lines = 1
    for column, (header, width) in enumerate(_WIDTHS.items(), start=1):
        value = cells.get(header)
        cell = sheet.cell(number, column)
        if isinstance(value, str):
            text = _UNWRITABLE.sub("\ufffd", value)
            cell.value = text
            # a name may begin like a formula
            cell.data_type = "s"
            cell.quotePrefix = text.startswith(("=", "+", "-", "@"))
            # a full-width character is two wide; programs do not fit the height of rows that nobody touched
            if header not in _HIDDEN:
                lines = max(lines, sum(-(-(2 * len(part) + 1) // width) or 1 for part in text.split("\n")))
        else:
            cell.value = value
        cell.alignment = Alignment(vertical="top", wrap_text=True, horizontal="left" if header in _DAYS else None)
        cell.border = Border(top=_THICK if first else _THIN, left=_THIN, right=_THIN)
        if header in differing:
            cell.fill = _DIFFERS
            cell.font = Font(bold=True)
        if header in _ASKED:
            cell.fill = _ASKED_FILL
            cell.protection = Protection(locked=False)
        if header in _DAYS:
            cell.number_format = "yyyy-mm-dd"
        elif header == "一致確率":
            cell.number_format = "0.000"
        elif header.startswith("重み"):
            cell.number_format = "+0.0;-0.0;0.0"
    sheet.row_dimensions[number].height = min(15 * lines, _HIGHEST_ROW)


def _finish(sheet: Worksheet, last: int) -> None:
    sheet["A1"].font = Font(bold=True, size=14)
    letters = {header: get_column_letter(number) for number, header in enumerate(_WIDTHS, start=1)}
    for header, cell in zip(_WIDTHS, sheet[HEADER_ROW], strict=True):
        cell.font = Font(bold=True)
        cell.fill = _ASKED_FILL if header in _ASKED else _HEAD
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        sheet.column_dimensions[letters[header]].width = _WIDTHS[header]
        sheet.column_dimensions[letters[header]].hidden = header in _HIDDEN
    sheet.row_dimensions[HEADER_ROW].height = 48
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
    sheet.freeze_panes = f"{get_column_letter(_FROZEN)}{HEADER_ROW + 1}"
    sheet.auto_filter.ref = f"A{HEADER_ROW}:{letters[MARK]}{last}"
    sheet.print_title_rows = f"{HEADER_ROW}:{HEADER_ROW}"
    footer = sheet.oddFooter
    footer.left.text, footer.right.text = "名寄せ確認　取扱注意", "&P / &N"  # type: ignore[union-attr]
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 8  # A3
    sheet.page_setup.fitToHeight = 0
    sheet.page_margins = PageMargins(left=0.3, right=0.3, top=0.4, bottom=0.5)
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
