"""Proof that the analysts' database tells who nobody is: by its columns, and by comparing its values."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome

# Shorter texts (a kana of two syllables, 男) may stand for something else than a person.
_MIN_LENGTH = 4


def check_no_identity(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, confidential: str
) -> Iterable[CheckOutcome]:
    """Whether no column of the database in use is private, and no text in it is anyone's number, name or address.

    Args:
        confidential: the attached name of kodomo.duckdb.
    """
    columns = con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and not internal order by all"
    ).fetchall()
    yield _columns_outcome(catalogue, columns)
    _identities(con, catalogue, confidential)
    texts = [column for column in columns if column[3] == "VARCHAR" and column[0] not in {"catalogue", "views"}]
    guilty = _matches(con, [(schema, table, column) for schema, table, column, _ in texts])
    yield CheckOutcome(
        name="no_identity_value",
        passed=not guilty,
        blocking=True,
        message=f"{len(guilty)} of {len(texts)} text columns hold a number, name or address of a person, expected 0"
        + (f": {', '.join(guilty)}" if guilty else ""),
        facts={"columns": len(texts), "columns_with_identity": len(guilty)},
    )


def _columns_outcome(catalogue: Catalogue, columns: list[tuple[str, str, str, str]]) -> CheckOutcome:
    identity = {c.name for t in catalogue.tables.values() for c in t.columns.values() if c.role}
    private = {
        (table.db_schema, table.name, column.name)
        for table in catalogue.outputs.values()
        for column in table.columns
        if column.private or not table.published
    }
    guilty = [
        f"{schema}.{table}.{column}"
        for schema, table, column, _ in columns
        if schema == "sources" or (schema, table, column) in private or (schema != "catalogue" and column in identity)
    ]
    return CheckOutcome(
        name="no_private_column",
        passed=not guilty,
        blocking=True,
        message=f"{len(guilty)} private columns are published, expected 0"
        + (f": {', '.join(guilty)}" if guilty else ""),
        facts={"columns": len(columns), "private_columns": len(guilty)},
    )


def _identities(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, confidential: str) -> None:
    """Temp table ``identities(value)``: every distinct text that tells who somebody is.

    An office may number its records as schools are coded (081001): school codes say nothing about a person.
    """
    selects = [
        f'select "{column.name}" as value from {confidential}.sources.{table.id}'
        for table in catalogue.tables.values()
        for column in table.columns.values()
        if column.role == "identity" and column.duckdb_type == "VARCHAR"
    ]
    con.execute(
        "create or replace temp table identities as select distinct value from ("
        + " union all ".join(selects)
        + f") where length(value) >= {_MIN_LENGTH} "
        f"except select school_code from {confidential}.sources.school_register"
    )


def _matches(con: duckdb.DuckDBPyConnection, texts: list[tuple[str, str, str]]) -> list[str]:
    """The columns (schema, table, column) that hold a value of ``identities``, all compared at once."""
    values = " union all ".join(
        f'select distinct \'{schema}.{table}.{column}\' as place, "{column}" as value from {schema}."{table}"'
        for schema, table, column in texts
    )
    found = con.execute(f"select distinct place from ({values}) join identities using (value) order by place")
    return [place for (place,) in found.fetchall()]
