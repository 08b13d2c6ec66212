"""Makes the rows of the tables that stand in the analysts' database only."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import quoted, run_sql


def derive(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes the temp tables ``derived_<name>``, one for each declared table that is not stored."""
    items = ", ".join(quoted(item.id) for item in catalogue.matrix_items if item.screen == "fairness")
    run_sql(con, __package__, "derived")
    con.execute(
        # Sex and nationality: read where fairness is audited and nowhere else (method §6).
        "create or replace temp table derived_fairness_items as "
        + (
            f"select reference_date, child_key, item, level from (select reference_date, child_key, {items} "
            f"from features.matrix) unpivot (level for item in ({items}))"
            if items
            else "select null::date as reference_date, '' as child_key, '' as item, '' as level where false"
        )
    )
