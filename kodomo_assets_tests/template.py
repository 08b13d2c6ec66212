"""Empty declared tables for a test: made once in this process and copied, since making them takes longer than most
tests. What makes them is tried in store/test_tables.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store import tables

_FOLDER = tempfile.TemporaryDirectory(prefix="template-")  # goes with the process
_MADE: dict[tuple[str, ...], Path] = {}


def create_tables(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """The tables of ``catalogue`` in a database that holds nothing yet, as ``store.tables.create_tables`` makes them."""
    declared = tuple(tables.create_statement(table) for table in catalogue.outputs.values())
    if declared not in _MADE:
        path = Path(_FOLDER.name) / f"{len(_MADE)}.duckdb"
        with duckdb.connect(str(path)) as made:
            tables.create_tables(made, catalogue)
        _MADE[declared] = path
    (database,) = con.execute("select current_database()").fetchone()
    con.execute(f"attach {literal(str(_MADE[declared]))} as template (read_only)")
    con.execute(f"copy from database template to {quoted(database)}")
    con.execute("detach template")
