"""判定会議*.xlsx and 判定*.csv -> decisions: one a child and meeting, the latest meeting counts, none is forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import Said, stored
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable, flag_word
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import (
    ReturnedFile,
    ReturnedRow,
    given_key,
    read_all,
)
from kodomo_assets.sql import create_from_frame, run_sql
from kodomo_assets.stages.outcomes.taking import Taken, judge
from kodomo_assets.vocabulary import (
    CHILD_KEY,
    DECIDED_BY,
    DECISION,
    DECISIONS,
    DIRECTION,
    IN_CHARGE,
    MEETING,
    MEETING_DATE,
    NUMBER,
    REASON,
    REFERENCE_DATE,
    RELEASED,
    SCHOOL,
    SCHOOL_YEAR,
    WRONG_DATE,
    school_year_ja,
)

#: As in ``review.rejections``.
KIND = "decisions"
_REQUIRED = (MEETING_DATE, DECISION)
_OPTIONAL = (NUMBER, SCHOOL_YEAR, SCHOOL, REASON, DIRECTION, IN_CHARGE, DECIDED_BY, RELEASED, REFERENCE_DATE, CHILD_KEY)
_FILLED_IN = (DECISION, REASON, DIRECTION, IN_CHARGE, RELEASED)
_WRITTEN = (REASON, DIRECTION, IN_CHARGE, RELEASED, DECIDED_BY)
# the letter, the name, or both, as the workbook's own hint writes them too
_WORDS = {
    word: letter for letter, name in DECISIONS.items() for word in (letter, name, letter + name, f"{letter}:{name}")
}
_RELEASE_YES, _RELEASE_NO = ("可",), ("不可", "否")
_TYPES = {
    "file": "varchar",
    "sheet": "integer",
    "row_number": "integer",
    "given_key": "varchar",
    "given_number": "varchar",
    "given_year": "integer",
    "given_school": "varchar",
    "meeting_date": "date",
    "decision": "varchar",
    "reason": "varchar",
    "direction": "varchar",
    "assigned_to": "varchar",
    "decided_by": "varchar",
    "release": "boolean",
    "release_only": "boolean",
    "problem": "varchar",
}


def build_decisions(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    now: dt.datetime,
    today: dt.date,
) -> Taken:
    """Makes the temp table ``new_decisions`` and those of ``BESIDE``; counts the decisions taken for the first time.

    What counts of the decisions and releases stands in ``new_decisions_in_force`` and ``new_releases_in_force``.

    A row in which nothing was filled in says nothing. Rows of a workbook that was sent for another reference date are
    not taken at all. A row with 公開可 and no 判定 is no decision but a release (temp table ``new_releases``): so that
    the school of a child under 支援措置 can be heard before the meeting.
    """
    read, rejected = read_all(files, catalogue.ingest)
    rows: list[tuple[object, ...]] = []
    words = _release_words(catalogue)
    for file in read:
        table, refused = file.tables(_REQUIRED, _OPTIONAL, _WRITTEN)
        rejected += refused
        rows += [_cells(row, file, reference_date, words) for row in table if any(row.cells[h] for h in _FILLED_IN)]
    create_from_frame(con, "returned_decisions", pd.DataFrame(rows, columns=list(_TYPES), dtype="object"), _TYPES)
    judge(con, KIND, files, rejected, reference_date, today, {"now": now, "meeting_date_header": MEETING_DATE})
    run_sql(con, __package__, "decisions_in_force")
    row = con.execute("select count(*) from new_decisions where read_at = $1", [now]).fetchone()
    return Taken(KIND, row[0] if row else 0, len(rows))


def _release_words(catalogue: Catalogue) -> dict[str, bool]:
    """What 公開可 means, by the word as it is compared; blank is no."""
    yes, no = (*catalogue.ingest.yes_words, *_RELEASE_YES), (*catalogue.ingest.no_words, *_RELEASE_NO)
    return {"": False} | {flag_word(word): False for word in no} | {flag_word(word): True for word in yes}


def _is_release(cells: Mapping[str, str]) -> bool:
    """Whether a row says of 公開可 only: nothing else of it would be lost."""
    return bool(cells[RELEASED]) and not any(cells[header] for header in (DECISION, REASON, DIRECTION, IN_CHARGE))


def _cells(
    row: ReturnedRow, file: ReturnedFile, reference_date: dt.date, words: Mapping[str, bool]
) -> tuple[object, ...]:
    cells = row.cells
    release = words.get(flag_word(cells[RELEASED]))
    decision = _WORDS.get(comparable(cells[DECISION]).lower())
    meeting = read_date(cells[MEETING_DATE])
    return (
        row.place.file,
        row.place.sheet,
        row.place.row,
        given_key(cells),
        comparable(cells[NUMBER]).upper() or None,
        _school_year(cells[SCHOOL_YEAR]),
        cells[SCHOOL] or None,
        meeting.value,
        decision,
        cells[REASON] or None,
        cells[DIRECTION] or None,
        cells[IN_CHARGE] or None,
        cells[DECIDED_BY] or None,
        bool(release),
        _is_release(cells),
        stored(next(_problems(cells, file, reference_date, decision, meeting.value, release), None)),
    )


def _school_year(text: str) -> int | None:
    """1 to 9 for 小1 to 中3, or the number itself; 0 for any other text, which is nobody's school year."""
    plain = comparable(text)
    if not plain:
        return None
    return next((year for year in range(1, 10) if plain in (str(year), school_year_ja(year))), 0)


def _problems(
    cells: Mapping[str, str],
    file: ReturnedFile,
    reference_date: dt.date,
    decision: str | None,
    meeting_date: dt.date | None,
    release: bool | None,
) -> Iterator[Said]:
    """What is wrong with a row that needs no look at the children, the gravest first."""
    sent_for = file.facts.get(REFERENCE_DATE) or cells[REFERENCE_DATE]
    if sent_for and read_date(sent_for).value != reference_date:
        yield Said(WRONG_DATE)
    if release is None:
        yield Said("{header} is another word, expected ○ or blank", header=RELEASED)
    if decision is None and not _is_release(cells):
        found = Said("blank") if not cells[DECISION] else Said("another word")
        known = ", ".join(DECISIONS)
        yield Said("{header} is {found}, expected one of {known}", header=DECISION, found=found, known=known)
    if meeting_date is None:
        found = Said("blank") if not cells[MEETING_DATE] else Said("no date")
        yield Said("{header} is {found}, expected the day of the meeting", header=MEETING_DATE, found=found)
    if not cells[DECIDED_BY]:
        yield Said("{header} is blank, expected the roles that decided", header=DECIDED_BY)


def check_decided(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> CheckOutcome:
    """A warning where there is no decision at ``reference_date``: no school gets a list then."""
    row = con.execute("select count(*) from review.decisions where reference_date = $1", [reference_date]).fetchone()
    number = row[0] if row else 0
    missing = f"; 0 files were written. After the meeting put {MEETING}*.xlsx into inbox/{reference_date}/"
    return CheckOutcome(
        name="decided",
        passed=number > 0,
        blocking=False,
        message=f"{number} decisions at {reference_date}, expected at least 1: no child reaches a school list without "
        "one" + ("" if number else missing),
        facts={"decisions": number},
    )
