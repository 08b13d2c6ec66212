"""支援記録, and the lists that schools send back -> support given to children, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import Said, stored
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import (
    Place,
    Rejection,
    given_key,
    read_all,
)
from kodomo_assets.office.school_names import SchoolsOfFiles, registers
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.outcomes.school_reports import create_school_reports
from kodomo_assets.stages.outcomes.taking import Taken, count_gone, count_rows, judge
from kodomo_assets.vocabulary import (
    CHILD_KEY,
    GIVEN_ON,
    HANDED_ON,
    NUMBER,
    OUTCOME,
    REFERENCE_DATE,
    SCHOOL_LIST,
    SPOKEN_ON,
    SUPPORT,
    SUPPORT_RECORD,
    TOLD,
    WRONG_DATE,
)

#: As in ``review.rejections``.
KIND = "support"
#: What a school's list becomes where a day stands in it.
SPOKEN_TO = "声かけ済み"
#: And where the day stands on which the child was given 案内資料: what was done, and what came of it.
HANDED_OUT, OFFERED = "案内資料の手渡し", "案内済み"
_REQUIRED = (GIVEN_ON, SUPPORT, OUTCOME)
_OPTIONAL = (NUMBER, CHILD_KEY)
_TYPES = {
    "file": "varchar",
    "sheet": "integer",
    "row_number": "integer",
    "given_key": "varchar",
    "given_number": "varchar",
    "given_on": "date",
    "kind": "varchar",
    "outcome": "varchar",
    "step": "varchar",
    "problem": "varchar",
}


def build_support(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    today: dt.date,
) -> Taken:
    """Makes the temp table ``new_support`` and those of ``BESIDE``; counts the records.

    The files of the folder are the records of its reference date: they are kept and added to, not sent anew. A school
    reports on its list (支援対象者) on which day it spoke to a child.
    """
    read, rejected = read_all([file for file in files if file.returned == SUPPORT_RECORD], catalogue.ingest)
    rows: list[tuple[object, ...]] = []
    for file in read:
        sent_for = file.facts.get(REFERENCE_DATE)
        if sent_for and read_date(sent_for).value != reference_date:
            rejected.append(Rejection(Place(file.name, None, None), WRONG_DATE))
            continue
        table, refused = file.tables(_REQUIRED, _OPTIONAL)
        rejected += refused
        rows += [
            _cells(row.place, row.cells, catalogue) for row in table if any(row.cells[header] for header in _REQUIRED)
        ]
    create_from_frame(con, "returned_support", pd.DataFrame(rows, columns=list(_TYPES), dtype="object"), _TYPES)
    schools = SchoolsOfFiles(registers(con, reference_date).values())
    reports = [file for file in files if file.returned == SCHOOL_LIST]
    rejected += create_school_reports(con, catalogue.ingest, schools, reports)
    outcomes = catalogue.meeting.outcomes
    filled = count_rows(con, "returned_support") + count_rows(con, "returned_reports")
    words = {
        "spoken_to": SPOKEN_TO,
        "spoken_to_step": outcomes.get(SPOKEN_TO, "spoken_to"),
        "handed_out": HANDED_OUT,
        "offered": OFFERED,
        "offered_step": outcomes.get(OFFERED, "offered"),
        "given_on_header": GIVEN_ON,
        "spoken_on_header": SPOKEN_ON,
        "handed_on_header": HANDED_ON,
        "with_leaflets": catalogue.meeting.with_leaflets,
        "told": list(TOLD),
    }
    judge(con, KIND, files, rejected, reference_date, today, words)
    gone = count_gone(con, "review.support", "new_support", reference_date)
    return Taken(KIND, count_rows(con, "new_support"), filled, gone)


def _cells(place: Place, cells: Mapping[str, str], catalogue: Catalogue) -> tuple[object, ...]:
    given_on = read_date(cells[GIVEN_ON]).value
    outcome = comparable(cells[OUTCOME])
    step = catalogue.meeting.outcomes.get(outcome)
    return (
        place.file,
        place.sheet,
        place.row,
        given_key(cells),
        comparable(cells[NUMBER]).upper() or None,
        given_on,
        cells[SUPPORT] or None,
        outcome or None,
        step,
        stored(next(_problems(cells, given_on, step, catalogue), None)),
    )


def _problems(
    cells: Mapping[str, str], given_on: dt.date | None, step: str | None, catalogue: Catalogue
) -> Iterator[Said]:
    if given_on is None:
        found = Said("blank") if not cells[GIVEN_ON] else Said("no date")
        yield Said("{header} is {found}, expected the day of the support", header=GIVEN_ON, found=found)
    if not cells[SUPPORT]:
        yield Said("{header} is blank, expected what was done", header=SUPPORT)
    if step is None:
        found = Said("blank") if not cells[OUTCOME] else Said("another word")
        known = "・".join(catalogue.meeting.outcomes)
        yield Said(
            "{header} is {found}, expected one of {known} (meeting.outcomes)", header=OUTCOME, found=found, known=known
        )
