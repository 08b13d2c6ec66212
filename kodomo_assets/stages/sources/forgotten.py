"""What of a reference date is deleted because it was past retention, as the store noted it (method §8)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from kodomo_assets.sql import has_table

_LIST = "linkage.children"
#: Why a row or file is told of that was about to go, by a try that was stopped; else because of its ``date``.
BEGUN = "begun"


@dataclass(frozen=True)
class Forgotten:
    """What of one reference date was forgotten: tables (``schema.name``), and when last.

    Attributes:
        begun: a try to forget it was stopped before its end.
    """

    tables: frozenset[str]
    on: dt.date
    begun: bool = False

    @property
    def list_too(self) -> bool:
        """Whether its list is gone, with all that belonged to it."""
        return _LIST in self.tables

    def has(self, delivery: str) -> bool:
        """Whether the table of ``table@date`` is gone; the answers of a date go with its list."""
        name = delivery.partition("@")[0]
        return self.list_too if "." in name else f"sources.{name}" in self.tables


def of_table(gone: Mapping[dt.date, Forgotten], table: str) -> frozenset[dt.date]:
    """The reference dates of which this table was forgotten."""
    return frozenset(day for day, of in gone.items() if of.has(table))


def forgotten(con: duckdb.DuckDBPyConnection) -> dict[dt.date, Forgotten]:
    """Reference date -> what was forgotten of it; nothing where an older version of the program made the database."""
    if not has_table(con, "store.forgotten"):
        return {}
    rows = con.execute(
        "select reference_date, list(distinct name), max(forgotten_at)::date, bool_and(because = $1) "
        "from store.forgotten where because in ('date', $1) group by reference_date",
        [BEGUN],
    ).fetchall()
    return {day: Forgotten(frozenset(names), on, begun) for day, names, on, begun in rows}
