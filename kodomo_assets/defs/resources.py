"""The DuckDB resource: dagster-duckdb's, with its connection opened and closed by the store (decision 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dagster_duckdb import DuckDBResource

from kodomo_assets.store.connection import connect


class KodomoDuckDB(DuckDBResource):
    """kodomo.duckdb, opened for one step and always closed again.

    The base class leaves the connection open when a step fails, and hides a lock behind ten silent retries.
    """

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(Path(self.database)) as con:
            yield con
