"""Which delivery of each table counts at a reference date (method §1), as temp views that every later stage reads."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.sql import run_sql


def create_delivered_views(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``delivered`` and the temp views ``delivered_<table id>`` and ``delivered_quarantine``.

    ``delivered`` has one row per table of the contract: ``table_name``, ``delivered_on`` (NULL = none on or before the
    reference date) and ``status``: ``delivered`` for the reference date itself, ``earlier``, ``never``, or ``lapsed``
    where no legal basis is in force (its rows are not used).
    """
    _create_delivered(con, catalogue, reference_date)
    for table in catalogue.tables:
        con.execute(
            f"create or replace temp view delivered_{table} as "
            f"select t.* from sources.{table} as t "
            f"join delivered as d on d.table_name = '{table}' and d.delivered_on = t.reference_date"
        )
    con.execute(
        "create or replace temp view delivered_quarantine as "
        "select q.* from sources.quarantine as q "
        "join delivered as d on d.table_name = q.table_name and d.delivered_on = q.reference_date"
    )


def _create_delivered(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``delivered``."""
    con.execute(
        "create or replace temp table contract as "
        "select unnest($1::varchar[]) as table_name, unnest($2::boolean[]) as lapsed, "
        "unnest(range(len($1::varchar[])))::integer as position",
        [list(catalogue.tables), [not table.legal.in_force(reference_date) for table in catalogue.tables.values()]],
    )
    run_sql(con, "kodomo_assets.japan", "calendar")
    run_sql(con, __package__, "in_force", {"reference_date": reference_date})


def delivery_in_force(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, reference_date: dt.date
) -> dt.date | None:
    """The date of the delivery of ``table`` that is in force at ``reference_date``, None where there is none."""
    _create_delivered(con, catalogue, reference_date)
    row = con.execute("select delivered_on from delivered where table_name = $1", [table.id]).fetchone()
    return row[0] if row else None


def rows_at(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> int:
    """How many rows of ``table`` were accepted at ``reference_date``."""
    row = con.execute(f"select count(*) from sources.{table.id} where reference_date = $1", [reference_date]).fetchone()
    return int(row[0]) if row else 0


def create_registered_schools(con: duckdb.DuckDBPyConnection) -> None:
    """Temp view ``registered_schools(reference_date, school_code, school_name)``: the schools of every register.

    One row each, however the register's rows write the name. Only for steps that run before ``linkage.schools`` is
    written; every later one reads that table.
    """
    con.execute(
        "create or replace temp view registered_schools as "
        "select reference_date, school_code, min(school_name) as school_name "
        "from sources.school_register group by reference_date, school_code"
    )


def create_registered_pupils(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp view ``registered_pupils(name_kana, birth_date, school_code)``: the school that the register gives a pupil.

    Of two roster rows with one 学籍番号 the one of this school stays (sources.yaml, 校務支援学籍).
    """
    create_delivered_views(con, catalogue, reference_date)
    con.execute(
        "create or replace temp view registered_pupils as "
        "select r.name_kana, r.birth_date, s.school_code "
        "from delivered_school_register as s join delivered_resident_register as r using (resident_id)"
    )


def create_rostered_pupils(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Temp view ``rostered_pupils(reference_date, pupil_id, school_code)``: the rosters delivered up to a date.

    They tell which school a file of 出欠 is of, and whether a pupil changed school (method §2).
    """
    con.execute("create or replace temp table rosters_until as select $1::date as day", [reference_date])
    con.execute(
        "create or replace temp view rostered_pupils as "
        "select reference_date, pupil_id, school_code from sources.school_roster "
        "where reference_date <= (select day from rosters_until)"
    )
