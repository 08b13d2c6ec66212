"""Which deliveries a list had to do without (method §1): late termly tables, and schools that a delivery lacks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import run_sql

_SCHOOLS = "schools"
_NAMED_SCHOOLS = 10


def build_completeness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``late_tables``, ``lacking_schools`` and ``incomplete_children`` (child_key).

    ``late_tables(table_name, delivered_on)`` are termly tables that their last delivery replaces: all children whom the
    table concerns are incomplete. ``lacking_schools(table_name, school_code, school_name)`` are schools of the register
    that the delivery in force lacks: all their children are incomplete. Schools that hold no records with the city
    (``schools.without_delivery``) are exempt from the tables of the schools.
    """
    con.execute("create or replace temp table exempt_schools (school_code varchar)")
    if catalogue.schools.without_delivery:
        con.executemany("insert into exempt_schools values ($1)", [(c,) for c in catalogue.schools.without_delivery])
    con.execute(
        "create or replace temp table contract_facts "
        "(table_name varchar, termly boolean, of_schools boolean, school_years integer[])"
    )
    con.executemany(
        "insert into contract_facts values ($1, $2, $3, $4)",
        [
            (table.id, table.cadence == "termly", table.section == _SCHOOLS, _school_years(catalogue, table))
            for table in catalogue.tables.values()
        ],
    )
    _collect_present(con, catalogue, reference_date)
    parameters = {
        "reference_date": reference_date,
        "is_yearly": catalogue.calendar.is_yearly(reference_date),
        "min_school_coverage": catalogue.screening.min_school_coverage,
    }
    run_sql(con, __package__, "completeness", parameters)


def _school_years(catalogue: Catalogue, table: SourceTable) -> list[int]:
    """The school years that a table concerns: those of the bands of its items; of a table without items all."""
    bands = {band for item in catalogue.items.values() if table.id in item.tables for band in item.bands}
    return sorted(year for band in bands or catalogue.bands for year in catalogue.bands[band].school_years)


def _collect_present(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp table ``present(table_name, child_key)``: who has a linked row in which table of the schools."""
    con.execute("create or replace temp table present (table_name varchar, child_key varchar)")
    for table in catalogue.tables.values():
        if table.section == _SCHOOLS:
            con.execute(
                f"""
                insert into present
                select distinct $table, l.child_key
                from delivered_{table.id} as t
                join linkage.links as l
                    on
                        l.reference_date = $reference_date
                        and l.table_name = 'school_roster'
                        and l.person_ref = t.{table.person.pupil or table.key[0]}
                """,
                {"table": table.id, "reference_date": reference_date},
            )


def check_completeness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """A warning that names the late tables and the schools that a delivery lacks.

    Reads the temp tables that ``build_completeness`` made.
    """
    late = con.execute("select table_name, delivered_on from late_tables order by all").fetchall()
    lacking = con.execute(
        "select table_name, list(school_code || ' ' || school_name order by school_code) "
        "from lacking_schools group by table_name order by table_name"
    ).fetchall()
    sentences = [f"{catalogue.tables[table].ja} is late: the delivery of {day} stands in" for table, day in late]
    sentences += [
        f"{catalogue.tables[table].ja} lacks {len(schools)} schools: {_named(schools)}" for table, schools in lacking
    ]
    yield CheckOutcome(
        name="deliveries_complete",
        passed=not sentences,
        blocking=False,
        message="; ".join(sentences) or "every termly table is delivered for this date, by every school",
        facts={"late_tables": len(late)} | {f"schools_lacking_{table}": len(schools) for table, schools in lacking},
    )


def _named(schools: list[str]) -> str:
    more = len(schools) - _NAMED_SCHOOLS
    return ", ".join(schools[:_NAMED_SCHOOLS]) + (f" and {more} more" if more > 0 else "")
