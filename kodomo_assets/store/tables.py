"""Declared tables in DuckDB: their DDL, and the one way in which rows get in (architecture, decision 2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError, StoreVersionError

Check = Callable[[duckdb.DuckDBPyConnection], Iterable[CheckOutcome]]
PartitionValue = str | dt.date


def create_tables(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes every declared table that is not there yet, empty and typed, with Japanese comments.

    A column that a newer version added is added to a table of an older one, empty.

    Raises:
        StoreVersionError: a table is of another version and cannot be brought to this one without its rows.
    """
    present: dict[str, dict[str, str]] = {}
    for name, column, kind in con.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and not internal"
    ).fetchall():
        present.setdefault(name, {})[column] = kind
    stored = [table for table in catalogue.outputs.values() if table.stored]
    missing = [table for table in stored if table.qualified not in present]
    with transaction(con):
        for schema in dict.fromkeys(table.db_schema for table in missing):
            con.execute(f"create schema if not exists {schema}")
        for table in missing:
            con.execute(create_statement(table))
            comment(con, table)
        for table in stored:
            if table.qualified in present:
                _bring_up_to_date(con, table, present[table.qualified])


def _bring_up_to_date(con: duckdb.DuckDBPyConnection, table: OutputTable, present: Mapping[str, str]) -> None:
    added = [column for column in table.columns if column.name not in present]
    other = [name for name in present if name not in table.column_names]
    other += [c.name for c in table.columns if not _same_type(present.get(c.name, c.type), c.type)]
    other += [column.name for column in added if not column.nullable]
    if other:
        raise StoreVersionError(
            f"{table.qualified}: column {', '.join(sorted(other))} was written by another version of this program; "
            "expected the tables of this one. Move kodomo.duckdb away and refresh all dates anew (docs/operations.md)"
        )
    for column in added:
        con.execute(f"alter table {table.qualified} add column {_quoted(column.name)} {column.type}")
    if added:
        comment(con, table)


def _same_type(present: str, declared: str) -> bool:
    return _TYPE_NAMES.get(declared, declared) == present


# how DuckDB calls a declared type in its catalogue
_TYPE_NAMES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def create_statement(table: OutputTable) -> str:
    """The CREATE TABLE statement of a declared table.

    No PRIMARY KEY: DuckDB's index refuses to delete and insert a key in one transaction; ``replace`` checks the key.
    """
    columns = ",\n    ".join(
        f"{_quoted(column.name)} {column.type}{'' if column.nullable else ' not null'}" for column in table.columns
    )
    return f"create table {table.qualified} (\n    {columns}\n)"


def comment(con: duckdb.DuckDBPyConnection, table: OutputTable) -> None:
    """Puts the Japanese comments on table and columns."""
    con.execute(f"comment on table {table.qualified} is {_literal(table.ja)}")
    for column in table.columns:
        con.execute(f"comment on column {table.qualified}.{_quoted(column.name)} is {_literal(column.ja)}")


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits at the end of the block; any error rolls everything back."""
    con.execute("begin transaction")
    try:
        yield
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")


def replace(
    con: duckdb.DuckDBPyConnection,
    replacements: Sequence[tuple[OutputTable, str]],
    partition: Mapping[str, PartitionValue],
    checks: Sequence[Check] = (),
) -> list[CheckOutcome]:
    """Replaces one partition of several tables in one transaction.

    Args:
        replacements: pairs of a declared table and the relation that holds its new rows (columns by name).
        partition: values of the tables' partition columns; a table uses those that it declares.
        checks: run inside the transaction, after the rows are in.

    Returns:
        the outcomes of all checks.

    Raises:
        CheckFailedError: a blocking check failed; the old rows stand.
    """
    outcomes: list[CheckOutcome] = []
    with transaction(con):
        for table, source in replacements:
            keys = {name: partition[name] for name in table.partition}
            where = " and ".join(f"{_quoted(name)} = ${name}" for name in keys)
            con.execute(f"delete from {table.qualified} where {where}", keys)
            con.execute(f"insert into {table.qualified} by name select * from {source}")
            outcomes.append(_check_key(con, table, keys))
        for check in checks:
            outcomes.extend(check(con))
        failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
        if failed:
            raise CheckFailedError("; ".join(outcome.message for outcome in failed), outcomes)
    return [outcome for outcome in outcomes if outcome.name != _KEY_CHECK]


_KEY_CHECK = "stored_key_unique"


def _check_key(con: duckdb.DuckDBPyConnection, table: OutputTable, keys: Mapping[str, PartitionValue]) -> CheckOutcome:
    """A repeated key is a fault of the program, not of a delivery: it always blocks."""
    repeated = 0
    if table.key:
        where = " and ".join(f"{_quoted(name)} = ${name}" for name in keys)
        columns = ", ".join(_quoted(name) for name in table.key)
        row = con.execute(
            f"select count(*) - count(distinct ({columns})) from {table.qualified} where {where}", dict(keys)
        ).fetchone()
        repeated = row[0] if row else 0
    return CheckOutcome(
        name=_KEY_CHECK,
        passed=repeated == 0,
        blocking=True,
        message=f"{table.qualified}: {repeated} rows repeat the key ({', '.join(table.key)}), expected 0",
        facts={"repeated": repeated},
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
