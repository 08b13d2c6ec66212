"""個人票*.xlsx and 個人票*.csv -> what the class teachers wrote; a child is known by its 配布番号 only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import Said, stored
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable, read_int
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import (
    Place,
    Rejection,
    ReturnedFile,
    ReturnedSheet,
    read_all,
)
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.outcomes.taking import Taken, count_gone, count_rows, judge
from kodomo_assets.vocabulary import (
    FILLED_BY,
    FILLED_ON,
    MINUTES,
    NUMBER,
    PERSONAL_SHEET,
    QUESTIONS,
    REFERENCE_DATE,
    WRONG_DATE,
    SheetQuestion,
)

#: As in ``review.rejections``.
KIND = "personal_sheets"
_MINUTE = ("分",)
# a day's work
_LONGEST = 480
_TYPES = {
    "file": "varchar",
    "sheet": "integer",
    "row_number": "integer",
    "sheet_number": "varchar",
    "filled_on": "date",
    "filled_by": "varchar",
    **{question.id: "varchar" for question in QUESTIONS},
    "minutes": "integer",
    "problem": "varchar",
}


def build_personal_sheets(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    today: dt.date,
) -> Taken:
    """Makes the temp table ``new_personal_sheets`` and those of ``BESIDE``; counts the sheets.

    A sheet on which no question was answered says nothing. Of two sheets of one child the one of the later 記入日
    counts, then the one that stands later; one of a day to come would outrank every other, and is refused.
    """
    read, rejected = read_all(files, catalogue.ingest)
    rows: list[tuple[object, ...]] = []
    unread = 0
    for file in read:
        sent_for = file.facts.get(REFERENCE_DATE)
        if sent_for and read_date(sent_for).value != reference_date:
            rejected.append(Rejection(Place(file.name, None, None), WRONG_DATE))
            continue
        found = list(_sheets(file))
        if not found:
            rejected.append(Rejection(Place(file.name, None, None), _no_sheet(file)))
        rejected += [sheet for sheet in found if isinstance(sheet, Rejection)]
        sheets = [sheet for sheet in found if not isinstance(sheet, Rejection)]
        rows += [_cells(place, cells) for place, cells in sheets if any(cells.get(q.ja) for q in QUESTIONS)]
        unread += sum(bool(cells.get(MINUTES)) and _minutes(cells) is None for _, cells in sheets)
    create_from_frame(con, "returned_sheets", pd.DataFrame(rows, columns=list(_TYPES), dtype="object"), _TYPES)
    judge(con, KIND, files, rejected, reference_date, today, {"filled_on_header": FILLED_ON})
    gone = count_gone(con, "review.personal_sheets", "new_personal_sheets", reference_date)
    return Taken(KIND, count_rows(con, "new_personal_sheets"), len(rows), gone, unread)


def _no_sheet(file: ReturnedFile) -> Said:
    if any(sheet.table([NUMBER]) is not None for sheet in file.sheets):
        return Said(
            "holds numbers and no question, expected the whole workbook as it was sent (a CSV holds one sheet of it)"
        )
    return Said("found no {header}, expected a {kind}", header=NUMBER, kind=PERSONAL_SHEET)


def _sheets(file: ReturnedFile) -> Iterator[tuple[Place, Mapping[str, str]] | Rejection]:
    """Label -> answer of every child: a table with a row a child, or a form a sheet; or why a sheet is not read."""
    # sheets that were sent before anybody asked for the minutes come back without them
    labels = [FILLED_ON, FILLED_BY, *(question.ja for question in QUESTIONS)]
    may_have = [*labels, MINUTES]
    for sheet in file.sheets:
        # a table may hold some of the questions only
        table = next((t for q in QUESTIONS if (t := sheet.table([NUMBER, q.ja], may_have)) is not None), None)
        if isinstance(table, Rejection):
            yield table
            continue
        if table is not None:
            yield from ((row.place, row.cells) for row in table)
            continue
        yield from _form(file, sheet, [NUMBER, *labels])


def _form(
    file: ReturnedFile, sheet: ReturnedSheet, labels: Sequence[str]
) -> Iterator[tuple[Place, Mapping[str, str]] | Rejection]:
    """The answers of a child's worksheet; nothing of a sheet that is none (the index).

    A worksheet is known by any of its labels: one that was moved or reworded is no reason to pass a child over, and an
    answer beside a label that is not there any more would be lost.
    """
    form = sheet.form()
    standing = {comparable(cell) for _, cells in sheet.rows for cell in cells}
    if not any(question.ja in standing for question in QUESTIONS):
        return
    if twice := sheet.repeated_label([*labels, MINUTES]):
        yield twice
    elif missing := [label for label in labels if label not in form]:
        told = "・".join(missing)
        problem = Said("has no {labels} in its first column, expected the labels as they were sent", labels=told)
        yield Rejection(sheet.place, problem)
    else:
        row, number = form[NUMBER]
        asked = [label for label in (*labels[1:], MINUTES) if label in form]
        yield Place(file.name, sheet.place.sheet, row), {NUMBER: number} | {label: form[label][1] for label in asked}


def _cells(place: Place, cells: Mapping[str, str]) -> tuple[object, ...]:
    day = read_date(cells.get(FILLED_ON, ""))
    return (
        place.file,
        place.sheet,
        place.row,
        comparable(cells[NUMBER]).upper() or None,
        day.value,
        cells.get(FILLED_BY) or None,
        *(_answer(question, cells.get(question.ja)) for question in QUESTIONS),
        _minutes(cells),
        stored(next(_problems(cells, day.value), None)),
    )


def _answer(question: SheetQuestion, text: str | None) -> str | None:
    """The choice as it was offered, or the text; None where nothing, or no choice, was given."""
    if not text or question.choices is None:
        return text or None
    return next((choice for choice in question.choices if comparable(choice) == comparable(text)), None)


def _minutes(cells: Mapping[str, str]) -> int | None:
    """How long the sheet took, as the school tells it; what it wrote of the child counts though this cannot be read."""
    minutes = read_int(cells.get(MINUTES, ""), _MINUTE).value
    return minutes if minutes is not None and 0 < minutes <= _LONGEST else None


def _problems(cells: Mapping[str, str], filled_on: dt.date | None) -> Iterator[Said]:
    if not cells[NUMBER]:
        yield Said("{header} is blank, expected the number as it was sent", header=NUMBER)
    if cells.get(FILLED_ON) and filled_on is None:
        yield Said("{header} is no date, expected a date or nothing", header=FILLED_ON)
    for question in QUESTIONS:
        answer = cells.get(question.ja)
        if question.choices and answer and _answer(question, answer) is None:
            known = "・".join(question.choices)
            yield Said("{header} is none of the choices, expected {known}", header=question.ja, known=known)
