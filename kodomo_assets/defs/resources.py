"""The DuckDB resource: dagster-duckdb's, with its connection opened and closed by the store (decision 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import PrivateAttr

from kodomo_assets.store.connection import connect


class KodomoDuckDB(DuckDBResource):
    """kodomo.duckdb, opened by the first step of a run that wants it, held to the end of the run, then closed.

    The base class leaves the connection open when a step fails, and hides a lock behind ten silent retries. Holding the
    file for the whole run keeps a second refresh from slipping in between two steps.
    """

    _held: ExitStack = PrivateAttr(default_factory=ExitStack)
    _connection: duckdb.DuckDBPyConnection | None = PrivateAttr(default=None)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        self._connection = None
        self._held.close()

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of the step's own: what it leaves in temp tables ends with the step."""
        if self._connection is None:
            self._connection = self._held.enter_context(connect(Path(self.database)))
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
