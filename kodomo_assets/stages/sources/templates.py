"""The contract as a file for the offices: an empty workbook per table, with drop-downs and a sheet that explains it."""

from __future__ import annotations

from pathlib import Path

from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.catalogue import Calendar, Catalogue, Column, SourceTable
from kodomo_assets.office.formats.workbooks import GUIDE_SHEET
from kodomo_assets.office.workbooks import (
    A4,
    DAY,
    TEXT,
    add_choice,
    add_whole_number,
    column_cells,
    file_of,
    fits_a_rule,
    new_workbook,
    put_head,
    put_headers,
    put_notes,
    put_rows,
    set_print,
)
from kodomo_assets.office.workbooks import Column as Look
from kodomo_assets.vocabulary import EXAMPLE

_ROWS = 5_000
_GUIDE = {"見出し": Look(26), "必須": Look(8), "形式": Look(40), "許される値": Look(52), f"{EXAMPLE}（架空）": Look(26)}
_FORMATS = {"date": DAY, "int": "0", "number": "General"}
_SCHOOLS = "schools"


def write_templates(catalogue: Catalogue, folder: Path) -> list[Path]:
    """Writes ``<table>.xlsx`` for every table into ``folder``; which. A file that is there already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in catalogue.tables.values():
        path = folder / f"{table.ja}.xlsx"
        # somebody may have filled it in
        if not path.exists():
            # whole or not at all: half a workbook would be left alone ever after
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(_workbook(catalogue, table))
            part.replace(path)
            paths.append(path)
    return paths


def _workbook(catalogue: Catalogue, table: SourceTable) -> bytes:
    book, sheet = new_workbook(table.ja)
    _fill_in(sheet, table)
    _explain(book.create_sheet(GUIDE_SHEET), catalogue, table)
    return file_of(book)


def _fill_in(sheet: Worksheet, table: SourceTable) -> None:
    """The sheet that the office fills: headers, formats and drop-downs, no row yet."""
    columns = {
        column.ja: Look(
            max(12, 2 * len(column.ja) + 4),
            # what is wanted of every row is yellow and bold
            asked=column.required,
            bold=column.required,
            # text keeps leading zeros and 2025-04
            number_format=_FORMATS.get(column.type, TEXT),
            comment=f"{'必須' if column.required else '任意'}\n{_form(column)}",
        )
        for column in table.columns.values()
    }
    put_headers(sheet, 1, columns)
    for column in table.columns.values():
        _add_rule(sheet, column_cells(columns, column.ja, 2, _ROWS + 1), column)
    set_print(sheet, None, paper=A4, landscape=True, care="")


def _add_rule(sheet: Worksheet, cells: str | None, column: Column) -> None:
    """What Excel lets into a cell; nothing is said where any text may stand."""
    match column.type:
        case "code":
            # a list of its own sheet would come back as one of the delivery's
            if fits_a_rule(column.allowed):
                add_choice(sheet, [cells], column.allowed)
        case "flag":
            # other words are read too (書き方)
            add_choice(sheet, [cells], ("○", "×"), strict=False)
        case "int" if not column.fiscal_year:
            add_whole_number(
                sheet, [cells], int(column.min or 0), 999_999_999 if column.max is None else int(column.max)
            )


def _explain(sheet: Worksheet, catalogue: Catalogue, table: SourceTable) -> None:
    put_head(sheet, [f"{table.ja}の書き方"], [look.width for look in _GUIDE.values()])
    notes = _notes(catalogue, table)
    last = put_notes(sheet, 2, notes, [look.width for look in _GUIDE.values()])
    put_headers(sheet, last + 2, _GUIDE)
    rows = (
        dict(
            zip(
                _GUIDE,
                (c.ja, "必須" if c.required else None, _form(c), "・".join(c.allowed) or None, _example(table, c)),
                strict=True,
            )
        )
        for c in table.columns.values()
    )
    put_rows(sheet, last + 3, _GUIDE, rows)
    sheet.freeze_panes = None
    set_print(sheet, None, paper=A4, landscape=True, care="")


def _notes(catalogue: Catalogue, table: SourceTable) -> dict[str, str]:
    section = catalogue.sections[table.section]
    key = "・".join(table.columns[name].ja for name in table.key)
    ingest = catalogue.ingest
    # words that are letters: signs look alike on paper
    yes, no = ("・".join(filter(str.isalpha, words)) for words in (ingest.yes_words, ingest.no_words))
    per_school = table.section == _SCHOOLS or table.person.pupil is not None
    file = f"{table.ja}.xlsx" + (f"。学校ごとなら {table.ja}_学校名.xlsx" if per_school else "")
    place = f"左の「{table.ja}」に入れてください"
    if per_school:
        place += f"。学校ごとに分けるなら、シートの名前を「{table.ja}_学校名」としてください"
    return {
        "提出する部署": section.ja,
        "提出の時期": _cadence(catalogue.calendar, table),
        "だれの行か": table.whom or "－",
        "いつの記録か": _period(catalogue, table),
        "法的根拠": f"{section.basis}（{table.legal.reason}）",
        "ファイル名": f"{file}。直したファイルは同じ名前で出してください",
        "シート": place,
        "必須の列": "見出しが黄色の太字の列。空欄の行は受け取れません",
        "一件の決まり方": f"{key} が同じ行は二つ以上入れないでください",
        "日付": (
            "2025-04-01、2025/4/1、令和7年4月1日、R7.4.1 など。続いている期間の終わりは空欄。"
            "分からない日は「不詳」（必須の日付では、その行は受け取れません）"
        ),
        "該当・非該当": f"「○」と「×」。{yes} と {no} も読みます。空欄は「記録がない」です",
        "番号": "先頭の0は消えても構いません。1.23E+09のような形になったものは読めません",
        EXAMPLE: ("下の表の右の列は、架空の一件です。書き写したままの行は受け取れません"),
        "入れてはいけないもの": "個人番号（マイナンバー）。入っているファイルは受け取れません",
        "保存": "数式を使ったときは、計算結果が出た状態でExcelで保存してください",
    }


def _period(catalogue: Catalogue, table: SourceTable) -> str:
    """Of when rows are wanted; the window is that of the items which count rows of the table."""
    windows = [
        item.window_months for item in catalogue.items.values() if table.id in item.tables and item.window_months
    ]
    told = (table.period or "－").format(months=max(windows, default=0))
    if table.dated_by is None:
        return told
    return f"{told}。{table.columns[table.dated_by].ja}が基準日より後の行は使いません"


def _example(table: SourceTable, column: Column) -> str:
    """What a cell of an invented record holds. No reader takes it for one: its number is none, its texts say so."""
    if column.name in table.examples:
        return table.examples[column.name]
    match column.type:
        case "id":
            return ("9" if column.role == "identity" else "1") * (column.digits or 1)
        case "date":
            return "" if column.end else "2015-05-05" if column.birth else "2024-04-01"
        case "month":
            return "2024-04"
        case "int" if column.fiscal_year:
            return "2024"
        case "int" | "number":
            return str(column.min or 1)
        case "flag":
            return "○"
        case "code":
            return column.allowed[0]
        case "kana":
            return "キニュウレイ ハナコ"
        case _:
            return f"{EXAMPLE} 花子" if column.type == "name" else f"{EXAMPLE}-1"


def _cadence(calendar: Calendar, table: SourceTable) -> str:
    terms = (calendar.yearly,) if table.cadence == "yearly" else calendar.terms
    days = "・".join(f"{int(term[:2])}月{int(term[3:])}日" for term in terms)
    return f"{'年1回' if table.cadence == 'yearly' else '各学期'}（{days}の基準日）"


def _form(column: Column) -> str:
    """How a cell of the column is written, in Japanese."""
    match column.type:
        case "id":
            return f"番号（{column.digits}桁の数字）"
        case "date":
            return "日付" + ("（空欄＝続いている）" if column.end else "")
        case "month":
            return "年月（2025-04）"
        case "int" if column.fiscal_year:
            return "年度（2025または令和7年度）"
        case "int" | "number":
            kind = "整数" if column.type == "int" else "数（小数も可）"
            low = column.min or 0
            return f"{kind}（{low}以上）" if column.max is None else f"{kind}（{low}〜{column.max}）"
        case "flag":
            return "○か×"
        case "code":
            return "一覧から選ぶ"
        case "kana":
            return "カタカナ（姓と名の間は空白）"
        case _:
            return "文字"
