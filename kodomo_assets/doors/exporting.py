"""analyst.duckdb as files that other programs read: a Parquet file per table and view, and one Excel workbook.

Only analyst.duckdb is opened, read-only: neither key nor kodomo.duckdb is needed, so that an analyst may do it. What is
exported is what is published, pseudonymous rows among it: the duty of secrecy goes with it (docs/analysts.md).
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from openpyxl import Workbook

from kodomo_assets.errors import ExportError, Said
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.sql import literal, quoted
from kodomo_assets.vocabulary import DO_NOT_PASS_ON

#: A table of more rows is in no workbook: Excel holds a million, and nobody waits until it has opened them.
EXCEL_ROWS = 50_000
_WORKBOOK = "analyst.xlsx"
_LISTED = "説明"
_OWNER_ONLY = 0o077
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many tables and views, and which of them are too long for Excel."""

    folder: Path
    tables: int
    too_long: tuple[str, ...]


def export(database: Path, folder: Path) -> Exported:
    """Writes every table and view of ``database`` into a new folder in ``folder``, named by its newest list.

    Raises:
        ExportError: there is no published database, it is another program's, or this list was exported there before.
    """
    os.umask(_OWNER_ONLY)
    with _opened(database) as con:
        list_of, published_at = _publication(con, database)
        target = folder / f"analyst-{list_of:%Y-%m-%d}-{published_at.astimezone():%Y%m%dT%H%M%S}"
        if target.exists():
            raise ExportError(
                "{target}: this publication was exported already; delete the folder first to do it anew", target=target
            )
        building = target.with_name(f".{target.name}.unfinished")
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            names = _names(con)
            for schema, name in names:
                file = building / f"{schema}.{name}.parquet"
                con.execute(f"copy (from {quoted(schema)}.{quoted(name)}) to {literal(str(file))} (format parquet)")
            # openpyxl keeps the rows in temporary files: a killed export leaves them in no folder that others look into
            with scratch(building / SCRATCH):
                too_long = _write_workbook(con, names, building / _WORKBOOK)
            shutil.rmtree(building / SCRATCH)
            building.rename(target)
        except OSError as error:
            raise ExportError(
                "{folder}: cannot be written to ({why})", folder=folder, why=explain(error) or error.strerror
            ) from None
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return Exported(target, len(names), tuple(too_long))


@contextmanager
def _opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not database.is_file():
        raise ExportError(
            "{database}: there is no published database, which a refresh makes at its end; expected one, or --from "
            "with the place where it lies",
            database=database,
        )
    try:
        con = duckdb.connect(str(database), read_only=True)
    except duckdb.Error as error:
        raise ExportError(
            "{database}: cannot be opened ({why})",
            database=database,
            why=explain(error) or Said("is no DuckDB database: another file has its name"),
        ) from None
    with con:
        yield con


def _publication(con: duckdb.DuckDBPyConnection, database: Path) -> tuple[dt.date, dt.datetime]:
    try:
        row = con.execute("select list_of, published_at from catalogue.publication").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[0] is None:
        raise ExportError("{database}: holds no published list; expected analyst.duckdb", database=database)
    return row[0], row[1]


def _names(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Schema and name of every table and view of the file."""
    return con.execute("select distinct table_schema, table_name from catalogue.columns order by all").fetchall()


def _write_workbook(con: duckdb.DuckDBPyConnection, names: Sequence[tuple[str, str]], path: Path) -> list[str]:
    """A sheet for each table that is short enough, behind one that says what every column means; the others' names."""
    book = Workbook(write_only=True)
    first = book.create_sheet(_LISTED)
    first.append([DO_NOT_PASS_ON])
    _append(first, con, "catalogue", "columns")
    too_long = []
    for schema, name in names:
        (rows,) = con.execute(f"select count(*) from {quoted(schema)}.{quoted(name)}").fetchone() or (0,)
        if rows > EXCEL_ROWS:
            too_long.append(f"{schema}.{name}")
        else:
            _append(book.create_sheet(f"{schema}.{name}"), con, schema, name)
    book.save(path)
    return too_long


def _append(sheet: Any, con: duckdb.DuckDBPyConnection, schema: str, name: str) -> None:
    """The rows below the columns' names, as Excel can hold them: no time zone, no list."""
    con.execute(
        """
        select
            column_name,
            case
                when data_type = 'TIMESTAMP WITH TIME ZONE' then 'TIMESTAMP'
                when ends_with(data_type, '[]') then 'VARCHAR'
                else data_type
            end
        from duckdb_columns()
        where schema_name = $1 and table_name = $2
        order by column_index
        """,
        [schema, name],
    )
    kinds = con.fetchall()
    sheet.append([column for column, _ in kinds])
    columns = ", ".join(f"{quoted(column)}::{kind}" for column, kind in kinds)
    con.execute(f"select {columns} from {quoted(schema)}.{quoted(name)}")
    while rows := con.fetchmany(_AT_ONCE):
        for row in rows:
            sheet.append(row)
