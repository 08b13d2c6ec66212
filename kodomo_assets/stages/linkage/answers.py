"""What people answered in 名寄せ確認.xlsx, read back from the inbox; nothing of it is ever forgotten (method §3)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import Said, stored
from kodomo_assets.japan.dates import read_date
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.opening import sha256
from kodomo_assets.office.returned import Place, Rejection, ReturnedRow, read_all
from kodomo_assets.sql import create_from_frame, run_sql
from kodomo_assets.stages.linkage.clerical_review import FIRST_DAY
from kodomo_assets.vocabulary import (
    ASKED_MARK,
    CHILD_KEY,
    DECIDED_BY,
    DECIDED_ON,
    DECISION,
    LINK_ANSWERS,
    LINK_REVIEW,
    PERSON,
    TABLE_ID,
)

_HEADERS = (TABLE_ID, PERSON, CHILD_KEY, DECISION, DECIDED_BY, DECIDED_ON)
_FILLED = {
    "file": "varchar",
    "sha256": "varchar",
    "sheet": "integer",
    "row_number": "integer",
    "table_name": "varchar",
    "person_ref": "varchar",
    "child_key": "varchar",
    "answer": "varchar",
    "decided_by": "varchar",
    "decided_on": "date",
    "asked_on": "date",
    "problem": "varchar",
}
_MOST_TOLD = 50
#: What a mark proves: of the mark, 表ID, 番号 and 児童キー the reference date at which the pair was asked, or nothing.
Proof = Callable[[str, str, str, str], dt.date | None]
_KNOWN_BY = f"{TABLE_ID}・{PERSON}・{CHILD_KEY}"


@dataclass(frozen=True)
class AnswerCounts:
    """Rows with an answer, those kept for the first time, and what was wrong with the others: file, row and why."""

    filled: int
    kept: int
    problems: tuple[str, ...]
    places: tuple[str, ...] = field(default=(), compare=False)


def build_answers(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    now: dt.datetime,
    today: dt.date,
    proof: Proof,
) -> AnswerCounts:
    """Makes the temp tables ``new_answers``, every answer of this folder that was ever read and those of ``files``, and
    ``new_refused_answers``.

    A row without an answer says nothing. One whose pair was never asked, whose answer, name or day is wanting, or whose
    pair has two different answers of one day, is not taken and is reported; the pair stays in the review. That a pair
    was asked is proved by the row's mark; a row without one (files of the first edition) counts where the database
    remembers the question. What was refused once is refused whenever the same file is read again, whatever was asked
    or whichever day came in between.
    """
    read, rejected = read_all(files, catalogue.ingest)
    digests = {file.name: sha256(file) for file in files}
    rows: list[tuple[object, ...]] = []
    for file in read:
        table, refused = file.tables(_HEADERS, (ASKED_MARK,))
        rejected += refused
        rows += [
            _judged(row, digests[file.name], proof)
            for row in table
            if any(row.cells[h] for h in (DECISION, DECIDED_BY, DECIDED_ON))
        ]
    create_from_frame(con, "filled", pd.DataFrame(rows, columns=list(_FILLED), dtype="object"), _FILLED)
    parameters = {"reference_date": reference_date, "now": now, "today": today, "kind": LINK_REVIEW}
    run_sql(con, __package__, "read_answers", parameters)
    wrong = con.execute(
        "select file, row_number, problem from judged_answers where problem is not null order by file, row_number"
    ).fetchall()
    kept = con.execute("select count(*) from new_answers where read_at = $1", [now]).fetchone()
    return AnswerCounts(
        filled=len(rows),
        kept=kept[0] if kept else 0,
        problems=(
            *(f"{rejection.place}: {rejection.problem}" for rejection in rejected),
            *(f"{file}, row {row}: {problem}" for file, row, problem in wrong),
        ),
        places=(
            *(rejection.ja for rejection in rejected),
            *(Rejection(Place(file, None, row), problem).ja for file, row, problem in wrong),
        ),
    )


def _judged(row: ReturnedRow, content: str, proof: Proof) -> tuple[object, ...]:
    given = row.cells
    mark = comparable(given[ASKED_MARK])
    proved = proof(mark, given[TABLE_ID], given[PERSON], given[CHILD_KEY]) if mark else None
    answer = LINK_ANSWERS.get(comparable(given[DECISION]))
    day = read_date(given[DECIDED_ON])
    problem: Said | None = None
    if mark and proved is None:
        problem = Said(
            "{headers} are no pair that was asked: {mark} is not theirs, expected the cells as sent",
            headers=_KNOWN_BY,
            mark=ASKED_MARK,
        )
    elif answer is None:
        found = Said("blank") if not given[DECISION] else Said("another word")
        known = "・".join(LINK_ANSWERS)
        problem = Said("{header} is {found}, expected {known}", header=DECISION, found=found, known=known)
    elif not given[DECIDED_BY]:
        problem = Said("{header} is blank, expected who decided", header=DECIDED_BY)
    elif day.value is not None and day.value < FIRST_DAY:
        problem = Said("{header} lies before {day}, expected the day of the answer", header=DECIDED_ON, day=FIRST_DAY)
    elif day.value is None:
        found = Said("blank") if not given[DECIDED_ON] else Said("no date")
        problem = Said("{header} is {found}, expected a date", header=DECIDED_ON, found=found)
    place = row.place
    return (
        place.file,
        content,
        place.sheet or 0,
        place.row,
        given[TABLE_ID],
        given[PERSON],
        given[CHILD_KEY],
        answer,
        given[DECIDED_BY],
        day.value,
        proved,
        stored(problem),
    )


def check_answers(counts: AnswerCounts) -> CheckOutcome:
    """A warning that names the rows that were not taken."""
    return CheckOutcome(
        name="answers_read",
        passed=not counts.problems,
        blocking=False,
        message=f"{len(counts.problems)} of {counts.filled} filled rows of {LINK_REVIEW} were not taken, expected 0"
        + (f": {'; '.join(counts.problems[:_MOST_TOLD])}" if counts.problems else "")
        + (f"; and {len(counts.problems) - _MOST_TOLD} more" if len(counts.problems) > _MOST_TOLD else ""),
        facts={
            "filled": counts.filled,
            "kept": counts.kept,
            "not_taken": len(counts.problems),
            "places": "、".join(counts.places[:_MOST_TOLD]),
        },
    )
