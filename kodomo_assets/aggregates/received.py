"""Looks at what a file of aggregates holds: declared columns, declared words, no small cell. The city does so before
it gives the file, the host before it takes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import duckdb

from kodomo_assets.aggregates.documents import NAME, Content
from kodomo_assets.aggregates.tables import exchanged
from kodomo_assets.catalogue import LEAST_TOLD, OTHER, Catalogue, OutputColumn, OutputTable
from kodomo_assets.disclosure import ROUND_TO, is_declared
from kodomo_assets.errors import AggregatesError
from kodomo_assets.sql import literal, quoted

# how JSON writes what a column of each type may hold
_KINDS: Mapping[str, tuple[str, ...]] = {
    "INTEGER": ("UBIGINT", "BIGINT"),
    "DOUBLE": ("DOUBLE", "UBIGINT", "BIGINT"),
    "BOOLEAN": ("BOOLEAN",),
    "VARCHAR": ("VARCHAR",),
    "DATE": ("VARCHAR",),
}
_RECEIVED = "received_"


def receive(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, content: Content) -> Mapping[str, OutputTable]:
    """Makes the temp tables ``received_<name>`` of the rows of every exchanged table.

    Returns:
        temp table -> the table whose rows it holds.

    Raises:
        AggregatesError: a table or column is not one of those that are exchanged, or a value none that may leave.
    """
    try:
        return _received(con, catalogue, content)
    except duckdb.Error:
        # whatever was not thought of: what a file holds stops no other one
        raise AggregatesError("{file}: holds something that DuckDB cannot read", file=NAME) from None


def _received(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, content: Content) -> Mapping[str, OutputTable]:
    tables = exchanged(catalogue)
    if sorted(content.tables) != sorted(tables):
        strange = sorted(content.tables.keys() - tables.keys())
        raise AggregatesError(
            "{file}: holds {found} tables that are not exchanged and lacks {lacking}, expected {expected}",
            file=NAME,
            found=len(strange),
            lacking=len(tables.keys() - content.tables.keys()),
            expected=", ".join(tables),
        )
    made = {}
    for name, table in tables.items():
        _require_columns(con, table, content.tables[name])
        _require_kinds(con, table)
        made[_RECEIVED + name] = table
        _create(con, _RECEIVED + name, table)
        _require_told(con, _RECEIVED + name, table, catalogue, content)
    _require_every_list(con, content)
    return made


def _require_every_list(con: duckdb.DuckDBPyConnection, content: Content) -> None:
    """Raises AggregatesError where the file names a list and tells nothing of it: none that was emptied is taken."""
    told = con.execute(f"select count(*) from {_RECEIVED}funnel where school_year is null").fetchone()
    if told != (len(content.reference_dates),):
        raise AggregatesError(
            "{file}: funnel: tells of {told} lists, expected {lists}",
            file=NAME,
            told=told[0] if told else 0,
            lists=len(content.reference_dates),
        )


def _require_columns(con: duckdb.DuckDBPyConnection, table: OutputTable, rows: object) -> None:
    """Temp table ``given_rows(value)``: each row as JSON, with exactly the declared columns."""
    con.execute(
        "create or replace temp table given_rows as select unnest(from_json($1, '[\"JSON\"]')) as value",
        [json.dumps(rows)],
    )
    names = sorted(table.column_names)
    guilty = con.execute(
        "select count(*) from given_rows where json_type(value) <> 'OBJECT' or list_sort(json_keys(value)) <> $1",
        [names],
    ).fetchone()
    if guilty != (0,):
        raise AggregatesError(
            "{file}: {table}: {rows} rows have other columns than {columns}; nothing else may come here",
            file=NAME,
            table=table.name,
            rows=guilty[0] if guilty else 0,
            columns=", ".join(table.column_names),
        )


def _require_kinds(con: duckdb.DuckDBPyConnection, table: OutputTable) -> None:
    """Whether every value is of its column's type, and none is missing that has to be there."""
    _require(con, table, "given_rows", {column.name: _is_none(column, table) for column in table.columns}, "kind")


def _is_none(column: OutputColumn, table: OutputTable) -> str:
    """SQL: whether the value of a row cannot be one of the column."""
    place = literal(f'$."{column.name}"')
    text = f"(value ->> {place})"
    kinds = ", ".join(map(literal, (*_KINDS[column.type], "NULL")))
    needed = column.name == table.columns[0].name
    # a day is written as one
    day = f" or not regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}')" if column.type == "DATE" else ""
    return (
        f"json_type(value, {place}) not in ({kinds}) "
        f"or ({text} is not null and (try_cast({text} as {column.type}) is null{day})) "
        f"or ({str(needed).lower()} and {text} is null)"
    )


def _create(con: duckdb.DuckDBPyConnection, name: str, table: OutputTable) -> None:
    columns = ", ".join(
        "(value ->> {})::{} as {}".format(literal(f'$."{c.name}"'), c.type, quoted(c.name)) for c in table.columns
    )
    con.execute(f"create or replace temp table {name} as select {columns} from given_rows")


def _require_told(
    con: duckdb.DuckDBPyConnection, name: str, table: OutputTable, catalogue: Catalogue, content: Content
) -> None:
    """Whether each value may leave: words that are declared, days of lists, no small and no exact cell."""
    problems = {}
    for column in table.columns:
        value = quoted(column.name)
        if column.type == "VARCHAR":
            words = is_declared(value, catalogue.vocabulary_of(column))
            problems[column.name] = f"not ({value} = {literal(OTHER)} or {words})"
        elif column.name == table.columns[0].name:
            problems[column.name] = f"{value}::varchar not in ({', '.join(map(literal, content.reference_dates))})"
        elif column.type == "DATE":
            problems[column.name] = f"{value} > reference_date"
        elif column.children:
            problems[column.name] = f"{value} < {LEAST_TOLD} or {value} % {ROUND_TO} <> 0"
    _require(con, table, name, problems, "value")
    keys = ", ".join(map(quoted, table.key))
    repeated = con.execute(
        f"select count(*) from (select {keys} from {name} group by all having count(*) > 1)"
    ).fetchone()
    if repeated != (0,):
        raise AggregatesError("{file}: {table}: tells something twice", file=NAME, table=table.name)


def _require(
    con: duckdb.DuckDBPyConnection, table: OutputTable, rows: str, problems: Mapping[str, str], what: str
) -> None:
    """Raises AggregatesError where a row of ``rows`` has a problem: column -> SQL; no value is told."""
    counted = ", ".join(f"count(*) filter (({problem}) is true)" for problem in problems.values())
    found = con.execute(f"select {counted} from {rows}").fetchone() or ()
    guilty = [name for name, times in zip(problems, found, strict=True) if times]
    if not guilty:
        return
    if what == "kind":
        raise AggregatesError(
            "{file}: {table}: a value in {columns} is not of its type",
            file=NAME,
            table=table.name,
            columns=", ".join(guilty),
        )
    raise AggregatesError(
        "{file}: {table}: a value in {columns} may not leave a city: a cell of fewer than {least} people or not "
        "rounded to {round_to}, a word that is not declared, or a day that is no list's",
        file=NAME,
        table=table.name,
        columns=", ".join(guilty),
        least=LEAST_TOLD,
        round_to=ROUND_TO,
    )
