"""What each school gets: a 個人票 per child before the meeting, its own list after it. Only its children, no score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.school_names import SchoolName, registers, school_names
from kodomo_assets.office.written import Export
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.review.children import create_meeting_children
from kodomo_assets.stages.review.classes import class_of, classes_of
from kodomo_assets.stages.review.school_workbook import (
    SchoolChild,
    school_workbook,
)
from kodomo_assets.stages.review.sheet_workbook import (
    SheetChild,
    sheet_workbook,
)
from kodomo_assets.vocabulary import (
    CLASS_UNKNOWN,
    PERSONAL_SHEET,
    QUESTIONS,
    RETURN_BY,
    RETURN_TO,
    SCHOOL_LIST,
    TOLD,
)

_ASK = "センターに確認"
_WEEKDAYS = "月火水木金土日"


@dataclass(frozen=True)
class SchoolFiles:
    """The files of all schools, and how many children are told to none: under 支援措置, or on no school's register.

    ``without_class``: children in a file of their own of which no class is known, where a file is a class's.
    """

    files: tuple[Export, ...]
    kept_back: int
    without_school: int
    schools: int
    without_class: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """What is told of them."""
        return {
            "schools": self.schools,
            "files": len(self.files),
            "children": sum(file.children for file in self.files),
            "支援措置のため知らせない": self.kept_back,
            "学齢簿にいない": self.without_school,
        } | ({CLASS_UNKNOWN: self.without_class} if self.without_class else {})


def personal_sheets(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    version: str,
    cautions: Sequence[str] = (),
) -> SchoolFiles:
    """個人票_<school>.xlsx for every school that has a child on the meeting's list, or one for each class of it.

    A child of whom no class is known has a file of its school year that says so.
    """
    schools, kept_back, without_school = _schools(con, reference_date, reference_date, "on_list")
    per_class = catalogue.sheets.per == "class"
    questions = [replace(q, meanings=catalogue.sheets.concern) if q.id == "concern" else q for q in QUESTIONS]
    files = []
    for school, rows in schools:
        children = [SheetChild(r["sheet_number"], r["school_year"], r["class_name"], r["name"]) for r in rows]
        due = catalogue.due_on("sheets_back", rows[0]["school_code"], reference_date)
        told = [*cautions, _return(due, catalogue.sheets.return_to)]
        for name, own in classes_of(school, children) if per_class else [(school, children)]:
            content = partial(sheet_workbook, name.shown, reference_date, version, own, questions, told)
            made_from = repr((own, *told, catalogue.sheets.concern))
            files.append(_file(PERSONAL_SHEET, name, content, len(own), made_from))
    without_class = sum(not class_of(row["class_name"]) for _, rows in schools for row in rows) if per_class else 0
    return SchoolFiles(tuple(files), kept_back, without_school, len(schools), without_class)


def _return(due: dt.date, place: str | None) -> str:
    """By when the file goes back, and where to."""
    day = f"{due.isoformat()}（{_WEEKDAYS[due.weekday()]}）"
    return f"{RETURN_BY} {day}" + (f"　{RETURN_TO} {place}" if place else "")


def school_lists(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    version: str,
    cautions: Sequence[str] = (),
) -> SchoolFiles:
    """支援対象者_<school>.xlsx for every school that has a child decided a, b or c.

    The direction of support is worded as the configuration words it for schools, and so is a hint that the meeting took
    for one; of any other the school asks.
    """
    worded = {hint.ja: hint.for_school for hint in catalogue.meeting.hints} | dict(catalogue.meeting.directions)
    decided_on = _last_decision(con, catalogue, reference_date)
    schools, kept_back, without_school = _schools(con, reference_date, decided_on, f"decision in {TOLD}")
    files = []
    for school, rows in schools:
        children = [
            SchoolChild(
                r["sheet_number"] or "",
                r["school_year"],
                r["class_name"],
                r["name"],
                r["decision"],
                worded.get(r["direction"], _ASK) if r["direction"] else None,
                catalogue.meeting.leaflets_of(r["direction"]),
            )
            for r in rows
        ]
        content = partial(school_workbook, school.shown, reference_date, version, children, cautions)
        files.append(_file(SCHOOL_LIST, school, content, len(children), repr((children, *cautions))))
    return SchoolFiles(tuple(files), kept_back, without_school, len(schools))


def _last_decision(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> dt.date:
    """The day on which the date's last decision was taken or read: registers of a later day change no list of it."""
    row = con.execute(
        "select greatest($1, max(meeting_date), max((read_at at time zone $2)::date)) from review.decisions "
        "where reference_date = $1",
        [reference_date, catalogue.calendar.timezone],
    ).fetchone()
    return row[0] if row else reference_date


def _schools(
    con: duckdb.DuckDBPyConnection, reference_date: dt.date, as_of: dt.date, chosen: str
) -> tuple[list[tuple[SchoolName, list[dict[str, Any]]]], int, int]:
    """The chosen children (a condition on ``school_children``) by school; those kept back, and those of no school.

    Schools, school years, classes and names are those that were known on ``as_of``.
    """
    create_meeting_children(con, reference_date)
    run_sql(con, __package__, "schools", {"reference_date": reference_date, "as_of": as_of})
    cursor = con.execute(f"from school_children where {chosen} order by school_code, sheet_number")
    columns = [column[0] for column in cursor.description or []]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    told = [row for row in rows if row["school_code"] is not None and not row["kept_back"]]
    known = registers(con, reference_date)
    in_force = known[max(day for day in known if day <= as_of)] if told else {}
    # a school that only a register has which no refresh has linked yet goes by its code
    names = school_names({row["school_code"]: row["school_code"] for row in told} | in_force)
    schools = [(names[code], list(of_school)) for code, of_school in groupby(told, key=lambda row: row["school_code"])]
    return schools, sum(row["kept_back"] for row in rows), sum(row["school_code"] is None for row in rows)


def _file(kind: str, school: SchoolName, make: Callable[[], bytes], children: int, made_from: str) -> Export:
    return Export(kind, f"{kind}_{school.stem}.xlsx", make, children, made_from)
