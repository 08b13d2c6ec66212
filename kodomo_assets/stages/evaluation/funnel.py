"""The funnel of a reference date: screened, selected, decided, spoken to, helped (method §7)."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import duckdb

from kodomo_assets.catalogue import Catalogue, Step
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.evaluation.plots import funnel_plot
from kodomo_assets.told import Told
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, SCHOOL_LIST

(_PREVENTIVE,) = (letter for letter, step in DECISION_STEPS.items() if step == "preventive")

# What the meeting decided and what came of it; which side of the cut it was of is for the page, after the decisions.
_TOLD = (
    *DECISION_STEPS.values(),
    "undecided",
    "spoken_to",
    "offered",
    "taken_up",
    "supported",
)


def build_funnel(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``new_funnel`` and ``new_indicators``; reads the list, the decisions and the support."""
    con.execute("create or replace temp table steps (step varchar, position integer)")
    con.executemany("insert into steps values ($1, $2)", [(step, at) for at, step in enumerate(get_args(Step))])
    con.execute("create or replace temp table decision_steps (decision varchar, counted_as varchar)")
    con.executemany("insert into decision_steps values ($1, $2)", list(DECISION_STEPS.items()))
    parameters = {
        "reference_date": reference_date,
        "interview_window_days": catalogue.meeting.interview_window_days,
        "timezone": catalogue.calendar.timezone,
        "school_list": SCHOOL_LIST,
        "spoken_to_share": f"{DECISIONS[_PREVENTIVE]}（{_PREVENTIVE}）の児童のうち声かけをした割合",
    }
    run_sql(con, __package__, "funnel", parameters)


def funnel_text(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> str:
    """The steps after the list over all schools, as people read them on a screen; nothing before the first decision."""
    declared = {column.name: column.ja for column in catalogue.output("evaluation.funnel").columns}
    row = con.execute(
        f"select {', '.join(_TOLD)} from evaluation.funnel where reference_date = $1 and school_code is null "
        f"and school_year is null and {' + '.join(DECISION_STEPS.values())} > 0",
        [reference_date],
    ).fetchone()
    if row is None:
        return ""
    lines = [f"  {children:>7,}   {declared[name]} {name}" for name, children in zip(_TOLD, row, strict=True)]
    return "\n".join(["\n  判定と支援 after the meeting, children", *lines])


def tell_funnel(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_funnel`` as a picture."""
    return {"funnel": funnel_plot(con)}


def tell_indicators(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_indicators`` as a table."""
    return {"指標": con.sql("select ja, round(value, 3) as value, target from new_indicators order by 1")}
