"""訂正 (個人情報保護法 90条) of delivered cells: rights.corrections, and where each has effect, sources.corrected.

A correction holds for the row as the office numbers it and as long as the office delivers the value that was found: it
is put on the rows that are stored, and on every delivery from then on as it is read. Only rows that hold the person's
own 宛名番号 are corrected: by another number, or by name, a row of a later delivery may be another person's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, Column, SourceTable
from kodomo_assets.sql import create_from_frame, literal, quoted, read_sql, run_sql

CORRECTIONS, CORRECTED = "rights.corrections", "sources.corrected"
#: How a cell without a value was found: it could not be read, or its day was said to be unknown.
INVALID, UNKNOWN = "invalid", "unknown"
_MARKS = {INVALID: "invalid_cells", UNKNOWN: "unknown_cells"}


def correctable(table: SourceTable) -> tuple[Column, ...]:
    """The columns of ``table`` that a person can have corrected here; the office mends all others in its delivery.

    Not what tells one row from another or one person from another, nor whom 支援措置 protects.
    """
    if table.person.resident is None:
        return ()
    fixed = {*table.key, *table.numbers}
    return tuple(
        column
        for name, column in table.columns.items()
        if name not in fixed and not column.unclear_is_yes and column.without is None
    )


def key_columns(table: SourceTable) -> tuple[str, ...]:
    """What tells the rows of one person from each other."""
    return tuple(name for name in table.key if name != table.person.resident)


def row_key(table: SourceTable) -> str:
    """SQL: which of the person's rows row ``t`` is, as rights.corrections names it."""
    names = ", ".join(map(literal, key_columns(table)))
    values = ", ".join(f"t.{quoted(name)}::varchar" for name in key_columns(table))
    return f"map([{names}]::varchar[], [{values}]::varchar[])"


def mark_of(column: str) -> str:
    """SQL: how a cell of row ``t`` without a value was found; NULL where it is blank, or has one."""
    found = (f"when list_contains(t.{cells}, {literal(column)}) then '{mark}'" for mark, cells in _MARKS.items())
    return f"case {' '.join(found)} end"


@dataclass(frozen=True)
class Correction:
    """One cell: what was found, and what is right; both as DuckDB casts the value to a text, None = blank.

    Attributes:
        number: of the cell in the draft of the request.
        found_mark: ``INVALID`` or ``UNKNOWN`` where the cell had no value because of that.
        since: the first reference date of which the row is corrected.
    """

    number: int
    table: str
    row_key: Mapping[str, str]
    column: str
    found: str | None
    found_mark: str | None
    corrected: str | None
    since: dt.date
    reason: str


def in_force(con: duckdb.DuckDBPyConnection, resident_id: str) -> dict[tuple[str, str, str, dt.date], str]:
    """Table, row (``row_key`` as a text), column and reference date -> the request by which a cell of the person is
    corrected there; not where the office delivers another value, which may be corrected too.
    """
    rows = con.execute(
        f"select c.table_name, c.row_key::varchar, c.column_name, n.reference_date, c.request from {CORRECTIONS} as c "
        f"join {CORRECTED} as n using (request, number) where c.resident_id = $1 and c.ended_at is null",
        [resident_id],
    ).fetchall()
    return {(table, key, column, day): request for table, key, column, day, request in rows}


def add(
    con: duckdb.DuckDBPyConnection, request: str, resident_id: str, role: str, corrections: Sequence[Correction]
) -> None:
    """From now on these cells are corrected; in the transaction that decides on ``request``."""
    import pandas as pd

    types = {
        "number": "integer",
        "table_name": "varchar",
        "names": "varchar[]",
        "values": "varchar[]",
        "column_name": "varchar",
        "found": "varchar",
        "found_mark": "varchar",
        "corrected": "varchar",
        "since": "date",
        "reason": "varchar",
    }
    rows = [
        (
            *(one.number, one.table, list(one.row_key), list(one.row_key.values()), one.column),
            *(one.found, one.found_mark, one.corrected, one.since, one.reason),
        )
        for one in corrections
    ]
    create_from_frame(con, "corrections_now", pd.DataFrame(rows, columns=list(types), dtype="object"), types)
    con.execute(
        f"""
        insert into {CORRECTIONS} by name
        select
            $request as request,
            $resident_id as resident_id,
            map(names, "values") as row_key,
            * exclude (names, "values"),
            $role as role,
            now() as made_at
        from corrections_now
        """,
        {"request": request, "resident_id": resident_id, "role": role},
    )


def create_corrected(con: duckdb.DuckDBPyConnection, table: SourceTable, rows: str, request: str | None = None) -> None:
    """Corrects the relation ``rows`` of ``table`` in place; makes the temp table ``new_corrected`` (sources.corrected).

    Args:
        rows: what was read (``new_<table id>``), or what is stored.
        request: of this one alone, else of all that are in force.
    """
    con.execute(f"create or replace temp table new_corrected as from {CORRECTED} limit 0")
    columns = correctable(table)
    if not columns:
        return
    found = " ".join(
        f"when {literal(column.name)} then t.{quoted(column.name)}::varchar is not distinct from c.found "
        f"and {mark_of(column.name)} is not distinct from c.found_mark"
        for column in columns
    )
    con.execute(
        f"""
        insert into new_corrected by name
        select
            t.reference_date,
            c.table_name,
            c.request,
            c.number,
            c.resident_id
        from {rows} as t
        join {CORRECTIONS} as c on {_same_row(table)}
        where
            c.ended_at is null
            and t.reference_date >= c.since
            and ($request is null or c.request = $request)
            and case c.column_name {found} else false end
            -- what is stored may hold what another correction put there, which no office delivered
            and not exists (
                from {CORRECTED} as o
                join {CORRECTIONS} as d using (request, number)
                where
                    $request is not null
                    and o.reference_date = t.reference_date
                    and d.table_name = c.table_name
                    and d.resident_id = c.resident_id
                    and d.row_key = c.row_key
                    and d.column_name = c.column_name
            )
        """,
        {"request": request},
    )
    for column in _columns_of(con, table, "new_corrected"):
        without = ", ".join(
            f"{cells} = list_filter(t.{cells}, lambda name: name <> {literal(column.name)})"
            for cells in _MARKS.values()
        )
        con.execute(
            f"update {rows} as t set {quoted(column.name)} = c.corrected::{column.duckdb_type}, {without} "
            f"from new_corrected as n join {CORRECTIONS} as c using (request, number) "
            f"where n.reference_date = t.reference_date and c.column_name = {literal(column.name)} "
            f"and {_same_row(table)}"
        )


def correct_stored(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, request: str) -> None:
    """Corrects what is stored, in the transaction that decides on ``request``."""
    for table in _tables_of(con, catalogue, request):
        create_corrected(con, table, f"sources.{table.id}", request)
        con.execute(f"insert into {CORRECTED} by name from new_corrected")


def end(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, request: str) -> None:
    """What is stored is again what the office delivered, in the transaction that says so."""
    for table in _tables_of(con, catalogue, request):
        for column in _columns_of(con, table, CORRECTED, request):
            back = ", ".join(
                f"{cells} = case when c.found_mark = '{mark}' then list_append(t.{cells}, {literal(column.name)}) "
                f"else t.{cells} end"
                for mark, cells in _MARKS.items()
            )
            con.execute(
                f"update sources.{table.id} as t set {quoted(column.name)} = c.found::{column.duckdb_type}, {back} "
                f"from {CORRECTED} as n join {CORRECTIONS} as c using (request, number) "
                f"where n.reference_date = t.reference_date and c.request = $1 "
                f"and c.column_name = {literal(column.name)} and {_same_row(table)}",
                [request],
            )
    con.execute(f"delete from {CORRECTED} where request = $1", [request])
    con.execute(f"update {CORRECTIONS} set ended_at = now() where request = $1", [request])


def keep_before(con: duckdb.DuckDBPyConnection, request: str, resident_id: str) -> None:
    """Keeps what stands before ``request`` corrects anything, in its transaction: what changed is told afterwards."""
    run_sql(con, __package__, "before_corrections", {"request": request, "resident_id": resident_id})


@dataclass(frozen=True)
class Changed:
    """What a request changed of the person and the children of its household, at the date that was the newest then.

    Attributes:
        no_children: how many are no children of the date any more, by the correction, a delivery or a stop; they are in
            no other count.
    """

    reference_date: dt.date
    levels: int
    other_levels: int
    scores: int
    other_scores: int
    other_places: int
    no_children: int


def changed_by(con: duckdb.DuckDBPyConnection, request: str) -> Changed | None:
    """In counts; None where nobody of them was a child of a list."""
    row = con.execute(read_sql(__package__, "changed_by_corrections"), {"request": request}).fetchone()
    return Changed(*row) if row else None


def effect(con: duckdb.DuckDBPyConnection, request: str) -> list[tuple[str, int, int]]:
    """Table, in how many cells of it the request has effect, and at how many reference dates."""
    return con.execute(
        f"""
        select
            table_name,
            count(distinct number),
            count(distinct reference_date)
        from {CORRECTED}
        where request = $1
        group by table_name
        order by table_name
        """,
        [request],
    ).fetchall()


@dataclass(frozen=True)
class WithoutEffect:
    """Corrections of one column that have no effect at a date, in counts.

    Attributes:
        other_value: the office delivers another value of the row, neither the one that was found nor the right one.
        row_gone: the row that was corrected is not delivered any more, or under another key.
    """

    column: str
    other_value: int
    row_gone: int


def without_effect(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> list[WithoutEffect]:
    """Those of the table's delivery of a date; none where it has no row, or another correction of the cell has effect.

    A row is gone of the first delivery without it, and of every one while no delivery that is stored holds it: then
    the correction has no effect anywhere.
    """
    standing = f"from {CORRECTIONS} where table_name = {literal(table.id)} and ended_at is null and since <= $1 limit 1"
    # most tables have none, and what follows joins all that was ever delivered
    if con.execute(standing, [reference_date]).fetchone() is None:
        return []
    mended = " ".join(
        f"when {literal(column.name)} then t.{quoted(column.name)}::varchar is not distinct from c.corrected "
        f"and {mark_of(column.name)} is null"
        for column in correctable(table)
    )
    rows = con.execute(
        f"""
        with dates as (
            select distinct reference_date
            from sources.{table.id}
        ),

        before as (
            select max(reference_date) as reference_date
            from dates
            where reference_date < $1
        ),

        in_force as (
            select c.*
            from {CORRECTIONS} as c
            semi join dates on dates.reference_date = $1
            where c.table_name = {literal(table.id)} and c.ended_at is null and c.since <= $1
        ),

        in_effect as (
            select c.*
            from {CORRECTIONS} as c
            join {CORRECTED} as n using (request, number)
            where n.reference_date = $1
        ),

        told as (
            select
                c.*,
                list(t.reference_date) filter (t.reference_date is not null) as days,
                bool_or(t.reference_date = $1 and case c.column_name {mended} else false end) as is_mended
            from in_force as c
            left join sources.{table.id} as t on {_same_row(table)}
            group by all
        )

        select
            column_name,
            count(*) filter (list_contains(days, $1) and not is_mended),
            count(*) filter (
                not coalesce(list_contains(days, $1), false)
                and (
                    list_contains(days, (select reference_date from before))
                    -- not because retention deleted the deliveries that held it
                    or (days is null and since >= (select min(reference_date) from dates))
                )
            )
        from told
        anti join in_effect using (table_name, resident_id, row_key, column_name)
        group by column_name
        order by column_name
        """,
        [reference_date],
    ).fetchall()
    return [WithoutEffect(*row) for row in rows if row[1] or row[2]]


def _same_row(table: SourceTable) -> str:
    """SQL: whether correction ``c`` is about row ``t``."""
    person = quoted(table.person.resident or "")
    return f"c.table_name = {literal(table.id)} and c.resident_id = t.{person} and c.row_key = {row_key(table)}"


def _tables_of(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, request: str) -> list[SourceTable]:
    rows = con.execute(f"select distinct table_name from {CORRECTIONS} where request = $1 order by all", [request])
    return [catalogue.tables[name] for (name,) in rows.fetchall() if name in catalogue.tables]


def _columns_of(
    con: duckdb.DuckDBPyConnection, table: SourceTable, corrected: str, request: str | None = None
) -> Iterator[Column]:
    """The columns of ``table`` of which the relation ``corrected`` says that a cell is."""
    rows = con.execute(
        f"select distinct c.column_name from {corrected} as n join {CORRECTIONS} as c using (request, number) "
        "where c.table_name = $1 and ($2 is null or c.request = $2) order by all",
        [table.id, request],
    ).fetchall()
    names = {name for (name,) in rows}
    yield from (column for column in correctable(table) if column.name in names)
