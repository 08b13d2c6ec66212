"""95 % intervals of shares: Wilson's (1927), in Python and as SQL macros, which know Newcombe's of differences too."""

from __future__ import annotations

from math import sqrt

import duckdb

from kodomo_assets.sql import run_sql

#: The 97.5th percentile of the normal distribution.
Z = 1.959963984540054


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The interval of a share of ``n`` people; ``successes`` may be a sum of shares."""
    share = successes / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def create_intervals(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the macros of intervals.sql, for whoever works out intervals in SQL."""
    con.execute(f"create or replace temp macro normal_quantile() as {Z!r}::double")
    run_sql(con, __package__, "intervals")
