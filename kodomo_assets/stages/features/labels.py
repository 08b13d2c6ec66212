"""The labels of the regression and the state of consultations at a reference date (method §5, §6)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.sql import run_sql


def build_labels(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Makes the temp table ``new_labels`` (features.labels): one row per child of the spine."""
    run_sql(con, __package__, "labels", {"reference_date": reference_date})
