"""The draft of a 開示 for the officer, and the file for the person: only what the officer released."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openpyxl import Workbook

from kodomo_assets.doors.rights.records import FILES, GROUPS, Field, Record
from kodomo_assets.office.workbooks import (
    A4,
    HEADER_ROW,
    TEXT,
    Column,
    Value,
    add_choice,
    column_cells,
    file_of,
    finish,
    lock,
    new_workbook,
    protect,
    put_head,
    put_notes,
    put_table,
    set_print,
)
from kodomo_assets.vocabulary import (
    CENTRE_FOLDER,
    CLOSED,
    CONTENT,
    DISCLOSURE,
    DISCLOSURE_DRAFT,
    IN_PART,
    LEFT_OUT,
    MAY_APPLY,
    OF_TABLE,
    OPEN,
    RECORD_NUMBER,
    RECORD_TABLE,
    REFERENCE_DATE,
    TABLE_ID,
    UNSAID,
    VERDICT,
    VERDICT_OF_TABLE,
    VERDICTS,
    WHY_NOT,
    WHY_NOT_OF_TABLE,
)

_GUIDE, _BY_TABLE, _NOT_TOLD = "案内", "表ごとの区分", "開示しない部分"
#: Stands on a draft.
CARE = (
    f"{CENTRE_FOLDER}：センターの外に出さないでください。請求した方に渡すのは、区分を入れたあとに作るファイルだけです"
)
_NUMBER, _OF_TABLE, _DAY, _TEXT = Column(7), Column(24), Column(12), Column(88, number_format=TEXT)
_DRAFT = {
    RECORD_NUMBER: _NUMBER,
    RECORD_TABLE: _OF_TABLE,
    REFERENCE_DATE: _DAY,
    CONTENT: _TEXT,
    MAY_APPLY: Column(14),
    VERDICT: Column(14, asked=True),
    LEFT_OUT: Column(20, asked=True),
    WHY_NOT: Column(28, asked=True),
}
_TABLES = {
    TABLE_ID: Column(30),
    OF_TABLE: Column(44),
    "件数": Column(8),
    MAY_APPLY: Column(14),
    VERDICT_OF_TABLE: Column(16, asked=True),
    WHY_NOT_OF_TABLE: Column(44, asked=True),
}
_TOLD = {
    RECORD_NUMBER: _NUMBER,
    RECORD_TABLE: _OF_TABLE,
    REFERENCE_DATE: _DAY,
    CONTENT: Column(84, number_format=TEXT),
}
_CLOSED = {
    RECORD_TABLE: Column(36),
    REFERENCE_DATE: _DAY,
    "件数": Column(8),
    "開示しない項目": Column(44, number_format=TEXT),
    WHY_NOT: Column(60, number_format=TEXT),
}
# so many signs of a text fit into a row as high as a row may be; what is longer goes on in the next row
_PART = 1000
_WHOLE = "すべて"
_HOW = {
    "区分の入れ方": (
        f"「{_BY_TABLE}」で表の区分を、ほかのシートで一件ごとの区分を選びます。一件ごとの区分が先に立ちます。"
        "どちらも空のままの記録が一件でもあれば、ファイルは作られません"
    ),
    OPEN: "その記録を、そのまま開示します（ほかの方の番号は示しません）",
    IN_PART: f"「{LEFT_OUT}」に書いた項目（「：」の前の語。「、」で区切る）を除いて開示します（79条）。理由が要ります",
    CLOSED: "記録があることと理由だけを知らせます。理由が要ります",
    UNSAID: (
        "記録があるかないかを答えません（81条）。ファイルのどこにも出ません。理由が要ります（この案に残ります）。"
        "その記録から作られたもの（名寄せ、項目と段階、目的変数、得点）からも分からないか、確かめてください"
    ),
    MAY_APPLY: (
        "1号＝本人（代理人の請求では本人）の生命・健康・生活を害するおそれ、2号＝ほかの方の情報、3号＝法人の情報、"
        "5号＝犯罪の予防など、6号＝審議・検討、7号＝事務の適正な遂行。目安であり、決めるのは人です"
    ),
    "内容の列": "書き換えると受け付けません。記録が変わったときも受け付けないので、案を作り直してください",
}


@dataclass(frozen=True)
class Decision:
    """What the officer decided on a record; ``left_out``: headers; ``why``: why not (all) of it is disclosed."""

    record: Record
    verdict: str
    left_out: frozenset[str]
    why: str

    @property
    def is_told(self) -> bool:
        """Whether the person reads the record, or a part of it."""
        return self.verdict in (OPEN, IN_PART)

    @property
    def tells_of(self) -> frozenset[str]:
        """The delivered tables of whose records the person is told by it."""
        if not self.is_told:
            return frozenset()
        told = (field for field in self.record.fields if field.header not in self.left_out)
        return frozenset().union(*(field.tells_of for field in told))


def draft_workbook(request: str, facts: Mapping[str, str], records: Sequence[Record], state: str) -> bytes:
    """The draft: every record with a number, and empty cells for what the officer decides.

    Args:
        facts: label and text of what is to be known of the request.
        state: of ``records``, by which a draft that is out of date is known.
    """
    book = guide(f"{DISCLOSURE_DRAFT}　受付番号 {request}", CARE, {**facts, **_HOW})
    _put_tables(book, request, records)
    guidance = f"黄色の欄に区分を入れてください（{'・'.join(VERDICTS)}）。表の区分だけで足りる記録は空のままにします"
    for group in (*GROUPS, FILES):
        numbered = [(number, one) for number, one in enumerate(records, start=1) if one.group == group]
        if not numbered:
            continue
        sheet = book.create_sheet(group)
        rows = [row for number, record in numbered for row in _draft_rows(number, record)]
        put_table(sheet, (f"{DISCLOSURE_DRAFT}　受付番号 {request}　{group}", CARE, guidance), _DRAFT, rows)
        last = HEADER_ROW + len(rows)
        add_choice(sheet, [column_cells(_DRAFT, VERDICT, HEADER_ROW + 1, last)], VERDICTS)
        asked = [position for position, column in enumerate(_DRAFT.values(), start=1) if column.asked]
        for number, row in enumerate(rows, start=HEADER_ROW + 1):
            for position in asked if RECORD_NUMBER not in row else ():
                lock(sheet.cell(number, position))
        protect(sheet)
        set_print(sheet, None, paper=A4, landscape=True, care=CENTRE_FOLDER)
    return finish(book, DISCLOSURE_DRAFT, None, f"{request} {state}")


def guide(title: str, care: str, notes: Mapping[str, str]) -> Workbook:
    """A workbook whose first sheet says what is to be known: label and text."""
    book, sheet = new_workbook(_GUIDE)
    widths = (22.0, 100.0)
    for letter, width in zip("AB", widths, strict=True):
        sheet.column_dimensions[letter].width = width
    put_head(sheet, (title, care), widths)
    put_notes(sheet, HEADER_ROW, notes, widths)
    protect(sheet)
    set_print(sheet, None, paper=A4, landscape=True, care="")
    return book


def _put_tables(book: Workbook, request: str, records: Sequence[Record]) -> None:
    counts = Counter(record.table for record in records)
    first = {record.table: record for record in reversed(records)}
    grounds = {
        table: sorted({ground for record in records if record.table == table for ground in record.grounds})
        for table in counts
    }
    rows: list[Mapping[str, Value]] = [
        {
            TABLE_ID: table,
            OF_TABLE: first[table].table_ja,
            "件数": count,
            MAY_APPLY: "・".join(grounds[table]),
        }
        for table, count in counts.items()
    ]
    sheet = book.create_sheet(_BY_TABLE)
    guidance = "表のすべての記録に同じ区分を入れるときに使います。空でも構いません"
    put_table(sheet, (f"{DISCLOSURE_DRAFT}　受付番号 {request}　{_BY_TABLE}", CARE, guidance), _TABLES, rows)
    choices = (OPEN, CLOSED, UNSAID)
    add_choice(sheet, [column_cells(_TABLES, VERDICT_OF_TABLE, HEADER_ROW + 1, HEADER_ROW + len(rows))], choices)
    protect(sheet)
    set_print(sheet, None, paper=A4, landscape=True, care=CENTRE_FOLDER)


def _draft_rows(number: int, record: Record) -> Iterator[dict[str, Value]]:
    first, *more = parts_of(record.content)
    yield {**_of(number, record), CONTENT: first, MAY_APPLY: "・".join(record.grounds) or None}
    for part in more:
        yield {CONTENT: part}


def _of(number: int, record: Record) -> dict[str, Value]:
    day = record.day.isoformat() if record.day else None
    return {RECORD_NUMBER: number, RECORD_TABLE: record.table_ja, REFERENCE_DATE: day}


def parts_of(text: str) -> list[str]:
    """A text in pieces, each of which a row can show whole."""
    return [text[at : at + _PART] for at in range(0, len(text), _PART)] or [""]


def person_workbook(request: str, today: dt.date, facts: Mapping[str, str], decisions: Sequence[Decision]) -> bytes:
    """What the person gets: the released records in words, and of the others that they are there and why not more."""
    told = _together([one for one in decisions if one.is_told])
    title = f"保有個人情報の{DISCLOSURE}　受付番号 {request}"
    book = guide(title, f"{today.isoformat()}　こどもデータ連携が保有する、ご本人についての記録です", facts)
    for group in (*GROUPS, FILES):
        rows = [
            row for number, one in enumerate(told, start=1) if one.record.group == group for row in _rows(number, one)
        ]
        if rows:
            _put(book, group, f"{title}　{group}", _TOLD, rows)
    if closed := _closed(decisions):
        _put(book, _NOT_TOLD, f"{title}　{_NOT_TOLD}", _CLOSED, closed)
    return file_of(book)


def _put(
    book: Workbook, name: str, title: str, columns: Mapping[str, Column], rows: Sequence[Mapping[str, Value]]
) -> None:
    sheet = book.create_sheet(name)
    put_table(sheet, (title,), columns, rows)
    set_print(sheet, None, paper=A4, landscape=True, care="")


def _rows(number: int, one: Decision) -> Iterator[dict[str, Value]]:
    first, *more = parts_of(one.record.released(one.left_out))
    yield {**_of(number, one.record), CONTENT: first}
    for part in more:
        yield {CONTENT: part}


def _together(told: Sequence[Decision]) -> list[Decision]:
    """Items of a date that stand on no level, for one cause, in one row: a row for each would hide those that do."""
    found: list[Decision] = []
    kept: dict[tuple[str, dt.date | None, str], int] = {}
    for one in told:
        if one.record.alike is None or one.verdict != OPEN:
            found.append(one)
            continue
        label, item = one.record.alike
        at = kept.setdefault((one.record.table, one.record.day, label), len(found))
        if at == len(found):
            found.append(replace(one, record=replace(one.record, fields=(Field(label, item),))))
        else:
            (field,) = found[at].record.fields
            together = replace(found[at].record, fields=(Field(label, f"{field.text}、{item}"),))
            found[at] = replace(found[at], record=together)
    return found


def _closed(decisions: Sequence[Decision]) -> list[dict[str, Value]]:
    counted = Counter(
        (
            one.record.table_ja,
            one.record.day.isoformat() if one.record.day else None,
            "、".join(sorted(one.left_out)) if one.verdict == IN_PART else _WHOLE,
            one.why,
        )
        for one in decisions
        if one.verdict in (IN_PART, CLOSED)
    )
    return [
        {RECORD_TABLE: table, REFERENCE_DATE: day, "件数": count, "開示しない項目": items, WHY_NOT: why}
        for (table, day, items, why), count in counted.items()
    ]
