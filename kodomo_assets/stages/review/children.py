"""The children of a meeting under their 配布番号: the one list that every file going out or coming back rests on."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.sql import run_sql
from kodomo_assets.vocabulary import PROTECTED


def create_numbered_children(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Temp table ``numbered_children``: every child of the reference date.

    ``sheet_number`` is NULL of a child that is not ranked, never stood on the list and was not decided; ``school_name``
    is the school's name, ``school`` what a file shows of it: nothing of a child under 支援措置. Reads linkage.children,
    the views of the delivered tables and the temp table ``sheet_numbers`` (store.pseudonyms).
    """
    run_sql(con, __package__, "children", {"reference_date": reference_date, "protected": PROTECTED})


def create_meeting_children(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Temp table ``meeting_children``: those of ``numbered_children`` on the list or decided, with what was decided."""
    run_sql(con, __package__, "meeting_children", {"reference_date": reference_date})
