"""What a person can have corrected (訂正), cell by cell: delivered rows that hold its own 宛名番号, as they came last.

Rows that reach a person by another number or by name are left to the office's next delivery (``store.corrections``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, Column, SourceTable
from kodomo_assets.doors.rights.records import BLANK_CELL
from kodomo_assets.sql import quoted
from kodomo_assets.store.corrections import INVALID, UNKNOWN, correctable, in_force, key_columns, mark_of, row_key

_MARKS: Mapping[str, str] = {INVALID: "（読めなかった）", UNKNOWN: "（不詳）"}
#: How a yes and a no are told.
YES_NO: Mapping[str, str] = {"true": "はい", "false": "いいえ"}


@dataclass(frozen=True)
class Cell:
    """One cell of one row of the person.

    Attributes:
        day: the newest reference date at which the row was delivered.
        row_key: which of the person's rows of the table it is; ``key_text`` is the same as a text.
        found: its value as DuckDB casts it to a text; None where it has none, and ``mark`` says why that is.
        days: the reference dates at which the row holds the same.
        corrected_by: the request by which it is corrected there already.
    """

    table: SourceTable
    column: Column
    day: dt.date
    row_key: Mapping[str, str]
    key_text: str
    found: str | None
    mark: str | None
    days: Sequence[dt.date]
    corrected_by: str | None

    @property
    def record(self) -> str:
        """Which row it is, in words; empty where a person has one row alone."""
        return "／".join(f"{self.table.columns[name].ja}：{value}" for name, value in self.row_key.items())

    @property
    def told(self) -> str:
        """What it holds, in words."""
        return told(self.column, self.found, self.mark)


def told(column: Column, value: str | None, mark: str | None = None) -> str:
    """A value of a column in words."""
    if value is None:
        return _MARKS[mark] if mark is not None else BLANK_CELL
    return YES_NO[value] if column.type == "flag" else value


def gather_cells(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, resident_id: str) -> list[Cell]:
    """Every cell that the person can have corrected, in the order of the contract."""
    standing = in_force(con, resident_id)
    return [
        cell
        for table in catalogue.tables.values()
        for cell in sorted(_cells(con, table, resident_id, standing), key=lambda cell: cell.key_text)
    ]


def _cells(
    con: duckdb.DuckDBPyConnection,
    table: SourceTable,
    resident_id: str,
    standing: Mapping[tuple[str, str, str, dt.date], str],
) -> Iterator[Cell]:
    columns = correctable(table)
    if not columns:
        return
    names = ", ".join(f"t.{quoted(name)}::varchar" for name in key_columns(table))
    for column in columns:
        rows = con.execute(
            f"""
            with own as (
                select
                    reference_date,
                    [{names}]::varchar[] as keys,
                    ({row_key(table)})::varchar as key_text,
                    t.{quoted(column.name)}::varchar as value,
                    {mark_of(column.name)} as mark
                from sources.{table.id} as t
                where t.{quoted(table.person.resident or "")} = $1
            ),

            newest as (
                select *
                from own
                qualify row_number() over (partition by key_text order by reference_date desc) = 1
            )

            select
                n.reference_date,
                n.keys,
                n.key_text,
                n.value,
                n.mark,
                list(o.reference_date order by o.reference_date)
            from newest as n
            join own as o
                on o.key_text = n.key_text
                and o.value is not distinct from n.value
                and o.mark is not distinct from n.mark
            group by all
            order by n.key_text
            """,
            [resident_id],
        ).fetchall()
        for day, keys, key_text, found, found_mark, days in rows:
            yield Cell(
                table,
                column,
                day,
                dict(zip(key_columns(table), keys, strict=True)),
                key_text,
                found,
                found_mark,
                days,
                standing.get((table.id, key_text, column.name, day)),
            )


def state_of_cells(cells: Sequence[Cell]) -> str:
    """A hash of all that ``cells`` hold: a draft of other ones is out of date."""
    held = [
        (one.table.id, one.key_text, one.column.name, one.found, one.mark, one.days, one.corrected_by) for one in cells
    ]
    return hashlib.sha256(repr(held).encode()).hexdigest()[:16]
