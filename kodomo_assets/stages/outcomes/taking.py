"""What the kinds of returned files share: the words of a refusal, first readings, and what was read before and left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import Place, Rejection, create_rejected_files
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.outcomes.first_readings import create_first_readings

#: What is stored with the table of every kind: (declared table, temp table that ``judge`` made).
BESIDE = (("review.rejections", "new_rejections"), ("review.first_readings", "new_first_readings"))


@dataclass(frozen=True)
class Taken:
    """What one reading of the returned files of a kind gave.

    Attributes:
        kind: as in ``review.rejections``.
        rows: rows taken: records, sheets, or decisions that were never said before.
        filled: rows in which somebody filled in something.
        gone: children of whom something was read before and nothing now: a file was taken away, or is refused.
        left_out: cells that no row is refused for and that could not be read (minutes).
    """

    kind: str
    rows: int
    filled: int
    gone: int = 0
    left_out: int = 0


def judge(
    con: duckdb.DuckDBPyConnection,
    kind: str,
    files: Sequence[InboxFile],
    rejected: Sequence[Rejection],
    reference_date: dt.date,
    today: dt.date,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Runs ``<kind>.sql`` on the rows that were read; makes its tables and those of ``BESIDE``.

    The statements may use the macros of refusals.sql and the temp tables ``first_readings(file, read_on)`` and
    ``numbered_children`` (review.children); they make ``refused_rows(file, sheet, row_number, problem)``.
    """
    create_rejected_files(con, rejected)
    create_first_readings(con, files, reference_date, kind, today)
    run_sql(con, __package__, "refusals")
    run_sql(con, __package__, kind, {"reference_date": reference_date} | dict(parameters or {}))
    run_sql(con, __package__, "rejections", {"reference_date": reference_date, "kind": kind})


def count_rows(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0]) if row else 0


def count_gone(con: duckdb.DuckDBPyConnection, table: str, new: str, reference_date: dt.date) -> int:
    """Of how many children ``table`` holds something at the reference date and ``new`` nothing; without 利用停止."""
    row = con.execute(
        f"select count(distinct child_key) from {table} "
        f"where reference_date = $1 and child_key not in (select n.child_key from {new} as n) "
        "and child_key not in (select s.child_key from rights.stops_in_force as s)",
        [reference_date],
    ).fetchone()
    return int(row[0]) if row else 0


def check_taken(con: duckdb.DuckDBPyConnection, name: str, taken: Taken) -> CheckOutcome:
    """A warning that names the rows of ``new_rejections`` by file, sheet and row, and tells of what left."""
    rows = con.execute("select file, sheet, row_number, problem from new_rejections order by all limit 10").fetchall()
    number = count_rows(con, "new_rejections")
    rejected = [Rejection(Place(file, sheet, row), problem) for file, sheet, row, problem in rows]
    told = "; ".join(f"{one.place}: {one.problem}" for one in rejected)
    left = (
        f"; what was read before of {taken.gone} children stands in no file now, or is refused, and leaves: "
        "put the files back, or mend the rows"
        if taken.gone
        else ""
    )
    return CheckOutcome(
        name=name,
        passed=number == 0 and taken.gone == 0,
        blocking=False,
        message=f"{number} rows were not taken, {taken.rows} were, expected 0 not taken"
        + (f": {told}" if told else "")
        + left,
        facts={
            "taken": taken.rows,
            "rejected": number,
            "gone": taken.gone,
            "places": "、".join(one.ja for one in rejected),
        },
    )
