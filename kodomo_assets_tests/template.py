"""The declared tables for a test, empty or with what many tests begin with: made once in this process and copied, since
making them takes longer than most tests. What makes them is tried in store/test_tables.py."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store import tables

_FOLDER = tempfile.TemporaryDirectory(prefix="template-")  # goes with the process
_MADE: dict[Hashable, Path] = {}


def create_tables(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """The tables of ``catalogue`` in a database that holds nothing yet, as ``store.tables.create_tables`` makes them."""
    fill(con, once(declared(catalogue), lambda made: tables.create_tables(made, catalogue)))


def declared(catalogue: Catalogue) -> tuple[str, ...]:
    """What tells one set of declared tables from another."""
    return tuple(tables.create_statement(table) for table in catalogue.outputs.values())


def once(key: Hashable, make: Callable[[duckdb.DuckDBPyConnection], object]) -> Path:
    """What ``make`` stores in an empty database, to ``fill`` others with; carried out once in this process."""
    if key not in _MADE:
        with duckdb.connect() as con:
            make(con)
            _MADE[key] = save(con)
    return _MADE[key]


def save(con: duckdb.DuckDBPyConnection) -> Path:
    """The tables of ``con`` with their rows, without what is temporary, in a file from which ``fill`` takes them."""
    path = Path(_FOLDER.name) / f"{len(list(Path(_FOLDER.name).iterdir()))}.duckdb"
    (database,) = con.execute("select current_database()").fetchone()
    con.execute(f"attach {literal(str(path))} as template")
    con.execute(f"copy from database {quoted(database)} to template")
    con.execute("detach template")
    return path


def fill(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """What lies in ``path`` into the empty database of ``con``."""
    (database,) = con.execute("select current_database()").fetchone()
    con.execute(f"attach {literal(str(path))} as template (read_only)")
    con.execute(f"copy from database template to {quoted(database)}")
    con.execute("detach template")
