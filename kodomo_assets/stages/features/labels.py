"""The labels of the regression and the state of consultations at a reference date (method §5, §6)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.sql import run_sql
from kodomo_assets.told import Told


def build_labels(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Makes the temp table ``new_labels`` (features.labels): one row per child of the spine."""
    run_sql(con, __package__, "labels", {"reference_date": reference_date})


def count_labels(con: duckdb.DuckDBPyConnection) -> Told:
    """How many children of ``new_labels`` were known before, and how many have an open consultation."""
    row = con.execute(
        "select count(*) filter (known_before), count(*) filter (open_consultation) from new_labels"
    ).fetchone()
    known, open_now = row or (0, 0)
    return {"known_before": known, "open_consultation": open_now}
