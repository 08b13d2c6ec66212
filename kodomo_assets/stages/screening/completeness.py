"""Which deliveries a list had to do without (method §1): late termly tables, and schools that a delivery lacks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import LACKING, CheckOutcome, some
from kodomo_assets.sql import run_sql

_SCHOOLS = "schools"
_NAMED_SCHOOLS = 10


def build_completeness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables of what a list had to do without, and ``incomplete_children`` (child_key).

    ``late_tables(table_name, delivered_on)`` are termly tables that their last delivery replaces: the children who have
    a row in it are incomplete. ``lacking_schools(table_name, school_code, school_name)`` are schools of the register
    that the delivery in force lacks: all their children are incomplete. ``fault_children(table_name, check_name,
    column_name, acknowledged, child_key)`` are the children of the files in which something was found (method §2):
    those of a file that nobody acknowledged are incomplete. ``missing_schools(school_code, school_name)`` are those
    that delivered nothing for this date (method §6). Schools that hold no records with the city
    (``schools.without_delivery``) are exempt from the tables of the schools.
    """
    con.execute("create or replace temp table exempt_schools (school_code varchar)")
    if catalogue.schools.without_delivery:
        con.executemany("insert into exempt_schools values ($1)", [(c,) for c in catalogue.schools.without_delivery])
    con.execute(
        "create or replace temp table contract_facts "
        "(table_name varchar, termly boolean, of_schools boolean, names_pupils boolean, school_years integer[])"
    )
    con.executemany(
        "insert into contract_facts values ($1, $2, $3, $4, $5)",
        [
            (
                table.id,
                table.cadence == "termly",
                table.section == _SCHOOLS,
                "links" in table.serves,
                _school_years(catalogue, table),
            )
            for table in catalogue.tables.values()
        ],
    )
    run_sql(con, __package__, "late_and_faulty")
    _collect_present(con, catalogue, reference_date)
    _collect_fault_children(con, catalogue, reference_date)
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
    """Temp table ``present(table_name, child_key)``: who has a row in which table of the schools, or late one."""
    con.execute("create or replace temp table present (table_name varchar, child_key varchar)")
    late = {name for (name,) in con.execute("select table_name from late_tables").fetchall()}
    for table in catalogue.tables.values():
        if table.section == _SCHOOLS or table.id in late:
            con.execute(
                f"insert into present select distinct $table, child_key from ({_rows_of_children(catalogue, table)})",
                {"table": table.id, "reference_date": reference_date},
            )


def _rows_of_children(catalogue: Catalogue, table: SourceTable) -> str:
    """SQL: the rows of the delivery in force by the children whom they concern, where each stood, what was unreadable.

    A row about a resident concerns the children of the household where an item of the table is about the household.
    """
    if table.person.pupil is not None or table.person.name:
        names, ref = (table.id, table.key[0]) if table.person.name else ("school_roster", table.person.pupil)
        who = (
            f"select l.child_key, l.person_ref as ref from linkage.links as l "
            f"where l.reference_date = $reference_date and l.table_name = '{names}'"
        )
    else:
        ref = table.person.resident
        of_household = any(item.who != "child" for item in catalogue.items.values() if table.id in item.reads)
        who = "select child_key, resident_id as ref from linkage.children where reference_date = $reference_date"
        if of_household and "spine" not in table.serves:
            who += (
                " union select c.child_key, m.resident_id from linkage.children as c "
                "join linkage.residents as m using (reference_date, household_id) "
                "where c.reference_date = $reference_date"
            )
    return (
        f"select w.child_key, t.source_file, t.source_row, t.invalid_cells "
        f"from delivered_{table.id} as t join ({who}) as w on w.ref = t.{ref}"
    )


def _collect_fault_children(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp table ``fault_children``: whom each fault of the deliveries in force concerns."""
    con.execute(
        "create or replace temp table fault_children "
        "(table_name varchar, check_name varchar, column_name varchar, acknowledged boolean, child_key varchar)"
    )
    for (name,) in con.execute("select distinct table_name from faults_in_force").fetchall():
        con.execute(
            f"""
            insert into fault_children
            select distinct f.table_name, f.check_name, f.column_name, f.acknowledged, r.child_key
            from faults_in_force as f
            join ({_rows_of_children(catalogue, catalogue.tables[name])}) as r on r.source_file = f.file
            where
                f.table_name = $table
                and case f.check_name
                    when 'unreadable_cells' then not f.acknowledged or list_contains(r.invalid_cells, f.column_name)
                    when 'absent_columns' then true
                    when 'households' then true
                    else f.row_number = r.source_row
                end
            """,
            {"table": name, "reference_date": reference_date},
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
    incomplete = con.execute(
        "select table_name, list(file order by file) from faults_in_force where not acknowledged and not blocking "
        "group by table_name order by table_name"
    ).fetchall()
    sentences += [
        f"{catalogue.tables[table].ja} cannot be read whole in {_named(list(dict.fromkeys(files)))}"
        for table, files in incomplete
    ]
    yield CheckOutcome(
        name="deliveries_complete",
        passed=not sentences,
        blocking=False,
        message="; ".join(sentences) or "every termly table is delivered for this date, by every school",
        facts={"late_tables": len(late)}
        | {f"schools_lacking_{table}": len(schools) for table, schools in lacking}
        | {f"{LACKING}{table}": some(schools) for table, schools in lacking}
        | {
            "late": ", ".join(f"{catalogue.tables[table].ja} ({day})" for table, day in late),
            "lacking": "; ".join(f"{catalogue.tables[table].ja} {some(schools)}" for table, schools in lacking),
            "unread": ", ".join(some(list(dict.fromkeys(files))) for _, files in incomplete),
        },
    )


def _named(schools: list[str]) -> str:
    more = len(schools) - _NAMED_SCHOOLS
    return ", ".join(schools[:_NAMED_SCHOOLS]) + (f" and {more} more" if more > 0 else "")


def check_acknowledged_faults(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """A warning beside the list: what people let in, and how many children it concerns (method §2).

    Reads the temp tables that ``build_completeness`` made.
    """
    rows = con.execute(
        """
        select f.table_name, f.check_name, f.column_name, count(distinct c.child_key)
        from (select distinct table_name, check_name, column_name from faults_in_force where acknowledged) as f
        left join fault_children as c
            on
                c.acknowledged
                and c.table_name = f.table_name
                and c.check_name = f.check_name
                and c.column_name is not distinct from f.column_name
        group by all
        order by all
        """
    ).fetchall()
    told, named = [], []
    for name, check, column, children in rows:
        table = catalogue.tables[name]
        what = f"{table.ja} {table.columns[column].ja}" if column else table.ja
        named.append(f"{what} ({children:,})")
        told.append(f"{what} ({check}): {children} children")
    return CheckOutcome(
        name="acknowledged",
        passed=not told,
        blocking=False,
        message="; ".join(told) or "nothing was acknowledged in the deliveries in force",
        facts={
            "acknowledged": len(told),
            "children": max((row[3] for row in rows), default=0),
            "named": ", ".join(named),
        },
    )


def check_silent_schools(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """Names the schools that have never delivered any table, with the line that says so (method §1)."""
    silent = con.execute("select school_code, school_name from silent_schools order by school_code").fetchall()
    codes = ", ".join(f"'{code}'" for code in [*catalogue.schools.without_delivery, *(code for code, _ in silent)])
    named = _named([f"{code} {name}".rstrip() for code, name in silent])
    return CheckOutcome(
        name="silent_schools",
        passed=not silent,
        blocking=False,
        message=f"{len(silent)} schools have never delivered any table: {named}; they stay expected until city.yaml "
        f"says schools: {{without_delivery: [{codes}]}} (private schools)"
        if silent
        else "every school that is expected has delivered",
        facts={"schools": len(silent), "named": some([f"{code} {name}".rstrip() for code, name in silent])},
    )


def check_missing_schools(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """Names the schools that delivered nothing for this date, and what becomes of their children (method §6).

    Reads the temp tables that ``build_completeness`` and the ranking made.
    """
    missing = con.execute("select school_code, school_name from missing_schools order by school_code").fetchall()
    row = con.execute(
        "select count(*), count(*) filter (selected) from new_ranking semi join missing_schools using (school_code)"
    ).fetchone()
    children, selected = row or (0, 0)
    own = "by places of their own" if catalogue.screening.missing_school == "own_share" else "among all others"
    return CheckOutcome(
        name="missing_schools",
        passed=not missing,
        blocking=False,
        message=f"{len(missing)} schools delivered nothing for this date: "
        f"{_named([f'{code} {name}'.rstrip() for code, name in missing])}; {selected} of their {children} screened "
        f"children are selected, {own} (screening.missing_school), without anything that the school knows. Ask the "
        "school for its files and refresh this date again"
        if missing
        else "every expected school has delivered for this date",
        facts={
            "schools": len(missing),
            "children": children,
            "selected": selected,
            "named": some([f"{code} {name}".rstrip() for code, name in missing]),
        },
    )


def check_recorded_years(con: duckdb.DuckDBPyConnection) -> CheckOutcome:
    """Names the school years without any record of a school, and what helps (method §1)."""
    years = [year for (year,) in con.execute("select school_year from unrecorded_years order by all").fetchall()]
    return CheckOutcome(
        name="recorded_school_years",
        passed=not years,
        blocking=False,
        message=f"no child of school year {', '.join(map(str, years))} has a record of the schools: new pupils have "
        "new numbers; put the 校務支援学籍 of the year before into the folder of an earlier reference date, where it "
        "is read for the links alone"
        if years
        else "every school year has records of the schools",
        facts={"school_years": len(years), "named": ", ".join(map(str, years))},
    )
