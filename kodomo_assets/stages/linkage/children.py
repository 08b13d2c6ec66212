"""Residents, households and the spine at a reference date (method §3, items.yaml header)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.japan.text import COMPARABLE_IN_SQL, comparable
from kodomo_assets.sql import create_mapped, run_sql
from kodomo_assets.stages.sources.in_force import create_registered_schools


@dataclass(frozen=True)
class ChildrenCounts:
    """What the spine is made of; counts only.

    ``living_alone``: children who are the only member of their household, facilities aside.
    ``split_households``: children at whose address another household with an adult is registered (世帯分離, but also
    neighbours in a house without flat numbers); the other parent may stand in it (docs/method.md, Households).
    ``unregistered``: residents of school age whom 学齢簿 does not know. ``stopped``: children who would be on the
    spine, but for 利用停止.
    """

    residents: int
    children: int
    registered_without_resident: int
    differing_school_year: int
    blank_school_year: int
    facilities_residents: int
    protected: int
    living_alone: int
    split_households: int
    unregistered: int
    stopped: int


def build_children(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> ChildrenCounts:
    """Makes the temp tables ``new_residents``, ``new_children``, ``new_stopped``, ``new_schools`` and
    ``new_unregistered``.

    Reads ``delivered_resident_register``, ``delivered_school_register``, rights.stops_in_force and
    ``pseudonyms(resident_id, child_key)``.
    """
    con.execute("create or replace temp table bands (band varchar, school_year integer)")
    con.executemany(
        "insert into bands values ($1, $2)",
        [(name, year) for name, band in catalogue.bands.items() for year in band.school_years],
    )
    _create_addresses(con)
    create_registered_schools(con)
    run_sql(
        con,
        __package__,
        "children",
        {
            "reference_date": reference_date,
            "max_household_size": catalogue.linkage.max_household_size,
            "japanese": list(catalogue.items["nationality"].words["japanese"]),
        },
    )
    row = con.execute(
        """
        select
            (select count(*) from new_residents),
            (select count(*) from new_children),
            (select count(*) from delivered_school_register anti join new_residents using (resident_id)),
            (select count(*) from new_children where school_year <> legal_school_year),
            (select count(*) from delivered_school_register semi join new_residents using (resident_id)
             where school_year is null),
            (select count(*) from new_residents where is_facility),
            (select count(*) from new_children where protected),
            (select count(*) from new_children semi join (
                select household_id from new_residents where not is_facility group by household_id having count(*) = 1
             ) using (household_id)),
            (select count(*) from children_beside_a_household),
            (select coalesce(sum(residents), 0)::integer from new_unregistered),
            (select coalesce(sum(children), 0)::integer from new_stopped)
        """
    ).fetchone()
    assert row is not None  # noqa: S101  (an aggregate always has a row)
    return ChildrenCounts(*row)


def _create_addresses(con: duckdb.DuckDBPyConnection) -> None:
    """Temp table ``addresses(address, compared)``: 住所 keeps its characters in the sources, and SQL has no NFKC.

    Only those that are compared as something else than they are.
    """
    written = (
        "select distinct address from delivered_resident_register "
        f"where not regexp_full_match(address, '{COMPARABLE_IN_SQL}')"
    )
    create_mapped(con, "addresses", written, ("compared", comparable))
