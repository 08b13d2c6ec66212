"""The meeting as the judge: what it made of the list, of the random sample below the cut, and against the old rule."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.intervals import create_intervals
from kodomo_assets.sql import run_sql
from kodomo_assets.told import Grid, Told
from kodomo_assets.vocabulary import SUPPORTED


def build_meeting_outcome(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Makes the temp table ``new_meeting_outcome``; empty until everyone of list and sample is decided.

    A row per stratum (``list``, ``sample``) and decision, and for a and b together; of the stratum ``recall`` one: of
    all whom the meeting would support the share that was on the list. Shares of the sample are weighted by the
    probability of being drawn; intervals are Wilson's (1927) with Kish's effective number, which for the recall is
    that of the share missed. Needs the temp table ``decision_steps`` of ``build_funnel``.
    """
    create_intervals(con)
    run_sql(con, __package__, "meeting_outcome", {"reference_date": reference_date, "supported": SUPPORTED})


def build_legacy_comparison(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Makes the temp table ``new_legacy_comparison``, per band and school year (NULL = all of the band).

    Needs the temp table ``decision_steps`` of ``build_funnel``.
    """
    run_sql(con, __package__, "legacy_comparison", {"reference_date": reference_date})


def tell_meeting_outcome(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_meeting_outcome`` as a table."""
    columns = ["stratum", "decision", "children", "share", "low", "high"]
    rows = con.execute(
        "select stratum, decision, children, round(share, 3), round(low, 3), round(high, 3) "
        "from new_meeting_outcome order by all"
    ).fetchall()
    return {"判定の結果": Grid(columns, [list(row) for row in rows])}
