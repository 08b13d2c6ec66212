"""All that is stored about one person: the catalogue's ``about`` at work.

A row is a person's when one of its columns holds a number of that person, so that the mother's number in a child's row
makes it hers too. A household is no person: its number counts only where a table is about households.
"""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.sql import literal, quoted, run_sql
from kodomo_assets.store.pseudonyms import child_key

# the temp table of ``identify``: which number, of which table (NULL = any), at which reference date (NULL = any)
_NUMBERS = "subject_numbers"


def resident_of(con: duckdb.DuckDBPyConnection, child: str) -> str | None:
    """The 宛名番号 of a 児童キー; None where no reference date ever had that child."""
    row = con.execute("select min(resident_id) from linkage.children where child_key = $1", [child]).fetchone()
    return row[0] if row else None


def identify(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, secret: bytes, resident_id: str) -> None:
    """Makes the temp table ``subject_numbers``: every number under which the person with this 宛名番号 is known.

    The number of a pupil or record is the person's at the reference dates at which the linkage says so; and, unless it
    ever was somebody else's, at all others too, but for a 学籍番号 where the child went by another one (numbered anew).
    """
    tables = catalogue.tables.values()
    parameters = {
        "resident_id": resident_id,
        "child_key": child_key(secret, resident_id),
        "resident_tables": [table.id for table in tables if table.person.resident],
        "pupil_tables": [table.id for table in tables if table.person.pupil],
    }
    run_sql(con, "kodomo_assets.store", "subject_numbers", parameters)


def rows_of(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dict[str, duckdb.DuckDBPyRelation]:
    """Table -> its rows about the person who was identified last, of every table that is about anybody.

    To be read before another person is identified: a relation looks when it is asked.
    """
    return {
        table.qualified: con.sql(f"select t.* from {table.qualified} as t where {is_about(table)}")
        for table in catalogue.outputs.values()
        if table.stored and table.about != "none"
    }


def is_about(table: OutputTable) -> str:
    """SQL: whether row ``t`` of the table is about the person who was identified last."""
    held = [
        _holds(table, column, number)
        for column, number in table.numbers.items()
        if number != "household_id" or table.about == "household"
    ]
    return " or ".join(held) or "false"


def others_in(table: OutputTable) -> dict[str, str]:
    """Column -> SQL: whether row ``t``, which is about the person identified last, holds another person's number in it.

    The number of a delivered record is no person's: it belongs to whoever the row is about.
    """
    return {
        column: f"(t.{quoted(column)} is not null and not {_holds(table, column, number)})"
        for column, number in table.numbers.items()
        if not (table.db_schema == "sources" and (column == table.record or number == "person_ref"))
    }


def _holds(table: OutputTable, column: str, number: str) -> str:
    kind, of_table, of_date = number, "true", "n.reference_date is null"
    if number == "person_ref":
        # as the offices deliver it, where a row tells of no child yet; else as the linkage knows it
        kind = "delivered_ref" if table.about == "resident" else number
        of_table = f"n.table_name = {literal(table.name) if column == table.record else 't.table_name'}"
    if "reference_date" in table.column_names:
        of_date += " or n.reference_date = t.reference_date"
    return (
        f"exists (from {_NUMBERS} as n where n.kind = '{kind}' and n.number = t.{quoted(column)} and {of_table} "
        f"and ({of_date}))"
    )
