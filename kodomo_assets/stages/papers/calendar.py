"""The calendar of a reference date: what has to be done before the schools' 面談, by when, and how far it is."""

from __future__ import annotations

import datetime as dt
import hashlib

import duckdb
import pandas as pd

from kodomo_assets.catalogue import PREPARATIONS, Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office.school_names import registers, school_names
from kodomo_assets.sql import create_from_frame, run_sql
from kodomo_assets.stages.sources.awaited import create_awaited
from kodomo_assets.vocabulary import CLASS_FILE, MEETING, PERSONAL_SHEET, SCHOOL_LIST

#: The asset that keeps it.
CALENDAR = "review.calendar"
#: What is done school by school; the rest is done once for all of them.
OF_SCHOOLS = ("sheets_out", "sheets_back", "school_list")
_CODE = {"school_code": "varchar"}
_TYPES = {"school_code": "varchar", "school_name": "varchar", "opens_on": "date", "closes_on": "date"}


def build_calendar(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``new_calendar``, ``school_sheets`` and ``awaited_deliveries`` (calendar.sql).

    The schools are those whose children are ranked at the date; before its refresh those of the date before.
    """
    _create_schools(con, catalogue, reference_date)
    con.execute("create or replace temp table preparations (step varchar, days_before integer, of_school boolean)")
    con.executemany(
        "insert into preparations values ($1, $2, $3)",
        [(step, catalogue.interviews.days_before[step], step in OF_SCHOOLS) for step in PREPARATIONS],
    )
    create_awaited(con, catalogue, reference_date)
    parameters = {
        "reference_date": reference_date,
        "timezone": catalogue.calendar.timezone,
        "personal_sheet": PERSONAL_SHEET,
        "school_list": SCHOOL_LIST,
        "meeting": MEETING,
        "otherwise": catalogue.interviews_otherwise(reference_date),
        "class_file": CLASS_FILE,
    }
    run_sql(con, __package__, "calendar", parameters)


def _create_schools(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp tables ``calendar_schools``, and ``calendar_stems``: the names by which files of each may be called."""
    row = con.execute(
        "select max(reference_date) from screening.ranking where reference_date <= $1", [reference_date]
    ).fetchone()
    listed = row[0] if row and row[0] else reference_date
    ranked = con.execute(
        "select distinct school_code from screening.ranking where reference_date = $1 order by all", [listed]
    ).fetchall()
    known = {day: school_names(register) for day, register in registers(con, listed).items()}
    rows = [(code, known[listed][code].shown, *catalogue.interviews_of(code, reference_date)) for (code,) in ranked]
    create_from_frame(con, "calendar_schools", pd.DataFrame(rows, columns=list(_TYPES), dtype="object"), _TYPES)
    codes = {code for names in known.values() for code in names}
    con.execute("create or replace temp table unknown_windows (school_code varchar)")
    if codes:
        unknown = [(code,) for code in sorted(catalogue.interviews.windows.keys() - codes)]
        create_from_frame(con, "unknown_windows", pd.DataFrame(unknown, columns=["school_code"], dtype="object"), _CODE)
    stems = sorted({(code, name.stem) for names in known.values() for code, name in names.items()})
    types = {"school_code": "varchar", "stem": "varchar"}
    create_from_frame(con, "calendar_stems", pd.DataFrame(stems, columns=list(types), dtype="object"), types)


def check_calendar(con: duckdb.DuckDBPyConnection, today: dt.date) -> CheckOutcome:
    """Whether everything whose day is over was done by ``today``, and every window is that of a school; reads
    ``new_calendar`` and ``unknown_windows``."""
    rows = con.execute(
        """
        select step, min(due_on), count(*), count(school_code)
        from new_calendar
        where done_on is null and of_all > 0 and due_on < $1
        group by step
        order by min(due_on), step
        """,
        [today],
    ).fetchall()
    told = [
        f"{step}: was due on {due_on}" + (f" at {schools} schools" if schools else "")
        for step, due_on, _, schools in rows
    ]
    says = [f"not done yet: {'; '.join(told)} (interviews.days_before, counted back from the 面談)"] if rows else []
    unknown = [code for (code,) in con.execute("select school_code from unknown_windows order by all").fetchall()]
    if unknown:
        says.append(
            f"interviews.windows names {', '.join(unknown)}, which no 学齢簿 knows; expected the 学校コード of a "
            "school: until then its days are counted from the reference date"
        )
    return CheckOutcome(
        name="on_calendar",
        passed=not says,
        blocking=False,
        message="; ".join(says) or "everything that was due is done",
        facts={
            "steps": len(rows),
            "overdue": sum(row[2] for row in rows),
            "unknown_windows": len(unknown),
            "codes": ", ".join(unknown),
        },
    )


def calendar_state(catalogue: Catalogue, reference_date: dt.date, today: dt.date) -> str:
    """Another one as soon as the day of something is over: ``on_calendar`` is asked again then, though nothing came."""
    begin = {catalogue.interviews_of(code, reference_date)[0] for code in catalogue.interviews.windows}
    begin.add(catalogue.interviews_otherwise(reference_date))
    over = sorted(
        f"{first} {step}"
        for first in begin
        for step, days in catalogue.interviews.days_before.items()
        if first - dt.timedelta(days=days) < today
    )
    return hashlib.sha256("\n".join(over).encode()).hexdigest()[:16]
