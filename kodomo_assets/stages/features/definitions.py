"""What the levels of a reference date's matrix mean, beside the matrix: weights must not score another meaning."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue


def build_definitions(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_item_definitions`` (features.item_definitions)."""
    con.execute(
        "create or replace temp table new_item_definitions (reference_date date, item varchar, definition varchar)"
    )
    con.executemany(
        "insert into new_item_definitions values ($1, $2, $3)",
        [(reference_date, item, definition) for item, definition in catalogue.definitions.items()],
    )
