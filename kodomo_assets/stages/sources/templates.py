"""The contract as a file for the offices: an empty workbook per table, with drop-downs and a sheet that explains it."""

from __future__ import annotations

from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.catalogue import Catalogue, Column, SourceTable
from kodomo_assets.catalogue.models import Calendar
from kodomo_assets.office.formats.workbooks import GUIDE_SHEET

_ROWS = 5_000
_REQUIRED = PatternFill("solid", fgColor="FFE699")
_OPTIONAL = PatternFill("solid", fgColor="DDEBF7")
_WRAPPED = Alignment(vertical="top", wrap_text=True)
# Excel's own list separator limits a list written into the rule itself.
_LONGEST_LIST = 255
# full-width characters in a line: of columns B to D together, and of D
_LINE, _ALLOWED_LINE = 56, 25
_FORMATS = {"date": "yyyy-mm-dd", "int": "0", "number": "General"}
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
            _workbook(catalogue, table).save(part)
            part.replace(path)
            paths.append(path)
    return paths


def _workbook(catalogue: Catalogue, table: SourceTable) -> Workbook:
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a worksheet")
    sheet.title = table.ja
    _fill_in(sheet, table)
    _explain(book.create_sheet(GUIDE_SHEET), catalogue, table)
    return book


def _fill_in(sheet: Worksheet, table: SourceTable) -> None:
    """The sheet that the office fills: headers, formats and drop-downs, no row yet."""
    for index, column in enumerate(table.columns.values(), start=1):
        letter = get_column_letter(index)
        cell = sheet.cell(1, index, column.ja)
        _keep_text(cell)
        cell.font = Font(bold=column.required)
        cell.fill = _REQUIRED if column.required else _OPTIONAL
        cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        cell.comment = Comment(f"{'必須' if column.required else '任意'}\n{_form(column)}", "kodomo_assets", 60, 240)
        dimension = sheet.column_dimensions[letter]
        dimension.width = max(12, 2 * len(column.ja) + 4)
        # text keeps leading zeros and 2025-04
        dimension.number_format = _FORMATS.get(column.type, "@")
        rule = _rule(column)
        if rule is not None:
            rule.add(f"{letter}2:{letter}{_ROWS + 1}")
            # without it Excel offers the list and lets everything else in too
            rule.showErrorMessage = True
            rule.allow_blank = True
            sheet.add_data_validation(rule)
    sheet.row_dimensions[1].height = 30
    sheet.freeze_panes = "A2"
    _print_on_a4(sheet)


def _rule(column: Column) -> DataValidation | None:
    """What Excel lets into a cell; None where any text may stand."""
    match column.type:
        case "code":
            return _list(column.allowed)
        case "flag":
            rule = _list(("○", "×"))
            if rule is not None:
                # other words are read too (書き方)
                rule.errorStyle = "warning"
            return rule
        case "int" if not column.fiscal_year:
            low, high = column.min or 0, 999_999_999 if column.max is None else column.max
            rule = DataValidation("whole", operator="between", formula1=str(low), formula2=str(high))
            rule.error = f"{low}から{high}までの整数を入れてください"
            return rule
        case _:
            return None


def _list(words: tuple[str, ...]) -> DataValidation | None:
    joined = ",".join(words).replace('"', '""')
    if len(joined) > _LONGEST_LIST or any("," in word for word in words):
        return None
    rule = DataValidation("list", formula1=f'"{joined}"')
    rule.error = "一覧から選んでください"
    return rule


def _explain(sheet: Worksheet, catalogue: Catalogue, table: SourceTable) -> None:
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
    lines = [
        ("提出する部署", section.ja),
        ("提出の時期", _cadence(catalogue.calendar, table)),
        ("法的根拠", f"{section.basis}（{table.legal.reason}）"),
        ("ファイル名", f"{file}。直したファイルは同じ名前で出してください"),
        ("シート", place),
        ("必須の列", "見出しが黄色の太字の列。空欄の行は受け取れません"),
        ("一件の決まり方", f"{key} が同じ行は二つ以上入れないでください"),
        (
            "日付",
            "2025-04-01、2025/4/1、令和7年4月1日、R7.4.1 など。続いている期間の終わりは空欄。"
            "分からない日は「不詳」（必須の日付では、その行は受け取れません）",
        ),
        ("該当・非該当", f"「○」と「×」。{yes} と {no} も読みます。空欄は「記録がない」です"),
        ("番号", "先頭の0は消えても構いません。1.23E+09のような形になったものは読めません"),
        ("入れてはいけないもの", "個人番号（マイナンバー）。入っているファイルは受け取れません"),
        ("保存", "数式を使ったときは、計算結果が出た状態でExcelで保存してください"),
    ]
    sheet.append([f"{table.ja}の書き方"])
    sheet["A1"].font = Font(bold=True, size=14)
    for line in lines:
        sheet.append(line)
    sheet.append([])
    sheet.append(["見出し", "必須", "形式", "許される値"])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True)
        cell.fill = _OPTIONAL
    for column in table.columns.values():
        allowed = "・".join(column.allowed)
        sheet.append([column.ja, "必須" if column.required else "", _form(column), allowed])
        # not every program makes the height fit when it opens the file
        sheet.row_dimensions[sheet.max_row].height = 15 * (1 + len(allowed) // _ALLOWED_LINE)
    for number, (_, text) in enumerate(lines, start=2):
        sheet.merge_cells(start_row=number, start_column=2, end_row=number, end_column=4)
        # Excel does not make the height of merged cells fit
        sheet.row_dimensions[number].height = 18 * (1 + len(text) // _LINE)
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.alignment = _WRAPPED
            _keep_text(cell)
    for letter, width in zip("ABCD", (26, 8, 44, 52), strict=True):
        sheet.column_dimensions[letter].width = width
    _print_on_a4(sheet)


def _cadence(calendar: Calendar, table: SourceTable) -> str:
    terms = (calendar.yearly,) if table.cadence == "yearly" else calendar.terms
    days = "・".join(f"{int(term[:2])}月{int(term[3:])}日" for term in terms)
    return f"{'年1回' if table.cadence == 'yearly' else '各学期'}（{days}の基準日）"


def _keep_text(cell: Cell | MergedCell) -> None:
    """A word of the contract that begins with = is no formula."""
    if cell.data_type == "f":
        cell.data_type = "s"


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


def _print_on_a4(sheet: Worksheet) -> None:
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"
