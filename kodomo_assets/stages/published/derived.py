"""Makes the rows of the tables that stand in the analysts' database only."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql


def derive(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes the temp tables ``derived_<name>``, one for each declared table that is not stored."""
    run_sql(
        con,
        __package__,
        "derived",
        {"fairness_items": [i.id for i in catalogue.matrix_items if i.screen == "fairness"]},
    )
