"""Every past list against the first consultations after it, beside what it replaced (method §6)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.intervals import create_intervals
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.evaluation.plots import backtest_plot
from kodomo_assets.told import Told

#: Within how many months after a list first consultations are looked for.
HORIZONS = (12, 24)

_NOTHING = f"まだ何も言えない：{HORIZONS[0]}か月以上前の一覧がない no list is {HORIZONS[0]} months old yet"


def build_backtest(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_backtest``: a row per list, horizon (months), rule and band (NULL = all).

    Under ``list_date`` NULL lists are added up whose horizons do not overlap. Empty while no list is as old as the
    shortest horizon. Who is followed, censored and left out stands in backtest.sql; intervals are Wilson's of
    as many children as their households make of them.
    """
    counted = [
        (band, item.id, level, steps)
        for band in catalogue.bands
        for item in catalogue.counted_items(band, catalogue.without_basis(reference_date))
        for level, steps in item.steps.items()
    ]
    con.execute("create or replace temp table counted_steps (band varchar, item varchar, level varchar, steps integer)")
    con.executemany("insert into counted_steps values ($1, $2, $3, $4)", counted)
    create_intervals(con)
    run_sql(con, __package__, "backtest", {"reference_date": reference_date, "horizons": list(HORIZONS)})


def backtest_text(con: duckdb.DuckDBPyConnection) -> str:
    """What ``new_backtest`` says, in one line for the log."""
    row = con.execute("select count(distinct list_date), max(horizon_months) from new_backtest").fetchone()
    lists, horizon = row or (0, None)
    return f"検証（その後の相談）: {lists} lists, up to {horizon} months" if lists else _NOTHING


def tell_backtest(con: duckdb.DuckDBPyConnection) -> Told:
    """All lists of ``new_backtest`` together, as a table and a picture; a sentence where there is none."""
    if not len(con.table("new_backtest")):
        return {"説明": _NOTHING}
    return {
        "その後の最初の相談": con.sql(
            "select horizon_months, rule, band, listed, known_before, censored, followed, first_consultations, bred, "
            "round(rate, 3) as rate, round(low, 3) as low, round(high, 3) as high "
            "from new_backtest where list_date is null order by horizon_months, rule, band nulls first"
        ),
        "backtest": backtest_plot(con),
    }
