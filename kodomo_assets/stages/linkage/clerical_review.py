"""名寄せ確認.xlsx: the pairs that a person must answer, both sides beside one another (method §3)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.workbooks import (
    A3,
    DAY,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    add_choice,
    add_day,
    begin_group,
    column_cells,
    file_of,
    mark,
    new_workbook,
    protect,
    put_table,
    set_print,
)
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN
from kodomo_assets.vocabulary import (
    ASKED_MARK,
    CHILD_KEY,
    DECIDED_BY,
    DECIDED_ON,
    DECISION,
    LINK_ANSWERS,
    LINK_REVIEW,
    PERSON,
    PROTECTED,
    RESIDENT,
    TABLE_ID,
)

#: Before this day nobody answered anything.
FIRST_DAY = dt.date(2020, 1, 1)

_GROUP = "組"
_KANA = ("氏名カナ（資料）", "氏名カナ（住民記録）")
_WRITTEN = ("氏名（資料）", "氏名（住民記録）")
_BIRTH = ("生年月日（資料）", "生年月日（住民記録）")
_SEX = ("性別（資料）", "性別（住民記録）")
_SCHOOLS = ("学校（資料）", "学校（学齢簿）")
_BITS = "+0.0;-0.0;0.0"
# What is asked stands beside the names, so that both are in view together.
_COLUMNS: Mapping[str, Column] = {
    _GROUP: Column(5),
    DECISION: Column(8, asked=True, number_format=TEXT),
    DECIDED_BY: Column(12, asked=True, number_format=TEXT),
    DECIDED_ON: Column(12, asked=True, number_format=DAY),
    **dict.fromkeys(_KANA, Column(18)),
    **dict.fromkeys(_WRITTEN, Column(13)),
    **dict.fromkeys(_BIRTH, Column(12, number_format=DAY)),
    **dict.fromkeys(_SEX, Column(7)),
    **dict.fromkeys(_SCHOOLS, Column(15)),
    "違い": Column(30),
    "住所": Column(22),
    "世帯主": Column(13),
    RESIDENT: Column(12),
    "表": Column(14),
    PERSON: Column(12),
    "重み：氏名": Column(7, number_format=_BITS),
    "重み：生年月日": Column(9, number_format=_BITS),
    "重み：性別": Column(7, number_format=_BITS),
    "重み：学校": Column(7, number_format=_BITS),
    "一致確率": Column(7, number_format="0.000"),
    "前回": Column(14),
    TABLE_ID: Column(10, hidden=True),
    CHILD_KEY: Column(10, hidden=True),
    ASKED_MARK: Column(10, hidden=True),
}
# comparison -> the headers of both sides
_SIDES = {"name": _KANA, "birth": _BIRTH, "sex": _SEX, "school": _SCHOOLS}
_MOST_ROWS = 5_000
_EARLIER = "以前の名簿の番号"


def clerical_review_workbook(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    mark_of: Callable[[str, str, str], str],
) -> bytes | None:
    """The workbook of ``new_review``; None where nothing is to be answered. ``build_links`` must have run on ``con``.

    Candidates of one person stand below one another, the likeliest first. What differs is marked by colour and, for
    whoever does not see it, in words. A protected child (支援措置) has no address, household or school. Numbers that
    stand in an earlier roster only have a part of their own, the last one.

    Args:
        mark_of: of 表ID, 番号 and 児童キー the mark that proves that the pair was asked.
    """
    cursor = con.execute(read_sql(__package__, "clerical_review"), {"reference_date": reference_date})
    names = [column[0] for column in cursor.description or []]
    pairs = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not pairs:
        return None
    shown = _whole_groups(pairs)
    book, sheet = new_workbook(LINK_REVIEW)
    rows = [
        _cells(pair, catalogue) | {ASKED_MARK: mark_of(pair["table_name"], pair["person_ref"], pair["child_key"])}
        for pair in shown
    ]
    put_table(sheet, _head(reference_date, pairs, len(shown)), _COLUMNS, rows, frozen=_KANA[1])
    _mark_differences(sheet, shown)
    last = HEADER_ROW + len(shown)
    add_choice(sheet, [column_cells(_COLUMNS, DECISION, HEADER_ROW + 1, last)], list(LINK_ANSWERS))
    add_day(sheet, [column_cells(_COLUMNS, DECIDED_ON, HEADER_ROW + 1, last)], FIRST_DAY, called="運用の始まり")
    protect(sheet)
    set_print(sheet, None, paper=A3, landscape=True)
    return file_of(book)


def _whole_groups(pairs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """As many pairs as a sheet may have, every 組 whole."""
    if len(pairs) <= _MOST_ROWS:
        return pairs
    cut = pairs[_MOST_ROWS]["person_number"]
    whole = [pair for pair in pairs[:_MOST_ROWS] if pair["person_number"] < cut]
    return whole or [pair for pair in pairs if pair["person_number"] == 1]


def _head(reference_date: dt.date, pairs: Sequence[Mapping[str, Any]], shown: int) -> tuple[str, str, str]:
    here = "" if shown == len(pairs) else f"このファイルには先頭の{shown:,}組を載せ、残りは答えのあとに載せます。"
    earlier = len({pair["person_number"] for pair in pairs if not pair["in_force"]})
    below = (
        f"うち終わりの{earlier:,}件は「{_EARLIER}」で、その年の出欠などがだれのものかを決めます。" if earlier else ""
    )
    return (
        f"{LINK_REVIEW}　基準日 {reference_date.isoformat()}　取扱注意",
        f"同じ児童か自動では決められない{pairs[-1]['person_number']:,}件（候補{len(pairs):,}組）です。{below}{here}"
        "同じ「組」の候補を"
        f"見比べ、黄色の欄に{DECISION}（{'・'.join(LINK_ANSWERS)}）、{DECIDED_BY}、{DECIDED_ON}を記入し、同じ名前で受信フォルダーに戻してください。",
        "「同一」は組の中で一つだけです。答えは、次に変えるまで以後のすべての更新に使われます。"
        "重みは、正なら同じ児童らしく、負なら別人らしいことを示します（ビット）。"
        "「双方に残った最後の一組」は、名前が違っても、ほかに相手のいない二人です（外国人の氏名の書き方の違いなど）。",
    )


def _cells(pair: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Value]:
    hidden = PROTECTED if pair["protected"] else None
    school_hidden = PROTECTED if pair["school_hidden"] else None
    return {
        _GROUP: pair["person_number"],
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
        RESIDENT: hidden or pair["resident_id"],
        "表": catalogue.tables[pair["table_name"]].ja + ("" if pair["in_force"] else f"\n{_EARLIER}"),
        PERSON: pair["person_ref"],
        "重み：氏名": round(pair["weight_name"], 1),
        "重み：生年月日": round(pair["weight_birth"], 1),
        "重み：性別": round(pair["weight_sex"], 1),
        "重み：学校": None if school_hidden else round(pair["weight_school"], 1),
        "一致確率": None if school_hidden else round(pair["probability"], 4),
        "前回": f"保留（{pair['held_by']}、{pair['held_on']}）" if pair["held_on"] else None,
        TABLE_ID: pair["table_name"],
        CHILD_KEY: pair["child_key"],
    }


def _differences(pair: Mapping[str, Any]) -> str:
    """In words: every comparison whose sides are not the same, e.g. 氏名（カナ）：一字だけ違う."""
    labels = {(c.name, level.name): level.ja for c in COMPARISONS for level in c.levels}
    told = [
        f"{c.ja}：{labels.get((c.name, pair[f'level_{c.name}'])) or _not_compared(c.name, pair)}"
        for c in COMPARISONS
        if pair[f"level_{c.name}"] != "same" and not (c.name == "school" and pair["school_hidden"])
    ]
    told += ["氏名（漢字）：違う"] if pair["name_differs"] else []
    told += ["双方に残った最後の一組"] if pair["asked_because"] == "last_left" else []
    told += [f"番号 {'・'.join(pair['other_numbers'])} も同じ児童の候補"] if pair["other_numbers"] else []
    return "\n".join(told) or "なし"


def _not_compared(name: str, pair: Mapping[str, Any]) -> str:
    """Why a comparison says nothing: the school of an earlier roster is another one's for most by now."""
    return "以前の名簿のものなので見比べない" if name == "school" and not pair["in_force"] else "片方が空欄"


def _mark_differences(sheet: Worksheet, pairs: Sequence[Mapping[str, Any]]) -> None:
    """Marks both sides of what differs, and draws a line above each 組."""
    place = {header: number for number, header in enumerate(_COLUMNS, start=1)}
    before = None
    for row, pair in enumerate(pairs, start=HEADER_ROW + 1):
        if pair["person_number"] != before:
            begin_group(sheet, row)
        before = pair["person_number"]
        differing = [
            header
            for name, headers in _SIDES.items()
            if pair[f"level_{name}"] not in ("same", UNKNOWN) and not (name == "school" and pair["school_hidden"])
            for header in headers
        ]
        for header in (*differing, *(_WRITTEN if pair["name_differs"] else ())):
            mark(sheet.cell(row, place[header]))
