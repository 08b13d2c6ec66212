"""The funnel of a reference date: screened, selected, decided, spoken to, helped (method §7)."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import duckdb

from kodomo_assets.catalogue import Catalogue, Step
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.evaluation.plots import funnel_plot
from kodomo_assets.told import Told
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, DIRECTION, LEAFLETS, MEETING, SCHOOL_LIST

_FUNNEL = "evaluation.funnel"
(_PREVENTIVE,) = (letter for letter, step in DECISION_STEPS.items() if step == "preventive")

# What the meeting decided and what came of it.
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
        "minutes_per_case": catalogue.meeting.minutes_per_case,
        "hours_per_preventive": f"{DECISIONS[_PREVENTIVE]}（{_PREVENTIVE}）の児童ひとりあたりの{MEETING}の時間数",
        "leaflets_share": f"{LEAFLETS}のある{DIRECTION}の児童のうち案内した割合",
        "with_leaflets": catalogue.meeting.with_leaflets,
        "spoken_to_share": f"{DECISIONS[_PREVENTIVE]}（{_PREVENTIVE}）の児童のうち声かけをした割合",
    }
    run_sql(con, __package__, "funnel", parameters)


def funnel_text(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> str:
    """The steps after the list over all schools, as people read them on a screen; nothing before the first decision.

    Until everyone is decided both sides of the cut are told as one: which one a child is of would be easy to tell.
    """
    declared = {column.name: column.ja for column in catalogue.output(_FUNNEL).columns}
    row = con.execute(
        f"select {', '.join(_TOLD)}, {', '.join(f'below_cut_{name}' for name in _TOLD)} from {_FUNNEL} "
        "where reference_date = $1 and school_code is null and school_year is null",
        [reference_date],
    ).fetchone()
    if row is None:
        return ""
    selected, below = (dict(zip(_TOLD, half, strict=True)) for half in (row[: len(_TOLD)], row[len(_TOLD) :]))
    if not any(selected[step] + below[step] for step in DECISION_STEPS.values()):
        return ""
    if selected["undecided"] + below["undecided"]:
        lines = [f"  {selected[name] + below[name]:>7,}   {declared[name]} {name}" for name in _TOLD]
        return "\n".join(["\n  判定と支援 after the meeting, children", *lines])
    lines = [f"  {selected[name]:>7,}   {below[name]:>7,}   {declared[name]} {name}" for name in _TOLD]
    return "\n".join(["\n  判定と支援 after the meeting, children: selected, and from below the cut", *lines])


def tell_funnel(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_funnel`` as a picture."""
    return {"funnel": funnel_plot(con)}


def tell_indicators(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_indicators`` as a table."""
    return {"指標": con.sql("select ja, round(value, 3) as value, target from new_indicators order by 1")}
