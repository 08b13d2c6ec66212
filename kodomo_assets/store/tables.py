"""Declared tables in DuckDB: their DDL, and the one way in which rows get in (architecture, decision 2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError

Check = Callable[[duckdb.DuckDBPyConnection], Iterable[CheckOutcome]]
PartitionValue = str | dt.date


def create_tables(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes every declared table that is not there yet, empty and typed, with Japanese comments."""
    present = {
        (schema, name)
        for schema, name in con.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
        ).fetchall()
    }
    missing = [table for table in catalogue.outputs.values() if (table.db_schema, table.name) not in present]
    for schema in dict.fromkeys(table.db_schema for table in missing):
        con.execute(f"create schema if not exists {schema}")
    for table in missing:
        con.execute(create_statement(table))
        comment(con, table)


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


_KEY_CHECK = "key_unique"


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
