"""Levels that a test writes down as a row of the matrix, stored as the stage stores both."""

from __future__ import annotations

import duckdb


def keep_levels(con: duckdb.DuckDBPyConnection) -> None:
    """features.levels of every row of features.matrix that has none yet."""
    con.execute(
        """
        insert into features.levels by name
        select *, 'found' as cause
        from (
            unpivot (from features.matrix as m anti join features.levels as l using (reference_date, child_key))
            on columns(* exclude (reference_date, child_key)) into name item value level
        )
        """
    )
