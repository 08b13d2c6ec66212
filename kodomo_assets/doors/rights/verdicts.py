"""Reads the draft that the officer filled in: nothing is released that the officer did not say, of records of now.

A message names sheet and row, never a cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kodomo_assets.doors.rights.records import Record, state_of
from kodomo_assets.doors.rights.workbooks import Decision
from kodomo_assets.errors import RequestError, Said, together
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.returned import Place, ReturnedFile, ReturnedRow
from kodomo_assets.vocabulary import (
    CLOSED,
    CONTENT,
    DISCLOSURE_DRAFT,
    IN_PART,
    KIND,
    LEFT_OUT,
    OPEN,
    RECORD_NUMBER,
    RECORD_TABLE,
    TABLE_ID,
    UNSAID,
    VERDICT,
    VERDICT_OF_TABLE,
    VERDICTS,
    VERSION,
    WHY_NOT,
    WHY_NOT_OF_TABLE,
)

_RECORDS = (RECORD_NUMBER, RECORD_TABLE, CONTENT, VERDICT, LEFT_OUT, WHY_NOT)
_TABLES = (TABLE_ID, VERDICT_OF_TABLE, WHY_NOT_OF_TABLE)
_MARK = re.compile(r"(\d{4}-\d{4,}) ([0-9a-f]{16})")
_BETWEEN = re.compile("[、,，;；\n]")
# so many rows are named
_NAMED = 5


@dataclass(frozen=True)
class Draft:
    """A draft that came back: of which request and which records, and what stands in it."""

    name: str
    request: str
    state: str
    rows: Sequence[ReturnedRow]
    tables: Sequence[ReturnedRow]


def read_draft(file: ReturnedFile) -> Draft:
    """What stands in the workbook.

    Raises:
        RequestError: it is no draft of ours, or a sheet lacks a header.
    """
    mark = _MARK.fullmatch(file.facts.get(VERSION, ""))
    if file.facts.get(KIND) != DISCLOSURE_DRAFT or mark is None:
        raise RequestError(
            "{file}: is no draft of `rights disclose`, expected the workbook that it wrote, filled in",
            file=file.name,
        )
    rows, wrong = file.tables(_RECORDS)
    tables, wrong_too = file.tables(_TABLES)
    if found := [*wrong, *wrong_too]:
        raise RequestError(
            "{place}: {problem}",
            place=found[0].place,
            problem=found[0].problem,
        )
    return Draft(file.name, mark[1], mark[2], rows, tables)


def decide(draft: Draft, records: Sequence[Record]) -> list[Decision]:
    """What the officer decided on each of ``records``, which are those of now.

    Raises:
        RequestError: the records are other ones by now, a row or a table was changed, is missing or stands twice, or a
            verdict is missing, unknown or lacks what it needs.
    """
    if draft.state != state_of(records):
        raise RequestError(
            "{file}: what is stored about the person is not what the draft shows any more, so "
            "that nothing is released; make a new draft (a new `rights disclose`)",
            file=draft.name,
        )
    of_tables: dict[str, ReturnedRow] = {}
    strange, known = [], {record.table for record in records}
    for row in draft.tables:
        if (table := row.cells[TABLE_ID]) not in known or table in of_tables:
            strange.append(row.place)
        else:
            of_tables[table] = row
    _refuse(draft, strange, Said("has no {header} of the draft, or one that stands twice", header=TABLE_ID))
    numbered: dict[int, list[ReturnedRow]] = {}
    strays, number = [], None
    for row in draft.rows:
        text = row.cells[RECORD_NUMBER]
        if text:
            number = int(text) if text.isdecimal() and 0 < int(text) <= len(records) else None
        if number is None or (text and number in numbered) or (not text and _is_filled(row)):
            strays.append(row.place)
        else:
            numbered.setdefault(number, []).append(row)
    _refuse(draft, strays, Said("has no number of the draft, or one that stands twice"))
    missing = len(records) - len(numbered)
    if missing:
        raise RequestError(
            "{file}: {missing} rows of the draft are missing, expected all {records}",
            file=draft.name,
            missing=missing,
            records=len(records),
        )
    changed, problems = [], dict[Said, list[Place]]()
    decisions: list[Decision] = []
    places: list[Place] = []
    for number, record in enumerate(records, start=1):
        rows = numbered[number]
        if not _shows(record, comparable("".join(row.cells[CONTENT] for row in rows))):
            changed.append(rows[0].place)
            continue
        decided = _decision(rows[0], of_tables.get(record.table), record)
        if isinstance(decided, Said):
            problems.setdefault(decided, []).append(rows[0].place)
        else:
            decisions.append(decided)
            places.append(rows[0].place)
    _refuse(draft, changed, Said("holds another {header} than the draft had", header=CONTENT))
    for problem, found in problems.items():
        _refuse(draft, found, problem)
    unsaid = unsaid_tables(decisions)
    telling = [place for place, one in zip(places, decisions, strict=True) if one.tells_of & unsaid]
    _refuse(
        draft,
        telling,
        Said(
            "was made of records of which all are {unsaid} (81条), and would tell that they are there; expected "
            "{unsaid} or {closed} here too, or {in_part} without the items that tell of them",
            unsaid=UNSAID,
            closed=CLOSED,
            in_part=IN_PART,
        ),
    )
    return decisions


def unsaid_tables(decisions: Sequence[Decision]) -> frozenset[str]:
    """The delivered tables of which nothing is told, not even that there are records."""
    tables = {
        unsaid: {one.record.table for one in decisions if (one.verdict == UNSAID) == unsaid} for unsaid in (True, False)
    }
    return frozenset(tables[True] - tables[False])


def _shows(record: Record, text: str) -> bool:
    if record.lasting == record.content:
        return text == comparable(record.content)
    return text.startswith(comparable(record.lasting))


def _is_filled(row: ReturnedRow) -> bool:
    return any(row.cells[header] for header in (VERDICT, LEFT_OUT, WHY_NOT))


def _decision(row: ReturnedRow, of_table: ReturnedRow | None, record: Record) -> Decision | Said:
    """The decision on one record, or what is wrong with it."""
    verdict, why = comparable(row.cells[VERDICT]), row.cells[WHY_NOT].strip()
    if not verdict:
        if row.cells[LEFT_OUT] or why:
            return Said("has a reason or items but no {header}", header=VERDICT)
        if of_table is None or not of_table.cells[VERDICT_OF_TABLE]:
            return Said("has no {header}, and its table has none", header=VERDICT)
        verdict, why = comparable(of_table.cells[VERDICT_OF_TABLE]), of_table.cells[WHY_NOT_OF_TABLE].strip()
        if verdict == IN_PART:
            return Said("its table has {in_part}, which is said of single rows", in_part=IN_PART)
    if verdict not in VERDICTS:
        return Said("has another {header} than {known}", header=VERDICT, known="・".join(VERDICTS))
    if verdict != OPEN and not why:
        return Said(
            "has no {header}, expected one beside {verdicts} (79条, 82条)",
            header=WHY_NOT,
            verdicts=f"{IN_PART}・{CLOSED}・{UNSAID}",
        )
    named = _named(row.cells[LEFT_OUT], record)
    if (verdict == IN_PART) != bool(named):
        return Said("{header} belongs to {in_part}, and {in_part} needs it", header=LEFT_OUT, in_part=IN_PART)
    if None in named:
        return Said(
            "{header} names what is no item of the row, expected words before a ： of its {content}",
            header=LEFT_OUT,
            content=CONTENT,
        )
    return Decision(record, verdict, frozenset(name for name in named if name is not None), why)


def _named(text: str, record: Record) -> set[str | None]:
    """The items that ``text`` names, None for what is no item: the longest first, for a name may hold a 、 itself."""
    known = {_plain(_BETWEEN.split(field.header)): field.header for field in record.fields}
    parts = [part for part in _BETWEEN.split(text) if part.strip()]
    named = set[str | None]()
    while parts:
        sizes = [size for size in range(len(parts), 0, -1) if _plain(parts[:size]) in known]
        size = sizes[0] if sizes else 1
        named.add(known.get(_plain(parts[:size])))
        parts = parts[size:]
    return named


def _plain(parts: Sequence[str]) -> str:
    return comparable("、".join(parts))


def _refuse(draft: Draft, places: Sequence[Place], problem: Said) -> None:
    if places:
        told = together(Said("sheet {sheet} row {row}", sheet=one.sheet, row=one.row) for one in places[:_NAMED])
        more = Said(" and {number} more", number=len(places) - _NAMED) if len(places) > _NAMED else ""
        raise RequestError(
            "{file}: {places}{more}: {problem}; nothing was released",
            file=draft.name,
            places=told,
            more=more,
            problem=problem,
        )
