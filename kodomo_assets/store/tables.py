"""Declared tables in DuckDB: their DDL, and the one way in which rows get in (architecture, decision 2)."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError, StoreBusyError
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store.holding import require_held
from kodomo_assets.store.lake import collided

Result = TypeVar("Result")
Check = Callable[[duckdb.DuckDBPyConnection], Iterable[CheckOutcome]]
PartitionValue = str | dt.date


@dataclass(frozen=True)
class StoredColumn:
    """A column as DuckDB holds it; ``type`` in DuckDB's own words."""

    type: str
    nullable: bool
    comment: str | None


def create_tables(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes every declared table that is not there yet; kodomo.duckdb gets them when it is opened (``migrate``)."""
    with transaction(con):
        make_missing(con, catalogue)


def make_missing(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Makes every declared table that is not there yet, empty and typed, with Japanese comments."""
    present = stored_tables(con)
    missing = [table for table in catalogue.outputs.values() if table.stored and table.qualified not in present]
    for schema in dict.fromkeys(table.db_schema for table in missing):
        con.execute(f"create schema if not exists {schema}")
    for table in missing:
        con.execute(create_statement(table))
        comment(con, table)


def stored_tables(con: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    """Table (``schema.name``) -> its comment, of the database in use."""
    return dict(
        con.execute(
            "select schema_name || '.' || table_name, comment from duckdb_tables() "
            "where database_name = current_database() and not internal"
        ).fetchall()
    )


def stored_columns(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, StoredColumn]]:
    """Table (``schema.name``) -> column -> how it is stored, of the database in use."""
    stored: dict[str, dict[str, StoredColumn]] = {}
    for table, column, kind, nullable, text in con.execute(
        "select schema_name || '.' || table_name, column_name, data_type, is_nullable, comment from duckdb_columns() "
        "where database_name = current_database() and not internal order by all"
    ).fetchall():
        stored.setdefault(table, {})[column] = StoredColumn(kind, nullable, text)
    return stored


# how DuckDB calls a declared type in its catalogue
_TYPE_NAMES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def type_name(column: OutputColumn) -> str:
    """How DuckDB's catalogue calls the declared type of a column."""
    return _TYPE_NAMES.get(column.type, column.type)


def create_statement(table: OutputTable) -> str:
    """The CREATE TABLE statement of a declared table.

    No PRIMARY KEY: DuckDB's index refuses to delete and insert a key in one transaction; ``replace`` checks the key.
    """
    columns = ",\n    ".join(
        f"{quoted(column.name)} {column.type}{'' if column.nullable else ' not null'}" for column in table.columns
    )
    return f"create table {table.qualified} (\n    {columns}\n)"


def comment(con: duckdb.DuckDBPyConnection, table: OutputTable) -> None:
    """Puts the Japanese comments on table and columns."""
    of_columns = (
        f"comment on column {table.qualified}.{quoted(column.name)} is {literal(column.ja)}" for column in table.columns
    )
    # in one go: hundreds of single statements take longer than all else that makes the tables
    con.execute("; ".join([f"comment on table {table.qualified} is {literal(table.ja)}", *of_columns]))


def comment_anew(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, stored: Mapping[str, Mapping[str, StoredColumn]]
) -> None:
    """Puts the comments on tables whose comments are those of an earlier version; ``stored``: what is stored now."""
    told = stored_tables(con)
    for table in catalogue.outputs.values():
        if table.stored and (
            told[table.qualified] != table.ja
            or any(stored[table.qualified][column.name].comment != column.ja for column in table.columns)
        ):
            comment(con, table)


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits at the end of the block; any error rolls everything back."""
    con.execute("begin transaction")
    try:
        yield
    except BaseException:
        with suppress(duckdb.TransactionException):  # what failed may have ended it
            con.execute("rollback")
        raise
    con.execute("commit")


# of two writers one goes first, the other begins anew; with so many at once each had its turn by then
_TURNS, _LONGEST_WAIT = 60, 1.0


def committed(con: duckdb.DuckDBPyConnection, action: Callable[[], Result]) -> Result:
    """What ``action`` writes, in one transaction: done again, whole, where another process's came first (DuckLake).

    Raises:
        StoreBusyError: others always came first; nothing was changed.
    """
    for turn in range(_TURNS):
        try:
            with transaction(con):
                done = action()
                require_held()
                return done
        except duckdb.Error as error:
            if not collided(error):
                raise
        # not all at the same moment again
        time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.02 * 2**turn)))  # noqa: S311
    raise StoreBusyError(
        "kodomo.lake: other processes wrote into the same table {turns} times while this one did; nothing was changed. "
        "Run it again, with fewer workers",
        turns=_TURNS,
    )


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

    def write() -> list[CheckOutcome]:
        outcomes: list[CheckOutcome] = []
        for table, source in replacements:
            keys = {name: partition[name] for name in table.partition}
            where = " and ".join(f"{quoted(name)} = ${name}" for name in keys)
            con.execute(f"delete from {table.qualified} where {where}", keys)
            con.execute(f"insert into {table.qualified} by name select * from {source}")
            outcomes.append(_check_key(con, table, keys))
        for check in checks:
            outcomes.extend(check(con))
        failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
        if failed:
            raise CheckFailedError("; ".join(outcome.message for outcome in failed), outcomes)
        return outcomes

    return [outcome for outcome in committed(con, write) if outcome.name != _KEY_CHECK]


def append(con: duckdb.DuckDBPyConnection, table: OutputTable, source: str) -> None:
    """Adds the rows of ``source`` (columns by name) to a table that is a log: what others add stands beside them.

    Raises:
        CheckFailedError: a key would stand twice; nothing was added.
    """

    def write() -> None:
        con.execute(f"insert into {table.qualified} by name select * from {source}")
        outcome = _check_key(con, table, {})
        if not outcome.passed:
            raise CheckFailedError(outcome.message, [outcome])

    committed(con, write)


_KEY_CHECK = "stored_key_unique"


def _check_key(con: duckdb.DuckDBPyConnection, table: OutputTable, keys: Mapping[str, PartitionValue]) -> CheckOutcome:
    """A repeated key is a fault of the program, not of a delivery: it always blocks."""
    repeated = 0
    if table.key:
        where = " and ".join(f"{quoted(name)} = ${name}" for name in keys) or "true"
        # what is the same in the whole partition tells no two rows apart
        columns = ", ".join(quoted(name) for name in table.key if name not in keys) or "true"
        row = con.execute(
            f"select coalesce(sum(n - 1), 0)::bigint from ("
            f"select {columns}, count(*) as n from {table.qualified} where {where} group by all having n > 1)",
            dict(keys),
        ).fetchone()
        repeated = row[0] if row else 0
    return CheckOutcome(
        name=_KEY_CHECK,
        passed=repeated == 0,
        blocking=True,
        message=f"{table.qualified}: {repeated} rows repeat the key ({', '.join(table.key)}), expected 0",
        facts={"repeated": repeated},
    )
