"""Makes the rows of the tables that stand in the analysts' database only."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.sources.awaited import create_awaited
from kodomo_assets.stages.sources.in_force import create_delivered_views


def derive(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes the temp tables ``derived_<name>``, one for each declared table that is not stored."""
    run_sql(
        con,
        __package__,
        "derived",
        {"fairness_items": [i.id for i in catalogue.matrix_items if i.screen == "fairness"]},
    )
    lists = con.execute("select distinct reference_date from screening.ranking order by reference_date").fetchall()
    for (day,) in lists:
        create_delivered_views(con, catalogue, day)
        create_awaited(con, catalogue, day)
        run_sql(con, __package__, "deliveries", {"reference_date": day})
