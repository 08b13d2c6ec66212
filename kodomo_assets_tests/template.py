"""The declared tables for a test, empty or with what many tests begin with: made once in this process and copied, since
making them takes longer than most tests. What makes them is tried in store/test_tables.py."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from itertools import count
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
    con.execute(f"attach {literal(str(path))} as template")
    con.execute(f"copy from database {quoted(_current(con))} to template")
    con.execute("detach template")
    return path


def in_memory() -> duckdb.DuckDBPyConnection:
    """A connection to an empty database of its own in memory, which is gone when nobody has the connection any more.

    All of them live in one instance of DuckDB, to which the templates are attached: an instance for each, and the
    templates attached to it, took 25 times as long. Settings of the instance (threads, memory) are not a test's own:
    who changes them calls ``duckdb.connect``.
    """
    name = f"test{next(_NUMBERS)}"
    con = _house().cursor()
    con.execute(f"attach ':memory:' as {name}; use {name}")
    _OURS.add(con)
    weakref.finalize(con, _leave, name).atexit = False
    return con


@cache
def _house() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@cache
def _bare() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def temporary() -> duckdb.DuckDBPyConnection:
    """A connection for what makes temporary tables and views only, as the reading of a delivery does: they are its own."""
    return _bare().cursor()


def _leave(name: str) -> None:
    # on a connection of its own: the garbage collector calls at any time
    with _house().cursor() as con:
        con.execute(f"detach {name}")


_NUMBERS = count()
_OURS: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def fill(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """What lies in ``path`` into the empty database of ``con``."""
    if con in _OURS:
        _copy(con, _attached(path), _with_rows(path))
        return
    rows = _with_rows(path)
    con.execute(f"attach {literal(str(path))} as template (read_only)")
    _copy(con, "template", rows)
    con.execute("detach template")


@cache
def _attached(path: Path) -> str:
    name = f"template{next(_NUMBERS)}"
    _house().execute(f"attach {literal(str(path))} as {name} (read_only)")
    return name


@cache
def _with_rows(path: Path) -> tuple[str, ...]:
    """The tables in which anything lies: most are empty, and a copy of no rows takes as long as one of a few."""
    name = _attached(path)
    tables = _house().execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = $1 order by table_oid",
        [name],
    )
    return tuple(
        table
        for (table,) in tables.fetchall()
        if _house().execute(f"from {name}.{table} limit 1").fetchone() is not None
    )


def _copy(con: duckdb.DuckDBPyConnection, template: str, tables: Iterable[str]) -> None:
    con.execute(f"copy from database {template} to {quoted(_current(con))} (schema)")
    for table in tables:
        con.execute(f"insert into {table} from {template}.{table}")


def _current(con: duckdb.DuckDBPyConnection) -> str:
    (database,) = con.execute("select current_database()").fetchone()
    return database
