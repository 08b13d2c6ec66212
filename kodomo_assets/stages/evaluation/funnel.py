"""The funnel of a reference date: screened, selected, decided, spoken to, helped (method §7)."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.catalogue.models import Step
from kodomo_assets.sql import run_sql


def build_funnel(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``new_funnel`` and ``new_indicators``; reads the list, the decisions and the support."""
    con.execute("create or replace temp table steps (step varchar, position integer)")
    con.executemany("insert into steps values ($1, $2)", [(step, at) for at, step in enumerate(get_args(Step))])
    parameters = {
        "reference_date": reference_date,
        "interview_window_days": catalogue.meeting.interview_window_days,
        "timezone": catalogue.calendar.timezone,
    }
    run_sql(con, __package__, "funnel", parameters)
