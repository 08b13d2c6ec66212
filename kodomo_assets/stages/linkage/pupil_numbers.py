"""学籍番号 of the schools' records: which of them a roster knows, and which reach a child (method §1, §3).

What is recorded under a number that stands in no roster reaches nobody. A city's first refresh has only the roster of
now, and so not the numbers that new junior-high pupils had until then.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome


def create_pupil_numbers(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_pupil_numbers`` (linkage.pupil_numbers) from the deliveries in force."""
    records = " union ".join(
        f"select '{table.id}' as table_name, {table.person.pupil} as pupil_id from delivered_{table.id}"
        for table in catalogue.tables.values()
        if table.person.pupil
    )
    con.execute(
        f"""
        create or replace temp table new_pupil_numbers as
        with records as ({records}),

        rosters as (
            select distinct r.pupil_id
            from sources.school_roster as r
            semi join (
                from sources.deliveries
                where table_name = 'school_roster' and status = 'accepted' and not superseded
            ) using (reference_date)
            where r.reference_date <= $reference_date
        ),

        linked as (
            select person_ref as pupil_id
            from linkage.links
            where reference_date = $reference_date and table_name = 'school_roster'
        )

        select
            $reference_date::date as reference_date,
            table_name,
            count(*)::integer as numbers,
            count(rosters.pupil_id)::integer as in_roster,
            count(linked.pupil_id)::integer as linked
        from records
        left join rosters using (pupil_id)
        left join linked using (pupil_id)
        group by table_name
        """,
        {"reference_date": reference_date},
    )


def check_pupil_numbers(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> CheckOutcome:
    """Names the tables in which many numbers stand in no roster, and the folder that would help."""
    rows = con.execute("select table_name, numbers, numbers - in_roster from new_pupil_numbers order by all").fetchall()
    most = catalogue.linkage.max_unlinked_share
    high = [
        f"{catalogue.tables[table].ja} {unknown:,} of {numbers:,}"
        for table, numbers, unknown in rows
        if unknown > most * numbers
    ]
    short = [catalogue.tables[table].ja for table, numbers, unknown in rows if unknown > most * numbers]
    # a folder in which no delivery lies yet: older than all of the roster
    row = con.execute(
        "select min(reference_date) from sources.deliveries where table_name = 'school_roster' and not superseded"
    ).fetchone()
    before = catalogue.calendar.previous_reference_date(
        min(row[0] if row and row[0] else reference_date, reference_date)
    )
    remedy = (
        ". What is recorded under them reaches nobody. Pupils who changed school had other numbers: put "
        f"校務支援学籍 of the school year before alone into inbox/{before}/ (or an earlier reference date) and "
        f"refresh {reference_date} again"
    )
    return CheckOutcome(
        name="numbers_in_roster",
        passed=not high,
        blocking=False,
        message=f"学籍番号 that stand in no 校務支援学籍 on or before {reference_date}: "
        f"{', '.join(high) or f'at most {most:.0%} of each table'}"
        + (f", expected at most {most:.0%} of each table{remedy}" if high else ""),
        facts={f"unknown_{table}": unknown for table, _, unknown in rows}
        | {"exceeding": len(high), "named": ", ".join(short), "folder": f"inbox/{before}" if high else ""},
    )
