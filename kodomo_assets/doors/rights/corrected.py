"""The draft of a 訂正 for the officer, what the officer filled in, and the file for the person.

Each value is read as the column's own reader reads a delivered cell. A message names sheet, row and column, no cell.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.catalogue import Column as SourceColumn
from kodomo_assets.doors.rights.cells import YES_NO, Cell, state_of_cells, told
from kodomo_assets.doors.rights.records import BLANK_CELL
from kodomo_assets.doors.rights.workbooks import CARE, guide
from kodomo_assets.errors import RequestError, Said
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.returned import ReturnedFile, ReturnedRow
from kodomo_assets.office.workbooks import (
    A4,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    add_choice,
    file_of,
    finish,
    lock,
    protect,
    put_table,
    set_print,
)
from kodomo_assets.stages.sources.cells import reader
from kodomo_assets.store.corrections import Correction
from kodomo_assets.vocabulary import (
    CENTRE_FOLDER,
    CORRECT,
    CORRECTION,
    CORRECTION_DRAFT,
    HELD,
    ITEM,
    KIND,
    OF_RECORD,
    RECORD_NUMBER,
    RECORD_TABLE,
    REFERENCE_DATE,
    SINCE,
    VERSION,
    WHY_CORRECT,
)

_HEADERS = (RECORD_NUMBER, RECORD_TABLE, ITEM, HELD, CORRECT, SINCE, WHY_CORRECT)
_MARK = re.compile(r"(\d{4}-\d{4,}) ([0-9a-f]{16})")
_DRAFT = {
    RECORD_NUMBER: Column(7),
    RECORD_TABLE: Column(18),
    REFERENCE_DATE: Column(12),
    OF_RECORD: Column(34, number_format=TEXT),
    ITEM: Column(20),
    HELD: Column(30, number_format=TEXT),
    CORRECT: Column(26, number_format=TEXT, asked=True),
    SINCE: Column(14, number_format=TEXT, asked=True),
    WHY_CORRECT: Column(28, number_format=TEXT, asked=True),
}
_BEFORE, _AFTER = "訂正前", "訂正後の内容"
_TOLD = {
    RECORD_TABLE: Column(20),
    OF_RECORD: Column(34, number_format=TEXT),
    ITEM: Column(22),
    _BEFORE: Column(32, number_format=TEXT),
    _AFTER: Column(32, number_format=TEXT),
    SINCE: Column(14, number_format=TEXT),
}
_DONE = f"{CORRECTION}した内容"
_HOW = {
    CORRECT: (
        f"訂正する項目だけに、正しい内容を入れます。空欄にするときは「{BLANK_CELL}」と書きます。"
        "担当課の納品と同じ書き方で読み、読めない値は受け付けません"
    ),
    SINCE: "その行を、どの基準日から訂正するか。空のままなら、同じ内容で納品されたすべての基準日を訂正します",
    WHY_CORRECT: "空のままなら、コマンドの理由を記録します",
    "担当課の納品": (
        "ここで訂正できるのは、ご本人の宛名番号で届いた行の項目です。宛名番号・世帯番号などの番号、行を見分ける項目、支援措置、"
        "学籍番号や氏名で結び付く記録（学校の記録、SSW相談記録など）、行の追加と削除は、担当課が次の納品で直します"
    ),
    "効くあいだ": "担当課が同じ値を納品するあいだ効きます。別の値が届けば、その値を使い、検査が知らせます",
}


@dataclass(frozen=True)
class Chosen:
    """A cell and what the officer says is right."""

    cell: Cell
    correction: Correction


def draft_book(request: str, facts: Mapping[str, str], cells: Sequence[Cell]) -> bytes:
    """The draft: every cell with a number, and empty cells for what is right; ``facts``: label and text."""
    title = f"{CORRECTION_DRAFT}　受付番号 {request}"
    book = guide(title, CARE, {**facts, **_HOW})
    numbered: dict[str, list[tuple[int, Cell]]] = {}
    for number, cell in enumerate(cells, start=1):
        numbered.setdefault(cell.table.ja, []).append((number, cell))
    for name, of_table in numbered.items():
        sheet = book.create_sheet(name)
        rows = [_draft_row(number, cell) for number, cell in of_table]
        put_table(sheet, (f"{title}　{name}", CARE, f"黄色の「{CORRECT}」に、正しい内容を入れてください"), _DRAFT, rows)
        asked = [position for position, column in enumerate(_DRAFT.values(), start=1) if column.asked]
        correct = asked[0]
        for row, (_, cell) in enumerate(of_table, start=HEADER_ROW + 1):
            choices = cell.column.allowed or (tuple(YES_NO.values()) if cell.column.type == "flag" else ())
            if cell.corrected_by is not None:
                for position in asked:
                    lock(sheet.cell(row, position))
            elif choices:
                add_choice(sheet, [sheet.cell(row, correct).coordinate], (*choices, BLANK_CELL))
        protect(sheet)
        set_print(sheet, None, paper=A4, landscape=True, care=CENTRE_FOLDER)
    return finish(book, CORRECTION_DRAFT, None, f"{request} {state_of_cells(cells)}")


def _draft_row(number: int, cell: Cell) -> dict[str, Value]:
    return {
        RECORD_NUMBER: number,
        RECORD_TABLE: cell.table.ja,
        REFERENCE_DATE: cell.day.isoformat(),
        OF_RECORD: cell.record or None,
        ITEM: cell.column.ja,
        HELD: _held(cell),
    }


def _held(cell: Cell) -> str:
    return f"{cell.told}（{cell.corrected_by}で訂正）" if cell.corrected_by else cell.told


@dataclass(frozen=True)
class FilledDraft:
    """A draft that came back: of which request and which cells, and what stands in it."""

    name: str
    request: str
    state: str
    rows: Sequence[ReturnedRow]


def read_filled(file: ReturnedFile) -> FilledDraft:
    """What stands in the workbook.

    Raises:
        RequestError: it is no draft of ours, or a sheet lacks a header.
    """
    mark = _MARK.fullmatch(file.facts.get(VERSION, ""))
    if file.facts.get(KIND) != CORRECTION_DRAFT or mark is None:
        raise RequestError(
            "{file}: is no draft of `rights correct`, expected the workbook that it wrote, filled in",
            file=file.name,
        )
    rows, wrong = file.tables(_HEADERS)
    if wrong:
        raise RequestError(
            "{place}: {problem}",
            place=wrong[0].place,
            problem=wrong[0].problem,
        )
    return FilledDraft(file.name, mark[1], mark[2], rows)


def choose(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, filled: FilledDraft, cells: Sequence[Cell], reason: str
) -> list[Chosen]:
    """What the officer corrects of ``cells``, which are those of now.

    Args:
        reason: of cells beside which none is written.

    Raises:
        RequestError: the cells are other ones by now, a row was changed or stands twice, nothing is corrected, or what
            is written cannot be read, may not stand there, or is what is stored.
    """
    if filled.state != state_of_cells(cells):
        raise RequestError(
            "{file}: what is stored about the person is not what the draft shows any more, so "
            "that nothing is corrected; make a new draft (a new `rights correct`)",
            file=filled.name,
        )
    chosen: dict[int, tuple[ReturnedRow, Chosen]] = {}
    for row in filled.rows:
        text = row.cells[RECORD_NUMBER]
        number = int(text) if text.isdecimal() and 0 < int(text) <= len(cells) else None
        if number is None or number in chosen:
            raise _refused(row, Said("has no number of the draft, or one that stands twice"))
        cell = cells[number - 1]
        if comparable(row.cells[HELD]) != comparable(_held(cell)) or comparable(row.cells[ITEM]) != comparable(
            cell.column.ja
        ):
            raise _refused(row, Said("holds another {item} or {held} than the draft had", item=ITEM, held=HELD))
        if not row.cells[CORRECT]:
            if row.cells[SINCE] or row.cells[WHY_CORRECT]:
                problem = Said("has a {since} or {why} but no {correct}", since=SINCE, why=WHY_CORRECT, correct=CORRECT)
                raise _refused(row, problem)
            continue
        chosen[number] = row, Chosen(cell, _correction(con, catalogue, number, row, cell, reason))
    if not chosen:
        raise RequestError(
            "{file}: no row has a {correct}, expected one at least (where nothing is corrected: "
            "--refuse, where the office mends it: --deliver)",
            file=filled.name,
            correct=CORRECT,
        )
    _require_within_neighbours(cells, list(chosen.values()))
    return [one for _, one in chosen.values()]


def _correction(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, number: int, row: ReturnedRow, cell: Cell, reason: str
) -> Correction:
    if cell.corrected_by is not None:
        raise _refused(
            row, Said("is corrected already by {request}: end that one first (--end)", request=cell.corrected_by)
        )
    value = _read(con, catalogue, row, cell)
    if value == cell.found and cell.mark is None:
        raise _refused(row, Said("{header} is what is stored, expected what is right, or nothing", header=CORRECT))
    return Correction(
        number=number,
        table=cell.table.id,
        row_key=cell.row_key,
        column=cell.column.name,
        found=cell.found,
        found_mark=cell.mark,
        corrected=value,
        since=_since(row, cell),
        reason=row.cells[WHY_CORRECT] or reason,
    )


def _read(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, row: ReturnedRow, cell: Cell) -> str | None:
    """What is written, as the column's own reader reads it and DuckDB casts it to a text; None: blank."""
    table, column = cell.table, cell.column
    if comparable(row.cells[CORRECT]).strip("()") == comparable(BLANK_CELL).strip("()"):
        if column.required:
            raise _refused(
                row,
                Said(
                    "{header} is blank, expected a value: no row is without {column}", header=CORRECT, column=column.ja
                ),
            )
        return None
    reading = reader(table, column, catalogue.ingest, cell.day)(row.cells[CORRECT])
    if reading.value is None or reading.problem is not None:
        raise _refused(
            row,
            Said(
                "{header} cannot be read ({why}), expected {expected}, or {nothing}",
                header=CORRECT,
                why=reading.problem or Said("blank"),
                expected=_expected(column),
                nothing=BLANK_CELL,
            ),
        )
    cast = con.execute(f"select ($1::varchar)::{column.duckdb_type}::varchar", [str(reading.value)]).fetchone()
    return str(cast[0]) if cast else None


def _expected(column: SourceColumn) -> Said:
    if column.allowed:
        return Said("one of {known}", known="・".join(column.allowed))
    least, most = column.min, column.max
    bounds = "" if most is None else Said(" of {least} to {most}", least=least or 0, most=most)
    return Said("a {type}{bounds} as the office delivers it", type=column.type, bounds=bounds)


def _since(row: ReturnedRow, cell: Cell) -> dt.date:
    if not row.cells[SINCE]:
        return cell.days[0]
    day = read_date(row.cells[SINCE]).value
    if day is None or day not in cell.days:
        expected = "・".join(one.isoformat() for one in cell.days)
        raise _refused(
            row,
            Said(
                "{header} is no reference date at which the row holds this, expected one of {known}",
                header=SINCE,
                known=expected,
            ),
        )
    return day


def _require_within_neighbours(cells: Sequence[Cell], chosen: Sequence[tuple[ReturnedRow, Chosen]]) -> None:
    """No number exceeds the one of its row that it may not exceed, whichever of the two is corrected."""
    values = {(one.table.id, one.key_text, one.column.name): one.found for one in cells}
    values |= {(c.cell.table.id, c.cell.key_text, c.cell.column.name): c.correction.corrected for _, c in chosen}
    for row, one in chosen:
        table, key = one.cell.table, one.cell.key_text
        for low, high in _bounds(table):
            if one.cell.column.name in (low, high):
                smaller, larger = values.get((table.id, key, low)), values.get((table.id, key, high))
                if smaller is not None and larger is not None and float(smaller) > float(larger):
                    names = table.columns[low].ja, table.columns[high].ja
                    problem = Said("{low} would exceed {high}, expected at most as much", low=names[0], high=names[1])
                    raise _refused(row, problem)


def _bounds(table: SourceTable) -> Iterator[tuple[str, str]]:
    yield from ((name, column.at_most) for name, column in table.columns.items() if column.at_most is not None)


def _refused(row: ReturnedRow, problem: Said) -> RequestError:
    return RequestError(
        "{place}: {problem}; nothing was corrected",
        place=row.place,
        problem=problem,
    )


def person_book(request: str, today: dt.date, facts: Mapping[str, str], chosen: Sequence[Chosen]) -> bytes:
    """What the person gets: what was corrected, from which reference date on, and who is told."""
    title = f"保有個人情報の{CORRECTION}　受付番号 {request}"
    book = guide(
        title, f"{today.isoformat()}　こどもデータ連携が保有する、ご本人についての記録の{CORRECTION}です", facts
    )
    sheet = book.create_sheet(_DONE)
    rows: list[dict[str, Value]] = [
        {
            RECORD_TABLE: one.cell.table.ja,
            OF_RECORD: one.cell.record or None,
            ITEM: one.cell.column.ja,
            _BEFORE: one.cell.told,
            _AFTER: told(one.cell.column, one.correction.corrected),
            SINCE: str(one.correction.since),
        }
        for one in chosen
    ]
    put_table(sheet, (f"{title}　{_DONE}",), _TOLD, rows)
    set_print(sheet, None, paper=A4, landscape=True, care="")
    return file_of(book)
