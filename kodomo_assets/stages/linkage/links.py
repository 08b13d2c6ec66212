"""Exact links of 学籍番号 and of records without 宛名番号 (method §3); the rules stand in links.sql, in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql


@dataclass(frozen=True)
class LinkCounts:
    """Per table that links by name: persons or records, and how many of them each method linked."""

    persons: Mapping[str, int]
    linked: Mapping[tuple[str, str], int]

    def unlinked(self, table: str) -> int:
        return self.persons[table] - sum(n for (name, _), n in self.linked.items() if name == table)


def build_links(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> LinkCounts:
    """Makes the temp tables ``new_links`` and ``new_coverage`` (linkage.links, linkage.coverage).

    Reads linkage.children at the reference date, sources.school_roster and the views of the delivered tables.
    """
    run_sql(con, __package__, "links", {"reference_date": reference_date})
    persons = con.execute("select table_name, count(*) from persons group by all").fetchall()
    linked = con.execute("select table_name, method, count(*) from new_links group by all order by all").fetchall()
    by_name = [table.id for table in catalogue.tables.values() if table.person.name]
    return LinkCounts(
        persons=dict.fromkeys(by_name, 0) | dict(persons),
        linked={(table, method): count for table, method, count in linked},
    )
