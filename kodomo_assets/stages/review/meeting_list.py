"""Who goes to the meeting (method §7)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql


def build_meeting_list(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> dict[str, int]:
    """Makes the temp table ``new_meeting_list``; how many children of each origin.

    Reads screening.ranking and the temp tables ``numbered_children`` and ``lots`` (store.pseudonyms). The sample below
    the cut is drawn at the yearly date only; each row keeps the probability with which it came. Once there is a
    decision of the date (review.decisions), the sample of the list as it is stored stays (review.meeting_list).
    """
    sample = catalogue.meeting.sample_below_cut if catalogue.calendar.is_yearly(reference_date) else 0
    parameters = {
        "reference_date": reference_date,
        "sample": sample,
        "near_share": catalogue.meeting.sample_near_share,
    }
    run_sql(con, __package__, "meeting_list", parameters)
    rows = con.execute("select origin, count(*) from new_meeting_list group by all").fetchall()
    return {"selected": 0, "sample": 0} | dict(rows)


def build_listed_children(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Makes the temp table ``new_listed_children``: whom ``new_meeting_list`` holds, and whom a list of before held.

    Reads the temp table ``numbered_children``.
    """
    run_sql(con, __package__, "listed_children", {"reference_date": reference_date})
