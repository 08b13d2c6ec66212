"""Reads and runs the .sql files that stand beside their modules, and writes names and texts into SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import duckdb

from kodomo_assets.relations import told_missing

if TYPE_CHECKING:  # what only opens the database must not wait for it
    import pandas as pd

# DuckDB hands rows over in vectors of 2,048
_VECTOR = 2_048
#: Rows that Python holds at a time: of a large city a whole table does not fit into memory.
PART = 24 * _VECTOR


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


def named_rows(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] | None = None
) -> list[dict[str, Any]]:
    """What ``query`` gives, each row by its columns' names; for pages, which have few of them."""
    cursor = con.execute(query, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the database in use has the table ``schema.name``.

    It is tried: a look into DuckDB's catalogue writes out the statement of every table and takes twenty times as long.
    """
    try:
        con.execute(f"select 1 from {name} limit 0")
    except duckdb.CatalogException:
        return False
    return True


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


def in_parts(
    con: duckdb.DuckDBPyConnection, query: str, parameters: object = None, size: int = PART
) -> Iterator[pd.DataFrame]:
    """What ``query`` gives, some ``size`` rows at a time; meanwhile ``con`` runs nothing else."""
    con.execute(query, parameters)
    while len(rows := con.fetch_df_chunk(-(-size // _VECTOR))):
        yield rows


def create_from_query(
    con: duckdb.DuckDBPyConnection,
    table: str,
    source: duckdb.DuckDBPyConnection,
    query: str,
    types: Mapping[str, str],
    size: int = PART,
) -> None:
    """Makes the temp table ``table`` from what ``query`` gives in another database, in its order."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    con.execute(f"create or replace temp table {table} ({columns})")
    for rows in in_parts(source, query, size=size):
        _insert(con, table, rows)


def create_mapped(
    con: duckdb.DuckDBPyConnection,
    table: str,
    query: str,
    to: tuple[str, Callable[[str], str]],
    size: int = PART,
) -> None:
    """Makes the temp table ``table`` with the one column of texts that ``query`` gives, and what Python makes of each.

    Args:
        to: the name of the second column, and the function.
    """
    import pandas as pd

    name, function = to
    texts_of = f"{table}_to_map"
    con.execute(
        f"create or replace temp table {texts_of} as select columns(*)::varchar, row_number() over () as position "
        f"from ({query})"
    )
    given = con.table(texts_of).columns[0]
    con.execute(f"create or replace temp table {table} ({quoted(given)} varchar, {quoted(name)} varchar)")
    for first in range(1, len(con.table(texts_of)) + 1, size):
        texts: list[str] = (
            con.execute(
                f"select {quoted(given)} as given from {texts_of} where position between $1 and $2",
                [first, first + size - 1],
            )
            .fetchnumpy()["given"]
            .tolist()
        )
        _insert(con, table, pd.DataFrame({given: texts, name: [function(text) for text in texts]}, dtype=object))
    con.execute(f"drop table {texts_of}")


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame) -> None:
    con.register("rows_to_load", rows)
    try:
        con.execute(f"insert into {table} by name select * from rows_to_load")
    finally:
        con.unregister("rows_to_load")
