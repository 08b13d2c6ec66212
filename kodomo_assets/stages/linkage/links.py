"""Exact links of 学籍番号 and of records without 宛名番号 (method §3); the rules stand in links.sql, in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.japan.calendar import fiscal_year
from kodomo_assets.japan.variants import match_key_sql
from kodomo_assets.sql import run_sql


@dataclass(frozen=True)
class LinkCounts:
    """Per table that links by name: persons or records of the delivery in force, and how many of them reach nobody.

    ``linked`` counts per table and method, and the pupil numbers of older rosters too.
    """

    persons: Mapping[str, int]
    without_link: Mapping[str, int]
    linked: Mapping[tuple[str, str], int]

    def unlinked(self, table: str) -> int:
        return self.without_link[table]


def build_links(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> LinkCounts:
    """Makes the temp tables ``new_links`` and ``new_coverage`` (linkage.links, linkage.coverage).

    Reads linkage.children at the reference date, sources.school_roster and the views of the delivered tables.
    """
    first, last = births_of_school_age(reference_date)
    _create_text_key(con)
    run_sql(
        con,
        __package__,
        "links",
        {"reference_date": reference_date, "first_birth_date": first, "last_birth_date": last},
    )
    persons = con.execute("select table_name, sum(persons), sum(unlinked) from new_coverage group by all").fetchall()
    linked = con.execute("select table_name, method, count(*) from new_links group by all order by all").fetchall()
    none = {table.id: 0 for table in catalogue.tables.values() if table.person.name}
    return LinkCounts(
        persons=none | {table: int(count) for table, count, _ in persons},
        without_link=none | {table: int(count) for table, _, count in persons},
        linked={(table, method): count for table, method, count in linked},
    )


def _create_text_key(con: duckdb.DuckDBPyConnection) -> None:
    """Macro ``text_key(name)``: how a name that was read (after NFKC, method §1) is compared with another."""
    con.execute(f"create or replace temp macro text_key(name) as {match_key_sql('name')}")


def births_of_school_age(reference_date: dt.date) -> tuple[dt.date, dt.date]:
    """First and last birth date of the legal school years 1 to 9 at ``reference_date`` (born 2 April to 1 April)."""
    year = fiscal_year(reference_date)
    return dt.date(year - 15, 4, 2), dt.date(year - 6, 4, 1)
