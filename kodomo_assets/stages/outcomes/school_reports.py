"""支援対象者_<school>*.xlsx and .csv as schools send them back -> when a child was spoken to or given 案内資料."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Ingest
from kodomo_assets.errors import Said, stored
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import Place, Rejection, ReturnedFile, ReturnedRow, read_all
from kodomo_assets.office.school_names import SchoolsOfFiles
from kodomo_assets.sql import create_from_frame
from kodomo_assets.vocabulary import (
    HANDED_ON,
    LEAFLETS,
    NUMBER,
    REFERENCE_DATE,
    REPORT,
    SCHOOL,
    SCHOOL_LIST,
    SPOKEN_ON,
)

_TYPES = {
    "file": "varchar",
    "sheet": "integer",
    "row_number": "integer",
    "given_number": "varchar",
    "schools": "varchar[]",
    "sent_for": "date",
    "given_on": "date",
    "handed_on": "date",
    "report": "varchar",
    "problem": "varchar",
}


def create_school_reports(
    con: duckdb.DuckDBPyConnection, ingest: Ingest, schools: SchoolsOfFiles, files: Sequence[InboxFile]
) -> list[Rejection]:
    """Makes the temp table ``returned_reports`` of the filled rows; returns the files that are not read, and why.

    A file is of the school that its name and the workbook itself tell; of none, nobody could say whose numbers may
    stand in it.
    """
    read, rejected = read_all(files, ingest)
    rows: list[tuple[object, ...]] = []
    for file in read:
        codes = schools.codes(_after_kind(file.name), file.facts.get(SCHOOL))
        if not codes:
            problem = Said(
                "tells no school, or two; expected the name under which it was sent, {name}",
                name=f"{SCHOOL_LIST}_学校名",
            )
            rejected.append(Rejection(Place(file.name, None, None), problem))
            continue
        # lists that an earlier version sent have no 案内資料
        table, refused = file.tables((NUMBER, SPOKEN_ON), (REPORT, HANDED_ON), (REPORT,))
        rejected += refused
        filled = [row for row in table if any(row.cells[header] for header in (SPOKEN_ON, HANDED_ON, REPORT))]
        rows += [_cells(row, file, codes) for row in filled]
    create_from_frame(con, "returned_reports", pd.DataFrame(rows, columns=list(_TYPES), dtype="object"), _TYPES)
    return rejected


def _after_kind(name: str) -> str:
    return PurePath(name).stem.partition(SCHOOL_LIST)[2]


def _cells(row: ReturnedRow, file: ReturnedFile, codes: set[str]) -> tuple[object, ...]:
    given_on, handed_on = (read_date(row.cells[header]).value for header in (SPOKEN_ON, HANDED_ON))
    return (
        row.place.file,
        row.place.sheet,
        row.place.row,
        comparable(row.cells[NUMBER]).upper() or None,
        sorted(codes),
        read_date(file.facts.get(REFERENCE_DATE, "")).value,
        given_on,
        handed_on,
        row.cells[REPORT] or None,
        stored(next(_problems(row.cells, given_on is not None, handed_on is not None), None)),
    )


def _problems(cells: Mapping[str, str], spoken: bool, handed: bool) -> Iterator[Said]:
    if not cells[NUMBER]:
        yield Said("{header} is blank, expected the number as it was sent", header=NUMBER)
    if cells[SPOKEN_ON] and not spoken:
        yield Said("{header} is no date, expected the day on which somebody spoke to the child", header=SPOKEN_ON)
    if cells[HANDED_ON] and not handed:
        yield Said(
            "{header} is no date, expected the day on which the child was given the {leaflets}",
            header=HANDED_ON,
            leaflets=LEAFLETS,
        )
    if cells[REPORT] and not cells[SPOKEN_ON]:
        yield Said(
            "{header} without {day}: no support yet, expected the day on which somebody spoke to the child",
            header=REPORT,
            day=SPOKEN_ON,
        )
