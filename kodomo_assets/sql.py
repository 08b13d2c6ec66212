"""Reads and runs the .sql files that stand beside their modules, and writes names and texts into SQL."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import duckdb

from kodomo_assets.relations import told_missing

if TYPE_CHECKING:  # what only opens the database must not wait for it
    import pandas as pd


def quoted(name: str) -> str:
    """A name of the catalogue as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text of the catalogue as an SQL literal; what people wrote is bound, never written into a statement."""
    return "'" + text.replace("'", "''") + "'"


@cache
def read_sql(package: str, name: str) -> str:
    """The text of ``<name>.sql`` in ``package`` (pass ``__package__``)."""
    return resources.files(package).joinpath(f"{name}.sql").read_text("utf-8")


def run_sql(
    con: duckdb.DuckDBPyConnection, package: str, name: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Runs every statement of ``<name>.sql``; each is given the ``parameters`` that it names (``$reference_date``).

    Raises:
        NotMadeError: it reads a relation that another module has not made yet (``relations.py``).
    """
    given = parameters or {}
    for statement in con.extract_statements(read_sql(package, name)):
        try:
            con.execute(statement, {name: given[name] for name in statement.named_parameters})
        except duckdb.CatalogException as error:
            raise told_missing(error, f"{package}: {name}.sql") or error from error


def create_from_frame(
    con: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame, types: Mapping[str, str]
) -> None:
    """Makes the temp table ``table`` from ``frame``; ``types`` names its columns and their DuckDB types, in order."""
    columns = ", ".join(f'"{name}"::{kind} as "{name}"' for name, kind in types.items())
    con.register("frame_to_load", frame)
    try:
        con.execute(f"create or replace temp table {table} as select {columns} from frame_to_load")
    finally:
        con.unregister("frame_to_load")
